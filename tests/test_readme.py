"""The README's table is that of the stored reference run, its tree the rooms that are there, its commands commands."""

import ast
import html
import re
import shlex
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

from bench.cli.arguments import parse
from bench.cli.main import COMMANDS
from tests.doctor_cases.cases import own_cases
from tests.doctor_cases.table import asked
from tests.test_arrows import ROOMS

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "results" / "reference"
README = (ROOT / "README.md").read_text()


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


def test_as_many_trainings_are_told_as_were_made():
    trainings = pd.read_parquet(REFERENCE / "quick" / "trainings.parquet")
    fresh = trainings["phase"].to_list().count("reporting")
    edges = set(pd.read_csv(REFERENCE / "quick" / "summary.csv")["rate_at_edge"])
    assert edges == {"no", "none left"}
    assert f"Suite `quick`: {len(trainings)} trainings of 1,500 steps, of which {fresh} are" in README


def test_the_catalogue_is_that_of_the_stored_run():
    shown = markdown_table(README, "<!-- table: results/reference/catalogue/summary.md -->")
    stored = markdown_table((REFERENCE / "catalogue" / "summary.md").read_text(), "# Suite catalogue")
    claims = [row for row in stored if row["confirmed"]]
    apart = [row for row in claims if "a control" in row["beside its base"]]
    assert {row["confirmed"] for row in claims} == {"confirmed"}
    chosen = [row for row in claims if row not in apart]
    assert shown == [{name: row[name] for name in shown[0]} for row in chosen]
    table = pd.read_csv(REFERENCE / "catalogue" / "summary.csv")
    trained = table.loc[table["status"] != "not applicable"]
    mostly = trained.loc[2 * trained["left"] > trained["seeds"]]
    interior = mostly["rate_at_edge"].to_list().count("no")
    alone = trained.loc[trained["arm"].isin([name for name in trained["arm"] if not name.startswith("trainable")])]
    stuck = alone.loc[(alone["left"] == 0) & (alone["arm"] != "baseline")]
    learning = trained.drop(index=alone.index)
    words = learning["word_text"].fillna("").str.split(",").str[0].to_list()
    worse = learning.loc[[word == "worse" for word in words]]
    section = " ".join(README[README.index("## The catalogue") : README.index("### What tutorials teach")].split())
    assert f"{len(table)} arms, of which {len(trained)} could be trained" in section
    assert f"Of the {len(mostly)} arms that left the plateau in most seeds, {interior} have a rate inside" in section
    assert f"All {len(claims)} claims were confirmed" in section
    assert len(apart) == 3
    assert "without the three of controls" in section
    left = alone.loc[alone["left"] > 0].set_index("arm")
    unclaimed = left.loc[[name for name in left.index if name not in {row["arm"] for row in claims}], "left"]
    assert dict(unclaimed) == {"rezero": 3, "dense_connections": 3, "softsign": 3, "selu": 2}
    assert f"of the {len(stuck)} others, controls apart, no seed does" in section
    assert f"{words.count('no difference shown')} arms show no difference and {len(worse)} are worse" in section
    assert f"{(worse['left'] == 0).sum()} of which leave the plateau in no seed any more" in section


def test_the_table_of_followed_rates_is_that_of_the_stored_run():
    shown = markdown_table(README, "<!-- table: results/reference/edges/summary.md -->")
    stored = markdown_table((REFERENCE / "edges" / "summary.md").read_text(), "# Suite quick")
    assert len(shown) == len(stored) == 5
    for row, whole in zip(shown, stored, strict=True):
        assert row == {name: whole[name] for name in row}
        assert "edge" not in row["learning rate"]


def conclusions(page):
    """The sentences that the page of a run begins with, of each of its workloads."""
    return [
        [html.unescape(re.sub(r"<[^>]+>", "", sentence)) for sentence in re.findall(r"<p>(.*?)</p>", found, re.DOTALL)]
        for found in re.findall(r'<div class="conclusions">(.*?)</div>', page, re.DOTALL)
    ]


