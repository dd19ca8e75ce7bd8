"""A workload with all that it loads, and a digest of it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from bench.data.dataset import Dataset
from bench.language.errors import InputError
from bench.planning.catalogue import Catalogue
from bench.planning.compose import build_workload
from bench.plugins.reads import Reads, recorded
from bench.plugins.workload import Workload
from vae_jax.evaluation.estimators import FEWEST_POSTERIORS
from vae_jax.models.batch import examples
from vae_jax.recipe.recipe import Recipe


@dataclass(frozen=True)
class LoadedWorkload:
    """A workload and its data.

    Attributes:
        text: The workload's text, in its shortest form.
        workload: What the text says.
        function: The function that makes it.
        dataset: Its data.
        digest: Of the data's arrays: their types, shapes and every number.
        plateau: The score that a dead arm sits at on test.
        plateau_validation: And on validation, which curves over steps are measured on.
        reads: What a person's own code has read to make it.
    """

    text: str
    workload: Workload
    function: Callable[..., Any]
    dataset: Dataset
    digest: str
    plateau: float
    plateau_validation: float
    reads: Reads

    @property
    def baseline(self) -> Recipe:
        """The first base's recipe: the one that stalls."""
        return next(iter(self.workload.bases.values()))


def load_workload(catalogue: Catalogue, text: str) -> LoadedWorkload:
    """The workload that a text names, loaded once in a process while its files stay as they are.

    Args:
        catalogue: What there is.
        text: As a person writes it.

    Raises:
        InputError: If there is none, its data do not hold, or there are too few of them to be judged by.
    """
    known = _loaded.get((catalogue, text))
    if known is None or not known.reads.current():
        # Data sets are large, and cells of one run ask for one.
        _loaded.clear()
        known = _loaded[catalogue, text] = _load(catalogue, text)
    return known


_loaded: dict[tuple[Catalogue, str], LoadedWorkload] = {}


def _load(catalogue: Catalogue, text: str) -> LoadedWorkload:
    with recorded() as reads:
        shortest, workload = build_workload(catalogue, text)
        dataset = workload.data()
        plateaus = workload.plateau(dataset, dataset.test), workload.plateau(dataset, dataset.validation)
    kind = catalogue.workloads[shortest.partition("[")[0]]
    if reads.beyond:
        raise InputError(
            f"workload {kind.name!r} in {kind.location}, {' and '.join(reads.beyond)}: its data must be in files, "
            "whose content is known"
        )
    train, test = examples(dataset.train), examples(dataset.test)
    most = max(train, test)
    if workload.architecture.before_z and most < FEWEST_POSTERIORS:
        raise InputError(
            f"workload {shortest!r} in {kind.location}, loads {train} examples as train and "
            f"{test} as test: give one of them at least {FEWEST_POSTERIORS}, since a mutual information "
            "cannot exceed the logarithm of their number"
        )
    return LoadedWorkload(shortest, workload, kind.function, dataset, digest(dataset), *plateaus, reads)


def digest(dataset: Dataset) -> str:
    """A digest of all arrays of a data set."""
    found = hashlib.sha256()
    splits = {split: getattr(dataset, split) for split in ("train", "validation", "test", "mean")}
    for path, leaf in jax.tree_util.tree_leaves_with_path(splits):
        array = np.ascontiguousarray(leaf)
        found.update(f"{jax.tree_util.keystr(path)} {array.dtype.str} {array.shape}".encode())
        found.update(array.data)
    return found.hexdigest()
