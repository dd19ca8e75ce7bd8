"""The store: one atomic record per cell, curves as parquet and all else as JSON.

A record is `IDENTITY.parquet` and `IDENTITY.json` in `DIR/cells/`; the JSON is written last and holds the parquet's
checksum, so a record is there if and only if its JSON is. Nothing is pickled: a store can be read without trusting who
made it.
"""

import contextlib
import hashlib
import io
import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import pandas as pd
from filelock import FileLock, Timeout

from bench.language.errors import InputError
from bench.results.stored.records import SCHEMA, CellRecord, ConfirmationRecord, PlanRecord, TimingRecord
from bench.results.stored.saved_model import EXAMPLES, MODEL_SCHEMA, TENSORS, ModelRecord, SavedModel, checksum
from bench.results.stored.typed_json import dump, typed

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

FOLDERS = ("cells", "timings", "confirmations", "models")
"""What a store holds beside its plan: files by a cell's identity."""

_CHECKSUM = "curves_sha256"

_OTHERS_CURE = "read it with the version that wrote it, or give its command again, which keeps what is there"

R = TypeVar("R")

# What a file that is no JSON can raise: text that is none, bytes that are no text, brackets without end.
_NO_JSON = (ValueError, RecursionError)


class UnreadableError(Exception):
    """A file of the store is there and cannot be used: in a sentence, which and why."""


class DamagedError(UnreadableError):
    """It is not what was written."""


class OtherSchemaError(UnreadableError):
    """It was written by another version of this project; nothing is wrong with it."""


