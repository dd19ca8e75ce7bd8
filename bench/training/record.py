"""The record of a cell: its trainings' figures, made on the host from what a program gave, and what was asked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from bench.planning.job import Job
from bench.results.stored.records import CellRecord, ConfirmationRecord, TrainingRecord
from vae_jax.diagnosis.layers.ratios import ratio_of_norms

_NEIGHBOURS = 5


@dataclass(frozen=True)
class Run:
    """One training on the host.

    Attributes:
        readings: Each instrument's readings, records in front.
        validation: The score and its parts after each chunk: `LossParts`, None for what is not there.
        final: The same on the split asked for.
        diverged_at: The step at which it diverged, or -1.
        train_score: The score on training examples; None of a training that only tunes.
        estimates: `vae_jax.evaluation.estimates.Estimates` on that split; None of a training that only tunes,
            and of a model without z.
    """

    readings: dict[str, Any]
    validation: Any
    final: Any
    diverged_at: int
    train_score: Any = None
    estimates: Any = None


def training_record(
    seed: int, learning_rate: float, run: Run, steps: int, limit: float, reads_data: str, judged: bool,
    labels: np.ndarray | None = None,
) -> TrainingRecord:  # fmt: skip
    """A training's figures: the score and its parts (none where it diverged), when it diverged, what its signal was
    like; and of one that is reported on, the estimates. None for what its model has not.

    Args:
        seed: Its seed.
        learning_rate: Its rate.
        run: The training.
        steps: Its length.
        limit: The score beyond which it has diverged.
        reads_data: The stack whose signal is looked at: the one that reads the data.
        judged: Whether it is reported on.
        labels: Of the examples that it is reported on, where they have some.
    """
    final: dict[str, Any] = {
        name: None if value is None else float(value) for name, value in run.final._asdict().items()
    }
    diverged_at = run.diverged_at
    if diverged_at < 0 and not final["score"] <= limit:
        diverged_at = steps
    diverged = diverged_at >= 0
    if diverged:
        final = dict.fromkeys(final)
    signal = _signal(run.readings, reads_data)
    record = TrainingRecord(seed, learning_rate, diverged_at if diverged else None, **final, **signal)
    if not judged or diverged:
        return finite(record)
    if run.train_score is not None:
        record = replace(record, train_score=float(run.train_score))
    if run.estimates is not None:
        if labels is not None:
            record = replace(record, neighbours=neighbours_accuracy(run.estimates.codes, labels))
        record = replace(record, **_estimated(run.estimates))
    return finite(record)


def _signal(readings: dict[str, Any], stack: str) -> dict[str, Any]:
    """The figures of what came through a stack at the start and at the end; without those that no instrument tells."""

    def of(name: str) -> Any:
        return readings.get(name, {}).get(stack)

    signal: dict[str, Any] = {}
    profile = of("hidden_gradient")
    # Of fewer than two blocks behind the input layer there is no way that a gradient could be lost on.
    if profile is not None and (end := _ends(profile)[0]) > 1:
        profile = profile.astype(float)
        ratio = [ratio_of_norms(first, last) for first, last in zip(profile[:, 1], _last(profile), strict=True)]
        signal |= {"gradient_ratio_init": float(ratio[0]), "gradient_ratio_end": float(ratio[-1])}
        # From the first block to the last there is one step fewer than blocks.
        signal["gradient_per_layer_init"] = float(ratio[0] ** (1 / (end - 1)))
    if (cosine := of("mean_cosine")) is not None:
        signal |= {"mean_cosine_init": float(_last(cosine)[0]), "mean_cosine_end": float(_last(cosine)[-1])}
    if (shared := of("shared_gradient")) is not None:
        signal |= {"shared_gradient_init": float(_last(shared)[0]), "shared_gradient_end": float(_last(shared)[-1])}
    reconstruction, kl = of("reconstruction_gradient"), of("kl_gradient")
    if reconstruction is not None and kl is not None:
        with np.errstate(all="ignore"):
            share = reconstruction[:, -1].astype(float)
            share = share / (share + kl[:, -1].astype(float))
        signal |= {"reconstruction_share_init": float(share[0]), "reconstruction_share_end": float(share[-1])}
    if "saturated" in readings:
        signal["flat_init"] = float(np.max([np.fmax.reduce(layers[0]) for layers in readings["saturated"].values()]))
    return signal


def _ends(readings: np.ndarray) -> np.ndarray:
    """For each record the last layer that has a reading: a step that no sentence of a batch reaches has none."""
    there = ~np.isnan(readings)
    last = readings.shape[1] - 1
    return np.where(there.any(axis=1), last - np.argmax(there[:, ::-1], axis=1), last)


def _last(readings: np.ndarray) -> np.ndarray:
    """The reading of each record's last layer."""
    return readings[np.arange(len(readings)), _ends(readings)]


