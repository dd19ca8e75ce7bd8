"""Kill -9 at random moments: the store ends as if nothing had happened."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes through /proc")

# Twelve cells of each of two programs, each cell short: a kill loses some and leaves some.
SCALES = ",".join(str(round(0.5 + 0.1 * index, 1)) for index in range(12))
ARMS = f"tiny_normal[standard_deviation=[{SCALES}]],rezero[alpha=[{SCALES}]]"

# What may differ between two runs of one cell.
CIRCUMSTANCES = {"finished", "train_seconds", "compile_seconds", "device"}


def start(out):
    return subprocess.Popen(
        [sys.executable, "-m", "bench", "run", "--suite", "smoke", "--arms", ARMS, "--seeds", "1", "--rates", "1",
         "--steps", "20", "--workload", "digits-dense[depth=2,width=16]", "--workers", "2", "--out", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def workers(pid):
    """The worker processes of a run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            spawned = b"spawn_main" in (folder / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if parent == pid and spawned:
            found.append(int(folder.name))
    return found


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def gone(group):
    """Whether no process of a group is left; workers look for their parent every second."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def manifests(out):
    found = {path.name: json.loads(path.read_text()) for path in (out / "cells").glob("*.json")}
    return {name: {k: v for k, v in each.items() if k not in CIRCUMSTANCES} for name, each in found.items()}


@pytest.mark.long
@pytest.mark.parametrize("kills", [2, 20])
def test_killed_at_random_moments_the_store_ends_the_same(tmp_path, cache, kills):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    said, _ = start(undisturbed).communicate(timeout=300)
    assert "[24/24]" in said, said

    draw = random.Random(kills)
    killed = {"worker": 0, "main": 0}
    while sum(killed.values()) < kills or not all(killed.values()):
        # A run that has nothing left to do cannot be disturbed; what is gone is computed as if for the first time.
        if disturbed.exists() and len(manifests(disturbed)) == 24:
            for record in draw.sample(sorted((disturbed / "cells").glob("*.json")), 12):
                record.unlink()
                record.with_suffix(".parquet").unlink()
        run = start(disturbed)
        if draw.random() < 0.7:
            # First some worker, while the run goes on; then the run itself.
            while not workers(run.pid) and run.poll() is None:
                time.sleep(0.1)
            time.sleep(draw.uniform(0, 6))
            alive = workers(run.pid)
            killed["worker"] += bool(alive) and kill(draw.choice(alive))
        time.sleep(draw.uniform(0, 3))
        if run.poll() is None:
            killed["main"] += kill(run.pid)
        run.communicate(timeout=60)
        assert gone(run.pid)

    last = start(disturbed)
    said, _ = last.communicate(timeout=300)
    assert last.returncode == 0, said
    assert "damaged" not in said
    assert gone(last.pid)

    assert manifests(disturbed) == manifests(undisturbed)
    names = {path.name for path in (undisturbed / "cells").iterdir()}
    assert {path.name for path in (disturbed / "cells").iterdir()} == names
    assert len(names) == 2 * 24
    for name in names:
        if name.endswith(".parquet"):
            assert (disturbed / "cells" / name).read_bytes() == (undisturbed / "cells" / name).read_bytes()
    assert not list(disturbed.rglob("*.tmp"))
    assert not (disturbed / "set_aside").exists()
