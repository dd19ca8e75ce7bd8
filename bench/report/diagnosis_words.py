"""A diagnosis in words and as a table. No jax."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # What is diagnosed imports jax; what is shown does not.
    from bench.examination.own_model import Case
    from vae_jax.diagnosis.bound.use_of_z import UseOfZ
    from vae_jax.diagnosis.diagnosis import Diagnosis
    from vae_jax.diagnosis.faults.not_finite import NotFinite
    from vae_jax.diagnosis.layers.readings import Layer

MEANING = {
    "not finite": "a value on the way to the loss or to a gradient is no number",
    "passes no gradient": "an operation hands none on, so that nothing before it can learn",
    "saturated": "almost all of a layer lies on a flat part of its activation, where the slope is about 0",
    "vanishing": "the gradient fades on its way from the output to the first layer",
    "exploding": "the gradient grows without bound on its way from the output to the first layer",
    "dead signal": "gradients arrive, and say the same to every example",
    "collapsed": "z carries nothing to the reconstruction",
    "healthy": "nothing in this pass foretells a stall",
}

_CENTRED = 0.8
"""Data whose own mean cosine is above this have most in common: a bias can say it."""

_TOO_WIDE = 3.0
"""A Gaussian's implied variance is worth a sentence when it is this many times what is left of the data."""


def diagnosis_words(case: "Case") -> list[str]:
    """Verdict, blame, advice and facts, a sentence each."""
    found = case.diagnosis
    return [
        f"Verdict: {found.verdict}: {MEANING[found.verdict]} ({found.because}).",
        *_strength(found),
        *map(_not_finite, found.not_finite),
        *_compiled(found),
        *_blame(found),
        *_advice(case),
        *_ways(found),
        *_weights(found),
        *(sentence for use in found.uses for sentence in _use(use)),
        *_path(found),
        *_plateau(found),
        *_data(found),
        *_model(found),
        f"Differentiated: {found.loss}, whose value is {figure(found.value)}{_parts(found)}.",
        *(f"{sentence}." for sentence in found.given),
        *_examples(case),
        "This is one pass only, at these parameters: what a learning rate or later steps do to it is not in it.",
        f"The watched model's output differs from its own by at most {figure(found.output_difference)} of the largest "
        f"entry, and its parameters' gradient by at most {figure(found.gradient_difference)}.",
    ]


