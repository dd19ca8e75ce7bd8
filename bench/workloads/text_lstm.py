"""Sentences through a recurrent encoder to a decoder that is told each token's predecessor."""

import math

import jax.numpy as jnp
import optax

from bench.data.dataset import Dataset
from bench.data.sets.agreement import AGREEMENT
from bench.data.splits import Arrays, Sentences
from bench.data.text.bigrams import bigram_nats
from bench.data.text.lines import Lines
from bench.data.text.sentences import sentences
from bench.language.errors import InputError
from bench.plugins.workload import Workload, workload
from bench.results.judging.score import BELOW_PLATEAU, NEGATIVE_ELBO, NEGATIVE_LOG_LIKELIHOOD, Z_IS_USED, Score
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
    kl_treatment=configure(rates.free_bits, nats=0.25),
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
    steps: int = 1000,
) -> Workload:
    """Sentences to z by an LSTM, and back by an LSTM that is told each token's predecessor: the posterior collapses.

    `data` are sentences of a grammar by which the probability of each is known, or `tang-poems`, `tiny-shakespeare`,
    `penn-treebank`, `lagging-synthetic`; `tokens` are words or characters, as usual of the set unless one asks.
    `length` is that of the longest sentence that is taken, its end not counted, 0 for all. Tokens that occur less than
    `at_least` times in training are one symbol, and with `unknown=true` those that it does not show at all. z is given
    to the decoder as its first state, beside each of its `inputs`, or `both`; `word_dropout` is the probability with
    which it is not told a token in training. Another cell is an arm: `baseline+gru`. `model=language-model` is the same
    decoder without z, `model=autoencoder` the same with a code that is not random and costs nothing.

    Why it stalls: told what came before, the decoder reaches the entropy of the text without z. What z knows it learns
    to use later than it learns the text, and until then every nat of KL is a loss: the posterior falls onto the prior
    within the first hundred steps, and from a z that says nothing no gradient comes back that would change it. The
    gradient's norm is healthy all the while. The trainable base lets a quarter of a nat of each unit of z go free, and
    weighs the KL term with nothing at first and whole after a fifth of the training.

    What tells whether it has left: not -ELBO, by which a collapsed posterior is as good as any. z is used where the
    reconstruction costs more than 0.5 nats more when each sentence is given the z of another, and KL is above 0.5.

    Where a model without z must sit: of the grammar's sentences at the grammar's own -log p of them, 10.89 nats on
    test, and no -ELBO lies below it but by chance. Of other text nobody knows the entropy: the plateau there is what a
    sentence costs by counts of pairs of tokens in training, or of single tokens where those tell more. A decoder that
    learns undercuts it without z, so that to lie below it says nothing of z.
    """
    if model not in MODELS:
        raise InputError(f"model must be one of {', '.join(MODELS)}, got {model!r}")
    if z_enters not in Z_ENTERS:
        raise InputError(f"z_enters must be one of {', '.join(Z_ENTERS)}, got {z_enters!r}")
    loaded = sentences(data, tokens, length, at_least, examples, unknown)
    vocabulary, rows = loaded.vocabulary, loaded.train["tokens"].shape[1]
    kind, score, left = MODELS[model]

    def load() -> Dataset:
        return loaded

    def plateau(dataset: Dataset, rows: Arrays) -> float:
        if data in ("agreement", "agreement-large") and vocabulary.unknown is None:
            return _by_the_grammar(vocabulary.decode(rows["tokens"]), tokens, length)
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
        medium=Lines(vocabulary, rows - 1, tokens == "words" or (tokens == "usual" and vocabulary.of_words)),
    )


def _by_the_grammar(rows: Sentences, tokens: str, length: int) -> float:
    """Minus the log-probability of sentences by the grammar, in nats, on average: of those that are not too long."""
    characters = tokens == "characters"
    if characters:
        rows = [tuple("".join(sentence).split()) for sentence in rows]
    # Between two words stands a space.
    limit = length + 1 if characters else length
    kept = AGREEMENT.share_within(limit, lambda word: len(word) + 1 if characters else 1) if length else 1.0
    return math.log(kept) - math.fsum(map(AGREEMENT.log_probability, rows)) / len(rows)
