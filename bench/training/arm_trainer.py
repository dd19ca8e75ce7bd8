"""The trainings of one arm, one after another or side by side as lanes of one program."""

import contextlib
import copy
import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.language.arms import parse_arms
from bench.language.errors import InputError
from bench.planning.catalogue import load_catalogue
from bench.planning.compose_arm import compose_arm
from bench.planning.identity import identify
from bench.planning.job import Job
from bench.planning.loaded_workload import load_workload
from bench.plugins.workload import Workload
from bench.results.stored.records import TrainingRecord
from bench.training.curves import CurveWriter
from bench.training.lanes import NUMBERS_AXES, STATE_AXES, keys_of, over_lanes
from bench.training.precision import cast, computing
from bench.training.programs import Program, program
from bench.training.record import Run, training_record
from vae_jax.evaluation.coding import Trained, remains
from vae_jax.evaluation.estimates import estimate
from vae_jax.evaluation.evaluate import Evaluation, validate
from vae_jax.models.batch import Batch, Noise, examples
from vae_jax.models.equal_size import comparable
from vae_jax.models.pieces import evenly
from vae_jax.models.presentations import as_held_out
from vae_jax.optimization.gradients import gradient_evaluations
from vae_jax.recipe.keys import named_key, random_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.training.train import (
    Data,
    Drawn,
    Loop,
    Numbers,
    TrainState,
    draw_chunk,
    init,
    present,
    schedules,
    start,
    train,
)

# The evaluation's draws are part of the benchmark's definition, the same for every arm and run.
EVALUATION_SEED = 20_000

# Of the importance-weighted bound: as many as keep the decoder's matrices busy.
_SAMPLES_AT_ONCE = 10

# The share of its highest rate at which a schedule has let a training end.
_ENDED = 0.01

# As long as can be: for timing, where chunks past a training's end would be empty and fast.
_NO_END = 2**30


