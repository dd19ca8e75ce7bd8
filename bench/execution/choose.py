"""The choice of what runs the cells: worker processes on this machine, or a Ray cluster."""

from typing import TYPE_CHECKING

from bench.language.errors import InputError, unknown

if TYPE_CHECKING:
    from bench.execution.executor import Executor


def choose_executor(name: str, address: str | None, workers: int | None, device: str | None) -> "Executor":
    """The executor that was asked for, ready to be entered.

    Args:
        name: `local` or `ray`.
        address: Of the Ray cluster; None for the one that is there.
        workers: Of worker processes here; None for one per core, or per GPU.
        device: `cpu`, `gpu`, or None for a GPU where there is one.

    Raises:
        InputError: If there is no such executor, device or cluster, or one is told what only the other can do.
    """
    if name not in ("local", "ray"):
        raise unknown("executor", name, ("local", "ray"))
    if workers is not None and workers < 1:
        raise InputError(f"workers must be at least 1, got {workers}")
    if name == "ray":
        if workers is not None:
            raise InputError(f"workers is {workers}, but Ray counts its own; leave it out, or use --executor local")
        from bench.execution.ray_cluster import RayExecutor

        return RayExecutor(address, device)
    if address is not None:
        raise InputError(f"address {address!r} is of a Ray cluster: give --executor ray with it")
    from bench.data.cache import cache
    from bench.execution.device import find_device
    from bench.execution.local import LocalExecutor

    return LocalExecutor(find_device(device), workers, cache())
