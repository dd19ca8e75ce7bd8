"""What is kept of a cell: its trainings' figures, made on the host from what a program gave, and its manifest."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from bench.plan import Job


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


def figures(run: Run, steps: int, limit: float) -> dict[str, Any]:
    """A training's figures: -ELBO, reconstruction and KL (NaN where it diverged), when it diverged, gradient ratios.

    Args:
        run: The training.
        steps: Its length.
        limit: -ELBO in nats beyond which it has diverged.
    """
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


def outcome(tuning: list[dict[str, Any]], reporting: list[dict[str, Any]]) -> tuple[str, str]:
    """A cell's status, `ok` or `diverged`, and the reason, from its trainings' figures."""
    ended = sorted(result["diverged_at"] for result in reporting if result["diverged_at"] is not None)
    if ended:
        steps = ", ".join(map(str, ended))
        return "diverged", f"{len(ended)} of {len(reporting)} seeds diverged, at step {steps}"
    return ("ok", "") if reporting else ("diverged", f"all {len(tuning)} tuning rates diverged")


def manifest(job: Job, **found: Any) -> dict[str, Any]:
    """A cell's manifest: what was asked, and what was found, with nothing where it was not.

    Args:
        job: The cell's.
        **found: Status, and all that is known beside it.

    Returns:
        The same keys for every cell, one that failed too.
    """
    about = {name: getattr(job.cell, name) for name in ("identity", "workload", "arm", "base", "family")}
    tuning, trainings = ([_finite(row) for row in found.pop(name, [])] for name in ("tuning", "trainings"))
    nothing = dict.fromkeys(
        ("learning_rate", "parameters", "compile_seconds", "memory_bytes", "train_seconds", "program")
    )
    return {
        **about,
        "status": "ok",
        "reason": "",
        "recipe": {},
        "changes": {},
        "plateau": job.plateau,
        "rate_at_edge": False,
        "tuning": tuning,
        "trainings": trainings,
        "gradient_evaluations": job.protocol.steps,
        "versions": {},
        "commit": job.commit,
        "device": {},
        **nothing,
        **found,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _finite(result: dict[str, Any]) -> dict[str, Any]:
    """For JSON, which has no NaN."""
    return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in result.items()}
