"""Every benchmark of this suite's speed, found as pytest finds it: each of its programs is traced, none is compiled."""

import importlib
import time
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import bench.speed
from bench.cli.main import main
from bench.speed import setting
from bench.speed.machine import Command
from bench.speed.peers import flax_peer
from tests.bench.fake_store import build
from vae_jax.models.vae import VAEArchitecture

_FILES = sorted(Path(bench.speed.__path__[0]).glob("test_*.py"))
_MODULES = {path.stem: importlib.import_module(f"bench.speed.{path.stem}") for path in _FILES}
_FIXTURE = type(pytest.fixture(lambda: None))
for _module in _MODULES.values():
    for _name, _each in vars(_module).items():
        if _name.startswith("test_") or isinstance(_each, _FIXTURE):
            assert _name not in globals(), f"two files of bench/speed have a {_name}: only one of them would be traced"
            globals()[_name] = _each

_jit = jax.jit


class Traced:
    """In the place of `jax.jit`: a program is traced, and gives smaller numbers of its results' shapes at each call."""

    def __init__(self, function, **options):
        self.program, self.calls, self.results = _jit(function, **options), 0, {}

    def lower(self, *arguments):
        given = tuple((np.shape(leaf), getattr(leaf, "dtype", type(leaf))) for leaf in jax.tree.leaves(arguments))
        if given not in self.results:
            self.results[given] = self.program.eval_shape(*arguments)
        self.shapes = self.out_info = self.results[given]
        return self

    def compile(self):
        return self

    def __call__(self, *arguments):
        self.lower(*arguments).calls += 1
        return jax.tree.map(lambda shape: np.full(shape.shape, 1 / self.calls, shape.dtype), self.shapes)


class InThisProcess:
    """In the place of a pool of processes, each on a core of its own."""

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def map(self, function, names, steps, cores):
        return [function(names[0], steps[0])] * len(cores)


def compiles_little(job, tell):
    """In the place of a cell: a program of a known name is compiled, with a function within."""
    assert job.protocol.steps == _MODULES["test_compile"].STEPS

    def train(x):
        return _jit(jnp.sin)(x @ x).sum()

    _jit(train)(jnp.ones((3, 3)))
    time.sleep(0.01)


def dry(*arguments, cache):
    """In the place of a command in a process of its own: here, and without a training."""
    if "--out" in arguments:
        build(Path(arguments[arguments.index("--out") + 1]))
        arguments = (*arguments, "--dry-run")
    with pytest.raises(SystemExit, match="0"):
        main(list(arguments))
    return Command("", 1.0, 100.0, 100.0)


@pytest.fixture(autouse=True)
def traced(monkeypatch):
    # Benchmarks run with jax as it comes, and clear what other tests have compiled.
    alone = SimpleNamespace(
        **vars(jax) | {"jit": Traced, "clear_caches": list, "config": SimpleNamespace(update=print)}
    )
    for module in (flax_peer, setting, _MODULES["test_compile"]):
        monkeypatch.setattr(module, "jax", alone)
    monkeypatch.setattr(_MODULES["test_compile"], "run_cell", compiles_little)
    monkeypatch.setattr(_MODULES["test_commands"], "command", dry)
    # Every tower traced takes long in the depth alone.
    monkeypatch.setattr(setting.Setting, "architecture", VAEArchitecture(data=64, depth=2, width=64, latent=8))
    monkeypatch.setattr(_MODULES["test_suite"], "ProcessPoolExecutor", InThisProcess)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


class Untimed(BenchmarkFixture):
    """Runs what is to be timed, and keeps no row for a table of times."""

    def __init__(self):
        self.extra_info, self.stats = {}, SimpleNamespace(stats=SimpleNamespace(data=[1.0]))

    def pedantic(self, target, setup=list, **about):  # pyright: ignore[reportIncompatibleMethodOverride]
        for _ in range(1 + about.get("warmup_rounds", 0)):
            setup()
            self.result = target()
        return self.result


@pytest.fixture
def benchmark():
    return Untimed()


@pytest.fixture
def at_most():
    return lambda _: 1


@pytest.fixture
def uncached():
    pass


@pytest.fixture(scope="module")
def steps():
    return 100


@pytest.fixture(scope="module")
def suite_seconds(steps, tmp_path_factory):
    arguments = _MODULES["test_suite"].suite_arguments(steps, tmp_path_factory.mktemp("suite"))
    with pytest.raises(SystemExit, match="0"):
        main([*arguments, "--dry-run"])
    return 1.0


@pytest.fixture(scope="module")
def bench_runs(tmp_path_factory):
    # Made before what each test has in the place of a command.
    commands = _MODULES["test_commands"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(commands, "command", dry)
        return commands.Bench(tmp_path_factory.mktemp("bench"))
