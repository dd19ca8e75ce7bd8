import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.vae_jax.optimization.tree import close, once, tree
from vae_jax.optimization.transforms import (
    add_noise,
    centralize,
    clip_adaptively,
    clip_by_layer,
    normalize_layers,
    penalize_correlation,
    penalize_size,
    penalize_square,
)

PARAMETERS, GRADIENT = tree(0), tree(1)


def layers(whole):
    """Each layer's kernel and bias as one vector."""
    tower = whole["encoder"]
    each = [tower["input"], *(tower["blocks"][i]["dense"] for i in tower["blocks"]), tower["head"]]
    return [np.concatenate([np.ravel(layer["kernel"]), layer["bias"]]) for layer in each]


def test_centralisation_leaves_no_mean_over_fan_in_and_biases_as_they_were():
    found = once(centralize(), GRADIENT)["encoder"]
    for layer in (found["input"], found["blocks"][1]["dense"], found["head"]):
        np.testing.assert_allclose(np.mean(layer["kernel"], axis=0), 0, atol=1e-7)
        assert np.abs(np.mean(layer["kernel"], axis=1)).max() > 0.01
    np.testing.assert_array_equal(found["input"]["bias"], GRADIENT["encoder"]["input"]["bias"])
    # The paper's projection: what is left over is orthogonal to the vector of ones, and nothing else is lost.
    kernel, ones = np.asarray(GRADIENT["encoder"]["head"]["kernel"], np.float64), np.ones((5, 1)) / np.sqrt(5)
    np.testing.assert_allclose(found["head"]["kernel"], (np.eye(5) - ones @ ones.T) @ kernel, atol=1e-6)


def test_clipping_by_layer_bounds_each_layer_and_spares_the_small_ones():
    gradient = jax.tree.map(lambda leaf: leaf, GRADIENT)
    gradient["encoder"]["head"] = jax.tree.map(lambda leaf: leaf * 1e-3, gradient["encoder"]["head"])
    *large, small = zip(layers(once(clip_by_layer(max_norm=1.0), gradient)), layers(gradient), strict=True)
    for after, before in large:
        np.testing.assert_allclose(after, before / np.linalg.norm(before), rtol=1e-5)
    np.testing.assert_array_equal(*small)


def test_a_normalised_layer_has_norm_one_and_a_dead_one_stays_dead():
    gradient = jax.tree.map(lambda leaf: leaf, GRADIENT)
    gradient["encoder"]["input"] = jax.tree.map(jnp.zeros_like, gradient["encoder"]["input"])
    first, *others = layers(once(normalize_layers(eps=1e-8), gradient))
    np.testing.assert_array_equal(first, 0)
    np.testing.assert_allclose([np.linalg.norm(layer) for layer in others], 1, rtol=1e-5)


def test_adaptive_clipping_bounds_the_ratio_of_each_unit_but_not_in_the_head():
    gradient = jax.tree.map(lambda leaf: leaf.at[..., 0].multiply(1e-4), GRADIENT)
    found = once(clip_adaptively(clipping=0.01, eps=1e-3), gradient, PARAMETERS)["encoder"]
    before, weights = gradient["encoder"], PARAMETERS["encoder"]
    kernel = found["blocks"][0]["dense"]["kernel"]
    ratio = np.linalg.norm(kernel, axis=0) / np.linalg.norm(weights["blocks"][0]["dense"]["kernel"], axis=0)
    np.testing.assert_allclose(ratio[1:], 0.01, rtol=1e-4)
    np.testing.assert_array_equal(kernel[:, 0], before["blocks"][0]["dense"]["kernel"][:, 0])
    np.testing.assert_array_equal(found["head"]["kernel"], before["head"]["kernel"])


def test_noise_has_its_variance_fades_and_is_each_keys_own():
    zeros, transform = {"layer": {"kernel": jnp.zeros((200, 200))}}, add_noise(variance=0.01, decay=0.55)
    state = transform.init(zeros)
    for step, key in enumerate(jax.random.split(jax.random.key(0), 4)):
        with jax.numpy_dtype_promotion("standard"):
            noise, state = transform.update(zeros, state, zeros, key=key)
        variance = np.asarray(jax.tree.leaves(noise)[0], np.float64).var()
        np.testing.assert_allclose(variance, 0.01 / (1 + step) ** 0.55, rtol=0.03)
    draws = [once(transform, zeros, key=jax.random.key(seed))["layer"]["kernel"] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def correlation(parameters, strength):
    blocks = parameters["encoder"]["blocks"].values()
    grams = [jnp.matmul(block["dense"]["kernel"].T, block["dense"]["kernel"]) for block in blocks]
    return strength * sum(jnp.sum((gram - jnp.eye(len(gram))) ** 2) for gram in grams)


def square(parameters, strength):
    return strength / 2 * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(parameters) if leaf.ndim == 2)


def size(parameters, strength):
    return strength * sum(jnp.sum(jnp.abs(leaf)) for leaf in jax.tree.leaves(parameters) if leaf.ndim == 2)


@pytest.mark.parametrize(
    ("transform", "penalty"),
    [(penalize_correlation, correlation), (penalize_square, square), (penalize_size, size)],
)
def test_a_penalty_adds_its_gradient(transform, penalty):
    found = once(transform(strength=0.1), GRADIENT, PARAMETERS)
    slope = jax.grad(penalty)(PARAMETERS, 0.1)
    close(found, jax.tree.map(jnp.add, GRADIENT, slope))
    assert np.any(slope["encoder"]["blocks"][0]["dense"]["kernel"])
    close(once(transform(strength=0.0), GRADIENT, PARAMETERS), GRADIENT, rtol=0, atol=0)
