"""An LSTM VAE of lines of Tang poems, character by character, with and without an annealed or smaller KL term.

Command: make bench SUITE=taught_poems
Needs the poems: python -m bench data fetch tang-poems
Compare: the accuracy of the same decoder without z, SUITE=taught_poems_without_z.
Found: 32.5 % [32.1, 32.9] of characters and ends told rightly of beta 0.1, 24.1 % of trainable, 19.5 % of the baseline,
which collapses, and 19.1 % [18.8, 19.4] without z; `results/reference/taught/poems`.
"""

from bench.plugins.suite import Suite

SUITE = Suite(
    arms=("baseline", "trainable", "baseline+beta[weight=0.1]"),
    workload="text-lstm[data=tang-poems,length=7,at_least=3,width=128,embedding=64,latent=32]",
    seeds=3,
    rates=1,
    steps=1000,
)
