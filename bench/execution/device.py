"""The device that numbers will be computed on, found out without starting a backend in this process."""

import subprocess
import sys
from importlib.metadata import distributions
from typing import NamedTuple

from bench.language.errors import InputError, unknown

_PROBE = (
    "import jax; found = jax.devices({wanted}); print(found[0].platform, found[0].device_kind, len(found), sep='|')"
)


class Device(NamedTuple):
    """A kind of device that numbers are computed on.

    Attributes:
        platform: `cpu` or `gpu`.
        kind: Its kind, by which stored numbers are kept apart.
        number: How many GPUs of that kind there are.
    """

    platform: str
    kind: str
    number: int = 1


def find_device(wanted: str | None) -> Device:
    """The device asked for, or the best there is.

    Args:
        wanted: `cpu`, `gpu`, or None for a GPU where jax finds one.

    Raises:
        InputError: If it is neither, or jax finds no GPU.
    """
    if wanted not in (None, "cpu", "gpu"):
        raise unknown("device", wanted, ("cpu", "gpu"))
    if wanted == "cpu":
        return Device("cpu", "cpu")
    # jax reaches a GPU through a plugin package; without one there is nothing to start and to ask.
    has_plugin = any((package.name or "").startswith(("jax-cuda", "jax-rocm")) for package in distributions())
    if has_plugin:
        probe = _PROBE.format(wanted="'gpu'" if wanted == "gpu" else "")
        answer = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            platform, kind, count = answer.stdout.strip().splitlines()[-1].split("|")
            return Device("cpu", "cpu") if platform == "cpu" else Device("gpu", kind, int(count))
    if wanted == "gpu":
        raise InputError("device 'gpu': jax finds none here; install the extra with pip install '.[cuda]', or use cpu")
    return Device("cpu", "cpu")
