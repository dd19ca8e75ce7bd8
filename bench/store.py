"""The store: one atomic record per cell, curves as parquet and all else as JSON.

A record is `NAME.parquet` and `NAME.json` in `DIR/cells/`; the JSON is written last and holds the parquet's checksum,
so a record is there if and only if its JSON is. Nothing is pickled: a store can be read without trusting who made it.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from bench.errors import InputError

SCHEMA = 1

CURVE_COLUMNS = (
    "workload", "arm", "phase", "split", "seed", "learning_rate", "step", "instrument", "tower", "layer", "value",
)  # fmt: skip
"""Tidy curves: one row per reading.

`phase` is `tuning` or `reporting`; `split` is `train` (the step's minibatch) or `validation`; `tower` is `encoder`,
`decoder` or empty, and `layer` then -1: hidden layer 0 is the input layer, 1 to depth are the blocks; for instruments
of matrices, depth + 1 is the head.
"""

# What a record holds of them: workload and arm are how a plan calls the cell. Typed, so that a table without rows can
# be filtered like any other.
_STORED_TYPES = {
    **dict.fromkeys(("phase", "split", "instrument", "tower"), "str"),
    **dict.fromkeys(("seed", "step", "layer"), "int32"),
    "learning_rate": "float64",
    "value": "float32",
}

Manifest = dict[str, Any]


class Store:
    """The cells, timings and plan below one folder."""

    def __init__(self, directory: Path | str):
        self.directory = Path(directory)

    @property
    def cells(self) -> Path:
        """The folder of the records."""
        return self.directory / "cells"

    def require_writable(self) -> None:
        """Make the folder, or raise.

        Raises:
            InputError: If the folder cannot be made or written to.
        """
        try:
            self.cells.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.cells):
                pass
        except OSError as error:
            raise InputError(
                f"cannot write to {str(self.directory)!r}: {error.strerror}; name a folder that can be with --out"
            ) from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one run; the system lets go of it however the run ends.

        Raises:
            InputError: If another run holds it.
        """
        lock = FileLock(self.directory / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise InputError(
                f"another run is writing to {str(self.directory)!r}: wait for it, or name another folder with --out"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def write_plan(self, plan: dict[str, Any]) -> None:
        """Record which cells the last command asked for, so that what is missing can be counted."""
        write_atomically(self.directory / "plan.json", _json(plan))

    def has_plan(self, plan: dict[str, Any]) -> bool:
        """Whether this is the plan that the tables were last made of."""
        try:
            return (self.directory / "plan.json").read_bytes() == _json(plan)
        except OSError:
            return False

    def read_plan(self) -> dict[str, Any]:
        """The plan.

        Raises:
            InputError: If there is none.
        """
        try:
            return json.loads((self.directory / "plan.json").read_text())
        except FileNotFoundError:
            raise InputError(
                f"{str(self.directory)!r} holds no plan.json: give a folder that a run has written, "
                "as results/runs/quick"
            ) from None
        except (OSError, json.JSONDecodeError) as error:
            raise InputError(
                f"{self.directory / 'plan.json'} cannot be read ({error}): run the command again, its cells are kept"
            ) from error

    def write(self, manifest: Manifest, curves: pd.DataFrame) -> None:
        """Store one cell, or replace it: whole or not at all."""
        name = record_name(manifest["identity"])
        data = curves.astype(_STORED_TYPES)[list(_STORED_TYPES)].to_parquet(index=False)
        write_atomically(self.cells / f"{name}.parquet", data)
        record = {"schema": SCHEMA, **manifest, "curves_sha256": hashlib.sha256(data).hexdigest()}
        write_atomically(self.cells / f"{name}.json", _json(record))

    def read(self, identity: str) -> Manifest | None:
        """One cell's manifest, or None where it is not stored whole.

        The arm in it is what the cell was called when it was run; a plan may call it otherwise.
        """
        path = self.cells / f"{record_name(identity)}.json"
        try:
            manifest = json.loads(path.read_text())
            curves = path.with_suffix(".parquet").read_bytes()
        except (OSError, json.JSONDecodeError):
            return None
        whole = manifest.get("schema") == SCHEMA and manifest.get("identity") == identity
        return manifest if whole and hashlib.sha256(curves).hexdigest() == manifest["curves_sha256"] else None

    def read_curves(self, cells: Iterable[Manifest], instruments: Iterable[str] | None = None) -> pd.DataFrame:
        """The curves of stored cells, one tidy frame, or the named instruments' part of it.

        Args:
            cells: Each with its identity, and the workload and arm to call it by.
            instruments: Names of instruments; all by default.
        """
        filters = None if instruments is None else [("instrument", "in", list(instruments))]
        frames = [
            pd.read_parquet(self.cells / f"{record_name(cell['identity'])}.parquet", filters=filters).assign(
                workload=cell["workload"], arm=cell["arm"]
            )
            for cell in cells
        ]
        if not frames:
            return pd.DataFrame(columns=list(CURVE_COLUMNS))
        return pd.concat(frames, ignore_index=True).reindex(columns=list(CURVE_COLUMNS))

    def write_timing(self, identity: str, timing: dict[str, Any]) -> None:
        """Store how fast a cell's program runs; measured apart from its training, so it is a record of its own."""
        (self.directory / "timings").mkdir(parents=True, exist_ok=True)
        write_atomically(self.directory / "timings" / f"{record_name(identity)}.json", _json(timing))

    def read_timing(self, identity: str) -> dict[str, Any] | None:
        """How fast a cell's program runs, or None where that was not measured."""
        try:
            return json.loads((self.directory / "timings" / f"{record_name(identity)}.json").read_text())
        except (OSError, json.JSONDecodeError):
            return None


def record_name(identity: str) -> str:
    """A cell's file name without its ending; not the arm's, since one cell may be called by several."""
    return identity[:24]


def _json(value: Any) -> bytes:
    # No NaN or infinity: they are no JSON, and other readers refuse them.
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside the target, sync, and rename: a reader sees the old file or the new one, never a part."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".tmp", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
