"""The VAE that tutorials teach with a squared error, 784-128-64-20 on MNIST, under several weights of its KL term.

Command: make bench SUITE=taught_squared_error
Needs MNIST: python -m bench data fetch mnist
Compare: scores are at KL weight 1, whatever an arm was trained with. Without a KL term the squared error alone, in the
column reconstruction, is to be held against 18.45 of PCA with 20 components.
Found: 11.36 of ReLU without a KL term; at weight 1, ReLU sits on the mean image with a collapsed posterior from all
three seeds, and tanh does not: 32.03 [32.03, 32.04]; `results/reference/taught/squared_error`.
"""

from bench.plugins.suite import Suite

SUITE = Suite(
    arms=(
        "baseline", "trainable", "trainable+relu",
        "trainable+relu+beta[weight=0]", "trainable+relu+beta[weight=0.1]", "trainable+relu+beta[weight=4]",
    ),
    workload="image-dense[data=mnist,widths=128-64,latent=20,likelihood=mse]",
    seeds=3,
    rates=1,
    # 20 epochs.
    steps=7813,
)  # fmt: skip
