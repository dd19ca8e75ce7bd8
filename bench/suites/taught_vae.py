"""The VAE that tutorials teach, 784-500-30 on MNIST, binarised anew at every presentation, for 100 epochs.

Command: make bench SUITE=taught_vae
Needs MNIST: python -m bench data fetch mnist
Compare: no published -ELBO of this very network is known to us; taught_grey_vae has one beside it.
Found: 96.27 [96.06, 96.48] nats of ReLU and 97.38 [97.25, 97.51] of tanh, 91.36 and 92.26 by the importance-weighted
bound; the baseline, SGD at 0.03, diverges at step 3 from all three seeds; `results/reference/taught/vae`.
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
