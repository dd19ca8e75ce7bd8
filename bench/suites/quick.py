"""All families and some compositions on real digits: which remedy leaves the plateau?

Command: make bench
Expect: five to eight minutes on two cores. From the sigmoid baseline most single changes stay on the plateau; those
that keep both the signal and the gradient alive leave it, and the trainable compositions end 3 to 4 nats below it. ReLU
with He's initialization and Adam has healthy gradient norms and learns nothing.
"""

from bench.plugins.suite import Suite

SUITE = Suite(
    arms=(
        "baseline",
        # Initial weights, schedules and KL weights share the baseline's program.
        "tiny_normal", "orthogonal", "cosine_decay", "kl_warmup",
        "tanh", "relu", "selu", "gelu",
        "rezero", "highway", "pre_activation_residual",
        "batch_norm", "layer_norm",
        "adam", "momentum",
        "clip_by_global_norm",
        "free_bits",
        "dropout",
        "bfloat16",
        "relu+he_normal+adam", "relu+he_normal+layer_norm+adam+kl_warmup", "batch_norm+adam",
        "tanh+orthogonal+adam", "relu+rezero+adam", "relu+pre_activation_residual+layer_norm+adam",
    ),
)  # fmt: skip
