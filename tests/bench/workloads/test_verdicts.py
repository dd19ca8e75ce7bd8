"""What real trainings are judged, and that the figures say why."""

import json
import math
from dataclasses import asdict
from typing import Any

import pytest

from bench import load
from bench.cli.main import main
from bench.report.conclusions import blame_sentence
from bench.results.stored.store import Store
from tests.bench.fake_store import read
from vae_jax.diagnosis.verdict import LIMITS

PLAIN = {
    "baseline": {"vanishing"},
    "tanh+orthogonal+adam": {"healthy"},
    # Healthy norms, and it learns nothing.
    "relu+he_normal+adam": {"dead signal", "collapsed"},
}
WHOLE = PLAIN | {
    "relu+rezero+adam": {"healthy"},
    "relu+pre_activation_residual+layer_norm+adam": {"healthy"},
    "selu": {"healthy"},
    "batch_norm+adam": {"healthy"},
    "tiny_normal": {"vanishing"},
    "adam": {"vanishing"},
}


def ran(out, arms, *options) -> dict[str, Any]:
    with pytest.raises(SystemExit) as ended:
        main(["run", "--suite", "smoke", "--arms", ",".join(arms), "--no-timing", "--out", str(out), *options])
    assert ended.value.code == 0
    return {row.cell.arm: row.record for row in read(Store(out)).stored}


@pytest.mark.parametrize(
    ("arms", "steps", "seeds"), [(PLAIN, 200, 1), pytest.param(WHOLE, 1500, 5, marks=pytest.mark.long)]
)
def test_every_seed_is_judged_by_its_figures(tmp_path, cache, arms, steps, seeds):
    # In a short one nothing is asked of the rate.
    rates = () if steps == 1500 else ("--rates", "1")
    found = ran(tmp_path / "out", arms, "--steps", str(steps), "--seeds", str(seeds), *rates)
    table = load(tmp_path / "out")[0].set_index("arm")
    for arm, words in arms.items():
        trainings = found[arm].trainings
        assert len(trainings) == seeds
        assert {training.verdict for training in trainings} <= words, arm
        # An arm that has left the plateau by far is healthy, and no other is.
        if steps == 1500:
            assert (table.loc[arm, "score"] < table.loc[arm, "plateau"] - 2.5) == (words == {"healthy"}), arm
    for training in found["baseline"].trainings:
        assert training.gradient_ratio_init < 1e-3
        assert training.active_units == 0
    assert found["baseline"].blame.kind == "activation"
    assert found["relu+he_normal+adam"].blame is None
    # At infinite width; what is left to tell two examples apart is a product of as many factors as there are layers,
    # each of which varies by about 1 / sqrt(width) in itself.
    cosines = found["relu+he_normal+adam"].theory["encoder"].mean_cosine
    assert cosines[-1] > 0.8
    spread = (1 - cosines[-1]) * math.sqrt(len(cosines) / 64)
    for training in found["relu+he_normal+adam"].trainings:
        assert 0.1 < training.gradient_ratio_init < 10
        assert abs(training.mean_cosine_init - cosines[-1]) < 3 * spread
        assert (training.verdict == "dead signal") == (training.shared_gradient_init > LIMITS["dead signal"].rescaling)
        if training.verdict == "dead signal":
            assert "of dL/dh is the same for all examples" in training.because
            assert "path from the reconstruction is" in training.because
    if seeds == 5:
        assert found["relu+he_normal+adam"].verdict == "dead signal"


@pytest.mark.long
def test_a_kl_warmup_changes_the_verdict_and_the_paths_say_why(tmp_path, cache):
    without, with_warmup = "relu+he_normal+layer_norm+adam", "relu+he_normal+layer_norm+adam+kl_warmup"
    found = ran(tmp_path / "out", [without, with_warmup], "--steps", "1500", "--seeds", "5")
    assert found[without].verdict in ("dead signal", "collapsed")
    assert found[with_warmup].verdict == "healthy", json.dumps(asdict(found[with_warmup]), indent=1)
    for before, after in zip(found[without].trainings, found[with_warmup].trainings, strict=True):
        # The same start, but for who pulls: with the warm-up the reconstruction alone.
        assert before.mean_cosine_init == after.mean_cosine_init
        assert after.reconstruction_share_init > 0.98
        assert before.reconstruction_share_init < 0.95
        assert after.mean_cosine_end < before.mean_cosine_end or after.verdict != "healthy"


def test_the_linear_workloads_baseline_vanishes_as_its_file_says(tmp_path, cache):
    options = ["--workload", "linear", "--steps", "300", "--seeds", "2", "--rates", "1"]
    found = ran(tmp_path / "out", ["baseline", "trainable"], *options)
    assert {training.verdict for training in found["baseline"].trainings} == {"vanishing"}
    assert {training.verdict for training in found["trainable"].trainings} == {"healthy"}
    # With the identity for an activation only the matrices are left to blame.
    assert found["baseline"].blame.kind == "matrix"


@pytest.mark.long
def test_a_gradient_that_is_lost_through_time_is_blamed_on_the_recurrence(tmp_path, cache):
    options = ["--workload", "remember", "--steps", "20", "--seeds", "1"]
    found = ran(tmp_path / "out", ["baseline"], *options)["baseline"]
    assert found.verdict == "vanishing"
    assert found.blame.block == "encoder/cell/gates/candidate"
    assert found.blame.kind == "recurrence over time"
    # 0.47 to the power of 19 steps is 6e-7.
    assert found.blame.factor > 1e5
    assert "over time" in blame_sentence(found.blame)
