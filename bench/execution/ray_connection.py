"""The connection to a Ray cluster, or the sentence that says why there is none."""

import signal
import socket
from typing import Any

from bench.language.errors import InputError

_CONNECT_SECONDS = 5.0


def import_ray() -> Any:
    """Ray, where it is installed.

    Raises:
        InputError: If it is not.
    """
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InputError(
            "executor 'ray': Ray is not installed here; install the extra with pip install '.[ray]', or use local"
        ) from error
    return ray


def connect(ray: Any, address: str) -> None:
    """Connect to a cluster.

    Args:
        ray: The library.
        address: HOST:PORT, or `auto`.

    Raises:
        InputError: If no cluster answers there.
    """
    if "://" in address:
        raise InputError(
            f"address {address!r} is a Ray Client's, which cannot stream results: give the command on a node of the "
            "cluster, with --address HOST:PORT or without"
        )
    host, _, port = address.rpartition(":")
    cure = "ray start --head starts one; --address HOST:PORT or RAY_ADDRESS names it, from one of its nodes"
    handler = signal.getsignal(signal.SIGTERM)
    try:
        if port.isdigit():
            # Ray itself would look for it for minutes.
            socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise InputError(f"no Ray cluster at address {address!r} ({said(error)}): {cure}") from error
    finally:
        # Ray takes SIGTERM for itself, and what it raises then does not come out of its own waiting.
        if signal.getsignal(signal.SIGTERM) is not handler:
            signal.signal(signal.SIGTERM, handler)


def said(error: BaseException) -> str:
    """The line of an error that tells what it is; Ray puts the traceback in front."""
    text = getattr(error, "strerror", None) or str(getattr(error, "cause", None) or error)
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else type(error).__name__
