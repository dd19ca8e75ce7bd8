"""The VAE that tutorials teach, 784-500-30 on MNIST, binarised anew at every presentation, for 100 epochs.

Command: make bench SUITE=taught_vae
Needs MNIST: python -m bench data fetch mnist
Expect: an hour on two cores.
"""

from bench.plugins.suite import Suite

SUITE = Suite(
    arms=("baseline", "trainable", "trainable+relu"),
    workload="image-dense[data=mnist,widths=500,latent=30]",
    seeds=3,
    rates=1,
    # 100 epochs.
    steps=39_063,
)
