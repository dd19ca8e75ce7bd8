"""Whether a pass fits into memory: asked before it is run, and told where it did not."""

import os

import jax

from vae_jax.diagnosis.tracing.passes import Passes, size_of


def memory_needed(passes: Passes, examples: int) -> str:
    """How much memory a pass takes, and for which value, in words.

    Args:
        passes: The model's.
        examples: On how many.
    """
    graph = passes.graph
    made = [(number, operation) for operation in graph.operations for number in operation.outputs]
    number, operation = max(made, key=lambda pair: size_of(graph.shapes[pair[0]]))
    size = size_of(graph.shapes[number])
    where = f" at {operation.line}" if operation.line else ""
    shape = "x".join(map(str, graph.shapes[number].shape))
    return (
        f"one pass on {examples} examples keeps {_giga(bytes_of(passes))}, its largest value {_giga(size)} (of shape "
        f"{shape}, made by `{'`, `'.join(sorted(operation.names))}`{where}): give fewer examples or a smaller model"
    )


def bytes_of(passes: Passes) -> int:
    """How much a pass keeps, or its largest value takes, where nothing larger is kept."""
    graph = passes.graph
    values = (size_of(graph.shapes[number]) for operation in graph.operations for number in operation.outputs)
    return max(passes.bytes, max(values, default=0))


def memory_there() -> int:
    """The bytes of the device that a pass is run on; of a processor, the machine's."""
    told = jax.local_devices()[0].memory_stats() or {}
    return told.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _giga(size: int) -> str:
    return f"{size / 1e9:,.3g} GB"
