"""Which room may know of which: arrows point down, and nowhere in a circle."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import bench

ROOT = Path(bench.__file__).parent.parent

# From the lowest to the highest: a room may import from those before it, and from itself.
ROOMS = {
    "vae_jax": (
        "recipe", "layers", "initialization", "towers", "optimization", "models", "objective", "defaults", "training",
        "evaluation", "theory", "diagnosis",
    ),
    "bench": (
        "language", "data", "results", "plugins", "remedies", "workloads", "suites", "planning", "training",
        "execution", "examination", "report", "cli", "speed",
    ),
}  # fmt: skip

# What is only read, and must start in a moment: no jax.
READERS = ("language", "data", "results", "report", "cli.terminal")

ENTRIES = 14
CROWDED = {"remedies", "layers", "workloads", "suites", "commands"}


def sources(package):
    return sorted((ROOT / package).rglob("*.py"))


def module(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path):
    """The modules that a file names in its imports, wherever they stand."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = ROOT.joinpath(*node.module.split("."), alias.name)
                yield (
                    f"{node.module}.{alias.name}"
                    if inner.with_suffix(".py").exists() or inner.is_dir()
                    else node.module
                )


def room(name):
    return name.split(".")[1]


@pytest.mark.parametrize("package", ROOMS)
def test_every_folder_is_a_room_and_arrows_point_down(package):
    order = ROOMS[package]
    for path in sources(package):
        name = module(path)
        if name in (package, f"{package}.__main__"):
            continue
        assert room(name) in order, f"{path} lies in no room of the list"
        for other in imports(path):
            if other.startswith(f"{package}."):
                assert order.index(room(other)) <= order.index(room(name)), f"{path} imports {other} from above it"


@pytest.mark.parametrize("package", ROOMS)
def test_no_file_imports_itself_by_way_of_others(package):
    paths = {module(path): path for path in sources(package)}
    # A package's own file is run before any file in it, so that what it imports is imported first: no circle.
    inner = {name: path for name, path in paths.items() if path.name != "__init__.py"}
    graph = {name: {other for other in imports(path) if other in inner} for name, path in inner.items()}
    graphlib.TopologicalSorter(graph).prepare()


def test_no_folder_has_more_entries_than_a_person_can_keep_in_mind():
    for package in ROOMS:
        for folder in [ROOT / package, *(path for path in (ROOT / package).rglob("*") if path.is_dir())]:
            there = [path for path in folder.iterdir() if not path.name.startswith("__")]
            # Not what a folder that has moved left behind.
            entries = [path for path in there if path.is_file() or any(path.rglob("*.py"))]
            assert len(entries) <= ENTRIES or folder.name in CROWDED, (folder, len(entries))


def test_the_mathematics_knows_nothing_of_the_harness_and_hides_no_import():
    for path in sources("vae_jax"):
        assert not [name for name in imports(path) if name.split(".")[0] == "bench"], path
        assert "TYPE_CHECKING" not in path.read_text(), path


def test_the_mathematics_neither_compiles_nor_prints():
    for path in sources("vae_jax"):
        if "diagnosis" in path.parts:
            # It runs on the host, value by value: what it compiles are pieces that nobody outside knows of.
            continue
        called = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        for function in called:
            text = ast.unparse(function)
            assert text not in ("print", "open", "jax.jit", "jax.device_get", "jax.block_until_ready"), (path, text)
        assert "nnx.jit" not in path.read_text(), path


def test_only_one_room_compiles():
    for path in sources("bench"):
        if path.name != "programs.py" and "speed" not in path.parts:
            assert "jax.jit" not in path.read_text(), path


def test_only_the_command_line_prints():
    for path in sources("bench"):
        if not {"cli", "speed"} & set(path.parts):
            called = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
            assert "print" not in map(ast.unparse, called), path


def test_one_room_knows_ray_and_only_who_chooses_the_executor_knows_that_room():
    for path in sources("bench"):
        names = set(imports(path))
        assert path.name == "ray_connection.py" or "ray" not in {name.split(".")[0] for name in names}, path
        assert path.name == "choose.py" or "bench.execution.ray_cluster" not in names, path


def test_remedies_and_workloads_know_the_mathematics_and_not_each_other():
    for folder in ("remedies", "workloads"):
        for path in (ROOT / "bench" / folder).glob("*.py"):
            others = {name for name in imports(path) if name.startswith("bench.")}
            shared = {"language.widths", "language.errors", "results.judging.score", "workloads.bases"}
            others -= {f"bench.{name}" for name in shared}
            assert {room(name) for name in others} <= {"plugins", "data"}, path


def readers():
    for name in READERS:
        folder = ROOT.joinpath("bench", *name.split("."))
        yield from map(module, sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")])


def test_what_reads_a_store_imports_no_jax():
    code = f"import sys, importlib; [importlib.import_module(name) for name in {list(readers())!r}]; " \
        "print(sorted(set(sys.modules) & {'jax', 'flax', 'optax', 'vae_jax'}))"  # fmt: skip
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
