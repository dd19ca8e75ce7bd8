"""A model that was trained, in use: examples to codes, codes to examples, and new ones of the prior."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
from flax import nnx

from bench.data.reading.medium import Medium
from bench.language.errors import InputError
from bench.plugins.workload import Workload
from bench.training.precision import cast, computing
from bench.training.programs import program
from vae_jax.evaluation.coding import Trained, decode, encode, missed
from vae_jax.models.batch import Rows, examples
from vae_jax.models.contract import Coder
from vae_jax.recipe.keys import random_key
from vae_jax.recipe.recipe import Recipe

# One program serves any number of examples, and none of them sees how many there are.
_AT_ONCE = 128


@dataclass(frozen=True)
class TrainedModel:
    """An arm's model with the numbers that a training has given it.

    Attributes:
        arm: The arm, as it is called.
        workload: Its workload, with the sizes of the arm's own model.
        recipe: The arm's.
        numbers: All that was trained.
    """

    arm: str
    workload: Workload
    recipe: Recipe
    numbers: Trained

    @property
    def medium(self) -> Medium:
        """How its examples are read and written.

        Raises:
            InputError: If the workload does not say it, or the model has no code.
        """
        self._require_code()
        if self.workload.medium is None:
            raise InputError(
                f"the workload of arm {self.arm!r} does not say how its examples are read and written: give its "
                "bench.Workload a medium, as medium=bench.Values(columns)"
            )
        return self.workload.medium

    @property
    def latent(self) -> int:
        """How many numbers a code is."""
        self._require_code()
        return self.workload.architecture.latent  # type: ignore

    def encode(self, rows: Rows) -> np.ndarray:
        """The code of each example."""
        self._require_code()
        return self._run("encode", encode, rows)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """What each code stands for: the mean of x, or of symbols the likeliest.

        Raises:
            InputError: If this takes more than a code.
        """
        self._require_code()
        return self._run("decode", decode, codes)

    def missed(self, codes: np.ndarray, rows: Rows) -> float:
        """What codes do not give back, the mean over examples: the reconstruction's part of the score, in its unit."""
        self._require_code()
        return float(self._run("missed", missed, codes, rows).mean(dtype=np.float64))

    def sample(self, count: int, seed: int) -> np.ndarray:
        """New examples: what draws of the prior stand for.

        Raises:
            InputError: If there is no prior.
        """
        self._require_code()
        if not self.has_prior:
            raise InputError(
                f"arm {self.arm!r} is an autoencoder, whose codes have no prior that could be drawn from: decode codes "
                "of examples, or train a workload with a z"
            )
        with computing(self.recipe.dtype):
            noise = self.workload.architecture.noise(random_key(seed), count, self.recipe.dtype)
        return self.decode(np.asarray(noise))

    @property
    def has_prior(self) -> bool:
        """Whether its codes are draws of z."""
        return bool(self.workload.architecture.before_z)

    @property
    def has_code(self) -> bool:
        """Whether its examples have codes."""
        return isinstance(self._kind(), Coder)

    def _kind(self) -> Any:
        architecture = self.workload.architecture
        mean = jax.ShapeDtypeStruct(architecture.mean_shape, "float32")
        return nnx.eval_shape(lambda mean: architecture.draw(self.recipe, random_key(0), mean), mean)

    def _require_code(self) -> None:
        if not self.has_code:
            raise InputError(
                f"arm {self.arm!r} is a {type(self._kind()).__name__}, which makes no code of an example: of such a "
                "model there is nothing to encode, decode, sample or reconstruct"
            )

    def _run(self, name: str, function: Callable[..., Any], *given: Any) -> np.ndarray:
        architecture, found = self.workload.architecture, []
        with computing(self.recipe.dtype):
            for first in range(0, examples(given), _AT_ONCE):
                chunk = jax.tree.map(lambda leaf: leaf[first : first + _AT_ONCE], given)  # noqa: B023
                count = examples(chunk)
                filled = jax.tree.map(lambda leaf: np.concatenate([leaf, leaf[-1:].repeat(_AT_ONCE - count, 0)]), chunk)  # noqa: B023
                arguments = (self.numbers, self.recipe.traced(), *cast(filled, self.recipe.dtype))
                try:
                    compiled = program(
                        partial(function, architecture=architecture), arguments, name=name, architecture=architecture
                    )
                except ValueError as error:
                    raise InputError(f"arm {self.arm!r} cannot {name}: {error}") from error
                found.append(np.asarray(compiled(*arguments))[:count])
        return np.concatenate(found)
