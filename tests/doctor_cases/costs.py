"""Seconds and memory of a diagnosis of five deep models, each in a process of its own, beside those of older commits.

`make doctor-cases` measures what is checked out; `python -m tests.doctor_cases.costs FOLDER` the checkout in a folder.
"""

import csv
import json
import subprocess
import sys
from pathlib import Path

from tests.doctor_cases.costly import MODELS
from tests.doctor_cases.table import TABLE

ROOT = Path(__file__).parents[2]
HEADS: tuple[str, ...] = ("model", "commit", "seconds", "memory, GB", "verdict")
LIMIT_SECONDS = 300

# The package is that of the first folder, the models are those of the second.
_MEASURE = """
import json, resource, sys, time
package, models, name = sys.argv[1:]
sys.path.insert(0, package)
import vae_jax
sys.path.insert(0, models)
from tests.doctor_cases.costly import loss, made
model, batch = made(name)
began = time.perf_counter()
verdict = vae_jax.diagnose(model, batch, loss=loss).verdict
seconds = round(time.perf_counter() - began, 1)
# Linux counts in kB.
print(json.dumps([seconds, round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2), verdict]))
"""


def measured(name: str, package: Path) -> list[object]:
    """Seconds, gigabytes and the verdict of one model; of one that took too long or failed, that.

    Args:
        name: Which of `MODELS`.
        package: The folder that holds `vae_jax`.
    """
    command = [sys.executable, "-c", _MEASURE, str(package), str(ROOT), name]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True, cwd=package)
    except subprocess.TimeoutExpired:
        return [f"over {LIMIT_SECONDS}", "", "none in time"]
    except subprocess.CalledProcessError as error:
        return ["", "", str(error.stderr).strip().splitlines()[-1][:120]]
    return json.loads(answer.stdout.splitlines()[-1])


def main() -> int:
    """Measure every model, one after another, and write the table; rows of other commits stay."""
    package = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    git = subprocess.run(
        ["git", "-C", package, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    )
    commit, path = git.stdout.strip(), TABLE / "costs.csv"
    kept = []
    if path.is_file():
        with path.open() as file:
            kept = [row for row in csv.DictReader(file) if row["commit"] != commit]
    rows = []
    for name in MODELS:
        rows.append(dict(zip(HEADS, (name, commit, *measured(name, package)), strict=True)))
        sys.stdout.write(" ".join(map(str, rows[-1].values())) + "\n")
        sys.stdout.flush()
    TABLE.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, HEADS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, *rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
