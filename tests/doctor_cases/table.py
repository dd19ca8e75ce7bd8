"""The table of what the doctor says of every case, each in a process of its own: `make doctor-cases`."""

import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from bench.examination.own_model import examine
from bench.language.errors import InputError
from bench.report.diagnosis_words import diagnosis_words
from tests.doctor_cases.cases import Expected, arguments, own_cases, shared_cases, shared_folder, wrong

TABLE = Path(__file__).parents[2] / "results" / "reference" / "doctor"
HEADS: tuple[str, ...] = (
    "case",
    "kind of model",
    "fault",
    "expected",
    "verdict",
    "right",
    "seconds",
    "memory, GB",
    "what is wrong",
)
LIMIT_SECONDS = 600


def asked(case: Expected, made: Path) -> tuple[str, str]:
    """The verdict, or "error", and all that was said."""
    model, data, loss = arguments(case, made)
    try:
        found = examine(model, data, **loss)
    except InputError as error:
        return "error", str(error)
    return found.diagnosis.verdict, "\n".join(diagnosis_words(found))


def measured(name: str, made: Path) -> dict[str, Any]:
    """One case in this process: its row."""
    case = next(each for each in (*own_cases(), *shared_cases()) if each.name == name)
    began = time.perf_counter()
    word, said = asked(case, made)
    failed = wrong(case, word, said)
    return dict(zip(HEADS, (
        case.name, case.kind, case.fault, " or ".join(case.words), word, "no" if failed else "yes",
        round(time.perf_counter() - began, 1),
        # Linux counts in kB.
        round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2), "; ".join(failed),
    ), strict=True))  # fmt: skip


def answered(name: str, folder: str) -> dict[str, Any]:
    """One case in a process of its own: its row."""
    command = [sys.executable, "-m", "tests.doctor_cases.table", name, folder]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True)
        row = json.loads(answer.stdout.splitlines()[-1])
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = str(error.stderr or error).strip()[-300:]
        row = {**dict.fromkeys(HEADS, ""), "case": name, "right": "no", "what is wrong": said}
    sys.stdout.write(" ".join(str(row[head]) for head in (HEADS[0], *HEADS[4:])) + "\n")
    sys.stdout.flush()
    return row


def main() -> int:
    """Every case, two at a time, and the table of them."""
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) > 1:
            sys.stdout.write(json.dumps(measured(sys.argv[1], Path(sys.argv[2]))) + "\n")
            return 0
        cases = [case.name for case in (*own_cases(), *(shared_cases() if shared_folder() else ()))]
        with ThreadPoolExecutor(2) as side_by_side:
            rows = list(side_by_side.map(partial(answered, folder=folder), cases))
    TABLE.mkdir(parents=True, exist_ok=True)
    with (TABLE / "cases.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, HEADS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
