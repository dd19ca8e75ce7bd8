"""Networks: what was trained, its early readings and its end. No jax.

A network is an arm on a workload.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.results.judging.left import figures, has_left
from bench.results.judging.rescaling import optimizer_of, rescales
from bench.results.results import Results, Row

SHARES = (0.0, 0.03, 0.10)
"""Of a training's steps: where it is looked at, at the nearest record."""

Profile = np.ndarray


class Reading(NamedTuple):
    """How an instrument's profile over the layers of the stack that reads the data becomes one number.

    Attributes:
        words: What the number is.
        reduce: From the profile, of a number by itself one entry, to the number.
        leaves: Whether those with `more` or with `less` of it are expected to leave.
        compares: Whether it means the same of another kind of workload, and at any rate: a rule may be made of it.
    """

    words: str
    reduce: Callable[[Profile], float]
    leaves: str = "more"
    compares: bool = True


def _imbalance(profile: Profile) -> float:
    # From the first block on: before it there is the input layer. Of fewer than two there is no way between.
    if len(profile) < 3:
        return math.nan
    first, last = float(profile[1]), float(profile[-1])
    return abs(math.log10(first / last)) if first > 0 and last > 0 else math.inf


def _last(profile: Profile) -> float:
    return float(profile[-1])


def _largest(profile: Profile) -> float:
    return float(np.max(profile))


def _smallest(profile: Profile) -> float:
    return float(np.min(profile))


READINGS = {
    "hidden_gradient": Reading(
        "orders of magnitude between dL/dh at the first block and at the last", _imbalance, "less"
    ),
    "reconstruction_gradient": Reading(
        "orders of magnitude between the first block and the last, from the reconstruction", _imbalance, "less"
    ),
    "kl_gradient": Reading(
        "orders of magnitude between the first block and the last, from the KL term", _imbalance, "less"
    ),
    "weight_gradient": Reading(
        "orders of magnitude between dL/dW of the first block and of the last", _imbalance, "less"
    ),
    "mean_square": Reading("orders of magnitude between q at the first block and at the last", _imbalance, "less"),
    "mean_cosine": Reading("c at the last hidden layer", _last, "less"),
    "effective_rank": Reading("effective rank of the last hidden layer", _last),
    "shared_gradient": Reading("share of dL/dh that is the same for all, at the last hidden layer", _last, "less"),
    "gradient_to_noise": Reading("gradient over noise, the least of all layers", _smallest),
    "relative_update": Reading("relative update, the least of all matrices", _smallest, compares=False),
    "zero_gradients": Reading("entries of dL/dh that are 0, the most of all layers", _largest, "less", False),
    "tangent_kernel": Reading("log10 of the tangent kernel's condition", _last, "less"),
    "saturated": Reading("flat share, the largest of all layers", _largest, "less"),
    "dead": Reading("share of dead units, the largest of all layers", _largest, "less"),
    "score": Reading("the score itself, on the minibatch", _last, "less", False),
    "reconstruction": Reading("the reconstruction, on the minibatch", _last, "less", False),
    "kl_nats": Reading("KL, on the minibatch", _last, compares=False),
}
"""Of the instruments that come with this package; of any other, more of its last layer's is expected to leave.

Expected beforehand, each in one direction: one that was chosen by its outcome would be above 0.5 by chance.
"""


class Network(NamedTuple):
    """An arm on a workload, its early readings and its end.

    Attributes:
        workload: The workload's text.
        arm: The arm's.
        group: Its kind of workload, base and optimizer: networks of one group are compared.
        structure: Those that begin with the same forward pass are no two witnesses.
        left: Whether, at one of the rates that were tried, most trainings left the plateau.
        readings: By instrument, for each of `SHARES`, such that more of it is expected to leave; the median over seeds.
        coded: Whether it has a code, which a KL term pulls to the prior.
        ratio: rms dL/dh at the first block over the last's at the start, as the verdict reads it; and so the next two.
        shared: Share of dL/dh that is the same for all examples, at the encoder's last hidden layer.
        flat: The largest flat share.
        rescales: Whether each coordinate's step, or each layer's, is divided by its own size.
    """

    workload: str
    arm: str
    group: tuple[str, str, str]
    structure: tuple[object, ...]
    left: bool
    readings: dict[str, tuple[float, ...]]
    coded: bool
    ratio: float
    shared: float
    flat: float
    rescales: bool


Limits = Mapping[str, tuple[float, float]]
"""Of each word the limit of its rule: under an optimizer that rescales nothing, and under one that does."""

NO_WORD = "none of these"


def word_of(network: Network, limits: Limits) -> str:
    """The word of the verdict's first rule that holds at the first step, with these limits; or `NO_WORD`."""

    def of(word: str) -> float:
        return limits[word][network.rescales]

    holds = {
        "saturated": network.flat > of("saturated"),
        "vanishing": network.ratio < of("vanishing"),
        "exploding": network.ratio > of("exploding"),
        "dead signal": network.coded and network.shared > of("dead signal"),
    }
    return next((word for word, does in holds.items() if does), NO_WORD)


