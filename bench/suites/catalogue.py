"""Every remedy by itself, on the base that vanishes and on the one that learns: what does each do, and to what?

Command: make bench SUITE=catalogue
Expect: one to two hours on two cores. Below the cliff, from the baseline, all but a few remedies stay on the plateau;
what most of them do is seen on the trainable base. On the workload remember it is a suite for a night:
make bench SUITE=catalogue WORKLOAD=remember ARGS='--steps 2000'.
"""

from bench.suite import Suite

SUITE = Suite(arms=("baseline", "trainable", "*", "trainable+*"), seeds=3, rates=3)
