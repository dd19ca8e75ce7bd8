"""Models of sentences against a plain loop without masks, finite differences, and sentences with other padding."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.vae_jax.small_vae import double, drawing, first_step, numbers
from vae_jax.evaluation.estimates import estimate
from vae_jax.evaluation.evaluate import Evaluation, evaluate, trained, validate
from vae_jax.initialization.data_dependent import unit_variance
from vae_jax.layers.normalization import batch_norm, layer_norm
from vae_jax.models.contract import Architecture, taps
from vae_jax.models.presentations import BEGIN, END, PAD, Sentences
from vae_jax.models.sequence import LanguageModelArchitecture, SequenceArchitecture, SequenceAutoencoderArchitecture
from vae_jax.objective.loss import loss, observed_paths, structure
from vae_jax.recipe.configured import configure
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.cells import GRUCell, LSTMCell, TanhCell
from vae_jax.towers.pooling import mean_state
from vae_jax.towers.state_passing import truncated, zoneout
from vae_jax.training.instruments import INSTRUMENTS
from vae_jax.training.train import Data, Loop, init, start

SIZES: dict[str, Any] = {"symbols": 9, "length": 6, "embedding": 3, "depth": 2, "width": 4, "latent": 2}
VAE = SequenceArchitecture(**SIZES)
AUTOENCODER = SequenceAutoencoderArchitecture(**SIZES)
LANGUAGE_MODEL = LanguageModelArchitecture(**SIZES)
RECIPE = Recipe().replace(activation=jnp.tanh, cell=LSTMCell)
KEY = jax.random.key(0)
# Of the longest row no token is padding, and none reaches the last step but it.
LENGTHS = np.array([6, 3, 1, 5, 4], np.int32)
EXAMPLES = len(LENGTHS)


def rows(padding=0, repeat=1):
    """Sentences with an end symbol each, and what stands behind it."""
    draw = np.random.default_rng(1)
    tokens = draw.integers(3, SIZES["symbols"], (EXAMPLES, SIZES["length"])).astype(np.int32)
    for row, length in zip(tokens, LENGTHS, strict=True):
        row[length - 1] = END
        row[length:] = draw.integers(0, SIZES["symbols"], len(row) - length) if padding else PAD
    return {"tokens": np.tile(tokens, (repeat, 1)), "lengths": np.tile(LENGTHS, repeat)}


MEAN = np.full(9, 1 / 9, np.float32)


KNOWN: dict[str, Any] = {}


def drawn(architecture: Architecture, recipe=RECIPE) -> tuple[Any, Any]:
    """Parameters off the initial point, where biases are 0, and statistics."""
    asked = f"{architecture} {recipe.describe()}"
    if asked not in KNOWN:
        data, draw = Data(jax.tree.map(jnp.asarray, rows()), jnp.asarray(MEAN)), np.random.default_rng(2)
        parameters, statistics = jax.jit(init, static_argnums=2)(KEY, recipe, architecture, data)
        moved = jax.tree.map(
            lambda leaf: jnp.asarray(leaf + 0.1 * draw.normal(size=leaf.shape), leaf.dtype), parameters
        )
        KNOWN[asked] = moved, statistics
    return KNOWN[asked]


def model_of(architecture, recipe=RECIPE) -> Any:
    parameters, statistics = drawn(architecture, recipe)
    rest = Data(jax.tree.map(jnp.asarray, rows()), jnp.asarray(MEAN))
    return trained(parameters, statistics, Evaluation(KEY, recipe.traced(), rest, rows()), architecture=architecture)


def batch_of(architecture, padding=0):
    return architecture.present(None, jax.tree.map(jnp.asarray, rows(padding)), jnp.asarray(MEAN))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm(layer, x, h, c):
    gates = layer["cell"]["gates"]
    z = {
        n: x @ g["unit"]["dense"]["kernel"] + g["unit"]["dense"]["bias"] + h @ g["recurrent"] for n, g in gates.items()
    }
    c = sigmoid(z["forget"]) * c + sigmoid(z["input"]) * np.tanh(z["candidate"])
    return sigmoid(z["output"]) * np.tanh(c), c


def by_hand(parameters, noise, z_enters="both"):
    """-ELBO of each sentence by itself, token by token: there is no padding, and no mask."""
    found = []
    encoder, decoder = parameters["encoder"], parameters["decoder"]
    for sentence, length, draw in zip(rows()["tokens"], LENGTHS, noise, strict=True):
        states: Any = [[np.zeros(4), np.zeros(4)] for _ in range(2)]
        for token in sentence[:length]:
            x = encoder["embedding"][token]
            for index in range(2):
                states[index] = lstm(encoder["layers"][index], x, *states[index])
                x = states[index][0]
        outputs = states[1][0] @ encoder["head"]["kernel"] + encoder["head"]["bias"]
        mean, log_var = outputs[:2], outputs[2:]
        z = mean + np.exp(log_var / 2) * draw
        first = z @ decoder["start"]["kernel"] + decoder["start"]["bias"] if z_enters != "inputs" else np.zeros(16)
        states = [list(first[:8].reshape(2, 4)), list(first[8:].reshape(2, 4))]
        cost = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum()
        for token, before in zip(sentence[:length], [BEGIN, *sentence], strict=False):
            x = decoder["embedding"][before]
            x = x if z_enters == "state" else np.concatenate([x, z])
            for index in range(2):
                states[index] = lstm(decoder["layers"][index], x, *states[index])
                x = states[index][0]
            logits = x @ decoder["head"]["kernel"] + decoder["head"]["bias"]
            cost -= logits[token] - np.log(np.exp(logits).sum())
        found.append(cost)
    return np.array(found)


@pytest.mark.parametrize("z_enters", ["state", "inputs", "both"])
def test_the_loss_is_that_of_a_plain_loop_over_sentences(z_enters):
    architecture = SequenceArchitecture(**SIZES, z_enters=z_enters)
    parameters, statistics = drawn(architecture)
    noise = np.random.default_rng(3).normal(size=(EXAMPLES, 2))
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), parameters)
        given = first_step(statistics, RECIPE.traced(), batch_of(architecture, padding=1), jnp.asarray(noise))
        found, _ = loss(structure(RECIPE.traced(), architecture), architecture, wide, given)
        np.testing.assert_allclose(found, by_hand(double(wide), noise, z_enters).mean(), rtol=1e-12)


@pytest.mark.parametrize(
    ("architecture", "recipe"),
    [
        (VAE, RECIPE),
        (VAE, RECIPE.replace(cell=GRUCell, readout=mean_state)),
        (AUTOENCODER, RECIPE),
        (LANGUAGE_MODEL, RECIPE),
    ],
    ids=["vae", "gru", "autoencoder", "language model"],
)
def test_the_gradient_at_every_step_and_matrix_is_that_of_finite_differences(architecture, recipe):
    parameters, statistics = drawn(architecture, recipe)
    graph, draw = structure(recipe.traced(), architecture), np.random.default_rng(4)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), parameters)
        noise = jax.tree.map(
            lambda leaf: jnp.asarray(leaf, jnp.float64), architecture.noise(KEY, EXAMPLES, jnp.float32)
        )
        given = first_step(statistics, recipe.traced(), batch_of(architecture), jnp.zeros(()))._replace(noise=noise)
        zeros = taps(architecture, EXAMPLES, jnp.float64)

        @jax.jit
        def objective(parameters, taps):
            paths, _ = observed_paths(graph, architecture, parameters, taps, given._replace(kl_weight=jnp.ones(())))
            return paths.sum()

        plain, _ = loss(graph, architecture, wide, given)
        np.testing.assert_allclose(objective(wide, zeros), plain, rtol=1e-12)
        by_parameters, by_taps = jax.jit(jax.grad(objective, (0, 1)))(wide, zeros)
        for (path, leaf), gradient in zip(
            jax.tree_util.tree_leaves_with_path((wide, zeros)), jax.tree.leaves((by_parameters, by_taps)), strict=True
        ):
            hidden = len(path) == 3 and path[0].idx == 1
            # Of hidden layers step by step, of matrices as a whole.
            for step in range(len(leaf)) if hidden else [slice(None)]:
                direction = np.zeros(leaf.shape)
                direction[step] = draw.normal(size=leaf[step].shape)
                values = []
                for sign in (1e-5, -1e-5):
                    moved = leaf + sign * direction
                    tree = jax.tree_util.tree_map_with_path(
                        lambda at, other, moved=moved, path=path: moved if at == path else other, (wide, zeros)
                    )
                    values.append(objective(*tree))
                expected = float(values[0] - values[1]) / 2e-5
                np.testing.assert_allclose(np.sum(gradient * direction), expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    ("architecture", "slots"),
    [
        (VAE, {"readout": mean_state, "carry": configure(truncated, steps=2)}),
        (VAE, {"zoneout": configure(zoneout, hidden=0.1, memory=0.3), "normalization": layer_norm}),
        (AUTOENCODER, {}),
        (LANGUAGE_MODEL, {}),
    ],
    ids=["pooled", "zoneout", "autoencoder", "language model"],
)
def test_what_stands_behind_a_sentence_changes_no_bit_of_any_figure(architecture, slots):
    """Parameters after some steps, every reading, the evaluation and its estimates."""
    recipe = RECIPE.replace(**slots)
    parameters, statistics = drawn(architecture, recipe)
    loop = Loop(batch=8, chunk=4, record_every=2, instruments=INSTRUMENTS)
    given = numbers(recipe, 0.1, 4, loop)[0]
    step = jax.jit(drawing(architecture, loop))
    evaluated = jax.jit(functools.partial(validate, architecture=architecture, draws=2))
    estimated = jax.jit(functools.partial(estimate, architecture=architecture, samples=4, chunk=2))

    def figures(padding):
        data = Data(jax.tree.map(jnp.asarray, rows(padding, repeat=103)), jnp.asarray(MEAN))
        state, readings = step(start(given, parameters, statistics), KEY, given, data)
        evaluation = Evaluation(KEY, recipe.traced(), data, jax.tree.map(jnp.asarray, rows(padding)))
        asked = (state, jnp.asarray(True), evaluation)
        more = estimated(*asked) if architecture.before_z else None
        return state.parameters, readings, evaluated(*asked), more

    one, other = figures(0), figures(1)
    assert not np.array_equal(rows(0)["tokens"], rows(1)["tokens"])
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_a_model_that_is_given_garbage_behind_a_sentence_does_not_see_it():
    model, batch = model_of(VAE), batch_of(VAE)
    garbage = jnp.asarray(np.random.default_rng(5).integers(0, 9, batch.target.shape), jnp.int32)
    dirty = batch._replace(**{
        name: jnp.where(batch.mask, getattr(batch, name), garbage) for name in ("inputs", "target", "decoder_inputs")
    })  # fmt: skip
    run, noise = ForwardPass(RECIPE), VAE.noise(KEY, EXAMPLES, jnp.float32)
    clean, seen = (model(each, noise, run) for each in (batch, dirty))
    jax.tree.map(np.testing.assert_array_equal, clean.latents, seen.latents)
    one, other = (
        VAE.likelihood.log_prob(made.outputs, each.target, each.mask) for made, each in ((clean, batch), (seen, dirty))
    )
    np.testing.assert_array_equal(one, other)


FEW = jax.tree.map(lambda leaf: leaf[1:], rows())
FEW_DATA = Data(jax.tree.map(jnp.asarray, FEW), jnp.asarray(MEAN))


def first_record(architecture):
    """What the instruments read of a batch that is the whole data set, and its hidden layers and their gradients."""
    parameters, statistics = drawn(architecture)
    loop = Loop(batch=4, chunk=1, record_every=1, instruments=INSTRUMENTS)
    given = numbers(RECIPE, 0.1, 1, loop)[0]
    step = jax.jit(drawing(architecture, loop))
    readings = step(start(given, parameters, statistics), KEY, given, FEW_DATA)[1]
    batch = architecture.present(None, FEW_DATA.train, FEW_DATA.mean)
    graph, zeros = structure(RECIPE.traced(), architecture), taps(architecture, 4, jnp.float32)
    noise = architecture.noise(KEY, 4, jnp.float32)
    given = first_step(statistics, RECIPE.traced(), batch, jnp.zeros(()))._replace(noise=noise)

    def objective(taps):
        paths, (_, hidden) = observed_paths(graph, architecture, parameters, taps, given)
        return 4 * paths.sum(), hidden

    gradient, hidden = jax.grad(objective, has_aux=True)(zeros)
    return jax.tree.map(lambda leaf: np.asarray(leaf[0]), readings), hidden, gradient


def test_readings_are_of_the_steps_that_are_there():
    """Each against a loop over the sentences that have such a step; of one that none has there is no reading."""
    readings, hidden, gradient = first_record(LANGUAGE_MODEL)
    for layer in range(2):
        own = hidden["decoder"][layer]
        np.testing.assert_array_equal(own.counts, np.arange(6)[:, None] < FEW["lengths"][None])
        for step in range(6):
            place, there = 6 * layer + step, FEW["lengths"] > step
            read = {name: own["decoder"][place] for name, own in readings.items()
                    if isinstance(own, dict) and len(own["decoder"]) == 12}  # fmt: skip
            assert len(read) == 9
            if not there.any():
                assert np.isnan(list(read.values())).all()
                continue
            h, dh, slope = (np.asarray(run[step])[there] for run in (own.output, gradient["decoder"][layer], own.slope))
            unit = h / np.linalg.norm(h, axis=1, keepdims=True)
            pairs = (unit @ unit.T)[~np.eye(len(h), dtype=bool)]
            np.testing.assert_allclose(read["mean_square"], (h**2).mean(), rtol=1e-4)
            np.testing.assert_allclose(read["hidden_gradient"], np.sqrt((dh**2).mean()), rtol=1e-4)
            np.testing.assert_allclose(read["reconstruction_gradient"], read["hidden_gradient"])
            np.testing.assert_allclose(
                read["mean_cosine"], pairs.mean() if len(pairs) else np.nan, rtol=1e-4, atol=1e-6
            )
            shared = np.sum(dh.mean(axis=0) ** 2) / np.mean(np.sum(dh**2, axis=1))
            np.testing.assert_allclose(read["shared_gradient"], shared, rtol=1e-3)
            np.testing.assert_allclose(read["saturated"], (slope < 0.05).mean(), atol=1e-6)
            np.testing.assert_allclose(read["dead"], (slope < 0.05).all(axis=0).mean(), atol=1e-6)
            assert read["zero_gradients"] == (dh == 0).sum() == 0
    # Of the last step that two sentences have, over those that have it.
    last = np.sort(FEW["lengths"])[-2] - 1
    h = np.asarray(hidden["decoder"][1].output[last], float)[FEW["lengths"] > last]
    values = np.linalg.eigvalsh(np.cov(h, rowvar=False))
    np.testing.assert_allclose(readings["effective_rank"], values.sum() ** 2 / np.sum(values**2), rtol=1e-3)


def test_a_sentence_that_has_ended_keeps_the_state_that_the_head_reads():
    readings, hidden, gradient = first_record(VAE)
    for layer, slope in ((own.output, own.slope) for own in hidden["encoder"]):
        for example, length in enumerate(FEW["lengths"]):
            for run in (layer, slope):
                np.testing.assert_array_equal(run[length:, example] - run[length - 1, example][None], 0)
    for name, reading in readings.items():
        if isinstance(reading, dict) and "encoder" in reading:
            assert np.isfinite(reading["encoder"]).all(), name
    # So the last layer's gradient is that of what the head reads, of all sentences.
    last = np.asarray(gradient["encoder"][1])
    for example, length in enumerate(FEW["lengths"]):
        np.testing.assert_array_equal(last[length:, example] - last[-1, example][None], 0)


def test_words_are_dropped_with_their_probability_in_training_alone():
    many = {"tokens": np.full((2000, 6), 5, np.int32), "lengths": np.full(2000, 6, np.int32)}
    many = jax.tree.map(jnp.asarray, many)
    told = Sentences(0.3)(KEY, many, jnp.asarray(MEAN)).decoder_inputs
    np.testing.assert_array_equal(told[:, 0], BEGIN)
    assert set(np.unique(told[:, 1:])) == {PAD, 5}
    # 10,000 draws: a standard deviation of 0.0046.
    assert float(jnp.mean(told[:, 1:] == PAD, dtype=jnp.float32)) == pytest.approx(0.3, abs=0.014)
    other = Sentences(0.3)(jax.random.key(1), many, jnp.asarray(MEAN)).decoder_inputs
    assert (np.asarray(told) != np.asarray(other)).any()
    np.testing.assert_array_equal(Sentences(0.3)(None, many, jnp.asarray(MEAN)).decoder_inputs[:, 1:], 5)
    with pytest.raises(ValueError, match=r"word_dropout must lie in \[0, 1\], got 1.5"):
        Sentences(1.5)


@pytest.mark.parametrize("recipe", [RECIPE, RECIPE.replace(cell=GRUCell),
                                    RECIPE.replace(cell=TanhCell, zoneout=configure(zoneout, hidden=0.2, memory=0.2))],
                         ids=["lstm", "gru", "zoneout"])  # fmt: skip
def test_the_likeliest_sentence_is_that_of_teacher_forcing_step_by_step(recipe):
    model, run = model_of(VAE, recipe), ForwardPass(recipe)
    code = 3 * jax.random.normal(KEY, (7, 2))
    tokens, logits = model.generate(code, run)
    found, by_force = np.full((7, 7), BEGIN, np.int32), jnp.zeros(())
    for step in range(6):
        told = (jnp.asarray(found[:, :-1]), jnp.ones((7, 6), bool))
        by_force = model.decode(code, type(model.encode(batch_of(VAE), run)[2])(*told), run)
        found[:, step + 1] = np.argmax(by_force[:, step], axis=-1)
    for made, whole, outputs, forced in zip(tokens, found[:, 1:], logits, by_force, strict=True):
        ended = [*whole, END].index(END) + 1
        np.testing.assert_array_equal(made[:ended], whole[:ended])
        np.testing.assert_array_equal(made[ended:], PAD)
        np.testing.assert_allclose(outputs[:ended], forced[:ended], atol=1e-5)
    np.testing.assert_array_equal(model.from_code(code, run), logits)


def test_tokens_are_drawn_by_their_probability_at_a_temperature():
    model, run = model_of(LANGUAGE_MODEL), ForwardPass(RECIPE)
    tokens, logits = model.generate(20_000, run, jax.random.key(7), 0.5)
    expected = jax.nn.softmax(logits[0, 0] / 0.5)
    shares = np.bincount(tokens[:, 0], minlength=9) / len(tokens)
    np.testing.assert_allclose(shares, expected, atol=4 * np.sqrt(0.25 / len(tokens)))
    ends = np.asarray(tokens == END)
    assert ends.any(axis=1).any()
    behind = np.cumsum(ends, axis=1) - ends
    np.testing.assert_array_equal(np.asarray(tokens)[behind > 0], PAD)
    one, other = (model.generate(5, run, jax.random.key(seed))[0] for seed in (1, 2))
    assert (np.asarray(one) != np.asarray(other)).any()


def test_the_decoder_knows_no_token_before_its_turn():
    for architecture in (VAE, LANGUAGE_MODEL):
        model, batch, run = model_of(architecture), batch_of(architecture), ForwardPass(RECIPE)
        told = batch.inputs if batch.decoder_inputs is None else batch.decoder_inputs
        code = None if batch.decoder_inputs is None else jnp.ones((EXAMPLES, 2))
        mask = jnp.ones_like(batch.mask)
        kind = type(model_of(VAE).encode(batch_of(VAE), run)[2])
        one, other = (
            model.decoder(code, kind(each, mask), run.within("decoder"))
            for each in (told, told.at[:, 3].set((told[:, 3] + 1) % 9))
        )
        np.testing.assert_array_equal(one[:, :3], other[:, :3])
        assert (np.asarray(one[:, 3:]) != np.asarray(other[:, 3:])).any(axis=(1, 2)).all()


def test_each_is_given_the_code_of_another_in_evaluation_alone():
    batch, run = batch_of(VAE), ForwardPass(RECIPE)
    for architecture in (VAE, AUTOENCODER):
        model, noise = model_of(architecture), architecture.noise(KEY, EXAMPLES, jnp.float32)
        made = model(batch, noise, run)
        code = made.latents[0].z if made.latents else model.code(batch, run)
        kind = type(model_of(VAE).encode(batch, run)[2])
        expected = model.decode(code[jnp.array([4, 0, 1, 2, 3])], kind(batch.decoder_inputs, batch.mask), run)
        np.testing.assert_array_equal(made.shuffled, expected)
        model.train()
        assert model(batch, noise, run).shuffled is None


def test_without_z_there_is_no_kl_and_without_an_encoder_no_code():
    for architecture, stacks in ((AUTOENCODER, ["encoder", "decoder"]), (LANGUAGE_MODEL, ["decoder"])):
        assert architecture.before_z == ()
        assert list(architecture.stacks) == stacks
        parameters, statistics = drawn(architecture)
        assert list(parameters) == sorted(stacks)
        data = Data(jax.tree.map(jnp.asarray, rows()), jnp.asarray(MEAN))
        parts = evaluate(
            parameters,
            statistics,
            Evaluation(KEY, RECIPE.traced(), data, data.train),
            architecture=architecture,
            draws=1,
        )
        assert parts.kl_nats is None
        np.testing.assert_array_equal(parts.score, parts.reconstruction)
        assert (parts.shuffled is None) == (architecture is LANGUAGE_MODEL)
    assert not hasattr(model_of(LANGUAGE_MODEL), "code")


def test_outputs_start_at_the_symbols_frequencies():
    frequencies = jnp.asarray([0, 0, 0.2, 0.4, 0.2, 0.1, 0.05, 0.03, 0.02])
    model: Any = VAE.draw(RECIPE, KEY, frequencies)
    expected = np.maximum(np.asarray(frequencies), 1e-3 / 9)
    np.testing.assert_allclose(jax.nn.softmax(model.decoder.head.bias[...]), expected / expected.sum(), rtol=1e-5)


def test_what_would_count_padding_is_refused():
    for slot, value in (("normalization", batch_norm), ("data_dependent_init", unit_variance)):
        with pytest.raises(ValueError, match=f"{value.__name__} takes its statistics over all steps of a batch"):
            VAE.require(RECIPE.replace(**{slot: value}))
    VAE.require(RECIPE)


def test_sizes_are_at_least_one():
    with pytest.raises(ValueError, match="embedding must be at least 1, got 0"):
        SequenceArchitecture(**{**SIZES, "embedding": 0})
