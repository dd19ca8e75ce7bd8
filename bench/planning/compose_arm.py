"""The recipe of an arm with all that a person's own code has read to make it, and on the way through a training."""

from dataclasses import dataclass

from bench.language.arms import Arm
from bench.language.errors import InputError, briefly
from bench.planning.applicability import traced
from bench.planning.catalogue import Catalogue
from bench.planning.compose import compose
from bench.planning.loaded_workload import LoadedWorkload
from bench.plugins.own_code import OwnCodeError, raised_in
from bench.plugins.reads import Reads, recorded
from bench.plugins.remedy import NotApplicable
from bench.plugins.source_file import reads_of
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
    """The recipe of an arm; one with a person's own code in it is traced, so that what it does there is known too.

    Raises:
        InputError: If a remedy or parameter is unknown or out of range, or two remedies conflict.
        OwnCodeError: If a person's own code raises, or reaches for what no digest can hold.
        NotApplicable: If a remedy makes no sense there.
    """
    with recorded() as reads:
        recipe = compose(catalogue, loaded.workload, arm)
    own = reads_of({getattr(function, "__module__", None) or "" for function in recipe.functions()})
    if own.files:
        try:
            reads.add(traced(recipe, loaded.workload.architecture, loaded.dataset).reads)
        except (InputError, NotApplicable):
            raise
        except (Exception, SystemExit) as error:
            where = raised_in(error, *own.files) or " and ".join(own.files)
            raise OwnCodeError(f"arm {str(arm)!r} raised {briefly(error, kind=True)}; mend it in {where}") from error
    if reads.beyond:
        raise OwnCodeError(
            f"arm {str(arm)!r} {' and '.join(reads.beyond)}: a figure may rest on that, and no digest can hold it; "
            "take it out"
        )
    return ComposedArm(recipe, reads)
