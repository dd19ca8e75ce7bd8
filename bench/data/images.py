"""Images for a workload: by name, as intensities, binarised as it asks."""

import math
from collections.abc import Callable

import numpy as np

from bench.data.dataset import Dataset
from bench.data.digits import binarised
from bench.data.listing import find_sets
from bench.data.named_data import NamedData
from bench.data.reading.intensities import intensities
from bench.data.reading.medium import Images
from bench.data.splits import Arrays, Splits
from bench.language.errors import InputError

BINARISATIONS = ("anew", "fixed", "none")
"""Anew at every presentation in training; once, the same for every run; or not at all."""

_FIXED_SEED = 3


def images(name: str, examples: int = 0) -> Splits[Arrays]:
    """The images of a data set as intensities in [0, 1], in float32.

    Args:
        name: As `python -m bench data list` shows it.
        examples: How many of the training set to use; 0 for all.

    Raises:
        InputError: If there is no such set, it holds no images, or it is not on this machine.
    """
    found = _kind(name)()
    found = found.with_examples(examples) if examples else found
    return found.map(lambda rows: {**rows, "images": intensities(rows["images"]).astype(np.float32)})


def flat_images(name: str, examples: int, binarisation: str) -> Callable[[], Dataset]:
    """A function that loads images as rows of intensities, for a dense encoder.

    Args:
        name: As for `images`.
        examples: As for `images`.
        binarisation: One of `BINARISATIONS`; held-out images are binarised once wherever training ones are.

    Raises:
        InputError: If there is no such binarisation.
    """
    if binarisation not in BINARISATIONS:
        raise InputError(f"binarisation must be one of {', '.join(BINARISATIONS)}, got {binarisation!r}")

    def load() -> Dataset:
        splits = images(name, examples)
        flat = {
            split: getattr(splits, split)["images"].reshape(len(getattr(splits, split)["images"]), -1)
            for split in ("train", "validation", "test")
        }
        mean = flat["train"].mean(axis=0)
        if binarisation == "fixed":
            draw = np.random.default_rng(_FIXED_SEED).random(flat["train"].shape)
            flat["train"] = (draw < flat["train"]).astype(np.float32)
        if binarisation != "none":
            flat |= {split: binarised(flat[split], split) for split in ("validation", "test")}
        return Dataset(**flat, mean=mean)

    return load


def pixels(name: str) -> int:
    """How many numbers one image of a data set is, without reading it.

    Raises:
        InputError: If there is no such set, or it holds no images.
    """
    return math.prod(_kind(name).shape)


def picture(name: str) -> Images:
    """How an image of a data set is read, written and shown.

    Raises:
        InputError: If there is no such set, or it holds no images.
    """
    return Images(_kind(name).shape)


def _kind(name: str) -> NamedData:
    (kind,) = find_sets((name,))
    if kind.kind != "images":
        raise InputError(f"data set {name!r} holds {kind.kind}, and this workload is of images: name one of images")
    return kind