def networks_of(results: Results) -> tuple[Network, ...]:
    """The networks of some results; none of a cell that was not trained, or of which no end is known.

    Two arms whose trainings are the same to the last digit are one network: no recurrent cell is in a dense one.
    """
    rows: dict[tuple[object, ...], Row] = {}
    for row in results.stored:
        rows.setdefault((row.cell.workload, row.record.tuning, row.trainings), row)
    return tuple(found for row in rows.values() if (found := _network(row)) is not None)


def networks_table(networks: Sequence[Network], limits: Limits) -> pd.DataFrame:
    """A row per network: what it is, whether it left, what word the verdict's rules give its first step, and each
    reading at each of `SHARES`, in the reading's own sense.

    With it other rules can be chosen by whoever has other ones in mind.
    """
    structures = {name: number for number, name in enumerate(dict.fromkeys(each.structure for each in networks))}
    names = sorted({name for each in networks for name in each.readings})
    rows = []
    for each in networks:
        kind, base, optimizer = each.group
        row: dict[str, object] = {
            "workload": each.workload, "arm": each.arm, "kind": kind, "base": base, "optimizer": optimizer,
            "structure": structures[each.structure], "rescales": each.rescales, "coded": each.coded, "left": each.left,
            "word": word_of(each, limits) if limits else None,
        }  # fmt: skip
        for name in names:
            sign = 1 if reading_of(name).leaves == "more" else -1
            readings = each.readings.get(name, (math.nan,) * len(SHARES))
            row |= {f"{name}, {heading(share)}": sign * value for share, value in zip(SHARES, readings, strict=True)}
        rows.append(row)
    return pd.DataFrame(rows)


def heading(share: float) -> str:
    """What a share of a training is called."""
    return f"at {share:.0%}" if share else "at the first step"


def _network(row: Row) -> Network | None:
    """None of a cell that was not trained, or of which no end is known."""
    record, plateau = row.record, row.plateau_validation
    if not record.trainings or plateau is None:
        return None
    readings, structure = _early(row)
    if record.tangent_condition is not None:
        # Of the first step alone.
        readings["tangent_kernel"] = (-record.tangent_condition, math.nan, math.nan)
    first = record.trainings[0]
    optimizer = optimizer_of(record.recipe)
    return Network(
        row.cell.workload,
        row.cell.arm,
        (row.cell.workload.partition("[")[0], row.cell.base, optimizer),
        (row.cell.workload, *(structure or [row.cell.arm])),
        _left(row, plateau),
        readings,
        any(each.kl_nats is not None for each in (*record.tuning, *record.trainings)),
        *(math.nan if value is None else value
          for value in (first.gradient_ratio_init, first.shared_gradient_init, first.flat_init)),
        rescales=rescales(record.recipe),
    )  # fmt: skip


def _left(row: Row, plateau_validation: float) -> bool:
    judged = row.workload.score, row.workload.left
    of_rate: dict[float, list[bool]] = {}
    for trainings, plateau in ((row.record.tuning, plateau_validation), (row.record.trainings, row.plateau)):
        for each in trainings:
            went = each.score is not None and bool(has_left(*judged, plateau, figures(each)))
            of_rate.setdefault(each.learning_rate, []).append(went)
    return any(2 * sum(ends) > len(ends) for ends in of_rate.values())


def _early(row: Row) -> tuple[dict[str, tuple[float, ...]], tuple[float, ...]]:
    """An instrument's reading at each of `SHARES`, the median over fresh seeds; and what the first forward pass was."""
    if row.stored is None or not (recorded := row.stored.recorded):
        return {}, ()
    steps = [min(recorded, key=lambda step: abs(step - share * row.workload.steps)) for share in SHARES]
    curves = row.stored.curves(steps=set(steps))
    own = curves.loc[
        (curves["phase"] == "reporting") & (curves["split"] == "train")
        & curves["tower"].isin((next(iter(row.workload.layers)), ""))
    ].dropna(subset="value")  # fmt: skip
    profiles = {
        key: rows.to_numpy(float)
        for key, rows in own.sort_values("layer").groupby(["instrument", "step", "seed"])["value"]
    }
    readings = {}
    for name in own["instrument"].unique():
        sign = 1 if reading_of(name).leaves == "more" else -1
        of_step = {
            step: [reading_of(name).reduce(profile) for (other, there, _), profile in profiles.items()
                   if (other, there) == (name, step)]
            for step in steps
        }  # fmt: skip
        readings[name] = tuple(sign * float(np.median(of_step[step])) if of_step[step] else math.nan for step in steps)
    first = next((profile for (name, step, _), profile in profiles.items() if (name, step) == ("mean_square", 0)), ())
    return readings, tuple(float(f"{value:.3g}") for value in first)


def reading_of(name: str) -> Reading:
    """How an instrument is read: one of a person's own by its last layer."""
    return READINGS.get(name, Reading("its last layer's", _last, compares=False))
