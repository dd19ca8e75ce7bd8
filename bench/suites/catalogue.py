"""Every remedy by itself, on the base that vanishes and on the one that learns: what does each do, and to what?

Command: make bench SUITE=catalogue
Expect: an hour on two cores, training, timing and confirmation together; of 302 arms 276 are ok, 4 diverged, 22 change
nothing. On the baseline ten remedies leave the plateau, controls apart: seven activations with a slope near 1
on both sides of zero, batch norm, and two residual paths (results/reference/catalogue). On the workload remember it is
a suite for a night (make bench SUITE=catalogue WORKLOAD=remember ARGS='--steps 2000').
"""

from bench.plugins.suite import Suite

SUITE = Suite(arms=("baseline", "trainable", "*", "trainable+*"), seeds=3, rates=3, confirm=True)
