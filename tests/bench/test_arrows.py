"""Which room may know of which: the arrows of the design."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bench
import vae_jax

ROOT = Path(bench.__file__).parent.parent
READERS = ("tables", "plots", "report", "statistics", "store", "readable", "arm", "arm_record", "terminal",
           "errors", "diagnosed")  # fmt: skip


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources(package):
    return sorted(Path(package.__file__).parent.rglob("*.py"))


def test_the_mathematics_knows_nothing_of_the_harness():
    for path in sources(vae_jax):
        assert not [name for name in imports(path) if name.split(".")[0] == "bench"], path


def test_the_mathematics_neither_compiles_nor_prints():
    for path in sources(vae_jax):
        called = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        for function in called:
            text = ast.unparse(function)
            assert text not in ("print", "open", "jax.jit", "jax.device_get", "jax.block_until_ready"), (path, text)
        assert "nnx.jit" not in path.read_text(), path


def test_only_one_room_compiles():
    for path in sources(bench):
        if path.name != "programs.py" and "speed" not in path.parts:
            assert "jax.jit" not in path.read_text(), path


def test_one_room_knows_ray_and_only_who_chooses_the_executor_knows_that_room():
    for path in sources(bench):
        names = set(imports(path))
        assert path.name == "ray_executor.py" or "ray" not in {name.split(".")[0] for name in names}, path
        assert path.name == "choose_executor.py" or "bench.ray_executor" not in names, path


def test_remedies_and_workloads_know_the_mathematics_and_not_each_other():
    for folder in ("remedies", "workloads"):
        for path in (ROOT / "bench" / folder).glob("*.py"):
            others = {name for name in imports(path) if name.startswith("bench.")}
            allowed = "bench.plugin"
            assert not [name for name in others if not name.startswith(allowed)], path


@pytest.mark.parametrize("room", READERS)
def test_what_reads_a_store_imports_no_jax(room):
    code = f"import bench.{room}, sys; print(sorted(set(sys.modules) & {{'jax', 'flax', 'optax', 'vae_jax'}}))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
