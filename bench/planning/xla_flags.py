"""Flags of XLA: those that a worker adds, and those that a person has set; both change the last digits of a figure."""

import os

# Level 1 compiles an eighth faster and runs as fast. Without the concurrency-optimized scheduler, two QR calls of one
# program (orthogonal initial weights) cannot wait for each other for ever on a machine with few cores.
# Vectors of 512 bits, where the processor has them, take 5 % off a step.
CPU_FLAGS = (
    "--xla_backend_optimization_level=1",
    "--xla_cpu_enable_concurrency_optimized_scheduler=false",
    "--xla_cpu_prefer_vector_width=512",
)

ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"
"""Where the system cannot pin a worker to a core; it changes who computes, not what."""


def flags(device_kind: str) -> list[str]:
    """All flags that cells are computed under: the same in the process that plans and in a worker.

    What a person has set stands: a flag that `XLA_FLAGS` names, the last time it does, is not set to this suite's.
    """
    own = CPU_FLAGS if device_kind == "cpu" else ()
    by_name = {flag.partition("=")[0]: flag for flag in (*own, *os.environ.get("XLA_FLAGS", "").split())}
    return sorted(set(by_name.values()) - {ONE_THREAD})
