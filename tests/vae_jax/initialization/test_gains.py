import jax
import jax.numpy as jnp
import pytest

from vae_jax.initialization import gains
from vae_jax.layers import units
from vae_jax.recipe.configured import configure, defer
from vae_jax.recipe.recipe import Recipe
from vae_jax.theory import mean_field


@pytest.mark.parametrize(("name", "weights", "biases"), [("tanh", 1.4247, 0.01003), ("relu", 2.0, 0.0)])
def test_the_critical_point_is_a_fixed_point_with_chi_one(name, weights, biases):
    activation = {"tanh": jnp.tanh, "relu": jax.nn.relu}[name]
    found = gains.critical_point(activation, 0.2737)
    assert found == pytest.approx((weights, biases), abs=2e-4)
    assert mean_field.chi(activation, 0.2737, found[0]) == pytest.approx(1.0)
    assert mean_field.length_map(activation, 0.2737, *found) == pytest.approx(0.2737)


def test_where_there_is_no_critical_point_that_is_said():
    with pytest.raises(ValueError, match="softplus has no critical point"):
        gains.critical_point(jax.nn.softplus, 0.25)
    # Sigmoid's lies where its weights are enormous: between 93 and 105 by quadrature elsewhere.
    assert 93 < gains.critical_point(jax.nn.sigmoid, 0.25)[0] < 105


def test_gains_keep_what_they_are_for():
    recipe = Recipe(activation=jnp.tanh)
    weights = gains.signal_preserving(recipe, 8).parameters["scale"]
    assert mean_field.length_map(jnp.tanh, 1.0, weights, 0.0) == pytest.approx(1.0)
    gain = gains.orthogonal_for_activation(recipe, 8).parameters["scale"]
    assert mean_field.chi(jnp.tanh, 1.0, gain**2) == pytest.approx(1.0)


@pytest.mark.parametrize("unit", [units.GatedUnit, units.ConcatenatedUnit, configure(units.MaxoutUnit, pieces=2)])
@pytest.mark.parametrize(
    "gain",
    [
        defer(gains.signal_preserving),
        defer(gains.orthogonal_for_activation),
        defer(gains.critical_weights, variance=0.25),
        defer(gains.critical_biases, variance=0.25),
    ],
    ids=lambda gain: gain.function.__name__,
)
def test_a_unit_that_is_more_than_its_activation_has_no_gain(unit, gain):
    with pytest.raises(ValueError, match=r"Unit: choose weights that do not depend on the activation"):
        Recipe().replace(unit=unit, kernel_init=gain).resolve(8)
