"""Models after public reports, each with what is expected of the doctor: tables in TOML beside the models."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

GROUPS = ("healthy", "signatures", "gradient", "latent", "not_finite", "no_gradient")


@dataclass(frozen=True)
class Expected:
    """A model and what is expected of the doctor.

    Attributes:
        group: The folder it lies in; "shared" of one that others wrote.
        file: The model's file, or its folder.
        model: The function that makes it.
        loss: The loss of its outputs; empty for none.
        objective: The whole loss instead; empty for none.
        kind: The kind of model.
        fault: What is wrong with it.
        words: Of which the verdict is one; "error" where one sentence refuses it.
        phrases: What must be said, the place among it.
        absent: What must not be said.
    """

    group: str
    file: str
    model: str
    loss: str
    objective: str
    kind: str
    fault: str
    words: tuple[str, ...]
    phrases: tuple[str, ...]
    absent: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it is called in a table."""
        variant = "" if self.model == "make" else f":{self.model}"
        return f"{self.group}/{self.file.removesuffix('.py')}{variant}"


def own_cases() -> list[Expected]:
    """Those of this folder."""
    return [each for group in GROUPS for each in _read(group, HERE / group / "expected.toml")]


def shared_cases() -> list[Expected]:
    """Those that others wrote."""
    return list(_read("shared", HERE / "shared.toml"))


def shared_folder() -> Path | None:
    """Where the models of others are; None where they are not."""
    data = os.environ.get("VAE_JAX_DATA", "")
    folder = Path(data).resolve().parent / "doctor-cases"
    return folder if data and folder.is_dir() else None


def arguments(case: Expected, made: Path) -> tuple[str, str, dict[str, Any]]:
    """What `bench.examination.own_model.examine` is given: model, data, and the loss by its name.

    Args:
        case: Which.
        made: A folder for what the models of others make as their data.
    """
    if case.group != "shared":
        file = str(HERE / case.group / case.file)
        loss = {key: f"{file}:{name}" for key in ("loss", "objective") if (name := getattr(case, key))}
        return f"{file}:{case.model}", f"{file}:batch", loss
    root = shared_folder()
    assert root is not None
    file, data = root / case.file / "model.py", made / case.file
    if not list(data.glob("data.np*")):
        data.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join([str(root), str(file.parent)])
        command = [sys.executable, str(root / case.file / "make_data.py"), str(data)]
        subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=True, capture_output=True)
    os.environ["DOCTOR_DATA"] = str(data)
    array = data / ("data.npz" if (data / "data.npz").exists() else "data.npy")
    return f"{file}:{case.model}", str(array), {"loss": f"{file}:{case.loss}"} if case.loss else {}


def wrong(case: Expected, word: str, said: str) -> list[str]:
    """What of the expectation does not hold, a phrase each.

    Args:
        case: What is expected.
        word: The verdict, or "error".
        said: All that was said.
    """
    spoken = re.sub(r"\s+", " ", said).lower()
    return [
        *([] if word in case.words else [f"{word!r} and not {' or '.join(map(repr, case.words))}"]),
        *(f"{phrase!r} is not said" for phrase in case.phrases if phrase.lower() not in spoken),
        *(f"{phrase!r} is said" for phrase in case.absent if phrase.lower() in spoken),
    ]


def _read(group: str, file: Path) -> Iterator[Expected]:
    for each in tomllib.loads(file.read_text())["case"]:
        word = each["word"]
        place = (each["place"],) if each.get("place") else ()
        objective = each.get("objective", "")
        loss = each.get("loss", "loss" if group == "shared" else "")
        yield Expected(
            group, each["file"], each.get("model", "make"), loss, objective,
            each.get("kind", ""), each.get("fault", ""), (word,) if isinstance(word, str) else tuple(word),
            (*each.get("phrases", ()), *place), tuple(each.get("absent", ())),
        )  # fmt: skip
