"""Images for a workload: by name, as intensities, binarised as it asks."""

import math
from collections.abc import Callable

import numpy as np

from bench.data.dataset import Dataset, Examples
from bench.data.digits import binarised
from bench.data.listing import find_sets
from bench.data.named_data import NamedData
from bench.data.reading.intensities import intensities
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


def usual_binarisation(asked: str, bernoulli: bool) -> str:
    """The binarisation that is asked for, or where it is `usual`: anew under a Bernoulli likelihood, else none."""
    if asked == "usual":
        return "anew" if bernoulli else "none"
    return asked


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


def image_size(name: str) -> tuple[int, int]:
    """Height and width of a data set's images, without reading it.

    Raises:
        InputError: If there is no such set, or it holds no images.
    """
    height, width = _kind(name).shape
    return height, width


def pixels(name: str) -> int:
    """How many numbers one image of a data set is, without reading it; raises as `image_size`."""
    return math.prod(image_size(name))


def _kind(name: str) -> NamedData:
    (kind,) = find_sets((name,))
    if kind.kind != "images":
        raise InputError(f"data set {name!r} holds {kind.kind}, and this workload is of images: name one of images")
    return kind


def mean_image(data: Dataset, x: Examples) -> float:
    """Squared error, summed over an image, of the mean of the training images.

    What a decoder reaches that ignores z: the plateau under a squared error.

    Args:
        data: Its training set has the mean.
        x: The presentation to judge it on, as `data.test`.
    """
    return float(((x.astype(np.float64) - data.mean) ** 2).sum(axis=1).mean())
