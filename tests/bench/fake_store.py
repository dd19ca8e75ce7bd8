"""A small store that looks like a real run, from fixed numbers: for tests of what reads a store, and for looking."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.results.columns import COLUMNS
from bench.results.judging.score import BELOW_PLATEAU, NEGATIVE_ELBO
from bench.results.results import Results
from bench.results.stored.records import (
    BlameRecord,
    CellRecord,
    DeviceRecord,
    PlannedCell,
    PlanRecord,
    ProtocolRecord,
    TheoryRecord,
    TimingRecord,
    TrainingRecord,
    WorkloadRecord,
)
from bench.results.stored.store import CURVE_COLUMNS, Store

WORKLOAD = "digits-dense"
DEVICE = DeviceRecord("cpu", "Example CPU at 2.5 GHz", 2)
PLATEAU = 27.21
RATES = (0.001, 0.003, 0.01, 0.03, 0.1)


class FakeArm(NamedTuple):
    """What one arm's numbers are made from; `shrink` is the gradient's factor per layer, at first and at the end."""

    arm: str
    family: str
    score: float = PLATEAU
    shrink: tuple[float, float] = (0.28, 0.25)
    throughput: float = 180e3
    status: str = "ok"


ARMS = (
    FakeArm("baseline", "base", throughput=186e3),
    FakeArm("tiny_normal", "initialization", PLATEAU, (0.012, 0.01), 185e3),  # 1e-17 at the far end
    FakeArm("orthogonal", "initialization", 27.205, (0.24, 0.2), 184e3),
    FakeArm("learning_rate_warmup", "schedule", 27.21, throughput=186e3),
    FakeArm("cosine_decay", "schedule", 27.22, throughput=183e3),
    FakeArm("kl_warmup", "kl", 27.2, throughput=186e3),
    FakeArm("tanh", "activation", 24.8, (0.8, 0.9), 179e3),
    FakeArm("relu", "activation", 27.21, (0.75, 0.7), 197e3),
    FakeArm("selu", "activation", 23.8, (0.95, 1.0), 161e3),
    FakeArm("gelu", "activation", 27.2, (0.6, 0.5), 149e3),
    FakeArm("rezero", "residual", 26.0, (1.0, 0.9), 171e3),
    FakeArm("highway", "residual", 27.1, (0.9, 0.8), 92e3),
    FakeArm("pre_activation_residual", "residual", 27.4, (1.4, 1.2), 168e3, "diverged"),
    FakeArm("batch_norm", "normalization", 25.1, (0.9, 0.8), 104e3),
    FakeArm("layer_norm", "normalization", 27.21, (0.7, 0.4), 121e3),
    FakeArm("adam", "optimizer", 27.21, (0.28, 0.03), 142e3),
    FakeArm("momentum", "optimizer", 27.21, throughput=178e3),
    FakeArm("clip_by_global_norm", "gradient", status="missing"),
    FakeArm("beta[weight=1.0]", "kl", status="not applicable"),
    FakeArm("free_bits", "kl", status="failed"),
    FakeArm("relu+he_normal+adam", "activation+initialization+optimizer", 27.21, (1.0, 0.9), 146e3),
    FakeArm(
        "relu+he_normal+layer_norm+adam+kl_warmup",
        "activation+initialization+normalization+optimizer+kl",
        24.0,
        (0.95, 0.9),
        99e3,
    ),
    FakeArm("batch_norm+adam", "normalization+optimizer", 23.9, (0.9, 0.8), 88e3),
    FakeArm("tanh+orthogonal+adam", "activation+initialization+optimizer", 23.4, (0.97, 1.0), 139e3),
    FakeArm("relu+rezero+adam", "activation+residual+optimizer", 23.3, (1.0, 1.05), 137e3),
    FakeArm(
        "relu+pre_activation_residual+layer_norm+adam",
        "activation+residual+normalization+optimizer",
        23.2,
        (1.1, 1.05),
        95e3,
    ),
)


def build(
    directory: Path, arms: Sequence[str] | None = None, *, seeds: int = 5, steps: int = 1500, depth: int = 8
) -> Store:
    """Write a plan, cells and timings; a name that is not in `ARMS` is an ordinary arm on the plateau."""
    known = {arm.arm: arm for arm in ARMS}
    chosen = [known.get(name, FakeArm(name, "activation")) for name in (arms or known)]
    store = Store(directory)
    store.require_writable()
    store.write_plan(_plan(chosen, seeds, steps, depth))
    for number, arm in enumerate(chosen):
        if arm.status in ("missing", "not applicable"):
            continue
        random = np.random.default_rng(number)
        record = _record(arm, seeds, steps, depth, random)
        store.write(record, _curves(arm, record, steps, depth, random))
        if arm.status != "failed":
            store.write_timing(_identity(arm.arm), _timing(arm))
    return store


def read(store: Store) -> Results:
    """A store's results with the columns that come with this package."""
    return Results.read(store, COLUMNS)


