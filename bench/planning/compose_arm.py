"""The recipe of an arm with all that a person's own code has read to make it."""

from dataclasses import dataclass

from bench.language.arms import Arm
from bench.planning.catalogue import Catalogue
from bench.planning.compose import compose
from bench.planning.loaded_workload import LoadedWorkload
from bench.plugins.own_code import OwnCodeError
from bench.plugins.reads import Reads, recorded
from vae_jax.recipe.recipe import Recipe


@dataclass(frozen=True)
class ComposedArm:
    """A recipe as it was composed.

    Attributes:
        recipe: The recipe.
        reads: What a person's own code has read meanwhile.
    """

    recipe: Recipe
    reads: Reads


def compose_arm(catalogue: Catalogue, loaded: LoadedWorkload, arm: Arm) -> ComposedArm:
    """The recipe of an arm, and what was read to make it.

    Raises:
        InputError: If a remedy or parameter is unknown or out of range, or two remedies conflict.
        OwnCodeError: If a person's own code raises, or reaches for what no digest can hold.
        NotApplicable: If a remedy makes no sense there.
    """
    with recorded() as reads:
        recipe = compose(catalogue, loaded.workload, arm)
    if reads.beyond:
        raise OwnCodeError(
            f"arm {str(arm)!r} {' and '.join(reads.beyond)}: a figure may rest on that, and no digest can hold it; "
            "take it out"
        )
    return ComposedArm(recipe, reads)
