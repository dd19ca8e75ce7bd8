"""A package that somebody installs adds remedies, workloads and instruments, and one that does not load is skipped."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

MODULE = '''
import jax
import jax.numpy as jnp

from bench import remedy, workload
from bench.workloads.digits_dense import digits_dense
from vae_jax.training.instruments import by_stack, entries, instrument

from installed_remedies.shapes import steep


@remedy(source="Someone 2026", family="activation")
def steep_tanh(recipe):
    """Twice tanh's slope at zero."""
    return recipe.replace(activation=steep)


@workload
def shallow():
    """Two blocks: little vanishes."""
    return digits_dense(depth=2, width=16, batch=32, steps=20)


@instrument
def largest_gradient(view):
    """Largest |dL/dh| of any example and unit, after each hidden layer."""
    return by_stack(lambda g: jnp.max(jnp.abs(g), axis=entries(g)), view.hidden_gradient)
'''

SHAPES = """
import jax.numpy as jnp


def slope():
    return 2.0


def steep(x):
    return jnp.tanh(slope() * x)
"""

ENTRY_POINTS = """
[vae_jax.remedies]
anything = {module}

[vae_jax.workloads]
anything = {module}:shallow

[vae_jax.instruments]
anything = {module}:largest_gradient
"""


def install(folder, name, files):
    """Install a package into a folder with pip, from a wheel: that needs no network and no build backend."""
    module = name.replace("-", "_")
    about = f"{module}-1.0.dist-info"
    members = {f"{module}/{file}": text for file, text in files.items()} | {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": ENTRY_POINTS.format(module=module),
    }
    members[f"{about}/RECORD"] = "".join(f"{member},,\n" for member in (*members, f"{about}/RECORD"))
    wheel = folder / f"{module}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for member, text in members.items():
            archive.writestr(member, text)
    target = folder / "installed"
    options = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", "--target", target, wheel)
    subprocess.run([sys.executable, "-m", "pip", "install", *options], check=True)
    return target


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    install(folder, "installed-remedies", {"__init__.py": MODULE, "shapes.py": SHAPES})
    return install(folder, "broken-remedies", {"__init__.py": "import nothing_of_this_name\n"})


def environment(path):
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(Path.cwd())])}


def bench(path, *arguments):
    command = [sys.executable, "-m", "bench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment(path))


ADDED = [("remedies", "steep_tanh"), ("workloads", "shallow"), ("instruments", "largest_gradient")]

# Each listing as its command gives it, in one process: what was printed and what was said beside it.
LIST = """
import contextlib, io, json, sys
from bench.cli.main import main

found = {}
for what in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        with contextlib.suppress(SystemExit):
            main(["list", what, "--json"])
    found[what] = [out.getvalue(), err.getvalue()]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def listed(installed):
    command = [sys.executable, "-c", LIST, *(what for what, _ in ADDED)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=environment(installed))
    return json.loads(answer.stdout)


@pytest.mark.parametrize(("what", "name"), ADDED)
def test_what_a_package_adds_is_listed(listed, what, name):
    printed, said = listed[what]
    assert name in {entry["name"] for entry in json.loads(printed)}
    lines = [line for line in said.splitlines() if line.startswith("skipped: package 'broken-remedies'")]
    assert len(lines) == 3
    assert "No module named 'nothing_of_this_name'" in lines[0]


def test_what_a_package_adds_is_run(installed, tmp_path, cache):
    out = tmp_path / "out"
    arguments = ("run", "--suite", "smoke", "--workload", "shallow", "--arms", "baseline,steep_tanh", "--seeds", 1,
                 "--steps", 20, "--no-timing", "--out", out)  # fmt: skip
    answer = bench(installed, *arguments)
    assert answer.returncode == 0, answer.stderr
    record = json.loads(bench(installed, "show", out, "steep_tanh", "--json").stdout)
    assert record["status"] == "ok"
    assert record["changes"]["activation"][1] == "installed_remedies.shapes.steep"
    from bench import load

    _, curves = load(out, arms=["steep_tanh"], instruments=["largest_gradient"])
    assert len(curves)
    # A line of the package that only a function of its own calls: the cell is another one.
    helper = installed / "installed_remedies" / "shapes.py"
    before = helper.read_text()
    helper.write_text(before.replace("2.0", "3.0"))
    try:
        assert "2 arms, 0 stored" in bench(installed, *arguments, "--dry-run").stdout
    finally:
        helper.write_text(before)
