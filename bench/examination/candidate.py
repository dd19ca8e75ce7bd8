"""A remedy on the base that it is examined on, and the short trainings that checks compare."""

import contextlib
from dataclasses import dataclass, field
from typing import Any

from bench.examination.check_result import CheckError
from bench.examination.small_workloads import SmallBase, small_bases
from bench.examination.trial import PROTOCOL, Trained, Trial
from bench.language.arms import Arm, Term
from bench.planning.applicability import slots_read
from bench.planning.catalogue import Catalogue
from bench.planning.compose import compose
from bench.plugins.remedy import NotApplicable, Remedy
from bench.plugins.watching import watched
from vae_jax.recipe.recipe import Recipe


@dataclass(frozen=True)
class Candidate:
    """A remedy that is examined.

    Attributes:
        remedy: The remedy.
        on: The base that it is tried on.
        catalogue: Where both are.
        plugins: The files and folders that were loaded into it.
        of_bases: Trainings of bases, which all candidates share.
        done: What the remedy did when it was applied that none must, in words.
        own: Trainings of this remedy.
    """

    remedy: Remedy
    on: SmallBase
    catalogue: Catalogue
    plugins: tuple[str, ...]
    of_bases: dict[Any, Trained]
    done: list[str]
    own: dict[Any, Trained] = field(default_factory=dict)

    @property
    def recipe(self) -> Recipe:
        """The base's recipe with the remedy."""
        return _applied(self.catalogue, self.remedy, self.on, self.done)

    @property
    def rate(self) -> float:
        """The lowest learning rate that is tuned over: what diverges there is of no use."""
        return PROTOCOL.learning_rates(self.recipe.learning_rate)[0]

    def trial(self, term: str, lanes: int = 1, double: bool = False) -> Trial:
        """Programs that compile in seconds.

        Args:
            term: The remedy's name with its parameters; empty for the base alone.
            lanes: Trainings side by side.
            double: Whether to train in float64.
        """
        return Trial(self.on.text, self.on.arm(term), self.on.plateau, self.plugins, lanes, double)

    def trained(self, term: str, seed: int = 0, double: bool = False, rate: float | None = None) -> Trained:
        """A single training, made once.

        Args:
            term: The remedy's name with its parameters; empty for the base alone.
            seed: The training's.
            double: Whether to train in float64.
            rate: The learning rate; None for the lowest that is tuned over.
        """
        made, key = self.own if term else self.of_bases, (self.on.text, self.on.base, term, seed, double, rate)
        if key not in made:
            trial = self.trial(term, double=double)
            used = rate if rate is not None else PROTOCOL.learning_rates(trial.recipe.learning_rate)[0]
            made[key] = trial.train([seed], used)
        return made[key]


def find_candidate(
    catalogue: Catalogue, remedy: Remedy, plugins: tuple[str, ...], of_bases: dict[Any, Trained]
) -> Candidate:
    """A remedy on the first base of `digits-dense` that it changes, else of another workload.

    Args:
        catalogue: Where it is.
        remedy: The remedy.
        plugins: The files and folders that were loaded into the catalogue.
        of_bases: Trainings of bases that have been made.

    Raises:
        CheckError: If it changes nothing anywhere.
    """
    why: list[str] = []
    done: list[str] = []
    for on in small_bases(catalogue):
        with contextlib.suppress(NotApplicable):
            changed = _applied(catalogue, remedy, on, done).changes(on.recipe)
            if not changed:
                why.append(f"equals {on.base!r}")
            elif slots_read(on.recipe, on.workload.architecture, on.dataset).isdisjoint(changed):
                why.append(f"sets {', '.join(changed)}, which {on.base!r} on {on.text} does not read")
            else:
                return Candidate(remedy, on, catalogue, plugins, of_bases, done)
    raise CheckError(
        f"it changes nothing: it {'; '.join(why) or 'applies to no base'}; return recipe.replace(...) in "
        f"{remedy.location}"
    )


def _applied(catalogue: Catalogue, remedy: Remedy, on: SmallBase, done: list[str]) -> Recipe:
    with watched(done):
        return compose(catalogue, on.workload, Arm(on.base, (Term(remedy.name),), ""))
