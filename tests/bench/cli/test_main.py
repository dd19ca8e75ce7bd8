"""The commands as a person types them, end to end on real digits."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import load
from bench.cli.main import main
from bench.language.errors import InputError
from bench.results.stored.store import Store

PLUGIN = '''
import jax
import jax.numpy as jnp
from bench import remedy
from vae_jax import Recipe
from vae_jax.training.instruments import by_stack, entries, instrument

@instrument
def largest_gradient(view):
    """Largest |dL/dh| of any example and unit, after each hidden layer."""
    return by_stack(lambda g: jnp.max(jnp.abs(g), axis=entries(g)), view.hidden_gradient)

@remedy(source="Misra 2019, arXiv:1908.08681", family="activation")
def my_mish(recipe: Recipe) -> Recipe:
    """x * tanh(softplus(x)): smooth, unbounded above; keeps a slope near 0.6 at zero, where sigmoid has 0.25."""
    return recipe.replace(activation=jax.nn.mish)
'''

TROUBLE = '''
import jax.numpy as jnp
from bench import remedy

def broken(x):
    raise RuntimeError("no such activation")

@remedy(source="none", family="activation")
def raises(recipe):
    """Raises when it is traced."""
    return recipe.replace(activation=broken)

@remedy(source="none", family="optimizer")
def hot(recipe):
    """A rate at which everything diverges."""
    return recipe.replace(learning_rate=1e7)
'''

# As much as shows a vanishing gradient and compiles soon.
SMALL = ("--workload", "digits-dense[depth=4,width=16]")

ROOT = Path(__file__).parents[3]

SUITE_ARMS = ["baseline", "orthogonal", "kl_warmup", "tanh+orthogonal+adam", "relu+rezero+adam"]


def command(*arguments):
    return [sys.executable, "-m", "bench", *map(str, arguments)]


def bench(*arguments, folder=None):
    # From another folder, too, this source tree is what is run.
    environment = os.environ if folder is None else {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, cwd=folder, env=environment)


@pytest.fixture(scope="module")
def ran(tmp_path_factory, cache):
    """One run of the smoke suite with a plugin."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "my_remedy.py").write_text(PLUGIN)
    answer = bench("run", "--suite", "smoke", *SMALL, "--plugin", folder / "my_remedy.py", "--out", folder / "out")
    assert answer.returncode == 0, answer.stderr
    return folder, answer.stdout


def test_a_run_prints_its_table_and_leaves_its_files(ran):
    folder, printed = ran
    for arm in (*SUITE_ARMS, "my_mish"):
        assert re.search(rf"^ *{re.escape(arm)} .* ok ", printed, re.MULTILINE), arm
    assert "6 arms, 0 stored, 6 to run (at least 66 trainings of 60 steps, 4 programs to compile)" in printed
    assert "plateau: 27.21 nats" in printed
    names = {path.relative_to(folder / "out").parts[0] for path in (folder / "out").rglob("*") if path.is_file()}
    assert names == {
        ".lock", "cells", "timings", "plan.json", "summary.csv", "summary.md", "trainings.parquet", "networks.parquet",
        "about.json", "curves.parquet", "plots", "report.html",
    }  # fmt: skip
    assert len(list((folder / "out" / "cells").iterdir())) == 12
    kinds = [path.suffix for path in (folder / "out" / "plots").iterdir()]
    assert kinds.count(".svg") == kinds.count(".png") >= 4


def test_the_summary_holds_what_was_measured(ran):
    folder, _ = ran
    table = pd.read_csv(folder / "out" / "summary.csv").set_index("arm")
    assert list(table.index) == [*SUITE_ARMS, "my_mish"]
    assert set(table["status"]) == {"ok"}
    assert set(table["seeds"]) == {2}
    assert table.loc["my_mish", "family"] == "activation"
    # 60 steps: the baseline has hardly left its start, which is the plateau, and its gradient has vanished.
    assert abs(table.loc["baseline", "score"] - table.loc["baseline", "plateau"]) < 0.2
    # Each layer passes at most half: a sigmoid's slope is at most 1/4, and Glorot's matrices stretch by about 2.
    assert table.loc["baseline", "gradient_ratio_init"] < 0.5**4
    assert table.loc["relu+rezero+adam", "gradient_ratio_init"] == pytest.approx(1, abs=1e-3)
    for name in ("examples_per_second", "slowdown", "compile_seconds", "parameters"):
        assert min(table[name]) > 0, name
    assert table.query("score_low < score < score_high").shape[0] == 6


