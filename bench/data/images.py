"""Images for a workload: by name or path, as intensities, binarised as it asks."""

from collections.abc import Callable

import numpy as np

from bench.data.chosen import Chosen, choose
from bench.data.dataset import Dataset, Examples
from bench.data.digits import binarised
from bench.data.reading.intensities import intensities
from bench.data.reading.medium import Images, Medium, Values
from bench.data.splits import Arrays
from bench.language.errors import InputError

BINARISATIONS = ("anew", "fixed", "none")
"""Anew at every presentation in training; once, the same for every run; or not at all."""

_FIXED_SEED = 3


def images(
    data: str, examples: int = 0, *, in_blocks: bool = False, unit_interval: bool = False, tables: bool = False
) -> Chosen:
    """The images that a workload's `data` names, as intensities in float32.

    Args:
        data: As for `choose`.
        examples: As for `choose`.
        in_blocks: As for `choose`.
        unit_interval: As for `choose`.
        tables: Whether rows of numbers will do as well, for what sees no rows and columns of pixels.

    Raises:
        InputError: If there is no such set or file, or it holds no images.
    """

    def intense(rows: Arrays) -> Arrays:
        (kind,) = (name for name in rows if name != "labels")
        others = {name: array for name, array in rows.items() if name != kind}
        return {"images": intensities(rows[kind]).astype(np.float32), **others}

    kinds = ("images", "values") if tables else ("images",)
    return choose(data, kinds, examples=examples, in_blocks=in_blocks, unit_interval=unit_interval).map(intense)


def usual_binarisation(asked: str, bernoulli: bool) -> str:
    """The binarisation that is asked for, or where it is `usual`: anew under a Bernoulli likelihood, else none."""
    if asked == "usual":
        return "anew" if bernoulli else "none"
    return asked


def flat_images(found: Chosen, binarisation: str) -> Callable[[], Dataset]:
    """A function that loads images as rows of intensities, for a dense encoder.

    Args:
        found: From `images`.
        binarisation: One of `BINARISATIONS`; held-out images are binarised once wherever training ones are.

    Raises:
        InputError: If there is no such binarisation.
    """
    if binarisation not in BINARISATIONS:
        raise InputError(f"binarisation must be one of {', '.join(BINARISATIONS)}, got {binarisation!r}")

    def load() -> Dataset:
        splits = found.splits()
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
        return Dataset(**flat, mean=mean, labels=splits.test.get("labels"), description=splits.description)

    return load


def mean_image(data: Dataset, x: Examples) -> float:
    """Squared error, summed over an image, of the mean of the training images.

    What a decoder reaches that ignores z: the plateau under a squared error.

    Args:
        data: Its training set has the mean.
        x: The presentation to judge it on, as `data.test`.
    """
    return float(((x.astype(np.float64) - data.mean) ** 2).sum(axis=1).mean())


def picture(found: Chosen) -> Medium:
    """How examples of the chosen data are read, written and shown."""
    shape = found.shape[:-1] if len(found.shape) == 3 and found.shape[-1] == 1 else found.shape
    # Of more axes, or with colours in front, it is no picture that a file of images holds.
    seen = found.kind == "images" and (len(shape) == 2 or (len(shape) == 3 and shape[-1] == 3))
    return Images(shape) if seen else Values(found.numbers)
