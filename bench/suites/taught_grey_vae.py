"""The VAE of PyTorch's examples, 784-400-20 on grey MNIST under a Bernoulli likelihood, as long as there.

Command: make bench SUITE=taught_grey_vae
Needs MNIST: python -m bench data fetch mnist
Compare: after as many steps, 10 epochs over 60,000 images, a public log of that example prints a test loss of 105.6
nats. Here 10,000 of those images are kept for validation.
Found: 105.18 [105.02, 105.34] of ReLU, 107.40 of tanh, 129.26 of the baseline, sigmoid with SGD at 0.03;
`results/reference/taught/grey_vae`.
"""

from bench.plugins.suite import Suite

SUITE = Suite(
    arms=("baseline", "trainable", "trainable+relu"),
    workload="image-dense[data=mnist,widths=400,latent=20,binarisation=none]",
    seeds=3,
    rates=1,
    steps=4690,
)
