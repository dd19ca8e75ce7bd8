"""One training run as pure functions: draw a model, take a chunk of steps.

Nothing here compiles, prints or waits for the device: the caller maps, compiles and times these.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from vae_jax.initialization.data_dependent import no_data_dependent_init
from vae_jax.models.batch import Batch, Noise, Rows, examples
from vae_jax.models.contract import Architecture, taps
from vae_jax.models.pieces import evenly, fitting
from vae_jax.objective.loss import Given, Parameters, Statistics, TreatmentState, loss, observed_paths, structure
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.training.instruments import ABSENT, Instrument, StepView


@dataclass(frozen=True)
class Loop:
    """The shape of a chunk of steps; part of the compiled program.

    Attributes:
        batch: Examples in a minibatch.
        chunk: Steps taken by one call of `train`.
        record_every: Steps from one record to the next; the first record is of step 0.
        instruments: What a record holds.
    """

    batch: int
    chunk: int
    record_every: int
    instruments: tuple[Instrument, ...]

    def __post_init__(self):
        for name in ("batch", "chunk", "record_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.chunk % self.record_every:
            raise ValueError(f"a chunk of {self.chunk} steps must be a multiple of record_every, {self.record_every}")


class TrainState(NamedTuple):
    """All that the next step needs.

    Attributes:
        parameters: What is trained, one leaf per layer and kind.
        statistics: What a model keeps beside its parameters; the same throughout a training.
        optimizer_state: The optimizer's.
        treatment_state: What the recipe's treatment of the KL term remembers.
        evaluated: State of the recipe's `evaluated_parameters`.
        selected: State of the recipe's `selected_parameters`.
        step: Steps taken.
        diverged_at: The first step whose score was not finite, or -1.
    """

    parameters: Parameters
    statistics: Statistics
    optimizer_state: Any
    treatment_state: TreatmentState
    evaluated: Any
    selected: Any
    step: Int[Array, ""]
    diverged_at: Int[Array, ""]


class Numbers(NamedTuple):
    """All that differs between two trainings of one program, beside their initial weights and key.

    Attributes:
        recipe: `Recipe.traced()`, for the numbers in it.
        learning_rates: Rate of each step of this chunk.
        kl_weights: Weight of the KL term at each step of this chunk.
        stop: The training's length: no step is taken at or after it.
    """

    recipe: Recipe
    learning_rates: Float[Array, " chunk"]
    kl_weights: Float[Array, " chunk"]
    stop: Int[Array, ""]


Drawn = tuple[Batch, Noise]
"""The minibatches of a chunk of steps as the model sees them, and the noise of each: steps in front."""


class Data(NamedTuple):
    """The training set's rows, and the mean of its targets."""

    train: Rows
    mean: Float[Array, "..."]


def init(key: PRNGKeyArray, recipe: Recipe, architecture: Architecture, data: Data) -> tuple[Parameters, Statistics]:
    """Draw a model: its parameters and the statistics that it keeps beside them.

    A program of its own, apart from training: drawn inside it, initial weights take longer to compile than all the
    rest. Every layer's draw depends on the key and the layer's name alone.
    """
    model: Any = architecture.draw(recipe, key, data.mean)
    if recipe.data_dependent_init is not no_data_dependent_init:
        # The name is older than the slot's: another would draw other numbers.
        rows = evenly(data.train, fitting(architecture))
        batch, noise = present(named_key(key, "calibration"), jnp.zeros((), jnp.int32), rows, data, architecture)
        model.train()
        model(batch, noise, ForwardPass(recipe, adjust=recipe.data_dependent_init))
    _, parameters, statistics = nnx.split(model, nnx.Param, ...)
    return _strong(nnx.as_pure(parameters)), _strong(nnx.as_pure(statistics))


def start(numbers: Numbers, parameters: Parameters, statistics: Statistics) -> TrainState:
    """The state before the first step.

    Args:
        numbers: The first chunk's: some optimizers keep their first learning rate in their state.
        parameters: From `init`.
        statistics: From `init`.
    """
    recipe = numbers.recipe
    with jax.numpy_dtype_promotion("standard"):
        optimizer_state = _optimizer(numbers, numbers.learning_rates[0]).init(parameters)
    return TrainState(
        parameters=parameters,
        statistics=statistics,
        optimizer_state=_strong(optimizer_state),
        treatment_state=recipe.kl_treatment().init(),
        evaluated=recipe.evaluated_parameters().init(parameters),
        selected=recipe.selected_parameters().init(parameters),
        step=jnp.zeros((), jnp.int32),
        diverged_at=jnp.full((), -1, jnp.int32),
    )


def chosen(recipe: Recipe, state: TrainState, ended: Bool[Array, ""]) -> Parameters:
    """The parameters that a training is evaluated at.

    Args:
        recipe: From `Recipe.traced`.
        state: After some steps.
        ended: Whether the training has ended: it may end with other parameters than it was at last.
    """
    now = recipe.evaluated_parameters().get(state.evaluated, state.parameters, state.optimizer_state)
    return recipe.selected_parameters().get(state.selected, now, ended)


