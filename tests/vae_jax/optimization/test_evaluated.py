import jax
import jax.numpy as jnp
import numpy as np
import optax

from tests.vae_jax.optimization.tree import close, take, tree
from vae_jax.optimization.evaluated import (
    best_on_validation,
    exponential_average,
    last_selected,
    schedule_free_average,
    tail_average,
    trained_parameters,
)

STEPS = jnp.asarray(10)
PATH = [{"w": jnp.asarray(value)} for value in np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)]
START = {"w": jnp.ones(3)}


def follow(evaluated, path, steps=STEPS):
    state = evaluated.init(START)
    for step, parameters in enumerate(path):
        state = evaluated.update(state, parameters, jnp.asarray(step + 1), steps)
    return evaluated.get(state, path[-1] if path else START, ())["w"]


def test_the_exponential_average_has_its_closed_form():
    for count in (1, 2, 10):
        weights = 0.9 ** np.arange(count)[::-1] * 0.1 / (1 - 0.9**count)
        np.testing.assert_allclose(weights.sum(), 1)
        expected = np.tensordot(weights, np.stack([p["w"] for p in PATH[:count]]), 1)
        np.testing.assert_allclose(follow(exponential_average(decay=0.9), PATH[:count]), expected, rtol=1e-4)
    np.testing.assert_array_equal(follow(exponential_average(decay=0.9), []), START["w"])
    np.testing.assert_allclose(follow(exponential_average(decay=0.0), PATH), PATH[-1]["w"], rtol=1e-6)


def test_the_tail_average_is_the_mean_of_the_last_share():
    expected = np.mean([p["w"] for p in PATH[6:]], axis=0)
    np.testing.assert_allclose(follow(tail_average(fraction=0.4), PATH), expected, rtol=1e-5)
    np.testing.assert_allclose(follow(tail_average(fraction=0.4), PATH[:5]), PATH[4]["w"], rtol=1e-5)
    everything = np.mean([p["w"] for p in PATH], axis=0)
    np.testing.assert_allclose(follow(tail_average(fraction=1.0), PATH), everything, rtol=1e-5)


def stop(losses, patience):
    selected = best_on_validation(patience=patience)
    state = selected.init(START)
    for parameters, value in zip(PATH, losses, strict=False):
        state = selected.tell(state, parameters, jnp.asarray(value, jnp.float32))
    last = PATH[len(losses) - 1]
    np.testing.assert_array_equal(selected.get(state, last, jnp.asarray(False))["w"], last["w"])
    found = selected.get(state, last, jnp.asarray(True))["w"]
    (index,) = [i for i, parameters in enumerate(PATH) if np.array_equal(found, parameters["w"])]
    return index


def test_early_stopping_ends_with_the_best_on_validation():
    assert stop([5, 4, 6, 3, 7, 8], patience=3) == 3
    # What comes after the patience has run out counts no more, better or not.
    assert stop([5, 4, 6, 6, 1], patience=2) == 1
    assert stop([5, 4, 6, 6, 1], patience=3) == 4
    assert stop([5, float("nan"), 4], patience=2) == 2


def test_the_defaults_keep_nothing():
    evaluated, selected = trained_parameters(), last_selected()
    assert jax.tree.leaves((evaluated.init(START), selected.init(START))) == []
    assert selected.get((), evaluated.get((), START, ()), jnp.asarray(True)) is START


def test_schedule_free_is_evaluated_at_its_own_average():
    """The published recurrence over z, x and y, written out, with SGD inside."""
    rate, b1 = 0.1, 0.9
    parameters, gradients = tree(0), [tree(seed) for seed in range(1, 7)]
    optimizer = optax.chain(optax.contrib.schedule_free_sgd(jnp.asarray(rate), b1=b1))
    after, state = take(optimizer, parameters, gradients)
    z = x = parameters["encoder"]["head"]["kernel"]
    for step, gradient in enumerate(gradients):
        z = z - rate * gradient["encoder"]["head"]["kernel"]
        x = x + (z - x) / (step + 1)
    y = (1 - b1) * z + b1 * x
    close(after[-1]["encoder"]["head"]["kernel"], y, rtol=1e-4, atol=1e-5)
    found = schedule_free_average().get((), after[-1], state)
    close(found["encoder"]["head"]["kernel"], x, rtol=1e-4, atol=1e-5)