def test_the_answer_is_that_of_the_stored_page_with_its_plot():
    first = README[: README.index("## ")]
    (sentences,) = conclusions((REFERENCE / "quick" / "report.html").read_text())
    quoted = [line.removeprefix("> ").strip() for line in first.splitlines() if line.startswith(">")]
    assert " ".join(quoted) == " ".join(sentences[:2])
    (plot,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", first)
    assert (ROOT / plot).parent == REFERENCE / "quick" / "plots"
    assert (ROOT / plot).exists()


def test_what_carries_over_is_that_of_the_stored_run():
    start = "## Does it carry over?"
    stored = (REFERENCE / "elsewhere" / "summary.md").read_text()
    shown, whole = markdown_table(README, start), markdown_table(stored, start)
    assert len(whole) == 26
    assert shown == whole
    taus = re.findall(r"^- (.* arms: .*)$", stored[stored.index(start) :], re.MULTILINE)
    assert len(taus) == 15
    for tau in taus:
        assert f"- {tau}" in README


def test_what_is_said_to_carry_over_is_what_the_table_shows():
    table = pd.DataFrame(markdown_table(README, "## Does it carry over?")).set_index("arm")
    assert list(table) == [
        "digits-dense",
        "image-dense[data=mnist]",
        "autoencoder",
        "classify",
        "text-lstm",
        "image-conv",
    ]
    left = table.map(lambda text: int(text.split()[0]) if text else None)
    images = left.drop(columns="text-lstm")
    nowhere = ["tiny_normal", "orthogonal", "cosine_decay", "clip_by_global_norm", "bfloat16", "momentum", "dropout"]
    assert left.loc[[*nowhere, "layer_norm"]].max(axis=None) == 0
    assert images.loc[["selu", "tanh+orthogonal+adam"]].min(axis=None) == 5
    assert images.loc[["tanh", "relu+he_normal+layer_norm+adam+kl_warmup"]].min(axis=None) == 4
    dense = images.drop(columns="image-conv")
    assert dense.loc[["rezero", "batch_norm", "relu+rezero+adam"]].min(axis=None) == 5
    assert images.loc[["rezero", "batch_norm", "relu+rezero+adam"], "image-conv"].to_list() == [0, 0, 1]
    coded = left.drop(columns=["autoencoder", "classify"])
    assert coded.loc[["relu", "relu+he_normal+adam", "adam"]].max(axis=None) == 0
    assert left.loc[["relu", "relu+he_normal+adam"], ["autoencoder", "classify"]].min(axis=None) == 5
    assert left.loc["adam", ["autoencoder", "classify"]].to_list() == [0, 5]
    others = ["highway", "pre_activation_residual", "gelu"]
    assert left.loc[others, "classify"].min() == 5
    assert left.loc[others].drop(columns="classify").max(axis=None) == 0
    assert str(table.loc["free_bits", "text-lstm"]) == "5 of 5 -"
    assert left[["text-lstm"]].drop(index="free_bits").max(axis=None) == 0
    for told in re.findall(r"text-lstm.*arms: .* \[(-?[\d.]+), (-?[\d.]+)\]", README):
        assert float(told[0]) < 0 < float(told[1])


def test_what_the_start_foretells_is_what_the_stored_runs_say():
    section = README[README.index("## What the start foretells") : README.index("## The catalogue")]
    quoted = [
        " ".join(line.removeprefix("> ") for line in block.splitlines())
        for block in re.findall(r"(?:^> .*\n)+", section, re.MULTILINE)
    ]
    said = [
        (REFERENCE / name / "summary.md").read_text().split("## What the start")[1]
        for name in ("catalogue", "elsewhere", "foretell")
    ]
    for quote, whole in zip(quoted, said, strict=True):
        assert quote in " ".join(whole.split())
    text = " ".join(section.split())
    before = re.search(r"^\| dead signal +\| (\d+) of (\d+) ", said[1], re.MULTILINE)
    assert before
    assert f"named {before[2]} networks, of which {before[1]} left the plateau all the same" in text
    guessed, ruled = map(int, re.findall(r"right about (\d+) of 144, the verdict's rules about (\d+)", text)[0])
    assert ruled < guessed


def test_the_words_are_as_strong_as_the_suite_found_them():
    section = " ".join(
        README[README.index("What follows from it for the words") : README.index("## The catalogue")].split()
    )
    table = pd.read_parquet(REFERENCE / "foretell" / "networks.parquet")
    named: dict[tuple[str, bool], tuple[int, int]] = {}
    for word, rescales, left in table[["word", "rescales", "left"]].itertuples(index=False):
        went, count = named.get((word, rescales), (0, 0))
        named[word, rescales] = went + bool(left), count + 1
    (plain, of_plain), (adam, of_adam) = named["vanishing", False], named["vanishing", True]
    assert f"under SGD, of whose {of_plain} networks {plain} left" in section
    assert f"as Adam does, of whose {of_adam} networks {adam} left. In between Adam learns" in section
    between = table.loc[table["rescales"] & table["hidden_gradient, at the first step"].between(2, 4)]
    assert between["left"].any()
    (plain, of_plain), (adam, of_adam) = named["dead signal", False], named["dead signal", True]
    assert f"Of {of_plain} such networks {plain} left under SGD, of {of_adam} under Adam {adam}." in section
    assert f"named {named['saturated', False][1]} networks and {named['exploding', False][1]}, of which none" in section
    assert not named["saturated", False][0] + named["exploding", False][0]
    assert not {("saturated", True), ("exploding", True)} & named.keys()
    left, networks = map(sum, zip(*(named["none of these", which] for which in (False, True)), strict=True))
    assert f"**Where no rule holds**, {left} of {networks} left" in section
    # The limits, tested on kinds that had no part in them.
    summary = (REFERENCE / "foretell" / "summary.md").read_text()
    means = re.findall(r"^\| the mean over (\d+) .*?(\d+)% +\| (\d+)% ", summary, re.MULTILINE)
    assert means == [("20", "77", "79"), ("20", "71", "68")]
    assert "in all 20 ways, rules of this form tell 77 % of those that stayed and 79 % of those that left" in section
    assert "with the readings chosen too, 71 % and 68 %" in section
    of_verdict = summary.split("The limits of the verdict's rules")[1].split("Rules of any readings")[0]
    without = [int(row.split("|")[-2].strip(" %")) for row in of_verdict.splitlines() if row.count(", ") and
               row.startswith("| ") and "text-lstm" not in row and "all," not in row]  # fmt: skip
    assert len(without) == 10
    assert f"at most {max(without)} % of those that left" in section
    trainings = pd.read_parquet(REFERENCE / "foretell" / "trainings.parquet")
    first = trainings.loc[trainings["phase"] == "reporting"].groupby(["workload", "arm"])["gradient_ratio_init"].first()
    ratio = pd.Series([first[name] for name in zip(table["workload"], table["arm"], strict=True)], table.index)
    faint = table.loc[table["left"] & ~table["rescales"] & ratio.between(0.01, 0.05)]
    assert set(faint["kind"]) == {"text-lstm"}
    assert f"{len(faint)} text models left the plateau by SGD with a gradient ratio of 0.01 to 0.05" in section
    area = re.search(r"^\| hidden_gradient +\|.*\| (0\.\d+) \[[^|]*\| [^|]*\| [^|]*\| [^|]*\|$", summary, re.MULTILINE)
    assert area
    assert f"first in {float(area[1]):.0%}".replace("%", " %") in section


TAUGHT = {
    "autoencoder 784-64-32": "autoencoder",
    "the same with 3 hidden layers each way": "deep_autoencoder",
    "VAE 784-128-64-20, squared error + KL": "squared_error",
    "VAE 784-400-20, intensities, Bernoulli": "grey_vae",
}


def test_what_tutorials_teach_is_that_of_the_stored_runs():
    lines = README[README.index("### What tutorials teach") : README.index("## Ask your own question")].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")][2:]
    suite, told = "", 0
    for network, _, what, figure in rows:
        suite = TAUGHT[network] if network else suite
        arm = re.search(r"`([^`]+)`", what)
        if arm is None:
            assert what.startswith("PCA")
            continue
        table = pd.read_csv(REFERENCE / "taught" / suite / "summary.csv").set_index("arm")
        mean, low, high = (float(str(table.loc[arm[1], name])) for name in ("score", "score_low", "score_high"))
        assert figure == f"{mean:.2f} [{low:.2f}, {high:.2f}]", (suite, arm[1])
        told += 1
    assert told == 8


# By how a row of the README begins, the questions of speed.csv that it answers, in its order.
SPEED = {
    "step of `baseline`": ["step of baseline over the bare matrix products of its shapes"],
    "the same of `trainable`": ["step of trainable over the bare matrix products of its shapes"],
    "the same at width 256": [
        "step over its matrix products, depth 8, width 256", "step over its matrix products, depth 8, width 1024",
    ],
    "instruments at the default interval": ["instruments at the default interval over none, to run"],
    "the same at every step": ["instruments at every step over none, to run"],
    "instruments over none, to compile": ["instruments at the default interval over none, to compile"],
    "all programs of a cold arm": [
        "trainable: all programs, to lower and to compile", "baseline: all programs, to lower and to compile",
    ],
    "`make bench` from an empty": [
        "make bench, compilation cache cold, over its steps alone on all cores",
        "make bench, compilation cache warm, over its steps alone on all cores",
    ],
    "timing of its 22 programs": ["timing of 22 programs"],
    "1,000 trainings of 100 arms": [
        "1,500,000 steps of 100 arms from an empty cache, over their matrix products on all cores"
    ],
    "plain Flax loop": ["plain Flax loop over the step"],
    "eager PyTorch 2.13": [
        "eager PyTorch, default Adam, over the step", "eager PyTorch, fused Adam, over the step",
    ],
    "PyTorch with `torch.compile`": ["PyTorch with torch.compile, fused Adam, over the step"],
    "200 trainings of 20 arms end to end": [
        "200 x 1,500 steps: eager PyTorch, one process, over the suite",
        "200 x 1,500 steps: eager PyTorch, 2 processes, over the suite",
    ],
    "the same: PyTorch": [
        "200 x 1,500 steps: PyTorch with torch.compile, one process, over the suite",
        "200 x 1,500 steps: PyTorch with torch.compile, 2 processes, over the suite",
    ],
    "the same: plain Flax": [
        "200 x 1,500 steps: plain Flax, one process, over the suite",
        "200 x 1,500 steps: plain Flax, 2 processes, over the suite",
    ],
}  # fmt: skip


def test_how_fast_it_is_is_what_the_stored_run_measured():
    section = README[README.index("## How fast it is") : README.index("## On a GPU")]
    stored = pd.read_csv(REFERENCE / "speed" / "speed.csv").set_index("question")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    for start, questions in SPEED.items():
        (row,) = [row for row in rows if row[0].startswith(start)]
        figures = re.findall(r"[\d.]+", row[1])
        for figure, question in zip(figures, questions, strict=True):
            decimals = len(figure.partition(".")[2])
            assert figure == f"{stored.loc[question, 'value']:.{decimals}f}", question
        goals = re.findall(r"[\d.]+", row[2])
        for goal, question in zip(goals, questions, strict=False):
            wanted = stored.loc[question, ["goal_at_most", "goal_at_least"]].dropna()
            assert float(goal) == wanted.iloc[0], question
    (minutes,) = [row[1] for row in rows if row[0].startswith("the same in minutes")]
    bench = [stored.loc[question, "over_seconds"] / 60 for question in SPEED["`make bench` from an empty"]]
    unchanged = stored.loc["make bench, nothing changed", "value"]
    assert minutes == f"{bench[0]:.1f}, {bench[1]:.1f}; {unchanged:.0f} s"
    lanes = pd.read_csv(REFERENCE / "speed" / "gpu" / "speed.csv").set_index("lanes")
    after = README[README.index("## On a GPU") :]
    counts, told = (
        [cell.strip() for cell in re.search(rf"^\| {start}.*$", after, re.MULTILINE)[0].strip("|").split("|")][1:]  # type: ignore
        for start in ("lanes", "trainings a second")
    )
    for count, figure in zip(counts, told, strict=True):
        decimals = len(figure.partition(".")[2])
        assert figure == f"{lanes.loc[int(count.replace(',', '')), 'ratio']:.{decimals}f}"


def test_the_tree_has_every_room_with_what_it_says_of_itself():
    lines = README[README.index("## The house") :].splitlines()
    for package, rooms in ROOMS.items():
        listed = lines.index(next(line for line in lines if line.startswith(f"{package}/")))
        own = [line.split(maxsplit=1) for line in lines[listed + 1 : listed + 1 + len(rooms)]]
        assert [name.rstrip("/").removesuffix(".py") for name, _ in own] == list(rooms)
        for name, words in own:
            if name.endswith("/"):
                said = ast.get_docstring(ast.parse((ROOT / package / name / "__init__.py").read_text())) or ""
                assert f"{words[0].upper()}{words[1:]}." == said.splitlines()[0], name


@pytest.mark.parametrize("line", re.findall(r"^python -m bench .*$", README, re.MULTILINE))
def test_every_command_can_be_given(line):
    # What may be left out stands in brackets outside of quotes.
    typed = shlex.split(re.sub(r" \[(--[^\]]+)\]", r" \1", line), comments=True)
    assert callable(parse(COMMANDS, typed[3:]))


def test_what_the_doctor_says_is_what_it_says(tmp_path):
    about = README.partition("<!-- doctor: ")[2]
    name, _, rest = about.partition(" -->\n")
    quoted = rest.partition("\n\n")[0]
    (case,) = [each for each in own_cases() if each.name == name]
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        said = " ".join(asked(case, tmp_path)[1].split())
    sentences = [" ".join(part.replace("> ", " ").split()) for part in quoted.split("\\\n")]
    assert len(sentences) == 6
    number = r"\d+(?:\.\d+)?(?:e[+-]\d+)?"
    for sentence in sentences:
        # In the same words, with figures of which another machine may round the last digit otherwise.
        form = f"({number})".join(map(re.escape, re.split(number, sentence)))
        found = re.search(form, said)
        assert found, sentence
        told = [float(figure) for figure in re.findall(number, sentence)]
        np.testing.assert_allclose([float(figure) for figure in found.groups()], told, rtol=0.02)