def _estimated(estimates: Any) -> dict[str, Any]:
    information = estimates.mutual_information
    return {
        "importance_weighted": -float(estimates.bound),
        "importance_weighted_standard_error": float(estimates.standard_error),
        "effective_samples": float(estimates.effective_samples),
        "active_units": int(estimates.active_units),
        "mutual_information": float(information.nats),
        "mutual_information_ceiling": float(information.ceiling),
        "marginal_kl": float(information.marginal_kl),
        "kl_units": tuple(float(value) for value in estimates.kl_units),
    }


def neighbours_accuracy(codes: np.ndarray, labels: np.ndarray) -> float:
    """The share of examples whose label is the commonest among the `_NEIGHBOURS` others with the nearest codes.

    Args:
        codes: "examples latent".
        labels: Integers from 0.
    """
    from sklearn.neighbors import NearestNeighbors

    nearest = (
        NearestNeighbors(n_neighbors=min(_NEIGHBOURS, len(codes) - 1)).fit(codes).kneighbors(return_distance=False)
    )
    votes = np.stack([np.bincount(row, minlength=int(labels.max()) + 1) for row in labels[nearest]])
    return float(np.mean(votes.argmax(axis=1) == labels))


def outcome(tuning: Sequence[TrainingRecord], reporting: Sequence[TrainingRecord]) -> tuple[str, str]:
    """A cell's status, `ok` or `diverged`, and the reason, from its trainings' figures."""
    ended = sorted(training.diverged_at for training in reporting if training.diverged_at is not None)
    if ended:
        steps = ", ".join(map(str, ended))
        return "diverged", f"{len(ended)} of {len(reporting)} seeds diverged, at step {steps}"
    return ("ok", "") if reporting else ("diverged", f"all {len(tuning)} tuning rates diverged")


def cell_record(job: Job, **found: Any) -> CellRecord:
    """A cell's record: what was asked, and what was found.

    Args:
        job: The cell's.
        **found: Status and reason, and all that is known beside them.
    """
    about = {name: getattr(job.cell, name) for name in ("identity", "workload", "arm", "base", "family")}
    asked = {"plateau": job.plateau, "gradient_evaluations": job.protocol.steps, "commit": job.commit}
    return CellRecord(**about, **finite({**asked, **found}), finished=_now())


def confirmation_record(job: Job, trainings: tuple[TrainingRecord, ...]) -> ConfirmationRecord:
    """A confirmation's record.

    Args:
        job: The cell's, with its rate.
        trainings: Its trainings; none where they failed.
    """
    assert job.confirms is not None
    return ConfirmationRecord(job.cell.identity, job.confirms, trainings, job.commit, _now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def finite(value: Any) -> Any:
    """A value as JSON can hold it, which has neither NaN nor infinity: None in their place."""
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: finite(getattr(value, each.name)) for each in fields(value)})
    if isinstance(value, dict):
        return {name: finite(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(finite(member) for member in value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
