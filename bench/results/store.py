"""The store: one atomic record per cell, curves as parquet and all else as JSON.

A record is `IDENTITY.parquet` and `IDENTITY.json` in `DIR/cells/`; the JSON is written last and holds the parquet's
checksum, so a record is there if and only if its JSON is. Nothing is pickled: a store can be read without trusting who
made it.
"""

import contextlib
import hashlib
import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from bench.language.errors import InputError

SCHEMA = 1

CURVE_COLUMNS = (
    "workload", "arm", "phase", "split", "seed", "learning_rate", "step", "instrument", "tower", "layer", "value",
)  # fmt: skip
"""Tidy curves: one row per reading.

`phase` is `tuning` or `reporting`; `split` is `train` (the step's minibatch) or `validation`; `tower` is `encoder`,
`decoder` or empty, and `layer` then -1: hidden layer 0 is the input layer, 1 to depth are the blocks, and
of a recurrent tower layer t is the state after step t + 1; for instruments of matrices the last is the head.
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

# What a file that is no JSON can raise: text that is none, bytes that are no text, brackets without end.
_NO_JSON = (ValueError, RecursionError)


class DamagedRecordError(Exception):
    """A record is there and cannot be trusted: in a sentence, why."""


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
            # Only a run that was killed leaves these, and it holds the lock no more.
            for folder in (self.directory, self.cells, self.directory / "timings"):
                for path in folder.glob(".*.tmp"):
                    path.unlink()
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
            return json.loads((self.directory / "plan.json").read_bytes())
        except FileNotFoundError:
            raise InputError(
                f"{str(self.directory)!r} holds no plan.json: give a folder that a run has written, "
                "as results/runs/quick"
            ) from None
        except (OSError, *_NO_JSON) as error:
            raise InputError(
                f"{self.directory / 'plan.json'} cannot be read ({error}): run the command again, its cells are kept"
            ) from error

    def write(self, manifest: Manifest, curves: pd.DataFrame) -> None:
        """Store one cell, or replace it: whole or not at all."""
        self._write(manifest, curves.astype(_STORED_TYPES)[list(_STORED_TYPES)].to_parquet(index=False))

    def identities(self) -> set[str]:
        """The identities of all records that are there, whole or not."""
        try:
            return {path.stem for path in self.cells.iterdir() if path.suffix == ".json"}
        except FileNotFoundError:
            return set()

    def require(self, identity: str) -> Manifest:
        """One cell's manifest.

        The arm in it is what the cell was called when it was run; a plan may call it otherwise.

        Raises:
            FileNotFoundError: If it is not stored.
            DamagedRecordError: If it is, and cannot be trusted.
        """
        path = self._record(identity)
        data = path.read_bytes()
        try:
            manifest = json.loads(data)
        except _NO_JSON as error:
            raise DamagedRecordError(f"{path.name} is no JSON: {error}") from error
        if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
            raise DamagedRecordError(f"{path.name} is not of schema {SCHEMA}")
        if manifest.get("identity") != identity:
            raise DamagedRecordError(f"{path.name} holds the identity of another cell")
        try:
            curves = path.with_suffix(".parquet").read_bytes()
        except FileNotFoundError as error:
            raise DamagedRecordError(f"{path.name} has no curves beside it") from error
        if hashlib.sha256(curves).hexdigest() != manifest.get("curves_sha256"):
            raise DamagedRecordError(f"{path.stem}.parquet has another checksum than {path.name} says")
        return manifest

    def read(self, identity: str) -> Manifest | None:
        """One cell's manifest, or None where it is not stored whole."""
        try:
            return self.require(identity)
        except (OSError, DamagedRecordError):
            return None

    def set_aside(self, identity: str) -> None:
        """Move a damaged record out of the way, to `set_aside/`, where a person can look at it."""
        aside = self.directory / "set_aside"
        aside.mkdir(exist_ok=True)
        number = next(n for n in itertools.count() if not list(aside.glob(f"{identity}.{n}.*")))
        for path in (self._record(identity), self._record(identity).with_suffix(".parquet")):
            if path.exists():
                path.replace(aside / f"{identity}.{number}{path.suffix}")

    def adopt(self, stored: str, identity: str, changes: Mapping[str, Any]) -> Manifest:
        """Let a stored record answer for another identity too; the old one stays, for sources that may come back.

        Args:
            stored: The identity that it is stored under.
            identity: The other one.
            changes: What of it is found anew.
        """
        manifest = self.require(stored) | changes | {"identity": identity}
        self._write(manifest, self._record(stored).with_suffix(".parquet").read_bytes())
        timing = self.read_timing(stored)
        if timing is not None:
            self.write_timing(identity, timing)
        return manifest

    def read_curves(self, cells: Iterable[Manifest], instruments: Iterable[str] | None = None) -> pd.DataFrame:
        """The curves of stored cells, one tidy frame, or the named instruments' part of it.

        Args:
            cells: Each with its identity, and the workload and arm to call it by.
            instruments: Names of instruments; all by default.
        """
        filters = None if instruments is None else [("instrument", "in", list(instruments))]
        frames = [
            pd.read_parquet(self._record(cell["identity"]).with_suffix(".parquet"), filters=filters).assign(
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
        write_atomically(self.directory / "timings" / f"{identity}.json", _json(timing))

    def read_timing(self, identity: str) -> dict[str, Any] | None:
        """How fast a cell's program runs, or None where that was not measured."""
        try:
            return json.loads((self.directory / "timings" / f"{identity}.json").read_bytes())
        except (OSError, *_NO_JSON):
            return None

    def _write(self, manifest: Manifest, curves: bytes) -> None:
        path = self._record(manifest["identity"])
        # Between the two renames no JSON may stand that speaks of other curves: a kill there would look like damage.
        write_atomically(path.with_suffix(".parquet"), curves, before=lambda: path.unlink(missing_ok=True))
        write_atomically(
            path, _json(manifest | {"schema": SCHEMA, "curves_sha256": hashlib.sha256(curves).hexdigest()})
        )

    def _record(self, identity: str) -> Path:
        # By identity, not by arm: one cell may be called by several arms' names.
        return self.cells / f"{identity}.json"


def _json(value: Any) -> bytes:
    # No NaN or infinity: they are no JSON, and other readers refuse them.
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


def write_atomically(path: Path, data: bytes, before: Callable[[], None] | None = None) -> None:
    """Write beside the target, sync, and rename: a reader sees the old file or the new one, never a part.

    Args:
        path: The target.
        data: Its content.
        before: Called when all is written, just before the rename.
    """
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".tmp", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)
            if before is not None:
                before()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
