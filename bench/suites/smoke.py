"""Five arms, few steps: does everything run? For tests.

Command: python -m bench run --suite smoke
Expect: half a minute on two cores; all rows ok, and numbers that mean nothing after so few steps.
"""

from bench.plugins.suite import Suite

SUITE = Suite(
    arms=("baseline", "orthogonal", "kl_warmup", "tanh+orthogonal+adam", "relu+rezero+adam"),
    seeds=2,
    steps=60,
)
