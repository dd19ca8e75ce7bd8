"""The VAE that tutorials teach, 784-500-30 on MNIST, binarised anew at every presentation, for 100 epochs.

Command: make bench SUITE=taught_vae
Needs MNIST: python -m bench data fetch mnist
Compare: no published -ELBO of this very network is known to us; taught_grey_vae has one beside it.
Found: 96.35 [95.92, 96.77] nats of ReLU and 97.43 [97.13, 97.72] of tanh, 91.44 and 92.27 by the importance-weighted
bound; of the baseline, SGD at 0.03, one seed of three diverges, at step 48; `results/reference/taught/vae`.
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
