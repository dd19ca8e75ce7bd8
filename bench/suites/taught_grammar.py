"""An LSTM VAE of a grammar's sentences, whose probabilities are known: what a model that learns must be told as.

Command: make bench SUITE=taught_grammar
Compare: no -ELBO is below the grammar's own -log p of the test sentences, 10.98 nats, but by chance.
Found: the importance-weighted bound is 11.03 nats of trainable+cosine_decay, z used (worth 5.7 nats), and 11.06 of the
baseline, collapsed; `results/reference/taught/grammar`.
"""

from bench.plugins.suite import Suite

SUITE = Suite(
    arms=("baseline", "trainable", "trainable+cosine_decay"),
    workload="text-lstm[data=agreement-large]",
    seeds=3,
    rates=1,
    steps=3000,
)