def diagnosis_table(layers: "Sequence[Layer]") -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The layers as text: heads, and a row for each; what is empty for all of them is left out."""
    columns = [
        ("layer", [("" if layer.whole else "↳ ") + layer.name for layer in layers]),
        ("steps", [layer.kind for layer in layers]),
        ("shape", ["x".join(map(str, layer.shape)) for layer in layers]),
        ("rms dL/dh", [figure(layer.hidden_gradient) for layer in layers]),
        ("rms dL/dW", [figure(layer.weight_gradient) for layer in layers]),
        ("q", [figure(layer.mean_square) for layer in layers]),
        ("c", [figure(layer.mean_cosine) for layer in layers]),
        ("shared dL/dh", [_share(layer.shared_gradient) for layer in layers]),
        ("saturated", [_share(layer.saturated_share) for layer in layers]),
        ("dead", [_share(layer.dead_share) for layer in layers]),
        ("exact zeros", [_share(layer.zero_share) for layer in layers]),
        ("backward = 1", [figure(layer.backward_factor, "x") for layer in layers]),
    ]
    told = [(head, cells) for head, cells in columns if any(cells)]
    rows = list(zip(*(cells for _, cells in told), strict=True))
    return tuple(head for head, _ in told), rows


def figure(value: float | None, unit: str = "") -> str:
    """A number of any size in three digits; empty for what cannot be told.

    >>> [figure(value) for value in (None, 0.0, 0.1234, 3.2e-9, 13149.1, math.inf)]
    ['', '0', '0.123', '3.2e-09', '1.31e+04', 'inf']
    """
    return "" if value is None else f"{value:.3g}{unit if math.isfinite(value) else ''}"


def counted(value: float) -> str:
    """A factor as people write it.

    >>> [counted(value) for value in (1.0001, 783.99, 3072.2, 0.0127, 2.5)]
    ['1', '784', '3,072', '0.0127', '2.5']
    """
    whole = round(value)
    return f"{whole:,}" if whole and abs(value / whole - 1) < 0.01 else f"{value:.3g}"


def _strength(found: "Diagnosis") -> list[str]:
    """What became of networks with such readings; of a word that no suite has tried nothing is said."""
    if found.strength is None or not found.strength.networks:
        return []
    return [
        f"Of {found.strength.networks} networks of this suite with such a reading at their first step "
        f"{found.strength.left} left the plateau all the same, under an optimizer that rescales."
    ]


def _not_finite(bad: "NotFinite") -> str:
    went_in = "" if math.isnan(bad.low) else f"; of what went in the finite numbers lie from {figure(bad.low)} to "
    went_in += "" if math.isnan(bad.low) else figure(bad.high)
    if bad.what in ("parameter", "batch"):
        name = f"parameter {bad.operation}" if bad.what == "parameter" else f"the batch {bad.operation}".rstrip()
        return f"Not finite: {name} holds {bad.count:,} NaN or infinite of {bad.size:,} entries."
    steps = "".join(f", in step {step} of its loop" for step in bad.steps)
    where = f" at {bad.line}, in {bad.line.function}" if bad.line else ", in no line of your own files"
    what = f"the {bad.what} of `{bad.operation}`{where}{steps}"
    said = f"The first value that is not finite: {what}, is {bad.made}{went_in}."
    if bad.then is not None:
        said += f" It becomes NaN in the {bad.then.what} of `{bad.then.operation}` at {bad.then.line}."
    return said


def _compiled(found: "Diagnosis") -> list[str]:
    if not found.differs_compiled:
        return []
    return [
        "Operation by operation the loss is no number, compiled as a whole it is, or the contrary: in half precision a "
        "compiler keeps more digits between operations than the code says."
    ]


def _blame(found: "Diagnosis") -> list[str]:
    blame = found.blame
    if found.verdict not in ("vanishing", "exploding", "saturated"):
        return []
    if not blame.kind:
        if found.blame_left_out:
            kinds = "no kind of block; " if found.kind_factors else ""
            return [f"To blame: {kinds}which single block it is was not asked, as {found.blame_left_out}."]
        return ["To blame: no single block and no kind of block: replacing none of them mends it."]
    if blame.kind.endswith("over time"):
        return [
            f"To blame: block {blame.block}, over time: |dL/d(state)| after its first step and after its last differ "
            f"by a factor of {figure(blame.factor)}."
        ]
    lost = found.verdict != "exploding"
    came = f"{figure(blame.factor)} times {'more' if lost else 'less'} comes back at the first layer"
    if math.isinf(blame.factor):
        came = "a gradient comes back at the first layer, where none does otherwise"
    if blame.block:
        return [
            f"To blame: block {blame.block}, and in it the {blame.kind}: with the block's backward Jacobian replaced "
            f"by the identity, {came}; no other block does nearly as much."
        ]
    return [
        f"To blame: no single block, but the kind {blame.kind}: with the backward Jacobians of all of that kind "
        f"replaced by the identity, {came}."
    ]


def _advice(case: "Case") -> list[str]:
    if not case.advice:
        return []
    listed = ", ".join(f"{each.remedy} ({each.left} of {each.pairs})" for each in case.advice)
    return [
        f"What mended it in this suite's own runs: {listed}: so many of so many pairs of arms that differ in this "
        f"remedy alone, the first stuck with this verdict, the second no longer."
    ]


def _ways(found: "Diagnosis") -> list[str]:
    said = []
    for way in found.ways:
        if way.over_time:
            said.append(
                f"Over time, in {way.name}, |dL/d(state)| after the first step is {figure(way.ratio)} of that after "
                f"the last."
            )
        else:
            said.append(
                f"In the {way.name} |dL/dh| is multiplied by {figure(way.ratio)} on its way from {way.last} to "
                f"{way.first}."
            )
    return said


def _weights(found: "Diagnosis") -> Iterator[str]:
    weights = found.reduction
    if found.squashed:
        yield (
            f"The loss takes a {found.squashed} of what is already a {found.squashed}: give it the logits, or take a "
            f"loss of probabilities."
        )
    if weights is None:
        if found.likelihood:
            yield f"The loss compares its reconstruction as a {found.likelihood} likelihood does."
        return
    ways = [f"the reconstruction is {weights.pixels} over an example's entries" if weights.pixels else "",
            f"the KL divergence {weights.units} over its units" if weights.units else ""]  # fmt: skip
    reduced = "; ".join(filter(None, ways))
    yield (
        f"The loss is a bound whose beta is {counted(weights.beta)}: one entry of one example weighs "
        f"{figure(weights.pixel)} ({found.likelihood}), one unit of its KL divergence {figure(weights.unit)}"
        + (f"; {reduced}" if reduced else "")
        + (f", so the KL term weighs {counted(weights.beta)} times what the bound gives it." if
           not 0.99 < weights.beta < 1.01 else ".")
    )  # fmt: skip
    if weights.variance is not None and weights.residual is not None:
        apart = max(weights.variance / weights.residual, weights.residual / weights.variance)
        why = (
            ": so wide a one forgives what is blurred" if weights.variance > _TOO_WIDE * weights.residual else ""
        ) if apart > _TOO_WIDE else ""  # fmt: skip
        yield (
            f"A squared error{'' if not weights.squared else ' without 1/2'} is a Gaussian: its implied variance is "
            f"{figure(weights.variance)}, what is left of the data has a mean square of {figure(weights.residual)}"
            f"{why}."
        )
    if found.free_bits:
        yield f"Of {found.free_bits:.0%} of the units the KL term is flat here, as free bits make it."


def _use(use: "UseOfZ") -> Iterator[str]:
    z, units = f"z{use.name}", len(use.kl_by_unit)
    yield f"{z}: a KL of {figure(use.kl_nats)} nats over {units} units, {use.active} of them active."
    if use.moves is not None:
        if use.unused:
            moved = f"its output moves by {use.moves:.1%} of the data's spread"
            yield f"The decoder does not use {z}: with another example's {moved}."
        else:
            yield f"With another {z} the reconstruction moves by {use.moves:.0%} of the data's spread."
    else:
        yield (
            f"Where the decoder reads {z} was not found: mark it with jax.ad_checkpoint.checkpoint_name(value, "
            f'"{z}") to see its use.'
        )
    if use.nats:
        costs = ", ".join(f"with {whose} {figure(nats)}" for whose, nats in use.nats.items())
        yield f"The reconstruction's nats {costs}."
    if use.run_away:
        yield (
            f"Of {use.run_away} of {units} units {z}'s log_var has run to an end (median {figure(use.log_var)}): "
            f"the posterior there is a point, or has no bounds."
        )


def _path(found: "Diagnosis") -> list[str]:
    if found.reconstruction_share is None:
        return []
    return [
        f"Of the gradient at the encoder's last hidden layer {found.reconstruction_share:.2g} comes from the "
        f"reconstruction, the rest from the KL term."
    ]


def _plateau(found: "Diagnosis") -> list[str]:
    if found.plateau is None:
        return []
    own, reached = found.plateau.own, found.plateau.nats
    way = "below" if own < reached else "above"
    return [
        f"A model without z, that knows each entry's mean, reaches {figure(reached)} nats on this batch; the "
        f"reconstruction here has {figure(own)}, {figure(abs(own - reached))} {way} that plateau."
    ]


def _data(found: "Diagnosis") -> Iterator[str]:
    data = found.data
    if data is None:
        return
    if found.likelihood.startswith("Bernoulli") and found.target is not None:
        low, high = found.target
        if low < -0.01 or high > 1.01:
            low, high = (data.low, data.high) if abs(data.high - high) <= 0.01 * high else (low, high)
            yield (
                f"A Bernoulli likelihood is given data from {figure(low)} to {figure(high)}: it knows numbers from 0 "
                f"to 1; divide them, or take another likelihood."
            )
    if data.alike:
        yield "The examples of this batch are all alike, one repeated: nothing can be told apart."
    elif data.cosine is not None and data.cosine > _CENTRED:
        yield (
            f"The data's own c is {figure(data.cosine)}: examples share most of what they are, which a bias can say; "
            f"centring takes it away."
        )


def _model(found: "Diagnosis") -> Iterator[str]:
    if found.asleep:
        listed = ", ".join(found.asleep[:4]) + (f" and {len(found.asleep) - 4} more" if len(found.asleep) > 4 else "")
        yield (
            f"Parameters that are exactly zero keep the gradient back at this step and no longer: {listed}. The layers "
            f"are read as if a few steps had made them small numbers."
        )
    for book in found.codebooks:
        where = f" at {book.line}" if book.line else ""
        yield f"Of the quantiser's{where} {book.codes} codes this batch uses {book.used}."
    for what in found.mixed:
        yield (
            f"The {what} mixes examples: what one is given depends on others"
            + (", as batch statistics, contrastive losses and MMD do by design, and a broadcast by mistake."
               if what == "loss" else ", as batch statistics do by design, and a softmax over the batch by mistake.")
        )  # fmt: skip


def _parts(found: "Diagnosis") -> str:
    return f" ({', '.join(f'{name} {figure(value)}' for name, value in found.parts.items())})" if found.parts else ""


def _examples(case: "Case") -> list[str]:
    taken = case.diagnosis.examples
    if taken >= case.given:
        return []
    return [f"Of {case.given} examples the first {taken} were looked at: more would take too much memory."]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"
