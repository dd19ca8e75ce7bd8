"""The digits that come with scikit-learn: loaded and split the same way every time."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from bench.data.dataset import Dataset, Examples
from bench.data.splits import Arrays, Splits, take

# The split and the fixed draws are part of the benchmark's definition, not of a run; another split has others.
SPLIT_SEED = 0
DRAW_SEEDS = {"validation": 1, "test": 2}


def digits(split: int = SPLIT_SEED) -> Dataset:
    """The 1,797 8x8 grey digits that come inside scikit-learn, as pixel probabilities: 1,257 / 270 / 270.

    The split is stratified by digit; validation and test are one fixed binarisation each.

    Args:
        split: The seed of the split, and of both binarisations.

    Source:
        Alpaydin & Kaynak 1998, UCI Optical Recognition of Handwritten Digits (its test part).
    """
    splits = digit_images(split)
    held_out = {name: getattr(splits, name)["images"].reshape(270, 64) for name in ("validation", "test")}
    return Dataset(
        splits.train["images"].reshape(-1, 64),
        **{name: binarised(images, name, split) for name, images in held_out.items()},
        labels=splits.test["labels"],
        description=splits.description,
    )


def digit_images(split: int = SPLIT_SEED) -> Splits[Arrays]:
    """The same digits as 8 x 8 intensities in [0, 1] with their labels, in the same splits."""
    images, labels = map(np.asarray, load_digits(return_X_y=True))
    rows = {"images": (images / 16).astype(np.float32).reshape(-1, 8, 8), "labels": labels.astype(np.uint8)}
    train, rest = _split(np.arange(len(labels)), labels, 540, split)
    validation, test = _split(rest, labels, 270, split)
    description = f"Split at random with seed {split}, each digit in its share: 1,257 / 270 / 270 examples."
    return Splits(take(rows, train), take(rows, validation), take(rows, test), description)


def independent_pixels(data: Dataset, x: Examples) -> float:
    """Minus the log-likelihood, in nats, of independent Bernoulli pixels fitted to the training set.

    What a decoder reaches that ignores z: the plateau of a VAE whose gradient, or whose posterior, is dead.

    Args:
        data: Its training set is fitted.
        x: The presentation to judge it on, as `data.test`.
    """
    # Laplace's half count keeps a pixel that is never lit in training from costing infinitely much.
    count = len(data.train)
    p = (data.train.astype(np.float64).sum(axis=0) + 0.5) / (count + 1)
    log_likelihood = x * np.log(p) + (1 - x) * np.log1p(-p)
    return float(-log_likelihood.sum(axis=1).mean())


def _split(examples: np.ndarray, labels: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices without and with `size` of the examples, each digit in its share."""
    parts = train_test_split(examples, test_size=size, stratify=labels[examples], random_state=seed)
    return np.asarray(parts[0]), np.asarray(parts[1])


def binarised(intensity: Examples, name: str, split: int = SPLIT_SEED) -> Examples:
    """One fixed binarisation of held-out intensities in [0, 1], the same every time.

    Args:
        intensity: Probabilities of ink.
        name: `validation` or `test`: each has a draw of its own.
        split: The seed of the split: so has each split.
    """
    draw = np.random.default_rng(DRAW_SEEDS[name] + len(DRAW_SEEDS) * split).random(intensity.shape)
    return (draw < intensity).astype(np.float32)
