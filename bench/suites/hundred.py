"""Five activations, four optimizers, five ways to start or to anneal: a thousand trainings. For the suite's own speed.

Command: python -m bench run --suite hundred --no-timing
Expect: under half an hour on two cores, 20 programs for 100 arms; the tanh arms leave the plateau, and with Adam
        other activations follow from a better start.
"""

import itertools

from bench.plugins.suite import Suite

_ACTIVATIONS = ("", "tanh", "relu", "gelu", "silu")
_OPTIMIZERS = ("", "momentum", "rmsprop", "adam")
_NUMBERS = ("", "orthogonal", "he_normal", "cosine_decay", "kl_warmup")

SUITE = Suite(
    arms=tuple(
        "+".join(filter(None, names)) or "baseline" for names in itertools.product(_ACTIVATIONS, _OPTIMIZERS, _NUMBERS)
    )
)
