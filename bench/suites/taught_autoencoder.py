"""The autoencoder that tutorials teach, 784-64-32-64-784 on MNIST, and what is usually added to it.

Command: make bench SUITE=taught_autoencoder
Needs MNIST: python -m bench data fetch mnist
Compare: what a linear code of 32 numbers leaves of an image, PCA fitted to the training set, is 13.20 on test, 0.0168 a
pixel.
Found: 10.61 [10.29, 10.93] of batch normalization, 11.14 of tanh, 12.00 [11.43, 12.56] of ReLU, and of ReLU with
clipping, decay, L1 or L2 within that interval; `results/reference/taught/autoencoder`.
"""

from bench.plugins.suite import Suite

SUITE = Suite(
    arms=(
        "baseline", "trainable", "trainable+relu",
        "trainable+relu+batch_norm", "trainable+relu+clip_by_global_norm", "trainable+relu+decoupled_decay",
        "trainable+relu+l1", "trainable+relu+l2", "trainable+relu+cosine_decay",
    ),
    workload="autoencoder[data=mnist,widths=64,code=32]",
    seeds=3,
    rates=1,
    # 20 epochs.
    steps=7813,
)  # fmt: skip
