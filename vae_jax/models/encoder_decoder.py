"""What models of two towers have in common: an encoder to a narrow code, and a decoder from it."""

from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import jax
from jaxtyping import PRNGKeyArray

from vae_jax.models.likelihoods import Bernoulli, Likelihood
from vae_jax.models.presentations import Presentation
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.dense import DenseTower
from vae_jax.towers.hidden import Run

TOWERS = ("encoder", "decoder")
BERNOULLI = Bernoulli()


@runtime_checkable
class TowerKind(Protocol):
    """The value that draws a tower: `DenseTower` itself, or a value that says more, as `Recurrent(length=20)`."""

    def runs(self, depth: int, width: int) -> tuple[Run, ...]:
        """The hidden layers of such a tower, in runs of one shape."""
        ...

    def scaled(self, _factor: float, /) -> "TowerKind":
        """The same with its own widths, where it has any, a factor larger."""
        ...

    def kernels(self, tower: Any) -> list[Any]:
        """Its matrices, in the order of the signal, in a tree like its parameters."""
        ...

    def require(self, recipe: Recipe) -> None:
        """Raise a ValueError unless a recipe's slots go together in such a tower."""
        ...

    def __call__(
        self, inputs: int, outputs: int, depth: int, width: int, recipe: Recipe, key: PRNGKeyArray, context: int = 0
    ) -> Any:
        """A tower, as `DenseTower` is one."""
        ...


@dataclass(frozen=True)
class EncoderDecoder:
    """The sizes of a model of two towers, a narrow code between them, that all arms of a workload share.

    Attributes:
        data: Dimensions of one example.
        depth: Blocks in each dense tower, beside its input layer and its head.
        width: Units in each hidden layer.
        latent: Dimensions of the code.
        likelihood: What the decoder's output means.
        encoder: The kind of tower from data to the code.
        decoder: The kind of tower from the code to the likelihood's outputs.
        presentation: How stored rows become the model's batches; where nothing is said, as the likelihood has it.
    """

    data: int
    depth: int
    width: int
    latent: int
    likelihood: Likelihood = BERNOULLI
    encoder: TowerKind = DenseTower
    decoder: TowerKind = DenseTower
    presentation: Presentation | None = None

    def __post_init__(self):
        for name in ("data", "width", "latent"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.depth < 0:
            raise ValueError(f"depth must be at least 0, got {self.depth}")
        if self.encoder is DenseTower and self.depth < 1:
            raise ValueError(
                f"depth must be at least 1, got {self.depth}: in an encoder of one hidden layer there is none that a "
                "gradient could go back to"
            )

    def require(self, recipe: Recipe) -> None:
        """Raise unless a recipe's slots go together in both towers.

        Raises:
            ValueError: If they do not, and why.
        """
        self.encoder.require(recipe)
        self.decoder.require(recipe)

    def of_width(self, width: int) -> Any:
        """The same with another width, and all widths of its towers as much larger."""
        factor = width / self.width
        return replace(self, width=width, encoder=self.encoder.scaled(factor), decoder=self.decoder.scaled(factor))

    @property
    def present(self) -> Presentation:
        """How stored rows become the model's batches."""
        return self.presentation or self.likelihood.presentation

    @property
    def mean_shape(self) -> tuple[int, ...]:
        """Shape of the mean of the training examples."""
        return (self.data,)

    @property
    def output_size(self) -> int:
        """Numbers that the likelihood is given of one example."""
        mean = jax.ShapeDtypeStruct(self.mean_shape, "float32")
        return jax.eval_shape(self.likelihood.output_bias, mean).size

    @property
    def stacks(self) -> dict[str, tuple[Run, ...]]:
        """The hidden layers of each tower."""
        return {tower: getattr(self, tower).runs(self.depth, self.width) for tower in TOWERS}

    def kernels(self, tree: Any) -> dict[str, list[Any]]:
        """Each tower's matrices, in order, in a tree like the model's parameters."""
        return {tower: getattr(self, tower).kernels(tree[tower]) for tower in TOWERS}
