"""The taught autoencoder with three hidden layers of 64 each way, so that residuals have what to go around.

Command: make bench SUITE=taught_deep_autoencoder
Needs MNIST: python -m bench data fetch mnist
Compare: taught_autoencoder, with one hidden layer each way; PCA with 32 components leaves 13.20 of an image.
Found: the baseline, sigmoid with SGD, stays at the mean image, 52.9; 10.30 [9.82, 10.77] of ReZero, 10.49 of residuals
with batch normalization, 12.02 [11.08, 12.97] of ReLU alone; `results/reference/taught/deep_autoencoder`.
"""

from bench.plugins.suite import Suite

SUITE = Suite(
    arms=(
        "baseline", "trainable", "trainable+relu",
        "trainable+relu+pre_activation_residual", "trainable+relu+rezero", "trainable+relu+batch_norm",
        "trainable+relu+pre_activation_residual+batch_norm",
    ),
    workload="autoencoder[data=mnist,widths=64x3,code=32]",
    seeds=3,
    rates=1,
    # 20 epochs.
    steps=7813,
)  # fmt: skip
