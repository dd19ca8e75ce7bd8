"""The bases that workloads of images share: the stack that stalls, and the one that learns."""

import jax.numpy as jnp
import optax

from vae_jax.initialization.initializers import orthogonal
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe

# The defaults of a recipe are this base: sigmoid, Glorot's uniform initialization, plain SGD.
BASELINE = Recipe()
TRAINABLE = BASELINE.replace(
    activation=jnp.tanh,
    kernel_init=configure(orthogonal, scale=1.0),
    optimizer=configure(optax.adam, b1=0.9, b2=0.999, eps=1e-8),
    learning_rate=1e-3,
)
