"""What runs in a worker process: one cell at a time, compiled, mapped and timed. The only room with jit."""

import functools
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from bench.arm import parse_arms
from bench.catalogue import load_catalogue
from bench.compose import build_workload, compose
from bench.curves import CurveWriter
from bench.plan import Job, versions
from bench.plugin import Workload
from vae_jax.instruments import INSTRUMENTS
from vae_jax.keys import named_key
from vae_jax.recipe import Recipe
from vae_jax.train import Data, Loop, Numbers, TrainState, evaluate, init, schedules, start, train

# The evaluation's draws are part of the benchmark's definition, the same for every arm and run.
_EVALUATION_SEED = 20_000

# Level 1 compiles an eighth faster and runs as fast. Without the concurrency-optimized scheduler, two QR calls of one
# program (orthogonal initial weights) cannot wait for each other for ever on a machine with few cores.
_CPU_FLAGS = "--xla_backend_optimization_level=1 --xla_cpu_enable_concurrency_optimized_scheduler=false"

TIMING_ROUNDS = 3
TIMING_STEPS = 200


@dataclass(frozen=True)
class Failure:
    """Why a cell has no figures, and whether another try may end otherwise."""

    status: str
    reason: str
    traceback: str = ""
    again: bool = False


def start_worker(device: str, core: int | None, cache: str, progress: Connection) -> None:
    """Set a fresh process up, before jax starts its backend.

    Args:
        device: `cpu` or `gpu`.
        core: The core to run on, where the system can pin.
        cache: Folder of the persistent compilation cache.
        progress: Where each finished training is told.
    """
    global _progress
    _progress = progress
    # Ctrl-C reaches every process of the terminal; the one that schedules decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    configure_process(device, core, cache)


