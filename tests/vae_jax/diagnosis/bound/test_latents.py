"""Mean, log_var, z and reconstruction: found without a mark, by a mark, and not where there are none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.ad_checkpoint import checkpoint_name

import vae_jax
from tests.vae_jax.diagnosis.bound.test_reduction import KERNELS, LATENT, X, apply

MARKED = ("mean", "log_var", "z", "reconstruction")


def bound(y, mean, log_var, x):
    return jnp.mean(jnp.sum((y - x) ** 2, -1) + jnp.sum(0.5 * (jnp.exp(log_var) + mean**2 - 1 - log_var), -1))


def of_outputs(outputs, x):
    y, mean, log_var = outputs
    return bound(y, mean, log_var, x)


def objective(kernels, x, key, mark=checkpoint_name, uses=True):
    h = jnp.tanh(x @ kernels["encoder"])
    mean, log_var = mark(h @ kernels["mean"], "mean"), mark(h @ kernels["log_var"], "log_var")
    z = mark(mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape), "z")
    y = mark(jnp.tanh((z if uses else 0 * z) @ kernels["decoder"]) @ kernels["out"], "reconstruction")
    return bound(y, mean, log_var, x)


def whole(kernels, x, key):
    return objective(kernels, x, key)


def unmarked(kernels, x, key):
    return objective(kernels, x, key, mark=lambda value, _: value)


def forgets(kernels, x, key):
    return objective(kernels, x, key, uses=False)


def test_marks_change_nothing_in_the_program():
    key = jax.random.key(0)
    texts = [jax.jit(function).lower(KERNELS, X, key).as_text() for function in (whole, unmarked)]
    assert texts[0].replace("whole", "") == texts[1].replace("unmarked", "")


def test_an_objective_with_marks_says_what_a_loss_of_outputs_does():
    by_loss = vae_jax.diagnose((apply, KERNELS), X, loss=of_outputs)
    by_marks = vae_jax.diagnose(KERNELS, X, objective=whole)
    for one, other in zip(by_loss.uses, by_marks.uses, strict=True):
        np.testing.assert_allclose(one.kl_by_unit, other.kl_by_unit, rtol=1e-5)
        np.testing.assert_allclose(list(one.nats.values()), list(other.nats.values()), rtol=1e-4)
        assert one.moves is not None
        assert one.moves > 0.1
    assert by_loss.reduction is not None
    assert by_marks.reduction is not None
    np.testing.assert_allclose(by_loss.reduction[:3], by_marks.reduction[:3], rtol=1e-4)
    assert [way.name for way in by_marks.ways] == [way.name for way in by_loss.ways]


def test_without_marks_nothing_is_known_of_z():
    found = vae_jax.diagnose(KERNELS, X, objective=unmarked)
    assert (found.uses, found.reduction, found.likelihood) == ((), None, "")
    assert [layer.name for layer in found.layers if layer.whole] == ["encoder", "log_var to mean", "decoder", "out"]


def test_a_decoder_that_does_not_read_z_is_collapsed_whatever_the_divergence():
    found = vae_jax.diagnose(KERNELS, X, objective=forgets)
    (use,) = found.uses
    assert (found.verdict, use.moves) == ("collapsed", 0.0)
    assert use.kl_nats > 0.1
    np.testing.assert_allclose(list(use.nats.values()), use.nats["its own"], rtol=1e-6)


def test_with_another_examples_z_the_other_examples_reconstruction_comes():
    """z alone decides what this decoder says."""
    found = vae_jax.diagnose(KERNELS, X, objective=whole)
    h = np.tanh(np.asarray(X) @ np.asarray(KERNELS["encoder"]))
    key = jax.random.key(0)
    mean, log_var = h @ np.asarray(KERNELS["mean"]), h @ np.asarray(KERNELS["log_var"])
    z = mean + np.exp(0.5 * log_var) * np.asarray(jax.random.normal(key, mean.shape))
    nats = {}
    for whose, other in (("its own", z), ("another example's", np.roll(z, 1, axis=0)), ("zero", 0 * z)):
        y = np.tanh(other @ np.asarray(KERNELS["decoder"])) @ np.asarray(KERNELS["out"])
        nats[whose] = 0.5 * ((y - np.asarray(X)) ** 2).sum(-1).mean()
    for whose, expected in nats.items():
        np.testing.assert_allclose(found.uses[0].nats[whose], expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("write", "divergence"),
    [
        (lambda v: jnp.exp(0.5 * v), lambda s: 0.5 * (s**2 - 1) - jnp.log(s)),
        (lambda v: 0.5 * v, lambda s: 0.5 * (jnp.exp(2 * s) - 1) - s),
        (lambda v: jnp.exp(v), lambda s: 0.5 * (s - 1 - jnp.log(s))),
    ],
    ids=["standard deviation", "log standard deviation", "variance"],
)
def test_a_width_may_be_written_in_other_ways(write, divergence):
    def other(kernels, x, key):
        y, mean, log_var = apply(kernels, x, key)
        return y, mean, write(log_var)

    def loss(outputs, x):
        y, mean, width = outputs
        return jnp.mean(jnp.sum((y - x) ** 2, -1) + jnp.sum(0.5 * mean**2 + divergence(width), -1))

    (plain,) = vae_jax.diagnose((apply, KERNELS), X, loss=of_outputs).uses
    (found,) = vae_jax.diagnose((other, KERNELS), X, loss=loss).uses
    np.testing.assert_allclose(found.kl_by_unit, plain.kl_by_unit, rtol=1e-3, atol=1e-5)
    assert len(found.kl_by_unit) == LATENT


def test_a_classifier_has_no_latent():
    labels = jnp.arange(len(X)) % 3

    def loss(outputs):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(outputs[:, :3]), labels[:, None], 1))

    found = vae_jax.diagnose(
        (lambda kernels, x: jnp.tanh(x @ kernels["encoder"]) @ kernels["mean"], KERNELS), X, loss=loss
    )
    assert (found.uses, found.reduction, found.verdict) == ((), None, "healthy")
