"""Every remedy by itself, on the base that vanishes and on the one that learns: what does each do, and to what?

Command: make bench SUITE=catalogue
Expect: an hour and a half of training on two cores and 25 minutes of timing; 273 of 302 arms are ok, 7 diverged, 22
change nothing. On the baseline 9 of 135 remedies leave the plateau: eight activations with a slope of 1 or more on both
sides of zero, and batch norm (results/reference/catalogue). On the workload remember it is a suite for a night
(make bench SUITE=catalogue WORKLOAD=remember ARGS='--steps 2000'): an hour reaches the arms on the baseline, of which
one leaves the plateau in every seed, and the first on the trainable base (results/reference/catalogue-remember).
"""

from bench.plugins.suite import Suite

SUITE = Suite(arms=("baseline", "trainable", "*", "trainable+*"), seeds=3, rates=3, confirm=True)
