"""Every remedy by itself, on the base that vanishes and on the one that learns: what does each do, and to what?

Command: make bench SUITE=catalogue
Expect: an hour and a half on two cores, by what its cells take; every row is ok, diverged, or not applicable with a
reason. On the workload remember it is a suite for a night:
make bench SUITE=catalogue WORKLOAD=remember ARGS='--steps 2000'.
"""

from bench.suite import Suite

SUITE = Suite(arms=("baseline", "trainable", "*", "trainable+*"), seeds=3, rates=3)
