"""A tower, a likelihood and a workload of a person's own, in one plugin file.

python -m bench check own_parts.py
python -m bench run --plugin own_parts.py --workload own-parts
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from flax import nnx

from bench import Score, Workload, workload
from bench.data.images import flat_images, images
from bench.workloads.bases import BASELINE, TRAINABLE
from vae_jax.layers.blocks import PlainBlock
from vae_jax.layers.dense import Dense
from vae_jax.models.presentations import AsStored
from vae_jax.models.vae import VAEArchitecture
from vae_jax.recipe.configured import made_by
from vae_jax.recipe.keys import named_key
from vae_jax.towers.hidden import Hidden, Run, watched
from vae_jax.towers.skip_connections import no_context


@dataclass(frozen=True)
class Laplace:
    """Numbers around the outputs, whose absolute error counts: -log p = |x - output| + log 2."""

    presentation = AsStored()

    def log_prob(self, outputs, x, mask=None):
        return -jnp.sum(jnp.abs(x - outputs) + jnp.log(2.0), axis=1, where=mask)

    def output_bias(self, mean):
        return mean

    def reconstruction(self, outputs):
        return outputs


@dataclass(frozen=True)
class Fed:
    """The kind of tower whose every layer is given the inputs beside the layer before it."""

    def runs(self, depth, width):
        return (Run(depth + 1, (width,)),)

    def scaled(self, _factor):
        return self

    def kernels(self, tower):
        layers = tower["layers"]
        return [*(layers[index]["dense"]["kernel"] for index in sorted(layers, key=int)), tower["head"]["kernel"]]

    def require(self, recipe):
        if made_by(recipe.block) is not PlainBlock or made_by(recipe.decoder_context) is not no_context:
            raise ValueError("a tower that is fed its inputs has layers without blocks: leave block and context out")

    def __call__(self, inputs, outputs, depth, width, recipe, key, context=0):
        return FedTower(inputs, outputs, depth, width, recipe, key)


class FedTower(nnx.Module):
    """inputs -> (layer, beside the inputs) x (depth + 1) -> outputs."""

    def __init__(self, inputs, outputs, depth, width, recipe, key):
        sizes = [inputs, *[width + inputs] * depth]
        self.layers = nnx.List([
            recipe.unit(size, width, recipe, named_key(key, f"layer_{index}"), role="input" if index == 0 else "hidden")
            for index, size in enumerate(sizes)
        ])  # fmt: skip
        self.head = Dense(width + inputs, outputs, recipe, named_key(key, "head"), role="head")

    def __call__(self, x, run):
        known, hidden = x, []
        for index, layer in enumerate(self.layers):
            hidden.append(layer(known, run.within(f"layer_{index}")))
            known = jnp.concatenate([hidden[-1], x], axis=1)
        return self.head(known, run.within("head")), hidden

    def observed(self, x, taps, run):
        """The same pass with zeros added after every layer, by which dL/dh is taken there."""
        known, hidden, slopes = x, [], []
        for index, layer in enumerate(self.layers):
            own = []
            hidden.append(layer(known, watched(run.within(f"layer_{index}"), own)) + taps[0][index])
            slopes.append(sum(own) / len(own))
            known = jnp.concatenate([hidden[-1], x], axis=1)
        return self.head(known, run.within("head")), (Hidden(jnp.stack(hidden), jnp.stack(slopes)),)


def constant(dataset, x):
    """Where the output bias goes alone: to the median."""
    return float((abs(x - np.median(dataset.train, axis=0)) + np.log(2)).sum(axis=1).mean())


@workload
def own_parts(*, data: str = "digits", depth: int = 8, width: int = 32, latent: int = 4) -> Workload:
    """Images through layers that are all given the inputs, absolute error: sigmoids stall all the same."""
    found = images(data, tables=True)
    return Workload(
        architecture=VAEArchitecture(found.numbers, depth, width, latent, Laplace(), Fed(), Fed()),
        bases={"baseline": BASELINE, "trainable": TRAINABLE},
        steps=1500,
        batch=128,
        data=flat_images(found, "none"),
        plateau=constant,
        score=Score("-ELBO", "nats", margin=0.2),
    )
