import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.vae_jax.optimization.tree import close, once, take, tree
from vae_jax.optimization.optimizers import adan, lars, muon, rprop, sophia

RATE = jnp.asarray(0.01)
PARAMETERS, GRADIENT = tree(0), tree(1)


def test_muon_orthogonalizes_hidden_kernels_and_is_adam_elsewhere():
    found = once(muon(RATE, momentum=0.95, rms=0.2), GRADIENT, PARAMETERS)["encoder"]
    for block in found["blocks"].values():
        singular = np.linalg.svd(block["dense"]["kernel"] / (0.01 * 0.2 * np.sqrt(5)), compute_uv=False)
        # Five steps of the published iteration bring them near 1, not onto it.
        assert (singular > 0.5).all()
        assert (singular < 1.5).all()
    before = np.linalg.svd(GRADIENT["encoder"]["blocks"][0]["dense"]["kernel"], compute_uv=False)
    assert before.max() / before.min() > 3
    adam = once(optax.adam(RATE), GRADIENT, PARAMETERS)["encoder"]
    for name in ("input", "head"):
        close(found[name], adam[name])
    np.testing.assert_allclose(found["blocks"][0]["dense"]["bias"], adam["blocks"][0]["dense"]["bias"], rtol=1e-5)


def test_lars_moves_each_kernel_by_one_share_of_its_norm():
    starved = jax.tree.map(lambda leaf: leaf * 1e-12, GRADIENT)
    for gradient in (GRADIENT, starved):
        found = once(lars(jnp.asarray(2.0), trust=0.001, momentum=0.9), gradient, PARAMETERS)["encoder"]
        for name in ("input", "head"):
            ratio = np.linalg.norm(found[name]["kernel"]) / np.linalg.norm(PARAMETERS["encoder"][name]["kernel"])
            np.testing.assert_allclose(ratio, 0.002, rtol=1e-5)
    born = jax.tree.map(jnp.zeros_like, PARAMETERS)
    found = once(lars(jnp.asarray(2.0), trust=0.001, momentum=0.9), GRADIENT, born)
    # A kernel that starts at zero, as Fixup's second, moves as a bias does.
    close(found, jax.tree.map(lambda slope: -0.002 * slope, GRADIENT))


def test_rprop_is_the_papers_loop_over_entries():
    draw = np.random.default_rng(0)
    gradients = [np.sign(draw.normal(size=20)) * 10.0 ** -draw.integers(0, 30, size=20) for _ in range(30)]
    weights, sizes, last = np.zeros(20), np.full(20, 0.01), np.zeros(20)
    for gradient in gradients:
        for entry, slope in enumerate(gradient):
            turned = slope * last[entry] < 0
            if slope * last[entry] > 0:
                sizes[entry] = min(1.2 * sizes[entry], 50)
            elif turned:
                sizes[entry] = max(0.5 * sizes[entry], 1e-6)
            weights[entry] -= 0 if turned else sizes[entry] * np.sign(slope)
            last[entry] = 0 if turned else slope
    found, _ = take(rprop(RATE, shrink=0.5, grow=1.2), jnp.zeros(20), [jnp.asarray(g, jnp.float32) for g in gradients])
    np.testing.assert_allclose(found[-1], weights, rtol=1e-4, atol=1e-6)


# At 1e-9 the eps is most of the divisor, at 1e-25 all of it: the squares are then no float32.
@pytest.mark.parametrize("size", [1.0, 1e-4, 1e-9, 1e-25])
def test_adan_is_the_authors_loop(size):
    b1, b2, b3, eps = 0.98, 0.92, 0.99, 1e-8
    gradients = np.asarray(size * np.random.default_rng(0).normal(size=(30, 20)), np.float32)
    weights = mean = changes = square = np.zeros(20)
    before, expected = gradients[0].astype(float), []
    for step, gradient in enumerate(gradients.astype(float), start=1):
        change = gradient - before
        mean = b1 * mean + (1 - b1) * gradient
        changes = b2 * changes + (1 - b2) * change
        square = b3 * square + (1 - b3) * (gradient + b2 * change) ** 2
        divisor = np.sqrt(square) / np.sqrt(1 - b3**step) + eps
        weights = weights - 0.01 * (mean / (1 - b1**step) + b2 * changes / (1 - b2**step)) / divisor
        before = gradient
        expected.append(weights)
    found, _ = take(adan(RATE, b1=b1, b2=b2, b3=b3, eps=eps), jnp.zeros(20), [jnp.asarray(g) for g in gradients])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_sophia_divides_by_the_curvature_and_clips():
    """On a separable quadratic Hutchinson's estimate is the diagonal itself, whatever the signs."""
    curvature = {"w": jnp.asarray([1.0, 10.0, 100.0])}
    start = {"w": jnp.asarray([1.0, 1.0, 0.01])}

    def value(parameters):
        return 0.5 * jnp.sum(curvature["w"] * parameters["w"] ** 2)

    gradient = jax.grad(value)(start)
    optimizer = sophia(RATE, b1=0.0, b2=0.0, gamma=0.5, interval=10)
    after, _ = take(optimizer, start, [gradient, gradient], value_fn=value, key=jax.random.key(0))
    # Before it has seen a curvature, every step is clipped; then gradient / (gamma h), clipped at 1.
    second = np.asarray(after[1]["w"]) - np.asarray(after[0]["w"])
    expected = np.minimum(1, np.asarray(gradient["w"]) / (0.5 * np.asarray(curvature["w"])))
    np.testing.assert_allclose(np.asarray(after[0]["w"]) - np.asarray(start["w"]), -0.01, rtol=1e-4)
    np.testing.assert_allclose(second, -0.01 * expected, rtol=1e-3)
