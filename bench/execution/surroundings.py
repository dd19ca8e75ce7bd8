"""Settings that numbers depend on, put where this project wants them: no variable of a person's may change a figure."""

import os
from typing import Any

import jax
import scipy.linalg  # noqa: F401, since only what is loaded can be told
from threadpoolctl import threadpool_limits

# Every one of them can be set by an environment variable of its name, and would then change a figure or end a training.
NUMBERS: dict[str, Any] = {
    # The generator behind a key, and how it counts.
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
    "jax_random_seed_offset": 0,
    "jax_high_dynamic_range_gumbel": False,
    # On a GPU, float32 products may run in a shorter format: what is measured is float32.
    "jax_default_matmul_precision": "highest",
    "jax_enable_x64": False,
    # What is derived, in what order, and how much of it XLA may rearrange.
    "jax_softmax_custom_jvp": False,
    "jax_use_direct_linearize": True,
    "jax_disable_jit": False,
    "jax_disable_most_optimizations": False,
    "jax_exec_time_optimization_effort": 0.0,
    "jax_memory_fitting_effort": 0.0,
    "jax_enable_pgle": False,
    # A training that diverges is a result, and none that raises.
    "jax_debug_nans": False,
    "jax_debug_infs": False,
    "jax_debug_key_reuse": False,
    "jax_check_tracer_leaks": False,
    "jax_enable_checks": False,
}

# How numbers of two types or ranks meet: set otherwise, they do not, and raise.
_MEETING = {"jax_numpy_dtype_promotion": "standard", "jax_numpy_rank_promotion": "allow"}


def fix_numbers() -> None:
    """Set what numbers depend on in this process: what plans needs it as much as what trains."""
    _set(NUMBERS)
    # A factorization of a wide matrix (orthogonal draws, Shampoo's roots) has other last digits on two threads than on
    # one, and the library takes as many as there are cores, or as a variable says.
    threadpool_limits(1, user_api="blas")
    # It overrides what jax asks of a product.
    os.environ.pop("NVIDIA_TF32_OVERRIDE", None)


def fix_meeting() -> None:
    """Let numbers of different types and ranks meet as optax's optimizers and a person's remedies expect."""
    _set(_MEETING)


def _set(values: dict[str, Any]) -> None:
    for name, value in values.items():
        # Another version of jax may have lost one.
        if name in jax.config.values:
            jax.config.update(name, value)
