"""The machine that a training runs on, as its record keeps it."""

import os
import platform
from pathlib import Path

import jax

from bench.results.stored.records import DeviceRecord


def describe_device() -> DeviceRecord:
    """The machine, as a record keeps it."""
    name = jax.devices()[0].device_kind
    if name == "cpu":
        name = _processor()
    return DeviceRecord(jax.default_backend(), name, os.cpu_count())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
