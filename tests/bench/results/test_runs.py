"""Stores that were really run: read by other versions' rules, shown with a person's own views, and run again."""

import json
import shlex

import pandas as pd
import pytest

from bench.cli.main import main
from bench.planning.catalogue import load_catalogue
from bench.planning.plan import make_plan
from bench.results.arm_record import arm_record
from bench.results.columns import COLUMNS
from bench.results.stored.records import SCHEMA
from bench.results.stored.store import Store
from bench.results.views import Views
from tests.bench.fake_store import build, change, read
from tests.bench.results.test_views import OWN

ASKED = ("--suite", "smoke", "--arms", "baseline,tiny_normal", "--workload", "digits-dense[depth=2,width=16]",
         "--seeds", "2", "--rates", "3", "--steps", "20", "--workers", "1")  # fmt: skip


@pytest.fixture
def said(capsys):
    """A command in this process: its exit code and what it said."""

    def call(*given):
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, given)))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return ended.value.code, captured.out + captured.err

    return call


def times(out):
    return {path: path.stat().st_mtime_ns for path in (out / "cells").iterdir()}


def test_a_column_and_a_plot_of_a_plugin_retrain_nothing(said, tmp_path, cache):
    out, plugin = tmp_path / "out", tmp_path / "my_views.py"
    assert said("run", *ASKED, "--no-timing", "--out", out)[0] == 0
    before = times(out)
    plugin.write_text(OWN)
    code, printed = said("run", *ASKED, "--no-timing", "--out", out, "--plugin", plugin)
    assert code == 0
    assert "2 arms, 2 stored, 0 to run" in printed
    # In the terminal, the summaries, the page and the plots.
    assert any(line.split()[-1:] == ["lead"] for line in printed.splitlines())
    assert times(out) == before
    table = pd.read_csv(out / "summary.csv")
    assert not table["lead"].hasnans
    assert "| lead |" in " ".join((out / "summary.md").read_text().split())
    assert "<h3>Gain of each arm</h3>" in (out / "report.html").read_text()
    assert {"gains.svg", "gains.png"} <= {path.name for path in (out / "plots").iterdir()}
    # A report has those of its run, and another's where they are named.
    (out / "report.html").unlink()
    assert "lead" in said("report", out)[1]
    assert "Gain of each arm" in (out / "report.html").read_text()
    other = plugin.rename(tmp_path / "other.py")
    code, printed = said("report", out)
    assert code == 0
    assert (
        f"plugin {plugin} of this run is gone: give the file with --plugin; its columns and plots are left" in printed
    )
    assert "Gain of each arm" not in (out / "report.html").read_text()
    assert "lead" in said("report", out, "--plugin", other)[1]
    assert times(out) == before


@pytest.mark.parametrize("schema", [2, 99, None])
@pytest.mark.parametrize("kind", ["plan", "cell", "timing"])
def test_another_versions_file_is_said_by_show_and_report(said, tmp_path, monkeypatch, kind, schema):
    # What is drawn takes longest, and is none of this.
    monkeypatch.setattr("bench.report.own_views.BUILT_IN", Views(COLUMNS))
    out = tmp_path / "out"
    store = build(out, ["baseline", "tanh"], seeds=2, steps=50, depth=1)
    identity = store.read_plan().cells[1].identity
    name = {"plan": "plan.json", "cell": f"cells/{identity}.json", "timing": f"timings/{identity}.json"}[kind]
    change(out / name, schema=schema, unheard="of")
    sentence = (
        f"{'names no schema' if schema is None else f'is of schema {schema}'}, and this version reads schema {SCHEMA}"
    )
    shown = [said("show", out, "tanh"), said("report", out)]
    if kind == "plan":
        assert [code for code, _ in shown] == [2, 2]
        for _, text in shown:
            assert text.startswith(f"error: in '{out}', {out.name}/{name} {sentence}: ")
            assert "or give its command again, which keeps what is there" in text
    else:
        assert [code for code, _ in shown] == [0, 0]
        for _, text in shown:
            # However it was wrapped.
            whole = f"{name} {sentence}: give the run's command again, which keeps that file"
            assert whole.replace(" ", "") in "".join(text.split())
        assert ("1 of 2 arms are missing: tanh" in shown[1][1]) == (kind == "cell")
        assert sentence in (out / "report.html").read_text()


