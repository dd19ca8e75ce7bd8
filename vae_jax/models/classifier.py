"""The encoder alone with a softmax: the setting of the literature on depth scales."""

from dataclasses import dataclass, replace
from typing import Any

from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.models.batch import Batch, Forward
from vae_jax.models.encoder_decoder import TowerKind
from vae_jax.models.likelihoods import Categorical
from vae_jax.models.presentations import Presentation
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.hidden import Hidden, Run, Taps


@dataclass(frozen=True)
class ClassifierArchitecture:
    """The sizes of a classifier.

    Attributes:
        data: Dimensions of one example.
        classes: How many there are.
        depth: Blocks of a dense encoder, beside its input layer and its head.
        width: Units in each hidden layer.
        encoder: The kind of tower from data to the classes' logits.
    """

    data: int
    classes: int
    depth: int
    width: int
    encoder: TowerKind

    def __post_init__(self):
        if self.classes < 2:
            raise ValueError(f"classes must be at least 2, got {self.classes}: of one there is nothing to tell")

    @property
    def likelihood(self) -> Categorical:
        """Of the classes, by their logits."""
        return Categorical()

    @property
    def present(self) -> Presentation:
        """Images and their labels."""
        return self.likelihood.presentation

    @property
    def mean_shape(self) -> tuple[int, ...]:
        """Of the classes' frequencies."""
        return (self.classes,)

    @property
    def output_size(self) -> int:
        """The classes' logits."""
        return self.classes

    @property
    def stacks(self) -> dict[str, tuple[Run, ...]]:
        """The hidden layers of the encoder, the only tower."""
        return {"encoder": self.encoder.runs(self.depth, self.width)}

    @property
    def before_z(self) -> tuple[str, ...]:
        """No stack: there is no z."""
        return ()

    def require(self, recipe: Recipe) -> None:
        """Raise a ValueError, which says why, unless a recipe's slots go together in the encoder."""
        self.encoder.require(recipe)

    def of_width(self, width: int) -> Any:
        """The same with another width, and all widths of its tower as much larger."""
        return replace(self, width=width, encoder=self.encoder.scaled(width / self.width))

    def kernels(self, tree: Any) -> dict[str, list[Any]]:
        """The encoder's matrices, in order, in a tree like the model's parameters."""
        return {"encoder": self.encoder.kernels(tree["encoder"])}

    def draw(self, recipe: Recipe, key: PRNGKeyArray, mean: Float[Array, " classes"]) -> "Classifier":
        """A model; see `contract.Architecture.draw`."""
        return Classifier(self, recipe, key, mean)

    def noise(self, key: PRNGKeyArray, examples: int, dtype: DTypeLike) -> tuple[()]:
        """Nothing."""
        return ()


class Classifier(nnx.Module):
    """x -> encoder -> the classes' logits."""

    def __init__(
        self, architecture: ClassifierArchitecture, recipe: Recipe, key: PRNGKeyArray, mean: Float[Array, " classes"]
    ):
        """Draw a model.

        Args:
            architecture: Its sizes.
            recipe: How its layers are made and drawn.
            key: Every layer's key comes from it by the layer's name.
            mean: The classes' frequencies: its outputs start at them, in every arm.
        """
        sizes = (architecture.depth, architecture.width, recipe)
        own = named_key(key, "encoder")
        self.encoder = architecture.encoder(architecture.data, architecture.classes, *sizes, own)
        self.encoder.head.bias[...] = architecture.likelihood.output_bias(mean)

    def __call__(self, batch: Batch, noise: tuple[()], run: ForwardPass) -> Forward:
        """One pass."""
        return Forward(self.encoder(self._seen(batch, run), run.within("encoder"))[0], ())

    def observed(
        self, batch: Batch, noise: tuple[()], taps: dict[str, Taps], run: ForwardPass
    ) -> tuple[Forward, dict[str, tuple[Hidden, ...]]]:
        """The same pass, and what its hidden layers look like; see `DenseTower.observed`."""
        outputs, hidden = self.encoder.observed(self._seen(batch, run), taps["encoder"], run.within("encoder"))
        return Forward(outputs, ()), {"encoder": hidden}

    @staticmethod
    def _seen(batch: Batch, run: ForwardPass) -> Float[Array, "batch data"]:
        return run.noisy(run.recipe.input_noise, batch.inputs, "input_noise")
