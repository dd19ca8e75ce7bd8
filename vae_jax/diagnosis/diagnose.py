"""A diagnosis of one pass of any model: its gradient layer by layer, what is wrong with it, and the line where."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr
from jaxtyping import PRNGKeyArray

from vae_jax.diagnosis.bound.codebook import find_codebooks, read_codebook
from vae_jax.diagnosis.bound.data_facts import read_data
from vae_jax.diagnosis.bound.latents import marks
from vae_jax.diagnosis.bound.reader import BoundReader
from vae_jax.diagnosis.calling.any_model import Made, Whole, as_whole
from vae_jax.diagnosis.diagnosis import Diagnosis
from vae_jax.diagnosis.faults.not_finite import NotFinite, first_derivative, first_result, not_finite_leaves
from vae_jax.diagnosis.faults.stopped import Stopped, where_stopped
from vae_jax.diagnosis.faults.underflow import underflows
from vae_jax.diagnosis.judging import Stretch, encoder_way, judge_pass, stretches, word_under_sgd
from vae_jax.diagnosis.layers.attribution import Arrival, double, norm
from vae_jax.diagnosis.layers.blame import Asked, blame_recurrence, blame_way
from vae_jax.diagnosis.layers.chain import Chain, find_chain
from vae_jax.diagnosis.layers.example_axis import ExampleAxes
from vae_jax.diagnosis.layers.readings import Layer, read_layers
from vae_jax.diagnosis.layers.zero_by_design import Woken, arrives, woken
from vae_jax.diagnosis.tracing.graph import Graph, trace
from vae_jax.diagnosis.tracing.interpreter import Body
from vae_jax.diagnosis.tracing.memory import bytes_of, memory_needed, memory_there
from vae_jax.diagnosis.tracing.passes import Passes, Value
from vae_jax.diagnosis.verdict import STRENGTHS
from vae_jax.recipe.keys import random_key

MOST_BYTES = 400_000_000
"""A forward pass that keeps more is run on fewer examples."""

_SEED = 0


def diagnose(
    model: Any,
    batch: Any,
    *,
    loss: Callable[..., Any] | None = None,
    objective: Callable[..., Any] | None = None,
    key: PRNGKeyArray | None = None,
) -> Diagnosis:
    """Watch one pass of any model: a figure for each layer, a verdict, and what is to blame.

    The model is traced and run piece by piece, so nothing of it is modified, and what is shown is its own output.

    Args:
        model: A Flax NNX module; a pair of a Linen module and its variables; a pair `(apply, parameters)`; a training
            state; or any callable pytree. With `objective`, what its first argument is.
        batch: What it is called with: an array, or a tree of arrays, with at least two examples along the first axis;
            of a mapping each array is given to the argument of its name, where there is one.
        loss: `(outputs)` or `(outputs, batch)`, or with arguments of the batch's names, to a number or to
            `(number, parts)`. Without one, a fixed random unit vector is pulled back from the output.
        objective: The whole loss instead, of model, batch and, if it asks for one, a key.
        key: For whatever asks for a random key. Fixed if left out.

    Raises:
        ValueError: If the batch is empty, the loss is not one number, a mark marks nothing, or the pass takes more
            memory than there is.
    """
    _check(batch)
    # A person's own settings are for their training: here what is no number is looked for.
    with jax.debug_nans(False), jax.debug_infs(False):
        examination = _Examination(model, batch, loss, objective, random_key(_SEED) if key is None else key)
        try:
            return examination.diagnosis()
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            needed = memory_needed(examination.passes, examination.examples)
            raise ValueError(f"the model ran out of memory: {needed}") from error


class _Examination:
    """A diagnosis in the making: what its parts share."""

    def __init__(self, model: Any, batch: Any, loss: Any, objective: Any, key: PRNGKeyArray):
        batch = jax.tree.map(jnp.asarray, batch)
        while True:
            self.whole: Whole = as_whole(model, batch, key, loss, objective)
            self.batch = batch
            self.graph = trace(self.whole.function, self.whole.parameters, batch)
            numbers = jax.tree.unflatten(self.graph.result, self.graph.outputs)
            self.made: Made = numbers
            self.marks = _checked(marks(self.graph), self.graph)
            made = self.made.outputs or {
                name: number for name, number in self.marks.items() if name == "reconstruction"
            }
            self.chain: Chain = find_chain(self.graph, self.whole.parameters, made.values())
            self.quantisers = find_codebooks(self.chain)
            cut = self.cut = self.made.outputs or self.marks
            watched = self.chain.watched | set(cut.values()) | {quantiser.choice for quantiser in self.quantisers}
            self.passes = Passes(self.chain.graph, watched | _latent_candidates(self.graph, cut))
            if self.passes.bytes <= MOST_BYTES or _examples(batch) < 4:
                break
            batch = _first(batch, _examples(batch) // 2)
        self.examples = _examples(batch)
        if bytes_of(self.passes) > (there := memory_there()):
            needed = memory_needed(self.passes, self.examples)
            raise ValueError(f"the model does not fit into {there / 1e9:,.3g} GB of memory: {needed}")

    def diagnosis(self) -> Diagnosis:
        """Everything, part by part; a part that cannot be had is left out."""
        parameters, made = self.whole.parameters, self.made
        values = self.passes.forward(parameters, self.batch)
        loss = values[made.loss]
        pulled = self.passes.backward(values, {made.loss: jnp.ones_like(loss)})
        own_made, own_gradient = self._own_pass()
        gradients = [pulled.at.get(number) for number in self.chain.graph.parameters]
        bad = self._not_finite(loss, gradients, own_made, own_gradient)
        axes = ExampleAxes(self.passes, parameters, self.batch, values, self.examples)
        # What z and the loss are is read of the model as it is, its layers as a few steps leave those that are zero.
        cut = {} if bad else self.cut
        bound = BoundReader(self.chain, self.passes, parameters, self.batch, values, axes, made.outputs, cut)
        uses, reached, codebooks = bound.uses(), bound.plateau(), tuple(
            read_codebook(each, values) for each in self.quantisers
        )  # fmt: skip
        share, common = bound.of_encoder()
        awake, stopped, underflow = Woken(parameters, (), values, pulled), (), False
        if not bad:
            awake = woken(self.chain, self.passes, parameters, self.batch, values, pulled, made.loss)
            stopped = self._stopped(awake)
            if awake.asleep:
                axes = ExampleAxes(self.passes, awake.parameters, self.batch, awake.values, self.examples)
        layers = read_layers(self.chain, self.passes, awake.values, awake.pulled, axes)
        norms = [norm(awake.pulled.at.get(block.after)) for block in self.chain.blocks]
        names = {row.after: row.name for row in self.chain.rows}
        hidden = {names[number]: norm(awake.pulled.at.get(number)) for number in bound.encoder}
        ways = (*stretches(layers, norms, self._parts_of_chain(bound.split)), *encoder_way(hidden))
        if not bad:
            underflow = underflows(self.chain, self.passes, awake.values, awake.pulled, layers, made.loss)
        judged = [
            judge_pass(
                layers,
                hidden,
                ways,
                bad,
                stopped,
                underflow,
                codebooks,
                uses,
                reached,
                common if uses else None,
                rescales=rescales,
            )
            for rescales in (True, False)
        ]
        verdict, asked = judged[0], Asked()
        if verdict.word in ("vanishing", "exploding", "saturated"):
            asked = self._blame(verdict.stretch, awake.values, layers)
        return Diagnosis(
            layers=_with_factors(layers, asked.factors),
            loss=self.whole.differentiated,
            value=float(loss),
            parts={name: float(values[number]) for name, number in made.parts.items()},
            given=self.whole.said,
            examples=self.examples,
            ways=ways,
            verdict=verdict.word,
            because=verdict.because + word_under_sgd(verdict.word, judged[1].word),
            strength=STRENGTHS[verdict.word][1] if verdict.word in STRENGTHS else None,
            blame=asked.blame,
            blame_left_out=asked.left_out,
            kind_factors=asked.kinds,
            not_finite=bad,
            stopped=stopped,
            asleep=awake.asleep,
            data=read_data(self.batch),
            likelihood=bound.likelihood(),
            target=bound.target(),
            squashed=bound.squashed(),
            reduction=bound.reduction(),
            free_bits=bound.free_bits(),
            uses=uses,
            reconstruction_share=share,
            plateau=reached,
            codebooks=codebooks,
            mixed=bound.mixed() if not bad else (),
            output_difference=_difference([values[n] for n in made.outputs.values()], own_made.outputs.values()),
            gradient_difference=_difference(
                [jnp.zeros_like(own) if found is None else found for found, own in
                 zip(gradients, jax.tree.leaves(own_gradient), strict=True)],
                jax.tree.leaves(own_gradient),
            ),
            differs_compiled=bool(jnp.isfinite(loss)) != bool(jnp.isfinite(own_made.loss)),
        )  # fmt: skip

    def _own_pass(self) -> tuple[Made, Any]:
        def own(parameters: Any, batch: Any) -> tuple[Value, Made]:
            made = self.whole.function(parameters, batch)
            return made.loss, made

        (_, made), gradient = jax.jit(jax.value_and_grad(own, has_aux=True))(self.whole.parameters, self.batch)
        return made, gradient

    def _not_finite(
        self, loss: Value, gradients: Iterable[Value | None], own_made: Made, own_gradient: Any
    ) -> tuple[NotFinite, ...]:
        """The first value that is no number, if one reaches the loss or a gradient."""
        leaves = [*not_finite_leaves(self.whole.parameters, "parameter"), *not_finite_leaves(self.batch, "batch")]
        reached = [loss, own_made.loss, *(each for each in gradients if each is not None)]
        reached += jax.tree.leaves(own_gradient)
        if all(bool(jnp.isfinite(value).all()) for value in reached):
            return ()
        if leaves:
            return tuple(leaves)
        body, closed = self._body(self.whole.parameters)
        found = first_result(body, None, [0])
        if found is None:
            found = first_derivative(body, self._seed(closed), range(len(jax.tree.leaves(self.whole.parameters))))
        # What only the whole compiled program makes, or only the pieces, has no one operation.
        return (found or NotFinite("result", "the compiled program", None, math.nan, math.nan, "NaN"),)

    def _body(self, parameters: Any) -> tuple[Body, ClosedJaxpr]:
        closed = jax.make_jaxpr(self.whole.function)(parameters, self.batch)
        return Body(closed.jaxpr, closed.consts, [*jax.tree.leaves(parameters), *jax.tree.leaves(self.batch)]), closed

    def _seed(self, closed: ClosedJaxpr) -> list[Value | None]:
        loss = closed.out_avals[0]
        return [jnp.ones(loss.shape, loss.dtype), *[None] * (len(closed.out_avals) - 1)]

    def _stopped(self, awake: Woken) -> tuple[Stopped, ...]:
        """The operations without a derivative at which the gradient of a layer ends that gets none."""
        rows, graph = self.chain.rows, self.chain.graph
        leaves = {leaf for row in rows if not arrives(awake.pulled, row.after) for leaf in row.matrices}
        if not rows:
            leaves = {place for place, number in enumerate(graph.parameters) if not arrives(awake.pulled, number)}
        if not leaves:
            return ()
        body, closed = self._body(awake.parameters)
        return tuple(where_stopped(body, self._seed(closed), sorted(leaves)))

    def _parts_of_chain(self, split: int | None) -> list[tuple[str, int, int]]:
        """Each part of the chain with its first block and its last hidden one."""
        last = len(self.chain.blocks) - 1
        if split is None:
            return [("model", 0, max(last - 1, 0))]
        # The block that ends in z is the encoder's head.
        return [("encoder", 0, max(split - 1, 0)), ("decoder", split + 1, max(last - 1, split + 1))]

    def _blame(self, way: Stretch | None, values: Mapping[int, Value], layers: tuple[Layer, ...]) -> Asked:
        """Who keeps the gradient back, and what comes back with each kind and each block replaced."""
        if way is not None and way.over_time:
            return blame_recurrence(way.name, way.ratio)
        first, last = 0, None
        if way is not None:
            if way.blocks is None:
                return Asked(left_out="it lies beside the longest way through the model")
            first, last = way.blocks[0], min(way.blocks[1] + 1, len(self.chain.blocks) - 1)
        seeds = {self.made.loss: jnp.ones_like(values[self.made.loss])}
        return blame_way(Arrival(self.chain, self.passes, values, seeds, first, last), first, layers)


def _check(batch: Any) -> None:
    leaves = jax.tree.leaves(batch)
    shapes = ", ".join(str(tuple(jnp.shape(leaf))) for leaf in leaves)
    if not leaves or not any(jnp.ndim(leaf) for leaf in leaves) or _examples(batch) < 2:
        raise ValueError(f"a batch must hold at least two examples along its first axis, got shape {shapes or 'none'}")


def _first(batch: Any, examples: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[:examples] if jnp.ndim(leaf) else leaf, batch)


def _examples(batch: Any) -> int:
    return min((len(leaf) for leaf in jax.tree.leaves(batch) if jnp.ndim(leaf)), default=0)


def _checked(marked: dict[str, int], graph: Graph) -> dict[str, int]:
    """The marks, once it is sure that what they return is used.

    Raises:
        ValueError: If the value that a mark returns goes nowhere.
    """
    used = set(graph.outputs)
    for operation in reversed(graph.operations):
        if not used.isdisjoint(operation.outputs):
            used.update(operation.inputs)
    read = {number for operation in graph.operations if not operation.mark for number in operation.inputs}
    for operation in graph.operations:
        # Where nobody reads what was marked either, the value itself is not used, and that will be said.
        if operation.mark and operation.outputs[0] not in used and read & {*operation.inputs}:
            where = f" at {operation.line}" if operation.line else ""
            raise ValueError(
                f"the mark {operation.mark!r}{where} marks nothing: its returned value is not used; write "
                f"{operation.mark.partition('.')[0]} = checkpoint_name({operation.mark.partition('.')[0]}, "
                f'"{operation.mark}")'
            )
    return marked


def _latent_candidates(graph: Graph, cut: Mapping[str, int]) -> set[int]:
    """Values that may turn out to be z: of the shape of an output, and made of one."""
    shapes = {tuple(graph.shapes[number].shape) for number in cut.values()}
    made = set(cut.values())
    for operation in graph.operations:
        if not made.isdisjoint(operation.inputs):
            made.update(operation.outputs)
    return {
        number for number in made
        if jnp.issubdtype(graph.shapes[number].dtype, jnp.floating)
        and any(shape and graph.shapes[number].shape[-len(shape):] == shape for shape in shapes)
    }  # fmt: skip


def _with_factors(layers: tuple[Layer, ...], factors: Sequence[float | None]) -> tuple[Layer, ...]:
    return tuple(
        replace(layer, backward_factor=factors[layer.block])
        if layer.whole and layer.block is not None and layer.block < len(factors) else layer
        for layer in layers
    )  # fmt: skip


def _difference(one: Iterable[Any], other: Iterable[Any]) -> float:
    """Largest difference between two lists of arrays, relative to the second's largest entry.

    Of all its arrays: a bias before a softmax has gradient zero, and what rounding leaves of it is not comparable.
    """
    pairs = [
        (np.nan_to_num(double(left)), np.nan_to_num(double(right)))
        for left, right in zip(one, other, strict=True)
        if jnp.issubdtype(right.dtype, jnp.inexact) and np.size(right)
    ]
    scale = max((float(np.max(np.abs(right))) for _, right in pairs), default=0.0)
    return max((float(np.max(np.abs(left - right))) for left, right in pairs), default=0.0) / (scale or 1.0)
