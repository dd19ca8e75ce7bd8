"""The contract of a model: what it is given, what it gives, and what a kind of model says of itself."""

from typing import Any, Protocol, runtime_checkable

import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.models.batch import Batch, Forward, Noise
from vae_jax.models.likelihoods import Likelihood
from vae_jax.models.presentations import Presentation
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.hidden import Hidden, Run, Taps


class Model(Protocol):
    """A drawn model, as `nnx.merge` gives it."""

    def __call__(self, batch: Batch, noise: Noise, run: ForwardPass) -> Forward:
        """One pass."""
        ...

    def observed(
        self, batch: Batch, noise: Noise, taps: dict[str, Taps], run: ForwardPass
    ) -> tuple[Forward, dict[str, tuple[Hidden, ...]]]:
        """The same pass, to be looked into: with zeros added to every hidden layer, and what those look like."""
        ...


@runtime_checkable
class Coder(Protocol):
    """A model that makes a code of an example, and of a code again what it was made of."""

    def code(self, batch: Batch, run: ForwardPass) -> Float[Array, "batch code"]:
        """The code of each example, nothing drawn: of a posterior its mean."""
        ...

    def from_code(self, code: Float[Array, "batch code"], run: ForwardPass) -> Float[Array, "batch ..."]:
        """The likelihood's outputs, of codes alone.

        Raises:
            ValueError: If the decoder reads more of an example than its code.
        """
        ...


@runtime_checkable
class Architecture(Protocol):
    """The value that draws a model: the sizes that all arms of a workload share; part of the compiled program."""

    @property
    def likelihood(self) -> Likelihood:
        """What the model's outputs mean."""
        ...

    @property
    def present(self) -> Presentation:
        """How stored rows become its batches."""
        ...

    @property
    def depth(self) -> int:
        """Blocks of each stack: what initializations that depend on the depth count."""
        ...

    @property
    def width(self) -> int:
        """Units of a hidden layer: by it forms of unequal size are made comparable."""
        ...

    def of_width(self, width: int) -> "Architecture":
        """The same with another width."""
        ...

    @property
    def mean_shape(self) -> tuple[int, ...]:
        """Shape of the mean of the training targets."""
        ...

    @property
    def output_size(self) -> int:
        """Numbers that the likelihood is given of one example."""
        ...

    @property
    def stacks(self) -> dict[str, tuple[Run, ...]]:
        """Its stacks of hidden layers by name, each in runs of one shape; the first is the one that reads the data."""
        ...

    @property
    def before_z(self) -> tuple[str, ...]:
        """The stacks that a gradient of the KL term reaches."""
        ...

    def kernels(self, tree: Any) -> dict[str, list[Any]]:
        """Each stack's matrices, in the order of the signal, in a tree like the model's parameters."""
        ...

    def draw(self, recipe: Recipe, key: PRNGKeyArray, mean: Float[Array, "..."]) -> nnx.Module:
        """A model.

        Args:
            recipe: How its layers are made and drawn.
            key: Every layer's key comes from it by the layer's name.
            mean: Of the training targets: the outputs start at it, in every arm. Otherwise the first hundred nats of
                any training are the output bias learning the mean.
        """
        ...

    def require(self, recipe: Recipe) -> None:
        """Raise a ValueError, which says why, unless a recipe's slots go together in such a model."""
        ...

    def noise(self, key: PRNGKeyArray, examples: int, dtype: DTypeLike) -> Noise:
        """All that one pass draws of the standard normal."""
        ...


def taps(architecture: Architecture, batch: int, dtype: DTypeLike) -> dict[str, Taps]:
    """Zeros to add to every hidden layer of a model, for a batch of so many examples."""
    return {
        stack: tuple(jnp.zeros((run.layers, batch, *run.shape), dtype) for run in runs)
        for stack, runs in architecture.stacks.items()
    }