def configure_process(device: str, core: int | None, cache: str) -> None:
    """Choose device, core and compilation cache of this process; too late once jax has started its backend.

    Args:
        device: `cpu` or `gpu`.
        core: The core to run on, where the system can pin.
        cache: Folder of the persistent compilation cache.
    """
    if device == "cpu":
        flags = _CPU_FLAGS
        if core is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {core})
        else:
            flags += " --xla_cpu_multi_thread_eigen=false"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
        jax.config.update("jax_platforms", "cpu")
    # On a GPU, float32 products may run in a shorter format: what is measured is float32.
    jax.config.update("jax_default_matmul_precision", "highest")
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def run_cell(job: Job) -> tuple[dict[str, Any], pd.DataFrame]:
    """Tune and report one arm.

    Args:
        job: What to run.

    Returns:
        The cell's manifest and its curves.
    """
    started = time.perf_counter()
    bench = Bench(job)
    protocol, curves = job.protocol, CurveWriter(job.protocol)
    rates = protocol.learning_rates(bench.recipe.learning_rate)
    tuning = bench.trainings([(protocol.tuning_seed, rate) for rate in rates], "validation", "tuning", curves)
    chosen = protocol.select(rates, [result["negative_elbo"] for result in tuning])
    reporting: list[dict[str, Any]] = []
    if chosen is not None:
        seeds = [(seed, rates[chosen]) for seed in protocol.reporting_seeds]
        reporting = bench.trainings(seeds, "test", "reporting", curves)
    ended = [result["diverged_at"] for result in reporting if result["diverged_at"] is not None]
    if chosen is None:
        status, reason = "diverged", f"all {len(rates)} tuning rates diverged"
    elif ended:
        steps = ", ".join(map(str, sorted(ended)))
        status, reason = "diverged", f"{len(ended)} of {protocol.seeds} seeds diverged, at step {steps}"
    else:
        status, reason = "ok", ""
    manifest = {
        **{name: getattr(job.cell, name) for name in ("identity", "workload", "arm", "base", "family")},
        "status": status,
        "reason": reason,
        "recipe": bench.recipe.describe(),
        "changes": {
            slot: [bench.baseline.describe()[slot], bench.recipe.describe()[slot]]
            for slot in bench.recipe.changes(bench.baseline)
        },
        "plateau": job.plateau,
        "learning_rate": None if chosen is None else rates[chosen],
        "rate_at_edge": chosen in (0, len(rates) - 1),
        "tuning": [_finite(result) for result in tuning],
        "trainings": [_finite(result) for result in reporting],
        "parameters": bench.parameters,
        "gradient_evaluations": protocol.steps,
        "compile_seconds": bench.compile_seconds,
        "train_seconds": time.perf_counter() - started,
        "versions": {"python": platform.python_version(), **versions()},
        "commit": job.commit,
        "device": describe_device(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return manifest, curves.frame()


def time_cell(job: Job, learning_rate: float, baseline: Job) -> dict[str, Any]:
    """Time a cell's program beside the baseline's, in interleaved rounds; the machine must be doing nothing else."""
    benches = {"cell": (Bench(job), learning_rate), "baseline": (Bench(baseline), None)}
    chunks = max(1, TIMING_STEPS // job.protocol.validate_every)
    runners = {name: bench.runner(rate) for name, (bench, rate) in benches.items()}
    for runner in runners.values():
        runner(1)
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(TIMING_ROUNDS):
        for name, runner in runners.items():
            begun = time.perf_counter()
            runner(chunks)
            seconds[name].append((time.perf_counter() - begun) / (chunks * job.protocol.validate_every))
    bench = benches["cell"][0]
    return {
        "seconds_per_step": seconds["cell"],
        "baseline_seconds_per_step": seconds["baseline"],
        "examples_per_second": bench.workload.batch * bench.lanes / float(np.median(seconds["cell"])),
        "slowdown": float(np.median(np.divide(seconds["cell"], seconds["baseline"]))),
        "batch": bench.workload.batch,
        "device": describe_device(),
    }


def describe_device() -> dict[str, Any]:
    """The machine, as a manifest keeps it."""
    name = jax.devices()[0].device_kind
    if name == "cpu":
        name = _processor()
    return {"kind": jax.default_backend(), "name": name, "cores": os.cpu_count()}


class Bench:
    """An arm on its workload with its compiled programs."""

    def __init__(self, job: Job):
        catalogue = load_catalogue(job.plugins)
        self.protocol = job.protocol
        self.limit = job.protocol.diverged_beyond * job.plateau
        self.workload: Workload = build_workload(catalogue, job.cell.workload)[1]
        (arm,) = parse_arms(job.cell.arm, tuple(self.workload.bases))
        self.recipe: Recipe = compose(catalogue, self.workload, arm)
        self.baseline: Recipe = next(iter(self.workload.bases.values()))
        # On a CPU vectorised trainings are no faster than one after another, and not bit-equal to them.
        self.lanes = 1 if jax.default_backend() == "cpu" else max(self.protocol.rates, self.protocol.seeds)
        dataset = self.workload.data()
        self.data = Data(jnp.asarray(dataset.train), jnp.asarray(dataset.mean))
        self.held_out = {"validation": jnp.asarray(dataset.validation), "test": jnp.asarray(dataset.test)}
        self.parameters = 0
        self.compile_seconds = 0.0

    def trainings(
        self, wanted: Sequence[tuple[int, float]], split: str, phase: str, curves: CurveWriter
    ) -> list[dict[str, Any]]:
        """Train for each (seed, learning rate); the final figures on a split.

        Returns:
            For each: seed, learning_rate, negative_elbo, reconstruction, kl_nats (NaN where it diverged), diverged_at,
            gradient_ratio_init and gradient_ratio_end.
        """
        results = []
        for first in range(0, len(wanted), self.lanes):
            group = list(wanted[first : first + self.lanes])
            # One program has one number of lanes: the last group is filled up and the filling thrown away.
            filled = group + group[-1:] * (self.lanes - len(group))
            for (seed, rate), run in zip(group, self._train(filled, split), strict=False):
                curves.add(phase, seed, rate, run.readings, run.validation)
                results.append({"seed": seed, "learning_rate": rate, **_summary(run, self.protocol.steps, self.limit)})
                if _progress is not None:
                    _progress.send(1)
        return results

    def runner(self, learning_rate: float | None) -> Callable[[int], None]:
        """A function that takes some chunks of steps and waits for them: for timing."""
        rate = self.recipe.learning_rate if learning_rate is None else learning_rate
        state, keys = self._begin([self.protocol.tuning_seed] * self.lanes)
        # As if the training were long: with the real length, chunks past its end would be empty and fast.
        numbers = self._numbers([rate] * self.lanes, stop=2**30)[0]
        program = self._program(state, keys, numbers)

        def run(chunks: int) -> None:
            ended = state
            for _ in range(chunks):
                ended, _ = program(ended, keys, numbers, self.data)
            jax.block_until_ready(ended)

        return run

    def _train(self, group: list[tuple[int, float]], split: str) -> list["Run"]:
        steps = self.protocol.steps
        state, keys = self._begin([seed for seed, _ in group])
        numbers = self._numbers([rate for _, rate in group], stop=steps)
        program = self._program(state, keys, numbers[0])
        records: list[Any] = []
        for index, chunk in enumerate(numbers[:-1]):
            state, readings = program(state, keys, chunk, self.data)
            records.append((readings, self._evaluate(state, chunk.recipe, "validation"), state.diverged_at))
            # The chunk before is read while this one runs, so that the device never waits for the host.
            if index and np.all(np.asarray(records[-2][2]) >= 0):
                break
        final = self._evaluate(state, numbers[0].recipe, split)
        # No step is left for it, so its first record is of the state at the end.
        _, after = program(state, keys, numbers[-1], self.data)
        host = jax.device_get((records, after, final, state.diverged_at))
        return [self._unstack(host, lane) for lane in range(self.lanes)]

    def _unstack(self, host: Any, lane: int) -> "Run":
        records, after, final, diverged_at = host
        if self.lanes > 1:
            records = [jax.tree.map(lambda leaf: leaf[lane], record[:2]) for record in records]
            after, final, diverged_at = jax.tree.map(lambda leaf: leaf[lane], (after, final, diverged_at))
        # The last chunk may be longer than the training: its records past the end mean nothing.
        kept = -(-self.protocol.steps // self.protocol.record_every)
        chunks = jax.tree.map(lambda *leaves: np.concatenate(leaves)[:kept], *[record[0] for record in records])
        readings = jax.tree.map(lambda leaf, end: np.concatenate([leaf, end[:1]]), chunks, after)
        validation = jax.tree.map(lambda *leaves: np.stack(leaves), *[record[1] for record in records])
        return Run(readings, validation, final, int(diverged_at))

    def _begin(self, seeds: list[int]) -> tuple[TrainState, jax.Array]:
        keys = _stack([jax.random.key(seed) for seed in seeds])
        drawing = _over_lanes(_draw, (0, None, None, None), 0, self.lanes)
        draw = _jit("init", drawing, static_argnums=2, lanes=self.lanes)
        parameters, statistics = draw(keys, self.recipe, self.workload.architecture, self.data.mean)
        self.parameters = sum(leaf.size for leaf in jax.tree.leaves(parameters)) // self.lanes
        begin = _over_lanes(start, (None, 0, 0), STATE_AXES, self.lanes)
        return begin(self.recipe.program(), parameters, statistics), keys

    def _numbers(self, rates: list[float], stop: int) -> list[Numbers]:
        recipe = self.recipe.program()
        every = self.protocol.validate_every
        per_lane = [schedules(self.recipe, rate, self.protocol.steps, every) for rate in rates]
        learning_rates = _stack([lane[0] for lane in per_lane])
        kl_weights = per_lane[0][1]
        return [
            Numbers(
                recipe,
                learning_rates[index] if self.lanes == 1 else learning_rates[:, index],
                kl_weights[index],
                jnp.asarray(stop, jnp.int32),
                jnp.asarray(self.limit),
            )
            for index in range(kl_weights.shape[0])
        ]

    def _program(self, state: TrainState, keys: jax.Array, numbers: Numbers) -> Callable[..., Any]:
        """The compiled chunk of steps, shared by all cells in this process that differ in numbers only."""
        protocol = self.protocol
        loop = Loop(self.workload.batch, protocol.validate_every, protocol.record_every, INSTRUMENTS)
        arguments = (state, keys, numbers, self.data)
        key = ("train", self.workload.architecture, loop, self.lanes, _shape_key(arguments))
        if key not in _programs:
            single = functools.partial(train, architecture=self.workload.architecture, loop=loop)
            mapped = _over_lanes(single, (STATE_AXES, 0, NUMBERS_AXES, None), (STATE_AXES, 0), self.lanes)
            begun = time.perf_counter()
            compiled = jax.jit(mapped).lower(*arguments).compile()
            _programs[key] = (compiled, time.perf_counter() - begun)
        program, self.compile_seconds = _programs[key]
        return program

    def _evaluate(self, state: TrainState, recipe: Recipe, split: str) -> Any:
        sizes = {"architecture": self.workload.architecture, "draws": self.protocol.draws}
        mapped = _over_lanes(functools.partial(evaluate, **sizes), (0, 0, None, None, None, None), 0, self.lanes)
        program = _jit("evaluate", mapped, lanes=self.lanes, **sizes)
        key = jax.random.key(_EVALUATION_SEED)
        return program(state.parameters, state.statistics, key, recipe, self.data, self.held_out[split])


@dataclass(frozen=True)
class Run:
    """One training on the host.

    Attributes:
        readings: Each instrument's readings, records in front.
        validation: -ELBO, reconstruction and KL after each chunk.
        final: -ELBO, reconstruction and KL on the split asked for.
        diverged_at: The step at which it diverged, or -1.
    """

    readings: dict[str, Any]
    validation: Any
    final: Any
    diverged_at: int


# What differs between lanes: all of the state but the step, and of the numbers the learning rates.
STATE_AXES: Any = TrainState(parameters=0, statistics=0, optimizer_state=0, step=None, diverged_at=0)  # type: ignore
NUMBERS_AXES: Any = Numbers(recipe=None, learning_rates=0, kl_weights=None, stop=None, limit=None)  # type: ignore

_programs: dict[Any, Any] = {}
_progress: Connection | None = None


def _draw(key: jax.Array, recipe: Recipe, architecture: Any, mean: jax.Array) -> Any:
    return init(named_key(key, "init"), recipe, architecture, mean)


def _over_lanes(function: Callable[..., Any], in_axes: Any, out_axes: Any, lanes: int) -> Callable[..., Any]:
    """A function of one training as a function of all lanes; with one lane it is the function itself, bit for bit."""
    return function if lanes == 1 else jax.vmap(function, in_axes, out_axes)


def _stack(values: list[jax.Array]) -> jax.Array:
    return values[0] if len(values) == 1 else jnp.stack(values)


def _jit(name: str, function: Callable[..., Any], static_argnums: int | None = None, **key: Any) -> Callable[..., Any]:
    """A jitted function that outlives the cell, so that the next cell finds it compiled."""
    whole = (name, *key.items())
    if whole not in _programs:
        _programs[whole] = jax.jit(function, static_argnums=static_argnums)
    return _programs[whole]


def _shape_key(arguments: Any) -> Any:
    leaves, structure = jax.tree.flatten(arguments)
    return structure, tuple((jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves)


def _summary(run: Run, steps: int, limit: float) -> dict[str, Any]:
    final = {name: float(value) for name, value in run.final._asdict().items()}
    diverged_at = run.diverged_at
    if diverged_at < 0 and not final["negative_elbo"] <= limit:
        diverged_at = steps
    if diverged_at >= 0:
        final = dict.fromkeys(final, float("nan"))
    profile = run.readings["hidden_gradient"]["encoder"]
    with np.errstate(all="ignore"):
        ratio = profile[:, 1].astype(float) / profile[:, -1].astype(float)
    return {
        **final,
        "diverged_at": diverged_at if diverged_at >= 0 else None,
        "gradient_ratio_init": float(ratio[0]),
        "gradient_ratio_end": float(ratio[-1]),
    }


def _finite(result: dict[str, Any]) -> dict[str, Any]:
    """For JSON, which has no NaN."""
    return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in result.items()}


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however it went."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
