"""The VAE that tutorials teach with a squared error, 784-128-64-20 on MNIST, under several weights of its KL term.

Command: make bench SUITE=taught_squared_error
Needs MNIST: python -m bench data fetch mnist
Compare: scores are at KL weight 1, whatever an arm was trained with. Without a KL term the squared error alone, in the
column reconstruction, is to be held against 18.45 of PCA with 20 components; in a short trial, 2,000 steps from one
seed, tanh was at 14.1 and ReLU at 13.0.
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
