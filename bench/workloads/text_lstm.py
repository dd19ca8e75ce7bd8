"""Sentences through a recurrent encoder to a decoder that is told each token's predecessor."""

import jax.numpy as jnp
import numpy as np
import optax

from bench.data.dataset import Dataset
from bench.data.sets.agreement import AGREEMENT
from bench.data.text.bigrams import bigram_nats
from bench.data.text.sentences import sentences
from bench.language.errors import InputError
from bench.plugins.workload import Workload, workload
from bench.results.score import BELOW_PLATEAU, NEGATIVE_ELBO, NEGATIVE_LOG_LIKELIHOOD, Z_IS_USED, Score
from vae_jax.initialization.initializers import orthogonal, variance_scaling
from vae_jax.models.sequence import LanguageModelArchitecture, SequenceArchitecture, SequenceAutoencoderArchitecture
from vae_jax.objective import rates
from vae_jax.optimization import schedules
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.cells import LSTMCell

# What is trained, and what it is judged by.
MODELS = {
    "vae": (SequenceArchitecture, NEGATIVE_ELBO, Z_IS_USED),
    "autoencoder": (SequenceAutoencoderArchitecture, Score("reconstruction", "nats", margin=0.2), BELOW_PLATEAU),
    "language-model": (LanguageModelArchitecture, NEGATIVE_LOG_LIKELIHOOD, BELOW_PLATEAU),
}
Z_ENTERS = ("state", "inputs", "both")

BASELINE = Recipe().replace(
    activation=jnp.tanh,
    cell=LSTMCell,
    kernel_init=configure(variance_scaling, scale=1.0, mode="fan_in", distribution="normal"),
    recurrent_init=configure(orthogonal, scale=1.0),
    optimizer=configure(optax.adam, b1=0.9, b2=0.999, eps=1e-8),
    learning_rate=3e-3,
    gradient_transforms=(configure(optax.clip_by_global_norm, max_norm=5.0),),
)
TRAINABLE = BASELINE.replace(
    kl_treatment=configure(rates.free_bits, nats=0.5),
    kl_schedules=(configure(schedules.linear_warmup, fraction=0.2),),
)


@workload
def text_lstm(
    *,
    data: str = "agreement",
    model: str = "vae",
    tokens: str = "usual",
    length: int = 0,
    at_least: int = 1,
    unknown: bool = False,
    examples: int = 0,
    embedding: int = 32,
    depth: int = 1,
    width: int = 64,
    latent: int = 8,
    z_enters: str = "both",
    word_dropout: float = 0.0,
    batch: int = 128,
    steps: int = 2000,
) -> Workload:
    """Sentences through an LSTM to z, and back by an LSTM that is told each token's predecessor: the posterior collapses."""
    if model not in MODELS:
        raise InputError(f"model must be one of {', '.join(MODELS)}, got {model!r}")
    if z_enters not in Z_ENTERS:
        raise InputError(f"z_enters must be one of {', '.join(Z_ENTERS)}, got {z_enters!r}")
    loaded = sentences(data, tokens, length, at_least, examples, unknown)
    vocabulary, rows = loaded.vocabulary, loaded.train["tokens"].shape[1]
    kind, score, left = MODELS[model]

    def load() -> Dataset:
        return loaded

    def plateau(dataset: Dataset, rows: dict[str, np.ndarray]) -> float:
        return bigram_nats(dataset.train, rows, len(vocabulary))

    return Workload(
        architecture=kind(len(vocabulary), rows, embedding, depth, width, latent, z_enters, word_dropout),
        bases={"baseline": BASELINE, "trainable": TRAINABLE},
        steps=steps,
        batch=batch,
        data=load,
        plateau=plateau,
        score=score,
        left=left,
    )