class ArmTrainer:
    """An arm on its workload with its compiled programs."""

    def __init__(self, job: Job):
        """Compose an arm in this process.

        Args:
            job: The arm's cell.

        Raises:
            InputError: If what this process would train is not what was planned.
        """
        catalogue = load_catalogue(job.plugins)
        loaded = load_workload(catalogue, job.cell.workload)
        (arm,) = parse_arms(job.cell.arm, tuple(loaded.workload.bases))
        composed = compose_arm(catalogue, loaded, arm)
        self._gradients = gradient_evaluations(composed.recipe.gradient_function)
        self.protocol = job.protocol.charged(self._gradients)
        self.limit = job.protocol.limit(job.plateau)
        self.instruments = tuple(catalogue.instruments.values())
        if job.identity is not None:
            own = identify(composed, loaded, job.protocol, self.instruments, job.device_kind)
            if others := own.differs(job.identity):
                raise InputError(
                    f"this process finds other {' and other '.join(others)} than the plan was made with: give the same "
                    "command again; a data function, a file or a variable must give the same whenever it is asked"
                )
        self.recipe: Recipe = composed.recipe
        architecture = comparable(loaded.workload.architecture, self.recipe)
        self.workload: Workload = replace(loaded.workload, architecture=architecture)
        self.baseline: Recipe = loaded.baseline
        # On a CPU vectorised trainings are no faster than one after another, and not bit-equal to them.
        self.lanes = 1 if jax.default_backend() == "cpu" else max(self.protocol.rates, self.protocol.seeds)
        # Where schedules end, which a training may outlast.
        self._scheduled_steps = self.protocol.steps
        self._scheduled: dict[float, tuple[np.ndarray, np.ndarray]] = {}
        self.data_digest, dataset = loaded.digest, loaded.dataset
        self._drawn_from = jax.tree.map(jnp.asarray, Data(dataset.train, dataset.mean))
        self._labels = dataset.labels
        held_out = jax.tree.map(jnp.asarray, {"validation": dataset.validation, "test": dataset.test})
        with self.computing():
            # As many as of the test set, which are judged by the same program.
            some = evenly(self._drawn_from.train, examples(held_out["test"]))
            key = named_key(random_key(EVALUATION_SEED), "train")
            held_out["train"] = as_held_out(architecture.present, key, some, self._drawn_from.mean)
            self.data, self.held_out = cast((self._drawn_from, held_out), self.recipe.dtype)

    def computing(self) -> contextlib.AbstractContextManager[None]:
        """In which all that an arm does is done: its recipe's type of numbers exists inside it alone."""
        return computing(self.recipe.dtype)

    def patient(self) -> "ArmTrainer":
        """The same arm, followed to the end of its protocol's patience."""
        other = copy.copy(self)
        other.protocol, other._scheduled = replace(self.protocol, steps=self.protocol.patience, patience=0), {}
        return other

    def varied(self, lanes: int, dtype: str, steps: int) -> "ArmTrainer":
        """The same arm, from the same draws, with other lanes, type of numbers and steps; before it is used."""
        other = copy.copy(self)
        other.lanes, other.recipe, other._scheduled = lanes, replace(self.recipe, dtype=dtype), {}
        other.protocol, other._scheduled_steps = replace(self.protocol, steps=steps), steps
        with other.computing():
            other.data = cast(self.data, dtype)
        return other

    @property
    def parameters(self) -> int:
        """How many numbers one training trains."""
        return sum(leaf.size for leaf in jax.tree.leaves(self._state.parameters)) // self.lanes

    @property
    def gradient_evaluations(self) -> int:
        """How many gradients one training takes, each on one minibatch."""
        return self.protocol.steps * self._gradients

    @functools.cached_property
    def program(self) -> Program:
        """The chunk of steps, shared by all cells of this process that differ in numbers only."""
        return self.train_program(
            self._state, self.protocol.validate_every, self.protocol.record_every, self.instruments
        )

    @property
    def flops_per_step(self) -> float:
        """Floating-point operations of one step of one training, without instruments, by XLA's count."""
        programs = (self.chunk_program(1), self.train_program(self._state, 1, 1, ()))
        return sum(each.flops for each in programs) / self.lanes

    def fingerprint(self) -> str:
        """A digest of the lowered programs and all that they will be given: where it is equal, so are the figures."""
        digest = hashlib.sha256()
        programs = [self._draw_program, self._chunk_program, self.program, *map(self._evaluation, self.held_out)]
        if self.workload.architecture.before_z:
            programs.append(self._estimation)
        digest.update("".join(each.digest for each in programs).encode())
        digest.update(repr((self.lanes, self.limit, EVALUATION_SEED, self.gradient_evaluations)).encode())
        # Of rates that the grid grows by the schedules differ by a factor only.
        numbers = [self._schedules(rate) for rate in self.protocol.learning_rates(self.recipe.learning_rate)]
        for leaf in jax.tree.leaves((numbers, self.recipe, self.data, self.held_out)):
            digest.update(np.asarray(leaf).tobytes())
        return digest.hexdigest()

    def trainings(
        self,
        wanted: Sequence[tuple[int, float]],
        split: str,
        phase: str,
        curves: CurveWriter,
        tell: Callable[[], None],
        keep: Callable[[Trained], None] | None = None,
    ) -> list[TrainingRecord]:
        """Train for each (seed, learning rate); the final figures on a split.

        Args:
            wanted: Seeds and rates.
            split: `validation` or `test`.
            phase: `tuning`, `reporting`, `prolonged` or `confirming`.
            curves: Where the readings go.
            tell: Called after each training.
            keep: Called with what is left of the first, on the host.

        Returns:
            A record for each.
        """
        results, latent = [], bool(self.workload.architecture.before_z)
        for first in range(0, len(wanted), self.lanes):
            group = list(wanted[first : first + self.lanes])
            # One program has one number of lanes: the last group is filled up and the filling thrown away.
            filled = group + group[-1:] * (self.lanes - len(group))
            reported = phase == "reporting"
            runs = self._train(filled, split, reported, reported and latent, keep if first == 0 else None)
            for (seed, rate), run in zip(group, runs, strict=False):
                curves.add(self.protocol, phase, seed, rate, run.readings, run.validation)
                results.append(self._record(seed, rate, run, phase == "reporting"))
                tell()
        return results

    def _record(self, seed: int, rate: float, run: Run, judged: bool) -> TrainingRecord:
        reads_data = next(iter(self.workload.architecture.stacks))
        limits = self.protocol.steps, self.limit
        return training_record(seed, rate, run, *limits, reads_data, judged, self._labels)

    def initial(self, seed: int) -> tuple[Any, Any, Batch, Noise]:
        """A training's parameters and statistics before its first step, a presentation of the data, and noise."""
        state, keys = self._begin([seed] * self.lanes, self.numbers([self.recipe.learning_rate] * self.lanes, 1)[0])
        drawn = (state.parameters, state.statistics, keys)
        parameters, statistics, key = drawn if self.lanes == 1 else jax.tree.map(lambda leaf: leaf[0], drawn)
        single = functools.partial(present, architecture=self.workload.architecture)
        given = (key, jnp.zeros((), jnp.int32), self.data.train, self.data)
        presented = program(single, given, name="present", architecture=self.workload.architecture).quick(*given)
        return parameters, statistics, *presented

    def runner(self, learning_rate: float | None) -> Callable[[int], None]:
        """A function that takes some chunks of steps and waits for them: for timing."""
        rate = self.recipe.learning_rate if learning_rate is None else learning_rate
        numbers = self.numbers([rate] * self.lanes, stop=_NO_END)[0]
        state, keys = self._begin([0] * self.lanes, numbers)

        def run(chunks: int) -> None:
            ended = state
            with self.computing():
                for _ in range(chunks):
                    ended, _ = self.program(ended, keys, numbers, self.drawn(keys, ended.step))
                jax.block_until_ready(ended)

        return run

    def _train(
        self,
        group: list[tuple[int, float]],
        split: str,
        reported: bool,
        estimated: bool,
        keep: Callable[[Trained], None] | None,
    ) -> list[Run]:
        numbers = self.numbers([rate for _, rate in group], stop=self.protocol.steps)
        state, keys = self._begin([seed for seed, _ in group], numbers[0])
        records: list[Any] = []
        diverged = np.zeros(self.lanes, bool)
        for index, chunk in enumerate(numbers[:-1]):
            state, readings = self.program(state, keys, chunk, self.drawn(keys, state.step))
            validation, selected = self._validate(state, "validation", ended=False)
            state = state._replace(selected=selected)
            records.append((readings, validation, state.diverged_at))
            # The chunk before is read while this one runs, so that the device never waits for the host.
            if index:
                diverged |= self._beyond(*records[-2][1:])
            if diverged.all():
                break
        final, _ = self._validate(state, split, ended=True)
        seen = self._validate(state, "train", ended=True)[0].score if reported else None
        # Of trainings that have all diverged no estimate is told and no model kept.
        ended = not (diverged | self._beyond(*records[-1][1:])).all()
        validated = self._validated(state, split, ended=True)
        # So few times that what compiles sooner is done sooner.
        estimates = self._estimation.quick(*validated) if estimated and ended else None
        if keep is not None and ended:
            left = jax.device_get(self._remains(*validated))
            keep(left if self.lanes == 1 else jax.tree.map(lambda leaf: leaf[0], left))
        # One step more, for its record of the state at the end; what comes after that state is thrown away.
        last = numbers[-1]._replace(stop=jnp.asarray(self.protocol.steps + 1, jnp.int32))
        _, after = self.program(state, keys, last, self.drawn(keys, state.step))
        host = jax.device_get((records, after, final, seen, estimates, state.diverged_at))
        return [self._unstack(host, lane) for lane in range(self.lanes)]

    def _unstack(self, host: Any, lane: int) -> Run:
        records, after, final, seen, estimates, diverged_at = host
        if self.lanes > 1:
            records = [jax.tree.map(lambda leaf: leaf[lane], record[:2]) for record in records]
            ended = (after, final, seen, estimates, diverged_at)
            after, final, seen, estimates, diverged_at = jax.tree.map(lambda leaf: leaf[lane], ended)
        # The last chunk may be longer than the training: its records past the end mean nothing.
        kept = -(-self.protocol.steps // self.protocol.record_every)
        chunks = jax.tree.map(lambda *leaves: np.concatenate(leaves)[:kept], *[record[0] for record in records])
        readings = jax.tree.map(lambda leaf, end: np.concatenate([leaf, end[:1]]), chunks, after)
        validation = jax.tree.map(lambda *leaves: np.stack(leaves), *[record[1] for record in records])
        return Run(readings, validation, final, self._diverged_at(int(diverged_at), validation.score), seen, estimates)

    def _beyond(self, validation: Any, diverged_at: Any) -> np.ndarray:
        """Of each lane whether it has met a score that is not finite, or stands beyond the limit at a validation."""
        # A comparison with NaN is false, so this is true of every score that is not a number below the limit.
        return (np.asarray(diverged_at) >= 0) | ~(np.asarray(validation.score) <= self.limit)

    def _diverged_at(self, not_finite: int, validated: np.ndarray) -> int:
        """The step at which a training diverged, or -1: its first score that is not finite, or its first validation
        beyond the limit.
        """
        steps = [not_finite] if not_finite >= 0 else []
        if (beyond := np.flatnonzero(~(validated <= self.limit))).size:
            steps.append(min((int(beyond[0]) + 1) * self.protocol.validate_every, self.protocol.steps))
        return min(steps, default=-1)

    def numbers(self, rates: list[float], stop: int) -> list[Numbers]:
        """The numbers of each chunk of a training that ends at a step, for one learning rate to each lane."""
        recipe = self.recipe.traced()
        per_lane = [self._schedules(rate) for rate in rates]
        learning_rates = per_lane[0][0] if self.lanes == 1 else np.stack([lane[0] for lane in per_lane], axis=1)
        return [
            Numbers(recipe, jnp.asarray(rate), jnp.asarray(kl_weight), jnp.asarray(stop, jnp.int32))
            for rate, kl_weight in zip(learning_rates, per_lane[0][1], strict=True)
        ]

    def _schedules(self, rate: float) -> tuple[np.ndarray, np.ndarray]:
        # Asked for by every training, and the same for all of one rate. On the host, where a chunk is cut out without
        # a program; in float32 whatever the parameters are: a rate has no more than seven figures to it.
        if rate not in self._scheduled:
            steps, every = self.protocol.steps, self.protocol.validate_every
            found = jax.device_get(schedules(self.recipe, rate, self._scheduled_steps, every))
            if steps > self._scheduled_steps:
                # At a rate near 0 nothing would come of more steps.
                anew = found[0].flat[-1] <= _ENDED * found[0].max()
                found = jax.device_get(schedules(self.recipe, rate, steps, every)) if anew else found
                chunks = -(-steps // every) + 1
                found = [np.pad(each.ravel(), (0, chunks * every - each.size), "edge").reshape(chunks, every)
                         for each in found]  # fmt: skip
            learning_rates, kl_weights = found
            self._scheduled[rate] = learning_rates.astype(np.float32), kl_weights.astype(np.float32)
        return self._scheduled[rate]

    def _begin(self, seeds: list[int], numbers: Numbers) -> tuple[TrainState, jax.Array]:
        keys = keys_of(seeds)
        with computing("float32"):
            drawn = self._draw_program.quick(keys, self.recipe, self._drawn_from)
        return self.first_state(numbers, *drawn), keys

    def first_state(self, numbers: Numbers, parameters: Any, statistics: Any) -> TrainState:
        """The state before the first step, from a drawn model, or one to each lane."""
        drawn = cast((parameters, statistics), self.recipe.dtype)
        return over_lanes(start, (NUMBERS_AXES, 0, 0), STATE_AXES, self.lanes)(numbers, *drawn)

    def _validate(self, state: TrainState, split: str, *, ended: bool) -> Any:
        return self._evaluation(split)(*self._validated(state, split, ended=ended))

    @functools.cached_property
    def _draw_program(self) -> Program:
        single = functools.partial(draw, architecture=self.workload.architecture)
        arguments = (keys_of([0] * self.lanes), self.recipe, self._drawn_from)
        mapped = over_lanes(single, (0, None, None), 0, self.lanes)
        with computing("float32"):
            return program(mapped, arguments, name="init", architecture=self.workload.architecture, lanes=self.lanes)

    @functools.cached_property
    def _state(self) -> TrainState:
        """The shapes of a training's state, without drawing one."""
        return jax.eval_shape(self.first_state, self._shapes(1), *self._draw_program.results)

    def _shapes(self, chunk: int) -> Numbers:
        rates = jax.ShapeDtypeStruct((chunk,) if self.lanes == 1 else (self.lanes, chunk), jnp.float32)
        weights = jax.ShapeDtypeStruct((chunk,), jnp.float32)
        return Numbers(self.recipe.traced(), rates, weights, jax.ShapeDtypeStruct((), jnp.int32))  # type: ignore

    def train_program(self, state: TrainState, chunk: int, record_every: int, instruments: tuple[Any, ...]) -> Program:
        """The program of a chunk of steps.

        Args:
            state: A training's state, or its shapes.
            chunk: Steps of one call.
            record_every: Steps from one record to the next.
            instruments: The instruments that are read.
        """
        architecture, loop = self.workload.architecture, Loop(self.workload.batch, chunk, record_every, instruments)
        single = functools.partial(train, architecture=architecture, loop=loop)
        mapped = over_lanes(single, (STATE_AXES, 0, NUMBERS_AXES, 0), (STATE_AXES, 0), self.lanes)
        arguments = (state, keys_of([0] * self.lanes), self._shapes(chunk), self.chunk_program(chunk).results)
        return program(mapped, arguments, name="train", architecture=architecture, loop=loop, lanes=self.lanes)

    def chunk_program(self, chunk: int) -> Program:
        """The program that draws the minibatches and the noise of so many steps; all arms of a workload share it."""
        sizes = {"architecture": self.workload.architecture, "batch": self.workload.batch, "chunk": chunk}
        mapped = over_lanes(functools.partial(draw_chunk, **sizes), (0, None, None), 0, self.lanes)
        arguments = (keys_of([0] * self.lanes), jax.ShapeDtypeStruct((), jnp.int32), self.data)
        return program(mapped, arguments, name="chunk", lanes=self.lanes, **sizes)

    @functools.cached_property
    def _chunk_program(self) -> Program:
        return self.chunk_program(self.protocol.validate_every)

    def drawn(self, keys: jax.Array, first: jax.Array) -> Drawn:
        """What the chunk of steps from this one on is given."""
        return self._chunk_program(keys, first, self.data)

    def _evaluation(self, split: str) -> Program:
        sizes = {"architecture": self.workload.architecture, "draws": self.protocol.draws}
        mapped = over_lanes(functools.partial(validate, **sizes), _VALIDATED_AXES, 0, self.lanes)
        arguments = self._validated(self._state, split, ended=False)
        return program(mapped, arguments, name="evaluate", lanes=self.lanes, **sizes)

    @property
    def _estimation(self) -> Program:
        samples = self.protocol.importance_samples
        sizes = {"architecture": self.workload.architecture, "samples": samples, "chunk": _SAMPLES_AT_ONCE}
        mapped = over_lanes(functools.partial(estimate, **sizes), _VALIDATED_AXES, 0, self.lanes)
        arguments = self._validated(self._state, "test", ended=True)
        return program(mapped, arguments, name="estimate", lanes=self.lanes, **sizes)

    @property
    def _remains(self) -> Program:
        sizes = {"architecture": self.workload.architecture}
        mapped = over_lanes(functools.partial(remains, **sizes), _VALIDATED_AXES, 0, self.lanes)
        arguments = self._validated(self._state, "test", ended=True)
        return program(mapped, arguments, name="remains", lanes=self.lanes, **sizes)

    def _validated(self, state: TrainState, split: str, *, ended: bool) -> tuple[Any, ...]:
        key = random_key(EVALUATION_SEED)
        return state, jnp.asarray(ended), Evaluation(key, self.recipe.traced(), self.data, self.held_out[split])


# Of what an evaluation is given, the state alone is of one lane.
_VALIDATED_AXES = (STATE_AXES, None, None)


def draw(key: jax.Array, recipe: Recipe, data: Data, *, architecture: Any) -> Any:
    """A training's model from the training's key; the rest as for `train.init`."""
    return init(named_key(key, "init"), recipe, architecture, data)
