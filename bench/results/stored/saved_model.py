"""A model that was trained, as it is kept: its arrays, some examples of what it does, and what they are of. No jax.

Arrays are safetensors and numpy's own format, and all else is JSON: nothing in them is ever run.
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bench.results.stored.records import CellRecord

MODEL_SCHEMA = 1
"""The version of a model's record; to be raised by whoever adds, removes or renames a field, or a model's array."""


@dataclass(frozen=True)
class ArrayRecord:
    """What one array is like."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class ModelRecord:
    """What a saved model is, by name and number: from this it is composed again of what is installed.

    Attributes:
        identity: Of its cell.
        workload: The workload's text.
        arm: The arm's text.
        seed: Of its training.
        learning_rate: The one that was chosen.
        steps: Its training's.
        data: Digest of the data that it was trained on.
        recipe: Every slot's value.
        likelihood: What its outputs mean, as it is printed.
        presentation: How its examples are presented, as it is printed.
        own_code: Digest of the person's own code in it, and of what that reads.
        plugins: Where that code was.
        medium: How its examples are read and written.
        versions: Of the libraries that trained it.
        arrays: Every array by its path.
        checksums: SHA-256 of the files beside this one, by their ending.
    """

    identity: str
    workload: str
    arm: str
    seed: int
    learning_rate: float
    steps: int
    data: str
    recipe: dict[str, Any]
    likelihood: str
    presentation: str
    own_code: str
    plugins: tuple[str, ...]
    medium: dict[str, Any]
    versions: dict[str, str]
    arrays: dict[str, ArrayRecord]
    checksums: dict[str, str]


@dataclass(frozen=True)
class SavedModel:
    """A model as it was read or is to be written.

    Attributes:
        record: What it is.
        files: The content of the files beside its record, by their ending: `TENSORS` and `EXAMPLES`.
    """

    record: ModelRecord
    files: dict[str, bytes]


TENSORS = "safetensors"
EXAMPLES = "npz"


def has_model(record: CellRecord) -> bool:
    """Whether a cell has a model to be kept: that of its first reporting training, unless it diverged."""
    return bool(record.trainings) and record.trainings[0].diverged_at is None


def describe_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, ArrayRecord]:
    """What each array is like."""
    return {name: ArrayRecord(array.shape, str(array.dtype)) for name, array in arrays.items()}


def checksum(content: bytes) -> str:
    """The SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays by name, as safetensors."""
    # Not by ascontiguousarray, which gives a single number an axis.
    return save({name: np.asarray(array, order="C") for name, array in arrays.items()})


def unpack(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of a file of safetensors.

    Raises:
        ValueError: If it is none.
    """
    try:
        return load(content)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def pack_examples(examples: Mapping[str, np.ndarray]) -> bytes:
    """Examples of what a model does, by what they are, as .npz."""
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **examples)
    return file.getvalue()


def unpack_examples(content: bytes) -> dict[str, np.ndarray]:
    """The same again."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return dict(archive)
