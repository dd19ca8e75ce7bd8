from dataclasses import replace

import pytest

from bench.cli.terminal import plateau_line
from bench.language.errors import InputError
from bench.report.plots import PLOTS
from bench.report.publish import publish
from bench.results.carry_over import agreement_words, agreements, carry_over
from bench.results.stored.joining import join
from bench.results.stored.store import Store
from tests.bench.fake_store import build, read

ARMS = ["baseline", "tanh", "selu", "gelu", "rezero", "relu"]


def on(workload, folder, arms):
    """A run on another workload: its cells have other identities."""
    store = build(folder, arms, seeds=3, steps=100, depth=1)
    plan = store.read_plan()
    cells = tuple(replace(cell, workload=workload, identity=f"{workload}{cell.identity}") for cell in plan.cells)
    for cell, old in zip(cells, plan.cells, strict=True):
        stored = store.load(old.identity)
        store.write(replace(stored.record, workload=workload, identity=cell.identity), stored.curves())
        (store.cells / f"{old.identity}.json").unlink()
    (about,) = plan.workloads.values()
    store.write_plan(replace(plan, cells=cells, workloads={workload: about}))
    return store


def test_parts_of_a_suite_are_one_run(tmp_path):
    whole = build(tmp_path / "whole", ARMS, seeds=3, steps=100, depth=1)
    parts = [build(tmp_path / name, arms, seeds=3, steps=100, depth=1) for name, arms in
             (("a", ARMS[:3]), ("b", ARMS[3:]))]  # fmt: skip
    into = Store(tmp_path / "joined")
    join(parts, into)
    assert [cell.arm for cell in into.read_plan().cells] == ARMS
    names = ["arm", "status", "seeds"]
    assert read(into).summary[names].equals(read(whole).summary[names])
    # They stay as they were, and joining them again changes nothing.
    assert [len(read(part).stored) for part in parts] == [3, 3]
    before = {path: path.read_bytes() for path in into.directory.rglob("*") if path.is_file()}
    join(parts, into)
    assert {path: path.read_bytes() for path in into.directory.rglob("*") if path.is_file()} == before


def test_a_suite_on_two_workloads_says_what_carries_over(tmp_path):
    into = Store(tmp_path / "joined")
    join([on("digits-dense", tmp_path / "a", ARMS), on("other", tmp_path / "b", ARMS[:-1])], into)
    results = read(into)
    table = carry_over(results)
    assert list(table) == ["digits-dense", "other"]
    assert list(table.index) == ARMS[:-1]
    assert table.loc["tanh", "digits-dense"].startswith("3 of 3 +")
    assert table.loc["baseline", "other"] == "0 of 3"
    (pair,) = agreements(results)
    assert (pair.workloads, pair.arms) == (("digits-dense", "other"), 5)
    assert pair.tau.mean > 0.5
    assert plateau_line(results) == (
        "plateau: 27.21 nats on digits-dense, 27.21 nats on other, where an arm sits that ignores z"
    )
    assert publish(results, PLOTS) == []
    assert "Does it carry over?" in (into.directory / "report.html").read_text()
    said = (into.directory / "summary.md").read_text().partition("## Does it carry over?")[2].partition("##")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in said.splitlines() if line[:1] == "|"]
    assert rows[0] == ["arm", *table.columns]
    assert rows[2:] == [[str(arm), *row] for arm, row in table.iterrows()]
    assert all(f"- {each}" in said for each in agreement_words(results))


def test_runs_of_other_protocols_are_not_joined(tmp_path):
    one, other = (build(tmp_path / str(seeds), ARMS[:2], seeds=seeds, steps=50, depth=1) for seeds in (2, 3))
    with pytest.raises(InputError, match="made under different protocols: seeds 2 and 3"):
        join([one, other], Store(tmp_path / "joined"))
    with pytest.raises(InputError, match=r"holds no plan\.json"):
        join([one, Store(tmp_path / "nothing")], Store(tmp_path / "joined"))