def schedules(
    recipe: Recipe, learning_rate: float, steps: int, chunk: int
) -> tuple[Float[Array, "chunks chunk"], Float[Array, "chunks chunk"]]:
    """The learning rate and the KL weight of every step, in chunks, and one chunk more.

    Past the last step they repeat it: the chunk too many is for the record of the state at the end.
    """
    step = jnp.minimum(jnp.arange((-(-steps // chunk) + 1) * chunk), steps - 1)

    def product(factors: tuple[Any, ...], start: float) -> Float[Array, "chunks chunk"]:
        total = jnp.full(step.shape, start)
        for factor in factors:
            total = total * factor(step, steps)
        return total.reshape(-1, chunk)

    return product(recipe.learning_rate_schedules, learning_rate), product(recipe.kl_schedules, 1.0)


def draw_chunk(
    key: PRNGKeyArray, first: Int[Array, ""], data: Data, *, architecture: Architecture, batch: int, chunk: int
) -> Drawn:
    """The minibatches and the noise of a chunk of steps.

    A program of its own, apart from training: it is the same for all recipes, and took as long to compile, inside of
    each training's, as all the rest of a step. What is drawn depends on the training's key and on the step alone,
    whatever the chunk.

    Args:
        key: The training's key: batches, presentations and noise come from it by name and step.
        first: The chunk's first step.
        data: The training set.
        architecture: The model's sizes.
        batch: Examples in a minibatch.
        chunk: Steps.
    """
    order = batches(key, first, batch, chunk, examples(data.train))

    def drawn(index: Int[Array, ""]) -> Drawn:
        rows = jax.tree.map(lambda leaf: leaf[order[index]], data.train)
        return present(key, first + index, rows, data, architecture)

    return jax.vmap(drawn)(jnp.arange(chunk))


def train(
    state: TrainState,
    key: PRNGKeyArray,
    numbers: Numbers,
    drawn: Drawn,
    *,
    architecture: Architecture,
    loop: Loop,
) -> tuple[TrainState, dict[str, Any]]:
    """Take one chunk of steps, fewer where the training ends within it.

    Args:
        state: From `start`, or from the chunk before.
        key: The training's key: all that is drawn inside a step comes from it by name and step.
        numbers: See `Numbers`.
        drawn: From `draw_chunk`, for this chunk.
        architecture: The model's sizes.
        loop: The chunk's shape.

    Returns:
        The state after the chunk, and each instrument's readings with an axis of records in front; zeros past the
        training's end, where no step is taken.
    """
    graph = structure(numbers.recipe, architecture)
    first, dtype = state.step, jax.tree.leaves(state.parameters)[0].dtype

    def at(step: Int[Array, ""]) -> Drawn:
        return jax.tree.map(lambda leaf: leaf[step - first], drawn)

    def given(state: TrainState, batch: Batch, noise: Noise) -> Given:
        return Given(
            statistics=state.statistics,
            recipe=numbers.recipe,
            kl_weight=numbers.kl_weights[state.step - first],
            batch=batch,
            noise=noise,
            key=jax.random.fold_in(named_key(key, "step"), state.step),
            progress=state.step.astype(dtype) / numbers.stop.astype(dtype),
            treatment_state=state.treatment_state,
        )

    def update(
        state: TrainState, value: Array, gradient: Parameters, value_fn: Callable[[Parameters], Array]
    ) -> tuple[Parameters, Any]:
        step_key = jax.random.fold_in(named_key(key, "optimizer"), state.step)
        extra = {"value": value, "grad": gradient, "value_fn": value_fn, "key": step_key}
        # optax mixes float32 with int32 counts, which strict promotion forbids.
        with jax.numpy_dtype_promotion("standard"):
            optimizer = _optimizer(numbers, numbers.learning_rates[state.step - first])
            return optimizer.update(gradient, state.optimizer_state, state.parameters, **extra)

    def watch(state: TrainState, batch: Batch, noise: Noise) -> dict[str, Any]:
        """A step's view without its gradient and its update, by a pass of its own."""
        observe = partial(observed_paths, graph, architecture, state.parameters)
        values, pullback, (parts, hidden) = jax.vjp(
            lambda taps: observe(taps, given(state, batch, noise)), taps(architecture, loop.batch, dtype), has_aux=True
        )
        # The loss is a mean over the batch; each example's own gradient does not shrink with the batch.
        paths = jax.vmap(pullback)(loop.batch * jnp.eye(len(values), dtype=dtype))[0]
        from_kl = architecture.before_z if parts.kl_nats is not None else ()
        return {
            "loss_parts": parts,
            "hidden": {stack: tuple(run.output for run in runs) for stack, runs in hidden.items()},
            "slope": {stack: tuple(run.slope for run in runs) for stack, runs in hidden.items()},
            # The loss is the sum of its paths, so its gradient is the sum of theirs.
            "hidden_gradient": jax.tree.map(lambda each: jnp.sum(each, axis=0), paths),
            "reconstruction_gradient": jax.tree.map(lambda each: each[0], paths),
            "kl_gradient": {stack: tuple(run[1] for run in paths[stack]) for stack in from_kl},
            "counts": {stack: tuple(run.counts for run in runs) for stack, runs in hidden.items()},
        }

    def read(watched: dict[str, Any], parameters: Parameters, gradient: Parameters, updates: Parameters) -> Any:
        view = StepView(
            reads_data=next(iter(architecture.stacks)),
            **watched,
            parameters=parameters,
            gradient=gradient,
            update=updates,
            kernels=architecture.kernels(parameters),
            kernel_gradient=architecture.kernels(gradient),
            kernel_update=architecture.kernels(updates),
        )
        readings = {instrument.name: instrument.read(view) for instrument in loop.instruments}
        return {name: reading for name, reading in readings.items() if reading is not ABSENT}

    def step(watched: dict[str, Any], index: Int[Array, ""], carry: tuple[TrainState, Any]) -> tuple[TrainState, Any]:
        state, readings = carry
        recipe, here = numbers.recipe, given(state, *at(state.step))
        objective = partial(loss, graph, architecture, given=here)
        differentiate = jax.value_and_grad(objective, has_aux=True)
        (value, (parts, treatment_state)), gradient = recipe.gradient_function(differentiate, state.parameters)
        updates, optimizer_state = update(state, value, gradient, lambda parameters: objective(parameters)[0])
        if loop.instruments:
            seen = (state.parameters, gradient, updates)
            readings = jax.lax.cond(index == 0, lambda: read(watched, *seen), lambda: readings)
        # A finite spike may pass: whether a training is beyond where it could come back from, validations tell.
        diverged = ~jnp.isfinite(parts.score)
        parameters, taken = optax.apply_updates(state.parameters, updates), state.step + 1
        evaluate_at = recipe.evaluated_parameters()
        after = TrainState(
            parameters=parameters,
            statistics=state.statistics,
            optimizer_state=optimizer_state,
            treatment_state=treatment_state,
            evaluated=evaluate_at.update(state.evaluated, parameters, taken, numbers.stop),
            selected=state.selected,
            step=taken,
            diverged_at=jnp.where(diverged & (state.diverged_at < 0), state.step, state.diverged_at),
        )
        return after, readings

    def record(state: TrainState, _: None) -> tuple[TrainState, dict[str, Any]]:
        watched = watch(state, *at(state.step))
        # The first step fills them in: what it computes anyhow is not computed twice to be looked at.
        shapes = jax.eval_shape(read, watched, *[state.parameters] * 3)
        readings = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)
        steps = jnp.clip(numbers.stop - state.step, 0, loop.record_every)
        return jax.lax.fori_loop(0, steps, partial(step, watched), (state, readings))

    return jax.lax.scan(record, state, length=loop.chunk // loop.record_every)


def batches(
    key: PRNGKeyArray, first: Int[Array, ""], batch: int, chunk: int, examples: int
) -> Int[Array, "chunk batch"]:
    """Indices of a chunk's examples: every epoch is a permutation of its own, and a batch may span two.

    Args:
        key: The training's key.
        first: The chunk's first step.
        batch: Examples in a minibatch.
        chunk: Steps.
        examples: Size of the training set.
    """
    epoch = first * batch // examples
    epochs = epoch + jnp.arange(chunk * batch // examples + 2)
    shuffle = named_key(key, "batch")
    orders = jax.vmap(lambda e: jax.random.permutation(jax.random.fold_in(shuffle, e), examples))(epochs)
    position = first * batch - epoch * examples + jnp.arange(chunk * batch)
    return orders.reshape(-1)[position].reshape(chunk, batch)


def present(
    key: PRNGKeyArray, step: Int[Array, ""], rows: Rows, data: Data, architecture: Architecture
) -> tuple[Batch, Noise]:
    """A step's examples as the model sees them, and the noise that it draws z with.

    Args:
        key: The training's key.
        step: The step's index.
        rows: Its examples.
        data: The training set, for its mean.
        architecture: The model's sizes.
    """
    batch = architecture.present(jax.random.fold_in(named_key(key, "observe"), step), rows, data.mean)
    noise = architecture.noise(jax.random.fold_in(named_key(key, "noise"), step), examples(rows), data.mean.dtype)
    return batch, noise


def _optimizer(numbers: Numbers, learning_rate: Float[Array, ""]) -> optax.GradientTransformationExtraArgs:
    recipe = numbers.recipe
    transforms = [make() for make in recipe.gradient_transforms]
    optimizer = optax.chain(*transforms, recipe.optimizer(learning_rate))
    for wrap in recipe.optimizer_wrappers:
        optimizer = wrap(optimizer, learning_rate, numbers.stop)
    return optax.with_extra_args_support(optimizer)


def _strong(tree: Any) -> Any:
    # A weakly typed leaf turns strong in the first step: the second chunk would be another program.
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, leaf.dtype), tree)
