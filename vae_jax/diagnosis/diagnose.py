"""A diagnosis of one pass of any model: its gradient layer by layer, what is wrong with it, and the line where."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr
from jaxtyping import PRNGKeyArray

from vae_jax.diagnosis.bound.codebook import Codebook, find_codebooks, read_codebook
from vae_jax.diagnosis.bound.data_facts import DataFacts, read_data
from vae_jax.diagnosis.bound.latents import Held, Parts, find_parts, marks
from vae_jax.diagnosis.bound.likelihood import Likelihood
from vae_jax.diagnosis.bound.reduction import Reduction, read_reduction
from vae_jax.diagnosis.bound.use_of_z import Plateau, UseOfZ, read_plateau, read_use
from vae_jax.diagnosis.calling.any_model import Made, Whole, as_whole
from vae_jax.diagnosis.faults.not_finite import NotFinite, first_derivative, first_result, not_finite_leaves
from vae_jax.diagnosis.faults.stopped import Stopped, where_stopped
from vae_jax.diagnosis.judging import Stretch, judge_pass, stretches, word_under_sgd
from vae_jax.diagnosis.layers import attribution
from vae_jax.diagnosis.layers.attribution import NOBODY, Arrival, Blame, double
from vae_jax.diagnosis.layers.chain import Chain, find_chain
from vae_jax.diagnosis.layers.example_axis import ExampleAxes, mixes, one_changed
from vae_jax.diagnosis.layers.ratios import quotient
from vae_jax.diagnosis.layers.readings import Layer, over_time, read_layers, rms, shared
from vae_jax.diagnosis.layers.zero_by_design import waking, zero_factors
from vae_jax.diagnosis.tracing.graph import Graph, trace
from vae_jax.diagnosis.tracing.interpreter import Body
from vae_jax.diagnosis.tracing.passes import Passes, Pulled, Value
from vae_jax.diagnosis.verdict import STRENGTHS, Strength
from vae_jax.recipe.keys import random_key

OVER_TIME = "recurrence over time"
"""The kind to blame where the gradient arrives at the first layer, but only from a sequence's last steps."""

MOST_BYTES = 400_000_000
"""A forward pass that keeps more is run on fewer examples."""

MIXED = 1e-3
"""Of the largest entry: what another example has to change before examples are called mixed."""

_SEED = 0

# A gradient that is there with the loss times this, and not without, has underflowed: 2^12, exact in any type.
_LOSS_SCALE = 4096.0

# Of the entries of a layer's gradient: so many zeros are asked whether they have underflowed.
_MANY_ZEROS = 0.5