def without_code(store: Store, arm: str) -> None:
    """Let an arm reach far below the plateau at a KL of 0."""
    stored = store.load(_identity(arm))
    trainings = tuple(replace(each, score=0.5, reconstruction=0.5, kl_nats=0.0) for each in stored.record.trainings)
    store.write(replace(stored.record, trainings=trainings), stored.curves())


def change(path: Path, **values: Any) -> None:
    """Change what a JSON file of a store says; None takes a value out."""
    content = json.loads(path.read_text()) | values
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def _identity(arm: str) -> str:
    return hashlib.sha256(arm.encode()).hexdigest()


def _plan(arms: Sequence[FakeArm], seeds: int, steps: int, depth: int) -> PlanRecord:
    words = (
        "Each arm trains 5 learning rates, log-spaced around its optimizer's own scale, on tuning seed 0.",
        "The rate with the lowest -ELBO on validation is then trained on fresh seeds, reported on test.",
    )
    reason = "changes nothing on this base: beta's weight is 1 already"
    description = "1,797 real 8x8 digits, sigmoid layers: the gradient vanishes through depth."
    layers = {"encoder": depth + 1, "decoder": depth + 1}
    workload = WorkloadRecord(
        description, NEGATIVE_ELBO, BELOW_PLATEAU, PLATEAU, PLATEAU - 0.15, layers, 64, 8, 128, steps, ("baseline",)
    )
    return PlanRecord(
        suite="quick", command="python -m bench run --suite quick", plugins=(), workloads={WORKLOAD: workload},
        protocol=ProtocolRecord(words, steps, seeds, len(RATES), {"tuning": 3}, tuple(range(1, seeds + 1)), ()),
        verdict_rules=("healthy: z is used", "vanishing: rms dL/dh at the first block is below 0.01"),
        cells=tuple(
            PlannedCell(WORKLOAD, arm.arm, "baseline", arm.family, _identity(arm.arm), number,
                        *(("not applicable", reason) if arm.status == "not applicable" else ("planned", "")))
            for number, arm in enumerate(arms)
        ),
    )  # fmt: skip


