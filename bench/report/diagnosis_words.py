"""A diagnosis in words and as a table. No jax."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # What is diagnosed imports jax; what is shown does not.
    from bench.examination.own_model import Case
    from vae_jax.diagnosis.diagnose import Diagnosis, Layer

MEANING = {
    "vanishing": "the gradient fades on its way from the output to the first layer",
    "exploding": "the gradient grows without bound on its way from the output to the first layer",
    "saturated": "almost all of a layer lies on a flat part of its activation, where the slope is about 0",
    "healthy": "nothing in this pass foretells a stall",
}


def diagnosis_words(case: "Case") -> list[str]:
    """Verdict, blame, remedies and loss, a sentence each."""
    found = case.diagnosis
    return [
        f"Verdict: {found.verdict}: {MEANING[found.verdict]} ({found.because}).",
        f"From the last hidden layer to the first |dL/dh| is multiplied by {figure(found.gradient_ratio)}; from the "
        f"output to what the first layer is given by {figure(found.arrived_ratio)}.",
        _blame(found),
        *_families(case),
        f"Differentiated: {found.loss}.",
        f"The watched model's output differs from its own by at most {figure(found.output_difference)} of the largest "
        f"entry, and its parameters' gradient by at most {figure(found.gradient_difference)}.",
    ]


def diagnosis_table(layers: "Sequence[Layer]") -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The layers as text: heads, and a row for each."""
    heads = ("layer", "steps", "shape", "rms dL/dh", "rms dL/dW", "q", "c", "shared dL/dh", "saturated", "dead",
             "exact zeros", "backward = 1", "forward = 1")  # fmt: skip
    return heads, [
        (
            layer.name, layer.kind, "x".join(map(str, layer.shape)), figure(layer.hidden_gradient),
            figure(layer.weight_gradient), figure(layer.mean_square), figure(layer.mean_cosine),
            _share(layer.shared_gradient), _share(layer.saturated_share), _share(layer.dead_share),
            _share(layer.zero_share),
            figure(layer.backward_factor, "x"), figure(layer.forward_factor, "x"),
        )
        for layer in layers
    ]  # fmt: skip


def figure(value: float | None, unit: str = "") -> str:
    """A number of any size in three digits; empty for what cannot be told.

    >>> [figure(value) for value in (None, 0.0, 0.1234, 3.2e-9, 13149.1, math.inf)]
    ['', '0', '0.123', '3.2e-09', '1.31e+04', 'inf']
    """
    return "" if value is None else f"{value:.3g}{unit if math.isfinite(value) else ''}"


def _blame(found: "Diagnosis") -> str:
    blame = found.blame
    if not blame.kind:
        return "To blame: nobody; the gradient arrives." if found.verdict == "healthy" else (
            "To blame: no single block and no kind of block: replacing none of them brings the gradient back."
        )  # fmt: skip
    if blame.kind.endswith("over time"):
        return (
            f"To blame: block {blame.block}, over time: |dL/d(state)| after its first step and after its last differ "
            f"by a factor of {figure(blame.factor)}."
        )
    lost = found.arrived_ratio < 1
    came = f"{figure(blame.factor)} times {'more' if lost else 'less'} comes back at the first layer"
    if math.isinf(blame.factor):
        came = "a gradient comes back at the first layer, where none does otherwise"
    if blame.block:
        return (
            f"To blame: block {blame.block}, and in it the {blame.kind}: with the block's backward Jacobian replaced "
            f"by the identity, {came}; no other block does nearly as much."
        )
    return (
        f"To blame: no single block, but the kind {blame.kind}: with the backward Jacobians of all of that kind "
        f"replaced by the identity, {came}."
    )


def _families(case: "Case") -> list[str]:
    if not case.remedies:
        return []
    listed = "; ".join(f"{family} ({', '.join(names)})" if names else family for family, names in case.remedies.items())
    return [f"Families that address it: {listed}."]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"