@dataclass(frozen=True)
class Diagnosis:
    """One pass of a model and its loss, and what they say.

    Attributes:
        layers: In the order of the signal; those beside it last.
        loss: What was differentiated, in words.
        value: The loss's value.
        parts: The loss's own parts, by name.
        given: What was given to arguments that nobody named, a sentence each.
        examples: How many examples were looked at.
        ways: The ways that a gradient takes through the model, with how much of it arrives.
        verdict: One word of `vae_jax.diagnosis.verdict.WORDS`, for an optimizer that rescales, as Adam does.
        because: The figure that decided it; and the word under SGD, where that is another.
        strength: What became of the suite's networks with this verdict at their first step; None of a word that it has
            not tried.
        blame: The block, or the kind of block, that keeps the gradient from the first layer.
        blame_left_out: Whether nobody was asked, as that would have taken too long.
        kind_factors: How many times more comes back with all steps of a kind replaced, by kind; empty where the
            gradient arrives.
        not_finite: Values that are no numbers, the first one first.
        stopped: Operations at which the gradient ends.
        asleep: Parameters that are exactly zero; the layers are read as if a few steps had been taken.
        data: What the batch says of itself.
        likelihood: What the loss compares the reconstruction with, by name; empty where that is none that is known.
        target: The least and the largest number of that.
        squashed: "softmax" or "sigmoid" where the loss takes one of what is one already; else empty.
        reduction: How much a pixel and a unit weigh.
        free_bits: The share of units whose KL term is flat here.
        uses: What the decoder makes of each latent.
        reconstruction_share: Of dL/dh at the encoder's last hidden layer, what comes from the reconstruction.
        plateau: What a model reaches that knows the data's mean alone.
        codebooks: What was read of quantisers.
        mixed: "loss" or "model", or both, where what is made of one example depends on another.
        output_difference: Largest difference between the watched model's outputs and its own, relative to the largest
            entry.
        gradient_difference: The same of its parameters' gradient.
        differs_compiled: Whether the whole compiled program gives finite numbers where its operations, one by one, do
            not, or the contrary.
    """

    layers: tuple[Layer, ...]
    loss: str
    value: float
    parts: Mapping[str, float]
    given: tuple[str, ...]
    examples: int
    ways: tuple[Stretch, ...]
    verdict: str
    because: str
    strength: Strength | None
    blame: Blame
    blame_left_out: bool
    kind_factors: Mapping[str, float]
    not_finite: tuple[NotFinite, ...]
    stopped: tuple[Stopped, ...]
    asleep: tuple[str, ...]
    data: DataFacts | None
    likelihood: str
    target: tuple[float, float] | None
    squashed: str
    reduction: Reduction | None
    free_bits: float
    uses: tuple[UseOfZ, ...]
    reconstruction_share: float | None
    plateau: Plateau | None
    codebooks: tuple[Codebook, ...]
    mixed: tuple[str, ...]
    output_difference: float
    gradient_difference: float
    differs_compiled: bool


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
        ValueError: If the batch is empty, the model has no layers, the loss is not one number, or a mark marks nothing.
    """
    _check(batch)
    # A person's own settings are for their training: here what is no number is looked for.
    with jax.debug_nans(False), jax.debug_infs(False):
        return _Examination(model, batch, loss, objective, random_key(_SEED) if key is None else key).diagnosis()


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

    def diagnosis(self) -> Diagnosis:
        """Everything, part by part; a part that cannot be had is left out."""
        parameters, graph = self.whole.parameters, self.chain.graph
        values = self.passes.forward(parameters, self.batch)
        loss = values[self.made.loss]
        pulled = self.passes.backward(values, {self.made.loss: jnp.ones_like(loss)})
        own_made, own_gradient = self._own_pass()
        gradients = [pulled.at.get(number) for number in graph.parameters]
        bad = self._not_finite(loss, gradients, own_made, own_gradient)
        axes = ExampleAxes(self.passes, parameters, self.batch, values, self.examples)
        known = self._parts(parameters, values) if not bad else None
        uses, share, common = (), None, None
        if known is not None:
            uses = self._uses(known, parameters, values, axes)
            share, common = self._of_encoder(known, values, axes)
        codebooks = tuple(read_codebook(each, values) for each in self.quantisers)
        reached = _plateau(known, values)
        # What z and the loss are is read of the model as it is, its layers as a few steps leave those that are zero.
        awake, asleep, stopped, underflow = values, (), (), False
        if not bad:
            woken, asleep, awake, pulled = self._woken(values, pulled)
            stopped = self._stopped(woken, pulled)
        awake_axes = ExampleAxes(self.passes, parameters, self.batch, awake, self.examples) if asleep else axes
        layers = read_layers(self.chain, self.passes, awake, pulled, awake_axes)
        ways = tuple(stretches(layers, self._norms(pulled), self._stretches(known)))
        if not bad:
            underflow = self._underflow(awake, pulled, layers)
        judged = [
            judge_pass(
                layers,
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
        verdict = judged[0]
        blame, kinds, factors, left_out = NOBODY, {}, (), False
        if verdict.word in ("vanishing", "exploding", "saturated"):
            blame, kinds, factors, left_out = self._blame(verdict.stretch, awake, layers)
        likelihood = None if known is None else known.likelihood
        return Diagnosis(
            layers=_with_factors(layers, factors),
            loss=self.whole.differentiated,
            value=float(loss),
            parts={name: float(values[number]) for name, number in self.made.parts.items()},
            given=self.whole.said,
            examples=self.examples,
            ways=ways,
            verdict=verdict.word,
            because=verdict.because + word_under_sgd(verdict.word, judged[1].word),
            strength=STRENGTHS[verdict.word][1] if verdict.word in STRENGTHS else None,
            blame=blame,
            blame_left_out=left_out,
            kind_factors=kinds,
            not_finite=bad,
            stopped=stopped,
            asleep=asleep,
            data=read_data(self.batch),
            likelihood="" if likelihood is None else likelihood.family.name,
            target=None if likelihood is None else _ends(likelihood),
            squashed=self._squashed(known, values),
            reduction=self._reduction(known, values),
            free_bits=max((latent.flat for latent in known.latents), default=0.0) if known is not None else 0.0,
            uses=uses,
            reconstruction_share=share,
            plateau=reached,
            codebooks=codebooks,
            mixed=self._mixed(known, parameters, values, axes) if not bad else (),
            output_difference=_difference([values[n] for n in self.made.outputs.values()], own_made.outputs.values()),
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

    def _woken(
        self, values: Mapping[int, Value], pulled: Pulled
    ) -> tuple[Any, tuple[str, ...], Mapping[int, Value], Pulled]:
        """The parameters as a few steps would leave those that are exactly zero, where these keep a gradient back.

        Returns:
            Them, the names of those that were zero, and both passes with them.
        """
        graph, parameters = self.chain.graph, self.whole.parameters
        leaves, structure = jax.tree.flatten(parameters)
        factors = zero_factors(graph)
        names = ["/".join(jax.tree_util.keystr((key,), simple=True) for key in path)
                 for path, _ in jax.tree_util.tree_flatten_with_path(parameters)[0]]  # fmt: skip
        asleep: list[str] = []
        while not all(_arrives(pulled, row.after) for row in self.chain.rows):
            awake = waking(graph, dict(enumerate(leaves)), pulled.at, factors)
            if not awake:
                break
            for place, value in awake.items():
                leaves[place] = value
                asleep.append(names[place])
            values = self.passes.forward(jax.tree.unflatten(structure, leaves), self.batch)
            pulled = self.passes.backward(values, {self.made.loss: jnp.ones_like(values[self.made.loss])})
        return jax.tree.unflatten(structure, leaves), tuple(asleep), values, pulled

    def _stopped(self, parameters: Any, pulled: Pulled) -> tuple[Stopped, ...]:
        """The operations without a derivative at which the gradient of a layer ends that gets none."""
        without = [row for row in self.chain.rows if not _arrives(pulled, row.after)]
        if not without:
            return ()
        body, closed = self._body(parameters)
        leaves = sorted({leaf for row in without for leaf in row.matrices})
        return tuple(where_stopped(body, self._seed(closed), leaves))

    def _norms(self, pulled: Pulled) -> list[float]:
        return [attribution.norm(pulled.at.get(block.after)) for block in self.chain.blocks]

    def _stretches(self, known: Parts | None) -> list[tuple[str, int, int]]:
        """Each part of the chain with its first block and its last hidden one."""
        last = len(self.chain.blocks) - 1
        split = self._split(known)
        if split is None:
            return [("model", 0, max(last - 1, 0))]
        # The block that ends in z is the encoder's head.
        return [("encoder", 0, max(split - 1, 0)), ("decoder", split + 1, max(last - 1, split + 1))]

    def _split(self, known: Parts | None) -> int | None:
        """The block that ends in z; None where z is not on the chain."""
        zs = [latent.z for latent in known.latents if latent.z is not None] if known is not None else []
        if not zs:
            return None
        reached = {zs[0]}
        for operation in self.chain.graph.operations:
            if not reached.isdisjoint(operation.inputs):
                reached.update(operation.outputs)
        after = [index for index, block in enumerate(self.chain.blocks) if block.before in reached]
        return after[0] - 1 if after and after[0] > 0 else None

    def _parts(self, parameters: Any, values: Mapping[int, Value]) -> Parts | None:
        if not self.cut:
            return None
        held = Held(self.passes, parameters, self.batch, values, self.cut)
        data = {str(place): leaf for place, leaf in enumerate(jax.tree.leaves(self.batch))}
        return find_parts(held, self.chain.graph, data, self.chain.blocks[-1].after)

    def _uses(
        self, known: Parts, parameters: Any, values: Mapping[int, Value], axes: ExampleAxes
    ) -> tuple[UseOfZ, ...]:
        found = []
        for latent in known.latents:
            mean, width = double(values[latent.mean]), double(values[latent.log_var])
            z, decode, axis = None, None, 0
            if latent.z is not None:
                z = double(values[latent.z])
                decode = partial(self._decoded, parameters, values, latent.z, known.reconstruction)
                axis = (axes.axis(latent.z) or (0, 1))[0]
            found.append(read_use(latent, mean, width, z, decode, known.likelihood, axis))
        return tuple(found)

    def _decoded(
        self, parameters: Any, values: Mapping[int, Value], z: int, reconstruction: int, other: np.ndarray
    ) -> np.ndarray:
        """The reconstruction with another z."""
        own = jnp.asarray(other, values[z].dtype)
        return double(self.passes.forward(parameters, self.batch, {z: own})[reconstruction])

    def _of_encoder(
        self, known: Parts, values: Mapping[int, Value], axes: ExampleAxes
    ) -> tuple[float | None, float | None]:
        """At the encoder's last hidden layer: the reconstruction's share of dL/dh, and what of that all have alike.

        The output's bias learns the data's mean in the first steps, so what the output's gradient says alike of all
        examples is taken away before.
        """
        split = self._split(known)
        if split is None or split < 1 or known.reconstruction not in known.direct:
            return None, None
        number = self.chain.blocks[split - 1].after
        direct = dict(known.direct)
        made = direct.pop(known.reconstruction)
        centred = made - jnp.mean(made, axis=0, keepdims=True)

        def at(seeds: Mapping[int, Value]) -> np.ndarray:
            arrived = self.passes.backward(values, seeds, parameters=False).at.get(number)
            return double(values[number]) * 0 if arrived is None else double(arrived)

        norms = rms(at({known.reconstruction: made})), rms(at(direct))
        rows = axes.rows(number, at({known.reconstruction: centred}))
        return quotient(norms[0], sum(norms)), None if rows is None else shared(rows)

    def _reduction(self, known: Parts | None, values: Mapping[int, Value]) -> Reduction | None:
        if known is None or known.likelihood is None:
            return None
        weighed = [latent for latent in known.latents if latent.weight is not None]
        if not weighed:
            return None
        output = double(values[known.reconstruction])
        return read_reduction(weighed[0], known.likelihood, output, values[weighed[0].mean].shape)

    def _squashed(self, known: Parts | None, values: Mapping[int, Value]) -> str:
        if known is None or known.likelihood is None:
            return ""
        output, name = double(values[known.reconstruction]), known.likelihood.family.name
        made = {name for operation in self.chain.graph.operations for name in operation.names}
        if name.startswith("categorical") and (output >= 0).all() and np.allclose(output.sum(axis=-1), 1, atol=1e-3):
            return "softmax"
        inside = bool((output >= 0).all() and (output <= 1).all())
        return "sigmoid" if name == "Bernoulli, of logits" and inside and "logistic" in made else ""

    def _underflow(self, values: Mapping[int, Value], pulled: Pulled, layers: tuple[Layer, ...]) -> bool:
        """Whether most of some layer's gradient is 0 that is not with a larger loss."""
        narrow = [block for block in self.chain.blocks if values[block.after].dtype in (jnp.float16, jnp.bfloat16)]
        if not narrow or not any(layer.zero_share > _MANY_ZEROS for layer in layers):
            return False
        seeds = {self.made.loss: jnp.full_like(values[self.made.loss], _LOSS_SCALE)}
        scaled = self.passes.backward(values, seeds, parameters=False)
        for block in narrow:
            own, larger = (each.at.get(block.after) for each in (pulled, scaled))
            if own is not None and larger is not None:
                lost = (double(own) == 0) & (double(larger) != 0)
                if lost.mean() > _MANY_ZEROS * (double(larger) != 0).mean():
                    return True
        return False

    def _blame(
        self, way: Stretch | None, values: Mapping[int, Value], layers: tuple[Layer, ...]
    ) -> tuple[Blame, dict[str, float], tuple[float | None, ...], bool]:
        """Who keeps the gradient back, and what comes back with each kind and each block replaced."""
        if way is not None and way.over_time:
            factor = max(way.ratio, quotient(1.0, way.ratio))
            return Blame(way.name, OVER_TIME, factor), {}, (), False
        first, last = (0, None) if way is None else (way.blocks[0], min(way.blocks[1] + 1, len(self.chain.blocks) - 1))
        seeds = {self.made.loss: jnp.ones_like(values[self.made.loss])}
        arrival = Arrival(self.chain, self.passes, values, seeds, first, last)
        kinds = attribution.kind_factors(arrival)
        try:
            factors = attribution.block_factors(arrival)
        except attribution.TooLongError:
            return attribution.blame(arrival, (), kinds), kinds, (), True
        found = attribution.blame(arrival, factors, kinds)
        if not found.kind:
            found = blame_over_time({layer.name: layer.over_time for layer in layers})
        return found, kinds, (*[None] * first, *factors), False

    def _mixed(
        self, known: Parts | None, parameters: Any, values: Mapping[int, Value], axes: ExampleAxes
    ) -> tuple[str, ...]:
        """Where what is made of one example depends on another."""
        found = []
        outputs = [
            number for number in self.made.outputs.values()
            if self.passes.real(number) and axes.axis(number) is not None and number not in self.graph.batch
        ]  # fmt: skip
        for number in outputs:
            one, other = axes.rows(number), axes.rows(number, np.asarray(axes.moved[number]))
            if one is not None and other is not None and mixes(one, other) > MIXED:
                found.append("model")
                break
        if known is not None and outputs:
            held = Held(self.passes, parameters, self.batch, values, self.cut)
            changed = {}
            for number in outputs:
                array, place = np.array(values[number]), (axes.axis(number) or (0, 1))[0]
                rows = np.moveaxis(array, place, 0)
                rows[0] = rows[1] + np.std(array) + 1e-3
                changed[number] = array
            after = held.gradient(changed, one_changed(self.batch))
            for number in outputs:
                one, other = axes.rows(number, double(known.direct[number])), axes.rows(number, double(after[number]))
                if one is not None and other is not None and mixes(one, other) > MIXED:
                    found.append("loss")
                    break
        return tuple(found)