def _record(arm: FakeArm, seeds: int, steps: int, depth: int, random: np.random.Generator) -> CellRecord:
    failed = arm.status == "failed"
    diverged = [400 if arm.status == "diverged" and seed == 2 else None for seed in range(1, seeds + 1)]
    ratios = [shrink ** (depth - 1) for shrink in arm.shrink]
    kl = max(PLATEAU - arm.score, 0.0) * 2 + 0.001
    trainings = tuple(TrainingRecord(
        seed=seed,
        learning_rate=0.01,
        score=None if at else float(value),
        reconstruction=None if at else float(value - kl),
        kl_nats=None if at else float(kl),
        diverged_at=at,
        gradient_ratio_init=ratios[0] * math.exp(random.normal(0, 0.1)),
        gradient_ratio_end=None if at else ratios[1] * math.exp(random.normal(0, 0.1)),
        gradient_per_layer_init=arm.shrink[0],
        reconstruction_share_init=0.6, reconstruction_share_end=None if at else 0.7, flat_init=0.0,
        mean_cosine_init=0.1, mean_cosine_end=None if at else 0.2,
        importance_weighted=None if at else float(value - 0.2),
        active_units=None if at else int(kl > 0.01) * 5, mutual_information=None if at else min(kl, 5.0),
        verdict=None if at else "healthy" if kl > 0.01 else "vanishing",
        because=None if at else "5 active units" if kl > 0.01 else "rms dL/dh at the first is 4e-05 of the last",
    ) for seed, at, value in zip(
        range(1, seeds + 1), diverged, arm.score + random.normal(0, 0.08, seeds) * (kl > 0.01), strict=True
    ))  # fmt: skip
    # Of tanh no higher rate was tried than the best.
    tuning = tuple(TrainingRecord(
        seed=0, learning_rate=rate, diverged_at=90 if rate == RATES[-1] else None,
        score=None if rate == RATES[-1] else arm.score + 0.4 * abs(place - 2),
        reconstruction=None,
    ) for place, rate in enumerate(RATES[: 3 if arm.arm == "tanh" else None]))  # fmt: skip
    reasons = {"diverged": f"1 of {seeds} seeds diverged", "failed": "TypeError: unsupported operand <int> & 'str'"}
    changes = {} if arm.arm == "baseline" else {"activation": ("sigmoid", "tanh"), "optimizer": ("sgd", "adam")}
    theory = TheoryRecord(gradient_ratio=(arm.shrink[0] * 1.02,) * depth)
    if arm.family == "residual":
        theory = TheoryRecord(reason="no map is known here for HighwayBlock: plain blocks have one")
    return CellRecord(
        identity=_identity(arm.arm), workload=WORKLOAD, arm=arm.arm, base="baseline", family=arm.family,
        status=arm.status, reason=reasons.get(arm.status, ""),
        traceback='Traceback (most recent call last):\n  File "x.py", line 1, in <module>\nTypeError' * failed,
        recipe={"activation": "sigmoid", "optimizer": "sgd"}, changes=changes, plateau=PLATEAU,
        learning_rate=None if failed else 0.01, tuning=() if failed else tuning,
        trainings=() if failed else trainings,
        parameters=76_112, gradient_evaluations=steps, compile_seconds=3.912,
        memory_bytes=9_270_000, train_seconds=9.8,
        verdict="" if failed else "healthy" if kl > 0.01 else "vanishing", verdict_seeds=0 if failed else seeds,
        blame=None if failed or kl > 0.01 else BlameRecord("", "activation", 2.5e4),
        theory=dict.fromkeys(("encoder", "decoder"), theory),
        versions={"jax": "0.10.2", "flax": "0.12.8", "optax": "0.2.8"}, commit="5b2d0ef" * 5 + "5b2d0",
        device=DEVICE, finished="2026-11-21T03:00:00Z",
    )  # fmt: skip


def _timing(arm: FakeArm) -> TimingRecord:
    seconds, base = 128 / arm.throughput, 128 / 186e3
    return TimingRecord(
        seconds_per_step=(seconds, seconds * 1.01, seconds * 0.99), baseline_seconds_per_step=(base,) * 3,
        examples_per_second=arm.throughput, slowdown=seconds / base,
        slowdown_low=seconds / base - 0.02, slowdown_high=seconds / base + 0.02, flops_per_step=6e7,
        batch=128, device=DEVICE,
    )  # fmt: skip


def _curves(arm: FakeArm, record: CellRecord, steps: int, depth: int, random: np.random.Generator) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []
    records = sorted({*range(0, steps, 25), steps - 1})
    for training in record.trainings:
        end = training.diverged_at or steps
        offset, fall = random.normal(0, 0.1), random.uniform(200, 300)
        start = (WORKLOAD, arm.arm, "reporting")
        for step in records:
            share = step / steps
            shrink = arm.shrink[0] ** (1 - share) * arm.shrink[1] ** share
            elbo = arm.score + offset * share + (PLATEAU + 0.5 - arm.score) * math.exp(-step / fall)
            elbo = elbo if step < end else math.nan
            if step % 100 == 0 or step == records[-1]:
                rows.append((*start, "validation", training.seed, 0.01, step, "score", "", -1, elbo))
            rows.append((*start, "train", training.seed, 0.01, step, "score", "", -1, elbo + 0.3))
            for tower, above in (("encoder", depth + 1), ("decoder", 0)):
                for layer in range(depth + 1):
                    value = 0.02 * shrink ** (depth - layer + above * (arm.shrink[0] > 0.02))
                    value = value * math.exp(random.normal(0, 0.2)) if step < end else math.inf
                    rows.append((*start, "train", training.seed, 0.01, step, "hidden_gradient", tower, layer, value))
    frame = pd.DataFrame(rows, columns=list(CURVE_COLUMNS))
    # The types that a worker writes.
    names = ("workload", "arm", "phase", "split", "instrument", "tower")
    return frame.astype({**dict.fromkeys(names, "category"), "step": "int32", "layer": "int16", "value": "float32"})
