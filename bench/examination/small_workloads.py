"""Where a remedy is tried: a base on a workload that compiles in seconds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.data.dataset import Dataset
from bench.language.arms import Term
from bench.planning.catalogue import Catalogue
from bench.planning.compose import build_workload
from bench.plugins.workload import Workload
from vae_jax.recipe.recipe import Recipe

# For the parameters that a workload has of these names.
_SMALL = {"depth": 2, "width": 16, "latent": 4, "batch": 32, "steps": 4, "length": 6}


@dataclass(frozen=True)
class SmallBase:
    """A base on a small workload.

    Attributes:
        text: The workload with its sizes.
        workload: The workload that the text names.
        base: The base's name.
        dataset: The workload's data.
        plateau: The score of an arm that has learnt nothing on them.
    """

    text: str
    workload: Workload
    base: str
    dataset: Dataset
    plateau: float

    @property
    def recipe(self) -> Recipe:
        """The base's."""
        return self.workload.bases[self.base]

    def arm(self, term: str) -> str:
        """The text of the base with a remedy; without one, of the base."""
        return f"{self.base}+{term}" if term else self.base


def small_bases(catalogue: Catalogue) -> Iterator[SmallBase]:
    """Every base of every workload at small sizes, those of `digits-dense` first.

    Args:
        catalogue: Where the workloads are.
    """
    for name in sorted(catalogue.workloads, key=lambda name: name != "digits-dense"):
        text, workload = build_workload(catalogue, sized(catalogue, name, _SMALL))
        dataset = workload.data()
        plateau = workload.plateau(dataset, dataset.test)
        for base in workload.bases:
            yield SmallBase(text, workload, base, dataset, plateau)


def sized(catalogue: Catalogue, name: str, sizes: Mapping[str, int]) -> str:
    """A workload's text with those of the sizes that it has parameters for.

    Args:
        catalogue: Where the workloads are.
        name: Of the workload.
        sizes: By parameter.
    """
    given = [(key, sizes[key]) for key in catalogue.workloads[name].parameters if key in sizes]
    return str(Term(name, tuple(given)))
