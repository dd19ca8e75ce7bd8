"""Settings for all tests: strict arrays, and no deadlock on few cores."""

import os

# Before jax starts. Two QR calls of one program can wait for each other for ever on a machine with few cores. The other
# two compile in half the time what runs four times as long: a test runs what it compiles a few times only. Workers that
# a test starts have the same from its environment.
# Those of a long test have a person's own. (Processes of tests side by side are told them by the first.)
os.environ["XLA_FLAGS_OUTSIDE"] = os.environ.get("XLA_FLAGS_OUTSIDE", os.environ.get("XLA_FLAGS", ""))
os.environ["XLA_FLAGS"] = (
    os.environ["XLA_FLAGS_OUTSIDE"]
    + " --xla_cpu_enable_concurrency_optimized_scheduler=false"
    + " --xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
)

import jax
import pytest

from bench.training.memory import held
from bench.training.programs import let_go

# One core for each process of tests that run side by side: so the runs that they start have one worker, where a second
# would cost seconds to start beside a core that is busy, and none waits for the threads of another.
_beside = os.environ.get("PYTEST_XDIST_WORKER", "")
if _beside and hasattr(os, "sched_setaffinity"):
    _cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {_cores[int(_beside.removeprefix("gw")) % len(_cores)]})

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory):
    """A compilation cache for the commands that tests run: theirs alone, so that a test never rests on an old one.

    Processes that run tests side by side share it; each has a folder of its own in one of the session.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cache"
    folder.mkdir(exist_ok=True)
    os.environ["VAE_JAX_CACHE"] = str(folder)
    return folder


@pytest.fixture(autouse=True)
def optimization(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """Workers that a long test starts compile as they do for a person: they run for longer than they compile."""
    if request.node.get_closest_marker("long"):
        monkeypatch.setenv("XLA_FLAGS", os.environ["XLA_FLAGS_OUTSIDE"])


@pytest.fixture(scope="module", autouse=True)
def memory():
    """At a file's end, lets go of what has been compiled, once that is a lot: hardly any of it is of use to another."""
    yield
    let_go(more=3 * 2**28)


@pytest.fixture(autouse=True)
def memory_within_a_file():
    """And within one, where its tests alone have compiled so much that a process would come near 2 GB."""
    yield
    if held() > 3 * 2**29:
        let_go(more=0)


def pytest_make_parametrize_id(val: object) -> str | None:
    """A function by its name: by its address, tests that run side by side would not be the same tests."""
    return getattr(val, "__name__", None) if callable(val) else None
