"""Images, or noise, through a narrow code that is not random."""

import numpy as np

from bench.data.dataset import Dataset, Rows
from bench.data.images import flat_images, images, mean_image, picture
from bench.data.reading.medium import Values
from bench.language.errors import InputError
from bench.language.widths import widths as layers
from bench.plugins.workload import Workload, workload
from bench.results.judging.score import squared_error
from bench.workloads.bases import BASELINE, TRAINABLE
from vae_jax.models.autoencoder import AutoencoderArchitecture
from vae_jax.models.likelihoods import SquaredError
from vae_jax.models.presentations import Corrupted
from vae_jax.towers.tapered import Tapered

NOISE_DIMENSIONS = 100

_SEED = 0
_EXAMPLES = {"train": 2048, "validation": 512, "test": 1024}


@workload
def autoencoder(
    *,
    data: str = "digits",
    widths: str = "64x9",
    code: int = 8,
    sigmoid: bool = False,
    corruption: float = 0.0,
    examples: int = 0,
    in_blocks: bool = False,
    batch: int = 128,
    steps: int = 1500,
) -> Workload:
    """A plain autoencoder of images, squared error and no term for the code: the gradient vanishes through depth.

    `widths` are the encoder's hidden layers, and the decoder's in reverse: `[data=mnist,widths=64,code=32]` is the
    taught 784-64-32-64-784. `corruption` is the standard deviation of noise that is added to what the encoder sees, and
    not to what is to come back. `sigmoid=true` squashes the outputs, whose squared error then saturates.
    `data=noise` are 100 independent normal numbers, which no narrow code compresses: a control. Of your own, `data` is
    images or a table of numbers.

    Why it vanishes: as on digits-dense, by a sigmoid's slope in every layer.

    Where the baseline must sit: on the training mean, which the output layer's bias learns by itself. Its squared error
    on test is the *plateau*; what comes below has put something into the code.
    """
    if corruption < 0:
        raise InputError(f"corruption must be at least 0, got {corruption:g}: it is a standard deviation")
    own = layers(widths)
    if data == "noise":
        columns, load, medium = NOISE_DIMENSIONS, noise, Values(NOISE_DIMENSIONS)
    else:
        found = images(data, examples, in_blocks=in_blocks, unit_interval=sigmoid, tables=True)
        columns, load, medium = found.numbers, flat_images(found, "none"), picture(found)

    return Workload(
        architecture=AutoencoderArchitecture(
            columns, len(own) - 1, own[0], code, SquaredError(sigmoid=sigmoid), Tapered(own), Tapered(own[::-1]),
            Corrupted(corruption) if corruption else None,
        ),
        bases={"baseline": BASELINE, "trainable": TRAINABLE},
        steps=steps,
        batch=batch,
        data=load,
        plateau=mean_image,
        score=squared_error("squared error", "per example", columns),
        medium=medium,
    )  # fmt: skip


def noise() -> Dataset:
    """The same independent normal numbers every time."""
    generator = np.random.default_rng(_SEED)
    rows: dict[str, Rows] = {
        split: generator.normal(size=(examples, NOISE_DIMENSIONS)).astype(np.float32)
        for split, examples in _EXAMPLES.items()
    }
    return Dataset(**rows)
