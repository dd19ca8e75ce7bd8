"""The workload whose gradient vanishes through time: its figures, its theory, and every remedy made for it."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench import load
from bench.cli.main import main
from bench.language.arms import parse_arms
from bench.planning.catalogue import load_catalogue
from bench.planning.compose import build_workload, compose
from tests.vae_jax.small_vae import drawing, numbers
from vae_jax.recipe.keys import named_key
from vae_jax.theory.mean_field import NoPrediction, Profile, predict, recurrent_profile
from vae_jax.training.instruments import INSTRUMENTS
from vae_jax.training.train import Data, Loop, init, present, start

CATALOGUE = load_catalogue()
KEY = jax.random.key(0)
RECORD = Loop(128, 2, 1, INSTRUMENTS)
GRADIENT = Loop(8, 2, 1, tuple(instrument for instrument in INSTRUMENTS if instrument.name == "hidden_gradient"))
CURES = sorted(name for name, remedy in CATALOGUE.remedies.items() if remedy.family == "recurrent")


@functools.cache
def workload(text):
    return build_workload(CATALOGUE, text)[1]


def recipe_of(text, built):
    (arm,) = parse_arms(text, tuple(built.bases))
    return compose(CATALOGUE, built, arm)


def begin(built, recipe):
    dataset = built.data()
    arrays = Data(jnp.asarray(dataset.train), jnp.asarray(dataset.mean))
    drawn = jax.jit(init, static_argnums=2)(named_key(KEY, "init"), recipe, built.architecture, arrays)
    return start(numbers(recipe, recipe.learning_rate, 1)[0], *drawn), arrays


@functools.cache
def first_record(architecture, loop=RECORD):
    return jax.jit(drawing(architecture, loop))


def test_a_decoder_without_z_sits_at_four_times_the_entropy_of_a_symbol():
    built = workload("remember")
    dataset = built.data()
    assert built.plateau(dataset, dataset.test) == 4 * math.log(16) == pytest.approx(11.09, abs=0.005)
    assert dataset.test.shape == (1024, 320)
    np.testing.assert_allclose(dataset.mean, 1 / 16)
    np.testing.assert_array_equal(dataset.test.reshape(-1, 16).sum(axis=1), 1)
    outputs = jnp.broadcast_to(built.architecture.likelihood.output_bias(jnp.asarray(dataset.mean)), (1024, 64))
    found = -built.architecture.likelihood.log_prob(outputs, jnp.asarray(dataset.test)).mean()
    assert found == pytest.approx(4 * math.log(16), rel=1e-6)


def test_the_gradient_shrinks_from_step_to_step_as_mean_field_says():
    built = workload("remember")
    recipe = built.bases["baseline"]
    state, arrays = begin(built, recipe)
    batch, _ = present(KEY, jnp.zeros((), jnp.int32), arrays.train, arrays, built.architecture)
    expected = predict(built.architecture, recipe, state.parameters, np.asarray(batch.inputs))
    profile = expected["encoder"]
    assert isinstance(profile, Profile)
    assert isinstance(expected["decoder"], Profile)
    _, readings = first_record(built.architecture)(state, KEY, numbers(recipe, 1e-3, 2, RECORD)[0], arrays)
    gradient = np.asarray(readings["hidden_gradient"]["encoder"][0], float)
    # A symbol, centred, has mean square 15/256; its kernel has variance 1/16.
    ideal = recurrent_profile(jnp.tanh, 0.25, 15 / 256, 0.0, 20)
    for theory in (profile, ideal):
        slope = np.exp(np.mean(np.log(theory.gradient_ratio)))
        assert slope == pytest.approx(0.47, abs=0.02)
        assert (gradient[0] / gradient[-1]) ** (1 / 19) == pytest.approx(slope, rel=0.1)
    np.testing.assert_allclose(readings["mean_square"]["encoder"][0], profile.mean_square, rtol=0.1)
    np.testing.assert_allclose(readings["mean_cosine"]["encoder"][0], np.array(profile.mean_cosine), atol=0.02)
    assert [len(readings["weight_gradient"][tower][0]) for tower in ("encoder", "decoder")] == [3, 2]


def test_theory_says_of_what_it_has_no_map():
    built = workload("remember[length=5]")
    for text, reason in (
        ("lstm", "LSTMCell"), ("zoneout", "'zoneout'"), ("mean_pooling", "mean_state"), ("irnn", "diagonal"),
    ):  # fmt: skip
        recipe = recipe_of(text, built)
        state, _ = begin(built, recipe)
        x = np.random.default_rng(0).normal(size=(8, 80))
        prediction = predict(built.architecture, recipe, state.parameters, x)["encoder"]
        assert isinstance(prediction, NoPrediction)
        assert reason in prediction.reason


@pytest.mark.parametrize("name", CURES)
def test_every_remedy_of_time_trains_and_does_something(name):
    # Truncation is told from the base on a sequence longer than it; gates need a cell that has them.
    built = workload("remember[length=12,width=16]")
    base = "lstm" if name in ("forget_gate_bias", "chrono_init") else "baseline"
    recipe = recipe_of(f"{base}+{name}", built)
    state, arrays = begin(built, recipe)
    step = first_record(built.architecture, GRADIENT)
    state, readings = step(state, KEY, numbers(recipe, 1e-3, 2, GRADIENT)[0], arrays)
    for leaf in jax.tree.leaves((readings, state.parameters)):
        assert np.isfinite(leaf).all()
    gradient = np.asarray(readings["hidden_gradient"]["encoder"][0])
    assert (gradient[0] == 0) == (name == "truncated_bptt")
    assert gradient.shape == (12,)


def test_without_gates_there_is_nothing_to_bias():
    built = workload("remember[length=5]")
    one, other = (begin(built, recipe_of(text, built))[0] for text in ("baseline", "forget_gate_bias"))
    jax.tree.map(np.testing.assert_array_equal, one.parameters, other.parameters)


def test_remedies_of_time_compose():
    built = workload("remember")
    recipe = recipe_of("lstm+forget_gate_bias+orthogonal_recurrent+zoneout+truncated_bptt+mean_pooling", built)
    slots = ("cell", "recurrent_init", "gate_bias", "zoneout", "carry", "readout")
    assert set(recipe.changes(built.bases["baseline"])) == set(slots)
    assert recipe_of("trainable", built).changes(recipe_of("lstm+chrono_init", built)) == ("learning_rate",)


@pytest.mark.long
def test_what_learns_to_remember_and_what_does_not(tmp_path, cache):
    def ran(text, arms, steps, rates):
        out = tmp_path / text
        options = ("--rates", str(rates), "--seeds", "1", "--steps", str(steps), "--no-timing", "--out", str(out))
        with pytest.raises(SystemExit) as ended:
            main(["run", "--suite", "smoke", "--workload", text, "--arms", ",".join(arms), *options])
        assert ended.value.code == 0
        return load(out)[0].set_index("arm")["score"].to_dict()

    short = ran("remember", ("baseline", "trainable"), 2000, 3)
    assert abs(short["baseline"] - 4 * math.log(16)) < 0.3
    assert short["trainable"] < 4.5
    assert ran("remember[length=50]", ("trainable",), 4000, 1)["trainable"] < 5