def blame_whole(function: Callable[[Any, Any], tuple[Any, Any]], parameters: Any, batch: Any) -> Blame:
    """Who keeps a loss's gradient from a model's first layer: a block, a kind of step, a recurrence, or nobody.

    Args:
        function: From parameters and a batch to the loss and the model's outputs.
        parameters: The model's.
        batch: What it is called with.
    """
    graph = trace(function, parameters, batch)
    loss, *made = graph.outputs
    chain = find_chain(graph, parameters, made)
    passes = Passes(chain.graph, chain.watched)
    values = passes.forward(parameters, batch)
    seeds = {loss: jnp.ones_like(values[loss])}
    arrival = Arrival(chain, passes, values, seeds)
    found = attribution.blame(arrival, attribution.block_factors(arrival, math.inf), attribution.kind_factors(arrival))
    if found.kind:
        return found
    # A recurrence hands its last input's gradient on in full: what is lost is lost between its steps.
    states = passes.backward(values, seeds).states
    return blame_over_time(
        {
            block.name: over_time([state for number in block.recurrences for state in states.get(number, ())])
            for block in chain.blocks
        }
    )


def blame_over_time(steps: Mapping[str, tuple[float, ...]]) -> Blame:
    """The recurrence in which the gradient is lost between the last step and the first, or grows; or nobody.

    Args:
        steps: For each block what `over_time` gives; empty for one without recurrences.
    """
    ratios = {name: quotient(norms[0], norms[-1]) for name, norms in steps.items() if norms}
    worst = max(ratios, key=lambda name: _distance(ratios[name]), default="")
    if not worst or attribution.FADED <= ratios[worst] <= attribution.GROWN:
        return NOBODY
    return Blame(worst, OVER_TIME, max(ratios[worst], quotient(1.0, ratios[worst])))


def _distance(ratio: float) -> float:
    return abs(math.log(ratio)) if 0 < ratio < math.inf else math.inf


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


def _ends(likelihood: Likelihood) -> tuple[float, float]:
    counted = likelihood.target[likelihood.counted]
    return float(counted.min()), float(counted.max())


def _arrives(pulled: Pulled, number: int) -> bool:
    return number in pulled.at and bool(np.any(double(pulled.at[number])))


def _plateau(known: Parts | None, values: Mapping[int, Value]) -> Plateau | None:
    if known is None or known.likelihood is None:
        return None
    if known.likelihood.family.name.startswith("categorical"):
        # What a sequence model reaches without z depends on what it is told of the tokens before.
        return None
    return read_plateau(known.likelihood, double(values[known.reconstruction]))


def _with_factors(layers: tuple[Layer, ...], factors: tuple[float | None, ...]) -> tuple[Layer, ...]:
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