def test_the_same_command_runs_nothing_anew(ran):
    folder, _ = ran
    cells = {path: path.stat().st_mtime_ns for path in (folder / "out").glob("*/*") if "plots" not in path.parts}
    answer = bench("run", "--suite", "smoke", *SMALL, "--plugin", folder / "my_remedy.py", "--out", folder / "out")
    assert answer.returncode == 0
    assert "6 arms, 6 stored, 0 to run" in answer.stdout
    assert cells == {path: path.stat().st_mtime_ns for path in cells}


def test_a_run_on_several_workloads_is_one_store(tmp_path):
    several = (
        "run", "--suite", "smoke", "--workload", "digits-dense[depth=[2,3],width=16]", "--arms", "tanh", "--steps", "4",
        "--seeds", "1", "--rates", "1", "--no-timing", "--out", tmp_path / "out",
    )  # fmt: skip
    first, again = bench(*several), bench(*several)
    names = [f"digits-dense[depth={depth},width=16]" for depth in (2, 3)]
    assert first.returncode == again.returncode == 0, first.stderr
    for name in names:
        assert f"{name}: 1 arm, 0 stored, 1 to run" in first.stdout
        assert f"{name}: 1 arm, 1 stored, 0 to run" in again.stdout
    assert "plateau: 27.21 nats on {}, 27.21 nats on {}, where".format(*names) in again.stdout
    plan = Store(tmp_path / "out").read_plan()
    assert list(plan.workloads) == names
    assert [cell.workload for cell in plan.cells] == names
    assert len({cell.program for cell in plan.cells}) == 2


def test_dry_run_says_what_would_be_run_and_writes_nothing(ran, tmp_path):
    folder, _ = ran
    said = bench(
        "run", "--suite", "smoke", "--arms", "baseline,gelu,relu,he_normal", "--out", folder / "out", "--dry-run",
        "--plugin", folder / "my_remedy.py", *SMALL,
    )  # fmt: skip
    assert "4 arms, 1 stored, 3 to run (at least 33 trainings of 60 steps, 3 programs to compile)" in said.stdout
    # As long as the stored cell took, on whatever machine this is.
    assert re.search(r" on \d+ cpu workers?: about \d+\.\d minutes", said.stdout)
    bench("run", "--suite", "smoke", "--out", tmp_path / "new", "--dry-run")
    assert not (tmp_path / "new").exists()


def test_report_rebuilds_from_whatever_is_there(ran, tmp_path):
    folder, _ = ran
    out = tmp_path / "partial"
    subprocess.run(["cp", "-r", folder / "out", out], check=True)
    made = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for path in [*(out / "plots").iterdir(), *out.glob("*.*")]:
        if path.name not in ("plan.json", ".lock"):
            path.unlink()
    assert bench("report", out).returncode == 0
    # In another process than the run's, to the last byte.
    assert {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()} == made
    plan = Store(out).read_plan()
    gone = next(cell for cell in plan.cells if cell.arm == "orthogonal")
    for path in (out / "cells").glob(f"{gone.identity[:24]}*"):
        path.unlink()
    (out / "report.html").unlink()
    answer = bench("report", out)
    assert answer.returncode == 0
    assert "1 of 6 arms are missing: orthogonal" in answer.stdout
    assert (out / "report.html").exists()
    # The same command then runs the missing one, and no other.
    again = bench("run", "--suite", "smoke", *SMALL, "--no-timing", "--plugin", folder / "my_remedy.py", "--out", out)
    assert "6 arms, 5 stored, 1 to run" in again.stdout
    assert "[1/1] orthogonal: ok" in again.stdout
    # To the last bit: the same training on the same machine.
    first, second = (load(where, arms=["orthogonal"])[1] for where in (folder / "out", out))
    pd.testing.assert_frame_equal(first, second)


