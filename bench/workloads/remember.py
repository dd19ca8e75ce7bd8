"""Sequences whose first symbol must be remembered to the end: the gradient vanishes through time."""

import math

import jax.numpy as jnp
import numpy as np
import optax

from bench.data.dataset import Dataset, Examples, Rows
from bench.data.reading.medium import Values
from bench.plugins.workload import Workload, workload
from vae_jax.initialization.initializers import variance_scaling
from vae_jax.models.likelihoods import Recall
from vae_jax.models.vae import VAEArchitecture
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.cells import LSTMCell
from vae_jax.towers.gate_biases import chrono
from vae_jax.towers.recurrent import Recurrent

SYMBOLS = 16
SLOTS = 4

_SEED = 0
_EXAMPLES = {"train": 1024, "validation": 512, "test": 1024}

BASELINE = Recipe().replace(
    activation=jnp.tanh,
    kernel_init=configure(variance_scaling, scale=1.0, mode="fan_in", distribution="normal"),
    recurrent_init=configure(variance_scaling, scale=0.25, mode="fan_in", distribution="normal"),
    optimizer=configure(optax.adam, b1=0.9, b2=0.999, eps=1e-8),
    learning_rate=1e-3,
    gradient_transforms=(configure(optax.clip_by_global_norm, max_norm=5.0),),
)
GATED = BASELINE.replace(cell=LSTMCell, learning_rate=3e-3)
TRAINABLE = GATED.replace(gate_bias=chrono)


@workload
def remember(
    *, length: int = 20, depth: int = 0, width: int = 64, latent: int = 8, batch: int = 128, steps: int = 4000
) -> Workload:
    """Sequences of one symbol in 16, of which the first must come back: the gradient vanishes through time.

    The encoder is one recurrent cell over the sequence, and the head reads its last state; the decoder is dense, with
    one hidden layer and `depth` blocks. It must give the first symbol back in each of 4 slots, which know nothing of
    each other. The other symbols, drawn alike, distract; no two presentations are the same, so that there is nothing to
    learn by heart.

    Why it vanishes: from one state to the one before it the gradient of the baseline's tanh cell passes a matrix of
    variance 0.25 / width and the slopes of tanh. By mean field its norm shrinks by sqrt(0.25 E[tanh'(z)^2]) = 0.47,
    where the variance q of z solves q = 0.25 E[tanh(z)^2] + 0.059, the last being the input's share: over the 19
    steps from the last of 20 states to the first, to about 6e-7. The trainable base is an LSTM whose gates are drawn to
    remember for up to that long (chrono initialization). Between them stands `gated`, the same LSTM with gates half
    open: what its gates' remedies are tried on.

    What else stops it: a second hidden layer in the decoder. With `depth=1` the trainable base is at 8.6 nats
    [4.5, 12.6] after 2,000 steps, without it at 3.7 [3.5, 3.8] (3 seeds, each at the best of 3 rates). At a rate of
    3e-3 it may end with some symbols told apart and others not (6.1 nats after 4,000 steps, one seed). Of 50 symbols
    (`length=50`), at that rate, it leaves the plateau within 2,000 steps, is below 5 nats after 4,000, and at 3.6 after
    10,000 (test, one seed).

    What is exact: with a posterior that has collapsed the decoder's best is the uniform distribution in every slot, so
    -ELBO sits at 4 log 16 = 11.09 nats, the *plateau*. A code that tells the 16 symbols apart and nothing else needs
    log 16 = 2.77 nats of KL and leaves no reconstruction error: no -ELBO is lower on average. With one slot both would
    be equal, and a bound could not tell a code from none.
    """
    chance = 1 / SYMBOLS

    def load() -> Dataset:
        generator = np.random.default_rng(_SEED)
        draws = {
            split: np.eye(SYMBOLS, dtype=np.float32)[generator.integers(SYMBOLS, size=(examples, length))]
            for split, examples in _EXAMPLES.items()
        }
        # Stored are the probabilities that every presentation is drawn from; held out are fixed draws.
        draws["train"] = np.full_like(draws["train"], chance)
        rows: dict[str, Rows] = {split: drawn.reshape(len(drawn), -1) for split, drawn in draws.items()}
        return Dataset(**rows)

    def plateau(dataset: Dataset, x: Examples) -> float:
        return SLOTS * math.log(SYMBOLS)

    return Workload(
        architecture=VAEArchitecture(
            length * SYMBOLS, depth, width, latent, Recall(SYMBOLS, SLOTS), encoder=Recurrent(length)
        ),
        bases={"baseline": BASELINE, "gated": GATED, "trainable": TRAINABLE},
        steps=steps,
        batch=batch,
        data=load,
        plateau=plateau,
        medium=Values(length * SYMBOLS),
    )
