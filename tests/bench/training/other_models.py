"""A plugin with two workloads: a model without a z, and one that says what it loses with another's z.

Its stacks have names of their own, and its plateau is below 0.
"""

from dataclasses import dataclass, field, replace

import jax.numpy as jnp
from flax import nnx

from bench import Z_IS_USED, Score, Workload, workload
from bench.data.digits import digits
from vae_jax import Recipe
from vae_jax.models.batch import Forward
from vae_jax.models.likelihoods import Gaussian
from vae_jax.models.vae import VAEArchitecture

LATENT = 4
NAMES = {"encoder": "reads", "decoder": "writes"}


def renamed(stacks):
    return {NAMES[stack]: own for stack, own in stacks.items()}


class Other(nnx.Module):
    def __init__(self, coded, inner):
        self.coded, self.inner, self.deterministic = coded, inner, False

    def __call__(self, batch, noise, run):
        if self.coded:
            made = self.inner(batch, noise, run)
            z = jnp.roll(made.latents[0].z, 1, axis=0)
            return made._replace(shuffled=self.decode(z, [], run) if self.deterministic else None)
        mean, _, hidden = self.encode(batch, run)
        return Forward(self.decode(mean, hidden, run), ())

    def observed(self, batch, noise, taps, run):
        taps = {stack: taps[name] for stack, name in NAMES.items()}
        noise = noise if self.coded else jnp.zeros((len(batch.inputs), LATENT))
        made, hidden = self.inner.observed(batch, noise, taps, run)
        return made if self.coded else Forward(made.outputs, ()), renamed(hidden)

    def encode(self, batch, run):
        return self.inner.encode(batch, run)

    def decode(self, z, hidden, run):
        return self.inner.decode(z, hidden, run)


@dataclass(frozen=True)
class OtherArchitecture:
    coded: bool
    width: int = 16
    depth: int = 2
    latent: int = LATENT
    likelihood: Gaussian = field(default=Gaussian(0.25))

    @property
    def _sizes(self):
        return VAEArchitecture(64, self.depth, self.width, self.latent, self.likelihood)

    @property
    def present(self):
        return self.likelihood.presentation

    def of_width(self, width):
        return replace(self, width=width)

    @property
    def mean_shape(self):
        return (64,)

    @property
    def output_size(self):
        return 64

    @property
    def stacks(self):
        return renamed(self._sizes.stacks)

    @property
    def before_z(self):
        return ("reads",) if self.coded else ()

    def kernels(self, tree):
        return renamed(self._sizes.kernels(tree["inner"]))

    def draw(self, recipe, key, mean):
        return Other(self.coded, self._sizes.draw(recipe, key, mean))

    def require(self, recipe):
        self._sizes.require(recipe)

    def noise(self, key, examples, dtype):
        return self._sizes.noise(key, examples, dtype) if self.coded else ()


def sits(dataset, x):
    return -20.0


def made(coded, **judged):
    return Workload(OtherArchitecture(coded), {"baseline": Recipe()}, 130, 32, digits, sits, **judged)


@workload
def plain():
    """The middle layer is no code: nothing is drawn."""
    return made(False, score=Score("error", "per image", margin=2.0))


@workload
def coded():
    """What it loses with the z of another is recorded."""
    return made(True, left=Z_IS_USED)
