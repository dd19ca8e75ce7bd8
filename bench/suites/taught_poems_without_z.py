"""The decoder of taught_poems alone, a language model: what is known of a character by those before it.

Command: make bench SUITE=taught_poems_without_z
Needs the poems: python -m bench data fetch tang-poems
"""

from bench.plugins.suite import Suite

SUITE = Suite(
    arms=("baseline",),
    workload="text-lstm[model=language-model,data=tang-poems,length=7,at_least=3,width=128,embedding=64,latent=32]",
    seeds=3,
    rates=1,
    steps=1000,
)
