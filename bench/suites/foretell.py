"""Which readings of the first steps foretell who leaves the plateau: small networks of six kinds, shallow and deep.

Command: make bench SUITE=foretell ARGS=--no-timing
Compare: who looks at nothing but kind, base and optimizer.
"""

import itertools

from bench.plugins.suite import Suite

# The base's activation is a sigmoid or tanh, its weights Glorot's; recurrent networks have cells instead. Optimizers
# are named, since the base's is SGD for some kinds and Adam for others.
_ACTIVATIONS = ("", "tanh", "relu", "gelu")
_INITIALIZATIONS = ("", "he_normal", "orthogonal")
# Of weights this large a layer of tanh is saturated, and through ReLU the gradient explodes.
_LARGE = (("tanh", "orthogonal[scale=4]"), ("tanh", "orthogonal[scale=20]"), ("relu", "orthogonal[scale=4]"))
_CELLS = ("", "lstm", "gru", "irnn", "orthogonal_recurrent", "lstm+chrono_init", "lstm+forget_gate_bias")
_OPTIMIZERS = ("sgd", "adam")
_STEPS = 1000

_DENSE = (
    *itertools.product(_ACTIVATIONS, _INITIALIZATIONS, _OPTIMIZERS),
    *((*names, optimizer) for names in _LARGE for optimizer in _OPTIMIZERS),
)
_RECURRENT = tuple(itertools.product(_CELLS, _OPTIMIZERS))

SUITE = Suite(
    arms=("baseline", *dict.fromkeys("+".join(filter(None, names)) for names in (*_DENSE, *_RECURRENT))),
    workload="digits-dense[depth=[2,8],width=32],autoencoder[widths=[32x3,32x9]],classify[widths=[32x3,32x9]],"
    "image-conv[layers=[1,3],channels=8],text-lstm[model=autoencoder,depth=[1,2],width=32],"
    "remember[length=[6,20],width=32]",
    seeds=1,
    rates=3,
    steps=_STEPS,
    tangent_kernel=True,
)
