"""Images to be told apart by a deep dense encoder and a softmax."""

import math

import numpy as np

from bench.data.dataset import Dataset
from bench.data.images import images
from bench.language.errors import InputError
from bench.language.widths import widths as layers
from bench.plugins.workload import Workload, workload
from bench.results.judging.score import Score
from bench.workloads.bases import BASELINE, TRAINABLE
from vae_jax.models.classifier import ClassifierArchitecture
from vae_jax.towers.tapered import Tapered

SCORE = Score("cross-entropy", "nats", margin=0.1)


@workload
def classify(
    *,
    data: str = "digits",
    widths: str = "64x9",
    examples: int = 0,
    in_blocks: bool = False,
    batch: int = 128,
    steps: int = 1500,
) -> Workload:
    """Images through a deep dense encoder to their classes: the gradient vanishes through depth, without any z.

    The setting in which depth scales were measured: what a deep stack does to a gradient shows here without a decoder,
    a likelihood of pixels or a KL term beside it. Accuracy is reported beside the cross-entropy. Of your own, `data` is
    an .npz file of `images`, or `values`, and `labels`, which number the classes from 0.

    Why it vanishes: as on digits-dense, by a sigmoid's slope in every layer.

    Where the baseline must sit: on the classes' frequencies in training, which the output layer's bias is set to:
    log 10 = 2.30 nats where all ten are as frequent.
    """
    found = images(data, examples, in_blocks=in_blocks, tables=True)
    if not found.classes:
        raise InputError(
            f"data {data!r} has no labels, and this workload tells classes apart: name a set that has, as digits, or "
            "give an .npz file, as numpy.savez('mine.npz', images=images, labels=labels) writes it, classes numbered "
            "from 0"
        )
    own = layers(widths)

    def load() -> Dataset:
        splits = found.splits()
        pixels_mean = splits.train["images"].mean(axis=0)
        rows = [
            {
                "images": (each["images"] - pixels_mean).reshape(len(each["images"]), -1),
                "labels": each["labels"].astype(np.int32),
            }
            for each in (splits.train, splits.validation, splits.test)
        ]
        return Dataset(*rows, mean=frequencies(rows[0]["labels"]), description=splits.description)

    def frequencies(labels: np.ndarray) -> np.ndarray:
        return (np.bincount(labels, minlength=found.classes) / len(labels)).astype(np.float32)

    def plateau(dataset: Dataset, rows: dict[str, np.ndarray]) -> float:
        # Of a class that training has never shown, half a count.
        counts = np.maximum(dataset.mean * len(dataset.train["labels"]), 0.5)
        return -math.fsum(np.log(counts / counts.sum())[rows["labels"]].tolist()) / len(rows["labels"])

    return Workload(
        architecture=ClassifierArchitecture(found.numbers, found.classes, len(own) - 1, own[0], Tapered(own)),
        bases={"baseline": BASELINE, "trainable": TRAINABLE},
        steps=steps,
        batch=batch,
        data=load,
        plateau=plateau,
        score=SCORE,
    )