@dataclass(frozen=True)
class StoredCell:
    """A cell as it was read, once.

    Attributes:
        record: Its record.
        parquet: Its curves, as they are stored.
        examples: What its model does, as it is stored; None where no model was saved.
    """

    record: CellRecord
    parquet: bytes
    examples: bytes | None = None

    @property
    def recorded(self) -> list[int]:
        """The steps at which its instruments were read."""
        steps = pd.read_parquet(io.BytesIO(self.parquet), columns=["step"], filters=[("split", "==", "train")])
        return sorted(steps["step"].unique().tolist())

    def curves(self, instruments: Iterable[str] | None = None, steps: Iterable[int] | None = None) -> pd.DataFrame:
        """The curves, or the part of some instruments and steps, without what a plan calls the cell."""
        wanted = {"instrument": instruments, "step": steps}
        filters = [(column, "in", list(values)) for column, values in wanted.items() if values is not None]
        return pd.read_parquet(io.BytesIO(self.parquet), filters=filters or None)


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
            for folder in (self.directory, *map(self.directory.joinpath, FOLDERS)):
                for path in folder.glob(".*.tmp"):
                    path.unlink()
            yield
        finally:
            lock.release()

    def write_plan(self, plan: PlanRecord) -> None:
        """Record which cells the last command asked for, so that what is missing can be counted.

        What another version has left there is set aside.
        """
        self._make_way(self.load_plan, self._plan)
        write_atomically(self._plan, _json(plan))

    def has_plan(self, plan: PlanRecord) -> bool:
        """Whether this is the plan that the tables were last made of."""
        try:
            return self._plan.read_bytes() == _json(plan)
        except OSError:
            return False

    def load_plan(self) -> PlanRecord:
        """The plan.

        Raises:
            FileNotFoundError: If there is none.
            UnreadableError: If there is, and it cannot be used.
        """
        return _read(self._plan, PlanRecord)

    def read_plan(self) -> PlanRecord:
        """The plan, for a person who asked for it.

        Raises:
            InputError: If there is none, or it cannot be used.
        """
        try:
            return self.load_plan()
        except FileNotFoundError:
            raise InputError(
                f"{str(self.directory)!r} holds no plan.json: give a folder that a run has written, "
                "as results/runs/quick"
            ) from None
        except OtherSchemaError as other:
            raise InputError(f"in {str(self.directory)!r}, {other}: {_OTHERS_CURE}") from None
        except (OSError, DamagedError) as error:
            raise InputError(
                f"in {str(self.directory)!r}, {error}: run the command again, its cells are kept"
            ) from error

    def write(self, record: CellRecord, curves: pd.DataFrame) -> None:
        """Store one cell, or replace it: whole or not at all. What cannot be read there is set aside."""
        self._write(record, curves.astype(_STORED_TYPES)[list(_STORED_TYPES)].to_parquet(index=False))

    def identities(self) -> set[str]:
        """The identities of all records that are there, whole or not."""
        try:
            return {path.stem for path in self.cells.iterdir() if path.suffix == ".json"}
        except FileNotFoundError:
            return set()

    def load(self, identity: str) -> StoredCell:
        """One cell with its curves.

        The arm in its record is what the cell was called when it was run; a plan may call it otherwise.

        Raises:
            FileNotFoundError: If it is not stored.
            UnreadableError: If it is, and cannot be used.
        """
        path = self._record(identity)
        about: dict[str, Any] = {}
        record = _read(path, CellRecord, about)
        if record.identity != identity:
            raise DamagedError(f"damaged: {path.name} holds the identity of another cell")
        try:
            curves = path.with_suffix(".parquet").read_bytes()
        except FileNotFoundError as error:
            raise DamagedError(f"damaged: {path.name} has no curves beside it") from error
        if hashlib.sha256(curves).hexdigest() != about.get(_CHECKSUM):
            raise DamagedError(f"damaged: {path.stem}.parquet has another checksum than {path.name} says")
        return StoredCell(record, curves)

    def read(self, identity: str) -> CellRecord | None:
        """One cell's record, or None where it is not stored whole."""
        try:
            return self.load(identity).record
        except (OSError, UnreadableError):
            return None

    def adopt(self, stored: str, identity: str, explanation: Mapping[str, Any]) -> CellRecord:
        """Let a stored record answer for another identity too; the old one stays, for sources that may come back.

        Args:
            stored: The identity that it is stored under.
            identity: The other one.
            explanation: Its verdicts, theory and blame, which are found anew.
        """
        cell = self.load(stored)
        record = replace(cell.record, identity=identity, **explanation)
        self._write(record, cell.parquet)
        timing = self.read_timing(stored)
        if timing is not None:
            self.write_timing(identity, timing)
        with contextlib.suppress(OSError, UnreadableError):
            self.write_confirmation(replace(self.load_confirmation(stored), identity=identity))
        with contextlib.suppress(OSError, UnreadableError):
            model = self.load_model(stored)
            self.write_model(replace(model, record=replace(model.record, identity=identity)))
        return record

    def write_timing(self, identity: str, timing: TimingRecord) -> None:
        """Store how fast a cell's program runs; measured apart from its training, so it is a record of its own."""
        path = self._timing(identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._make_way(lambda: self.load_timing(identity), path)
        write_atomically(path, _json(timing))

    def load_timing(self, identity: str) -> TimingRecord:
        """How fast a cell's program runs.

        Raises:
            FileNotFoundError: If that was not measured.
            UnreadableError: If it was, and cannot be used.
        """
        return _read(self._timing(identity), TimingRecord)

    def read_timing(self, identity: str) -> TimingRecord | None:
        """How fast a cell's program runs, or None where there is no usable measurement."""
        try:
            return self.load_timing(identity)
        except (OSError, UnreadableError):
            return None

    def write_confirmation(self, record: ConfirmationRecord) -> None:
        """Store a cell's confirmation; it comes after the cell, so it is a record of its own."""
        path = self._confirmation(record.identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._make_way(lambda: self.load_confirmation(record.identity), path)
        write_atomically(path, _json(record))

    def load_confirmation(self, identity: str) -> ConfirmationRecord:
        """A cell's confirmation.

        Raises:
            FileNotFoundError: If it was not confirmed.
            UnreadableError: If it was, and that cannot be used.
        """
        record = _read(self._confirmation(identity), ConfirmationRecord)
        if record.identity != identity:
            raise DamagedError(f"damaged: {identity}.json in confirmations/ holds the identity of another cell")
        return record

    def write_model(self, model: SavedModel) -> None:
        """Store the model of a cell, whole or not at all. What cannot be read there is set aside."""
        path = self._model(model.record.identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        files = {path.with_suffix(f".{ending}"): content for ending, content in model.files.items()}
        self._make_way(lambda: self.load_model(model.record.identity), path, *files)
        path.unlink(missing_ok=True)
        for file, content in files.items():
            write_atomically(file, content)
        write_atomically(path, _json(model.record, schema=MODEL_SCHEMA))

    def load_model(self, identity: str, endings: Iterable[str] = (TENSORS, EXAMPLES)) -> SavedModel:
        """The model of a cell.

        Args:
            identity: The cell's.
            endings: Which of the files beside its record to read.

        Raises:
            FileNotFoundError: If none is stored.
            UnreadableError: If one is, and cannot be used.
        """
        path = self._model(identity)
        record = _read(path, ModelRecord, schema=MODEL_SCHEMA)
        if record.identity != identity:
            raise DamagedError(f"damaged: {path.name} holds the model of another cell, arm {record.arm!r}")
        files = {}
        for ending in endings:
            beside = path.with_suffix(f".{ending}")
            try:
                files[ending] = beside.read_bytes()
            except FileNotFoundError as error:
                raise DamagedError(f"damaged: {path.name} has no {beside.name} beside it") from error
            if checksum(files[ending]) != record.checksums.get(ending):
                raise DamagedError(f"damaged: {beside.name} has another checksum than {path.name} says")
        return SavedModel(record, files)

    def _write(self, record: CellRecord, curves: bytes) -> None:
        path = self._record(record.identity)
        self._make_way(lambda: self.load(record.identity), path, path.with_suffix(".parquet"))
        # Between the two renames no JSON may stand that speaks of other curves: a kill there would look like damage.
        write_atomically(path.with_suffix(".parquet"), curves, before=lambda: path.unlink(missing_ok=True))
        write_atomically(path, _json(record, {_CHECKSUM: hashlib.sha256(curves).hexdigest()}))

    def set_aside(self, identity: str) -> None:
        """Move a cell's record to `set_aside/`, where it stays; nothing where there is none."""
        path = self._record(identity)
        self._move(path, path.with_suffix(".parquet"))

    def _make_way(self, read: Callable[[], Any], *paths: Path) -> None:
        """Move what is about to be replaced to `set_aside/`, where it cannot be read: nobody knows what it is worth."""
        try:
            read()
        except FileNotFoundError:
            return
        except UnreadableError:
            self._move(*paths)

    def _move(self, *paths: Path) -> None:
        there = [path for path in paths if path.exists()]
        if there:
            aside, stem = self.directory / "set_aside", paths[0].stem
            aside.mkdir(exist_ok=True)
            number = next(n for n in itertools.count() if not list(aside.glob(f"{stem}.{n}.*")))
            for path in there:
                path.replace(aside / f"{stem}.{number}{path.suffix}")

    @property
    def _plan(self) -> Path:
        return self.directory / "plan.json"

    def _record(self, identity: str) -> Path:
        # By identity, not by arm: one cell may be called by several arms' names.
        return self.cells / f"{identity}.json"

    def _timing(self, identity: str) -> Path:
        return self.directory / "timings" / f"{identity}.json"

    def _confirmation(self, identity: str) -> Path:
        return self.directory / "confirmations" / f"{identity}.json"

    def _model(self, identity: str) -> Path:
        return self.directory / "models" / f"{identity}.json"


def _json(record: Any, about: Mapping[str, Any] = MappingProxyType({}), schema: int = SCHEMA) -> bytes:
    return dump({"schema": schema, **about, **asdict(record)})


def _read(path: Path, kind: type[R], about: dict[str, Any] | None = None, schema: int = SCHEMA) -> R:
    """A record from its file; what the file says beside it goes into `about`.

    Raises:
        OSError: If it cannot be opened.
        UnreadableError: If it is no such record of this schema.
    """
    try:
        content = json.loads(path.read_bytes())
    except _NO_JSON as error:
        raise DamagedError(f"damaged: {path.name} is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise DamagedError(f"damaged: {path.name} is no record")
    # Before anything else is looked for: only of this schema is it known what must be there.
    found = content.pop("schema", None)
    if found != schema:
        says = "names no schema" if found is None else f"is of schema {found!r:.40}"
        raise OtherSchemaError(f"{path.parent.name}/{path.name} {says}, and this version reads schema {schema}")
    if about is not None:
        about[_CHECKSUM] = content.pop(_CHECKSUM, None)
    try:
        return typed(kind, content)
    except TypeError as error:
        raise DamagedError(f"damaged: {path.name} is not as it was written: {error}") from error


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