def test_show_tells_one_arm(ran):
    folder, _ = ran
    answer = bench("show", folder / "out", "relu + rezero+adam")
    assert answer.returncode == 0
    for said in ("activation: ", "relu", "reported on test", "tuning on validation", "again: python -m bench run"):
        assert said in answer.stdout
    record = json.loads(bench("show", folder / "out", "my_mish", "--json").stdout)
    assert record["status"] == "ok"
    assert len(record["tuning"]) == 5 + 2 * 2
    assert len(record["trainings"]) == 2
    assert list(record["changes"]) == ["activation"]
    assert "--plugin" in record["command"]
    missing = bench("show", folder / "out", "my_mosh")
    assert missing.returncode == 2
    assert "did you mean 'my_mish'?" in missing.stderr


def test_an_instrument_of_a_plugin_is_recorded_beside_the_others(ran):
    folder, _ = ran
    _, curves = load(folder / "out", arms=["my_mish"], instruments=["hidden_gradient", "largest_gradient"])
    columns = ["phase", "seed", "learning_rate", "step", "tower", "layer"]
    both = curves.pivot(index=columns, columns="instrument", values="value")
    assert len(both) == 11 * 3 * 10
    assert np.all(both["largest_gradient"].to_numpy() > both["hidden_gradient"].to_numpy())
    listed = bench("list", "instruments", "--plugin", folder / "my_remedy.py").stdout
    assert "Largest |dL/dh| of any example and unit" in listed


def test_load_gives_frames(ran):
    folder, _ = ran
    table, curves = load(folder / "out", arms=["baseline", "my_mish"], instruments=["hidden_gradient"])
    assert list(table["arm"]) == ["baseline", "my_mish"]
    assert set(curves["instrument"]) == {"hidden_gradient"}
    assert set(curves["tower"]) == {"encoder", "decoder"}
    assert sorted(curves["layer"].unique()) == list(range(5))
    assert sorted(curves["step"].unique()) == [0, 50, 60]
    assert set(curves["phase"]) == {"tuning", "reporting"}
    # 5 rates and 2 seeds, 2 arms, 3 records, 2 towers of 5 layers.
    assert len(curves) == 11 * 2 * 3 * 10
    with pytest.raises(InputError, match="unknown arm"):
        load(folder / "out", arms=["gelu"])