def test_a_folder_of_another_version_is_resumed_and_loses_nothing(said, tmp_path, cache):
    out = tmp_path / "out"
    assert said("run", *ASKED, "--out", out)[0] == 0
    whole = times(out)
    identity = next(cell.identity for cell in Store(out).read_plan().cells if cell.arm == "tiny_normal")
    names = ["plan.json", f"cells/{identity}.json", f"timings/{identity}.json"]
    for name in names:
        change(out / name, schema=1)
    stranger = out / "cells" / "another-version.json"
    stranger.write_text('{"schema": 1}')
    kept = {name: (out / name).read_bytes() for name in names}
    dry = said("run", *ASKED, "--out", out, "--dry-run")[1]
    assert "2 arms, 1 stored, 1 to run" in dry
    for name in names:
        assert f"{name} is of schema 1, and this version reads schema {SCHEMA}" in dry
    assert {name: (out / name).read_bytes() for name in names} == kept
    code, printed = said("run", *ASKED, "--out", out)
    assert code == 0
    assert "[1/1] tiny_normal: ok" in printed
    assert "damaged" not in printed
    aside = [path.read_bytes() for path in (out / "set_aside").iterdir()]
    assert all(content in aside for content in kept.values())
    # What no cell of the plan is called stays where it is.
    assert stranger.read_text() == '{"schema": 1}'
    assert set(times(out)) == {*whole, stranger}
    assert not read(Store(out)).summary["slowdown"].hasnans


def test_the_command_of_an_arm_asks_for_the_very_cell(tmp_path):
    store = build(tmp_path / "run", ["baseline", "tanh"], seeds=2, steps=50, depth=1)
    plugin = tmp_path / "my_views.py"
    plugin.write_text(OWN)
    asked = {"suite": "smoke", "workload": "digits-dense[depth=3,width=16]", "seeds": 7, "rates": 3, "steps": 41,
             "plugins": (str(plugin),)}  # fmt: skip
    plan = make_plan(load_catalogue([str(plugin)]), arms="tanh,trainable+gelu", **asked)
    store.write_plan(plan.describe("python -m bench run"))
    for cell in plan.planned:
        given = shlex.split(arm_record(store, cell.arm).command)
        assert given[:4] == ["python", "-m", "bench", "run"]
        options = dict(zip(given[4::2], given[5::2], strict=True))
        again = make_plan(
            load_catalogue([options["--plugin"]]), suite=options["--suite"], workload=options["--workload"],
            arms=options["--arms"], seeds=int(options["--seeds"]), rates=int(options["--rates"]),
            steps=int(options["--steps"]), plugins=(options["--plugin"],),
        )  # fmt: skip
        assert again.protocol == plan.protocol
        assert again.cells[0].identity == cell.identity
        # A cell that was never run was run on no device.
        assert "--device" not in options
    store = build(tmp_path / "other", ["baseline", "tanh"], seeds=2, steps=50, depth=1)
    assert "--device cpu" in arm_record(store, "tanh").command


def test_show_prints_a_record_that_others_can_read(said, tmp_path):
    out = tmp_path / "out"
    build(out, ["tanh", "clip_by_global_norm"], seeds=2, steps=50, depth=1)
    record = json.loads(said("show", out, "tanh", "--json")[1])
    assert (record["status"], len(record["trainings"]), record["timing"]["batch"]) == ("ok", 2, 128)
    assert json.loads(said("show", out, "clip_by_global_norm", "--json")[1])["status"] == "missing"
