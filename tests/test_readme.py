"""The README's figures are those of the stored reference runs."""

import re
from pathlib import Path

import pandas as pd

from bench.results.tables import left_plateau, past_the_code

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "results" / "reference"
README = (ROOT / "README.md").read_text()
# Sentences are broken across lines.
PROSE = " ".join(README.split())


def markdown_table(text, start):
    """The first table after a text, as one dict per row."""
    lines = text[text.index(start) :].splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("| arm"))
    rows = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def test_the_table_is_that_of_the_stored_run():
    shown = markdown_table(README, "## What it printed")
    stored = markdown_table((REFERENCE / "quick" / "summary.md").read_text(), "# Suite quick")
    assert len(shown) == len(stored) == 26
    for row, whole in zip(shown, stored, strict=True):
        # Shorter: its own name for one column, and no interval of the slowdown.
        whole["gradient per layer (theory)"] = whole["gradient per layer, init"]
        whole["slowdown"] = whole["slowdown [95%]"].split()[0]
        assert row == {name: whole[name] for name in row}


def test_what_is_said_of_the_catalogue_is_in_its_summary():
    table = pd.read_csv(REFERENCE / "catalogue" / "summary.csv")
    count = table["status"].value_counts()
    assert f"({len(table)} arms, {table['seeds'].max():.0f} seeds after 3 rates" in PROSE
    assert (
        f"{count['ok']} have figures, {count['diverged']} diverged, {count['not applicable']} change nothing" in PROSE
    )
    assert set(count.index) == {"ok", "diverged", "not applicable"}

    known = table.loc[(table["status"] == "ok") & ~past_the_code(table)].set_index("arm")
    on_trainable = known.index.str.startswith("trainable")
    alone = known.loc[~on_trainable].drop("baseline")
    left = alone.loc[left_plateau(alone)]
    assert f"{len(left)} of {len(alone)} leave the plateau" in PROSE
    said = PROSE[PROSE.index("leave the plateau**:") : PROSE.index("rezero may")]
    for arm, row in left.iterrows():
        assert re.search(rf"\b{arm} {row['negative_elbo']:.2f}", said), arm

    said = PROSE[PROSE.index("rezero may") : PROSE.index("none does.")]
    kinds = {"initialization": "initializations", "optimizer": "optimizers", "gradient": "gradient treatments",
             "schedule": "schedules", "regularization": "regularizations", "kl": "KL treatments",
             "precision": "precisions"}  # fmt: skip
    for family, kind in kinds.items():
        assert f"{(alone['family'] == family).sum()} {kind}" in said, family
        assert family not in set(left["family"])

    base = known.loc["trainable"]
    interval = f"{base['negative_elbo']:.2f} [{base['negative_elbo_low']:.2f}, {base['negative_elbo_high']:.2f}]"
    assert f"tanh, orthogonal, Adam; {interval}) " in PROSE
    others = known.loc[on_trainable].drop("trainable")
    better = others.loc[others["negative_elbo_high"] < base["negative_elbo_low"]]
    worse = others.loc[others["negative_elbo_low"] > base["negative_elbo_high"]]
    still = worse.loc[~left_plateau(worse)]
    assert f"{len(better)} are better by intervals that do not overlap" in PROSE
    assert f"{len(worse)} are worse, and {len(still)} of these have not left the plateau:" in PROSE
    said = PROSE[PROSE.index("have not left the plateau:") : PROSE.index("**Eleven rows")]
    for arm in still.index:
        assert re.search(rf"\b{arm.removeprefix('trainable+')}\b", said), arm
    assert set(table.loc[past_the_code(table), "arm"]) == {"encoder_skip", "trainable+encoder_skip"}


def test_what_is_said_of_the_mended_remedies_is_in_their_summary():
    before, now = (
        pd.read_csv(REFERENCE / run / "summary.csv").set_index("arm") for run in ("catalogue", "catalogue-mended")
    )
    figures = ["negative_elbo", "negative_elbo_low", "negative_elbo_high"]
    # On another machine: the same programs, compiled for another processor.
    pd.testing.assert_frame_equal(
        now.loc[["baseline", "trainable"], figures], before.loc[["baseline", "trainable"], figures], atol=0.02, rtol=0
    )
    said = PROSE[PROSE.index("Five have been mended since") : PROSE.index("What the second printed")]
    on_trainable = now.loc[now.index.str.startswith("trainable+")]
    assert len(on_trainable) == 5
    for arm, row in on_trainable.iterrows():
        assert re.search(rf"\b{arm.removeprefix('trainable+')}\b[^;]* {row['negative_elbo']:.2f}\b", said), arm
    adan = now.loc["trainable+adan"]
    assert f"[{adan['negative_elbo_low']:.2f}, {adan['negative_elbo_high']:.2f}]" in said
    assert adan["negative_elbo_high"] < now.loc["trainable", "negative_elbo_low"]
    assert now.loc["maxout", "status"] == "diverged"
    assert not left_plateau(now.loc[["trainable+maxout"]]).any()


def test_what_is_said_of_the_catalogue_through_time_is_in_its_summary():
    table = pd.read_csv(REFERENCE / "catalogue-remember" / "summary.csv")
    # None diverged, and none failed.
    assert set(table["status"]) == {"ok", "not applicable"}
    known = table.loc[table["status"] == "ok"].set_index("arm")
    alone = known.loc[~known.index.str.match("trainable|gated|baseline$") & ~past_the_code(known).to_numpy()]
    left = alone.loc[left_plateau(alone)]
    assert f"({len(known)} arms at 2,000 steps" in PROSE
    assert f"{(table['status'] == 'not applicable').sum()} more do not apply" in PROSE
    said = PROSE[PROSE.index("vanishes through time, ") : PROSE.index("capacity is healthy")]
    assert f"{len(left)} of {len(alone)} leaves the plateau**" in said
    unsure = ("bn_vae", "layer_norm_lstm", "weight_standardisation", "layer_normalised_gradient")
    assert not left_plateau(known.loc[[*unsure, "lstm", "gru", "gated+forget_gate_bias"]]).any()
    for arm in (*left.index, *unsure):
        assert re.search(rf"\b{arm} \(?{known.loc[arm, 'negative_elbo']:.2f}", said), arm
    assert f"in every seed ({known.loc['gated+forget_gate_bias', 'negative_elbo']:.2f})" in said
    base = known.loc["trainable"]
    assert f"{base['negative_elbo']:.2f} [{base['negative_elbo_low']:.2f}, {base['negative_elbo_high']:.2f}]" in said
    others = known.loc[known.index.str.startswith("trainable+")]
    assert len(others) == 5
    for arm, row in others.iterrows():
        assert f"{arm.removeprefix('trainable+')} ({row['negative_elbo']:.2f})" in said, arm
    assert f"healthy at {known.loc['capacity', 'negative_elbo']:.2f}" in PROSE