def test_trouble_is_a_row_and_the_others_go_on(tmp_path, cache):
    (tmp_path / "trouble.py").write_text(TROUBLE)
    # Nor does it stop anything, in this process or in its workers, that a file is called as a library's module.
    (tmp_path / "socket.py").write_text("raise RuntimeError('not the module that was meant')")
    answer = bench(
        "run", "--suite", "smoke", "--plugin", tmp_path / "trouble.py", "--arms", "raises,hot,trainable+tanh,baseline",
        "--out", tmp_path / "out", *SMALL, "--steps", 20, "--workers", 1, "--no-timing",
        folder=tmp_path,
    )  # fmt: skip
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert (tmp_path / "out" / "report.html").exists()
    assert "no such activation" in (tmp_path / "out" / "report.html").read_text()
    assert re.search(r"^ *hot .* diverged", answer.stdout, re.MULTILINE)
    table = pd.read_csv(tmp_path / "out" / "summary.csv").set_index("arm")
    assert dict(table["status"]) == {
        "raises": "failed", "hot": "diverged", "trainable+tanh": "not applicable", "baseline": "ok",
    }  # fmt: skip
    where = f"{tmp_path / 'trouble.py'}, line 6"
    assert table.loc["raises", "reason"] == f"RuntimeError: no such activation; mend it in {where}"
    assert table.loc["hot", "reason"] == "all 5 tuning rates diverged"
    assert "changes nothing" in table.loc["trainable+tanh", "reason"]
    # Not timed, it has all but its throughput.
    assert pd.isna(table.loc["baseline", "examples_per_second"])
    assert table.loc["baseline", "score"] > 0
    assert "in broken" in bench("show", tmp_path / "out", "raises").stdout
    # What failed is tried again by the same command; what diverged is a result.
    again = bench(
        "run", "--suite", "smoke", "--plugin", tmp_path / "trouble.py", "--arms", "raises,hot,trainable+tanh,baseline",
        "--out", tmp_path / "out", *SMALL, "--steps", 20, "--dry-run",
    )  # fmt: skip
    assert "4 arms, 2 stored, 1 not applicable, 1 to run" in again.stdout


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_control_c_keeps_what_is_finished(tmp_path, cache):
    arguments = ("run", "--suite", "smoke", *SMALL, "--steps", 61, "--out", tmp_path / "out")
    # Started in the background, a shell's children ignore Ctrl-C, and theirs inherit it.
    heeds = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    process = subprocess.Popen(
        [sys.executable, "-c", heeds + "runpy.run_module('bench', run_name='__main__')", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("[1/5]"):
            break
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "every finished cell is stored" in said
    # No worker outlives its parent.
    time.sleep(3)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    stored = len(list((tmp_path / "out" / "cells").glob("*.json")))
    assert 1 <= stored < 5
    again = bench(*arguments, "--dry-run")
    assert again.returncode == 0
    assert f"5 arms, {stored} stored, {5 - stored} to run" in again.stdout


@pytest.mark.parametrize("what", ["remedies", "workloads", "suites", "instruments"])
def test_lists(what, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["list", what])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["list", what, "--json"])
    entries = json.loads(capsys.readouterr().out)
    assert entries
    for entry in entries:
        assert entry["name"] in text
    if what == "workloads":
        (digits,) = (entry for entry in entries if entry["name"] == "digits-dense")
        assert digits["score"] == "-ELBO, nats"
        assert digits["plateau"] == pytest.approx(27.2085, abs=1e-3)
        assert "27.2085" in text
        assert "E[phi'(z)^2]" in text


def test_a_new_remedy_loads_and_is_not_overwritten(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["new-remedy", "my_leak"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "python -m bench check my_leak.py" in said
    assert "python -m bench run --plugin my_leak.py" in said
    with pytest.raises(SystemExit):
        main(["list", "remedies", "my_leak", "--plugin", "my_leak.py", "--json"])
    entry = json.loads(capsys.readouterr().out)
    assert entry["changes"]["baseline"]["activation"][1]["negative_slope"] == 0.1
    assert entry["rates"]["baseline"] == [0.003, 0.00949, 0.03, 0.0949, 0.3]
    assert entry["rates"]["trainable"][2] == 0.001
    assert "gelu" in entry["conflicts"]["activation"]
    with pytest.raises(SystemExit) as ended:
        main(["new-remedy", "my_leak"])
    assert ended.value.code == 2
    assert "not overwritten" in capsys.readouterr().err


BAD = [
    (("run", "--suite", "quik"), "did you mean 'quick'?"),
    (("run", "--workload", "digit-dense"), "did you mean 'digits-dense'?"),
    (("run", "--workload", "digits-dense[depth=0]"), "depth must be at least 1, got 0"),
    (("run", "--workload", "digits-dense[depth=four]"), "must be of type int"),
    (("run", "--arms", "geluu"), "did you mean 'gelu'?"),
    (("run", "--arms", ""), "an arm is empty"),
    (("run", "--arms", "gelu+"), "dangling '+'"),
    (("run", "--arms", "tanh+relu"), "different values into the slot 'activation'"),
    (("run", "--arms", "rezero[alpha=big]"), "must be of type float"),
    (("run", "--device", "tpu"), "unknown device 'tpu'"),
    (("run", "--plugin", "nowhere.py"), "there is no plugin file"),
    (("run", "--steps", "0"), "steps must be at least 1, got 0"),
    (("run", "--seeds", "0"), "seeds must be at least 1, got 0"),
    (("run", "--seeds", "many"), "many"),
    (("run", "--workers", "0"), "workers must be at least 1, got 0"),
    (("run", "--executor", "rya"), "did you mean 'ray'?"),
    (("run", "--address", "head:6379"), "give --executor ray"),
    (("run", "--executor", "ray", "--workers", "2"), "Ray counts its own"),
    (("run", "--out", "/proc/nothing/here"), "cannot write to"),
    (("run", "--sede", "3"), "--sede"),
    (("run", "--arms", "gelu", "relu"), "write --arms gelu,relu, with commas"),
    (("run", "--arms", "gelu,", "relu", "--dry-run"), "write --arms gelu,relu, with commas"),
    (("run", "--arms=gelu", "+", "rezero[alpha=1,", "x=2]", "relu"), "'gelu+rezero[alpha=1,x=2],relu'"),
    (("run", "--arms", "gelu", "--steps", "3", "--arms", "relu"), "write --arms gelu,relu, with commas"),
    (("run", "--plugin", "a.py", "b.py"), "write --plugin a.py --plugin b.py"),
    (("run", "--workload", "linear[data=3,", "latent=2]"), "write --workload 'linear[data=3, latent=2]'"),
    (("run", "--dry_run", "true"), "write --dry-run or --no-dry-run alone"),
    (("run", "gelu"), "run takes no words beside its options, got 'gelu'"),
    (("show", "out", "gelu", "+", "tanh"), "show takes 2 words beside its options, got 'out gelu + tanh'"),
    (("list", "remedies", "--family", "kl", "gelu", "tanh"), "--family takes one value, got 'kl gelu tanh'"),
    (("list", "remedys"), "did you mean 'remedies'?"),
    (("list", "remedies", "geluu"), "did you mean 'gelu'?"),
    (("list", "remedies", "--family", "kll"), "did you mean 'kl'?"),
    (("list", "suites", "--markdown"), "goes with list remedies"),
    (("check", "geluu"), "did you mean 'gelu'?"),
    (("check", "nowhere.py"), "there is no plugin file"),
    (("new-remedy", "gelu"), "is taken"),
    (("new-remedy", "My-Remedy"), "lower-case letters"),
    (("new-remedy", "mine", "--family", "kll"), "did you mean 'kl'?"),
    (("new-remedy", "mine", "--out", "mine.txt"), "must end in .py"),
    (("new-remedy", "random"), "would hide the module 'random'"),
    (("new-remedy", "optax"), "would hide the module 'optax'"),
    (("new-remedy", "mine", "--out", "numpy.py"), "would hide the module 'numpy'"),
    (("report", "nowhere"), "holds no plan.json"),
    (("show", "nowhere", "gelu"), "holds no plan.json"),
    (("show",), "Missing"),
    (("rnu",), "rnu"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_bad_input_ends_with_a_sentence_and_runs_nothing(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert len(captured.err.splitlines()) <= 8
    assert said in captured.err.splitlines()[0]
    assert "Traceback" not in captured.err
    assert list(tmp_path.iterdir()) == []


def test_a_file_called_as_a_module_of_the_library_stands_for_it_nowhere(tmp_path):
    (tmp_path / "random.py").write_text(PLUGIN)
    for name in ("socket", "queue", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not the module that was meant')")
    said = bench("list", "remedies", "my_mish", "--plugin", "random.py", folder=tmp_path)
    assert said.stdout.startswith("my_mish (activation)"), said.stderr


def test_the_console_script_is_the_same_command():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert list(scripts) == ["vae-bench"]
    module, _, name = scripts["vae-bench"].partition(":")
    code = f"import sys; from {module} import {name}; sys.argv = ['vae-bench', '--help']; sys.exit({name}())"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout == bench("--help").stdout


def test_a_list_starts_no_backend():
    code = "from bench.cli.main import main\ntry: main(['list', 'suites'])\nexcept SystemExit: pass\n"
    code += "from jax._src import xla_bridge; print(xla_bridge.backends_are_initialized())"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip().endswith("False")


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["show", "--help"]])
def test_help_needs_no_jax(arguments):
    code = f"import sys; from bench.cli.main import main\ntry: main({arguments})\nexcept SystemExit: pass\n"
    code += "print('jax' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "usage:" in answer.stdout
    assert answer.stdout.strip().endswith("False")


def test_report_and_show_need_no_jax(ran):
    folder, _ = ran
    for arguments in (["report", str(folder / "out")], ["show", str(folder / "out"), "baseline"]):
        code = f"import sys; from bench.cli.main import main\ntry: main({arguments})\nexcept SystemExit: pass\n"
        # Nor what takes as long to import.
        code += "print(bool({'jax', 'scipy.stats'} & sys.modules.keys()))"
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert answer.stdout.strip().endswith("False")
