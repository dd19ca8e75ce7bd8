import functools
import json

import jax
import jax.numpy as jnp
import optax
import pytest

from vae_jax.initialization.initializers import orthogonal
from vae_jax.optimization.schedules import cosine_decay, linear_warmup
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe


def test_numbers_are_leaves_and_functions_are_structure():
    gentle = Recipe(activation=configure(jax.nn.leaky_relu, negative_slope=0.01))
    steep = gentle.replace(activation=configure(jax.nn.leaky_relu, negative_slope=0.3))
    assert jax.tree.structure(gentle) == jax.tree.structure(steep)
    assert 0.3 in jax.tree.leaves(steep)
    assert gentle != steep
    assert jax.tree.structure(gentle) != jax.tree.structure(gentle.replace(activation=jnp.tanh))


def test_integers_and_flags_are_structure():
    with_flag = configure(optax.sgd, momentum=0.9, nesterov=True)
    assert jax.tree.leaves(with_flag) == [0.9]
    assert jax.tree.structure(with_flag) != jax.tree.structure(configure(optax.sgd, momentum=0.9, nesterov=False))


def test_a_recipe_survives_flattening():
    recipe = Recipe().replace(
        activation=configure(jax.nn.leaky_relu, negative_slope=0.2),
        gradient_transforms=(configure(optax.clip_by_global_norm, max_norm=1.0),),
    )
    leaves, structure = jax.tree.flatten(recipe)
    assert jax.tree.unflatten(structure, leaves) == recipe


def test_initialization_rates_and_schedules_share_the_program():
    base = Recipe()
    for changed in (
        base.replace(kernel_init=configure(orthogonal, scale=1.0)),
        base.replace(learning_rate=0.5),
        base.chain(learning_rate_schedules=configure(cosine_decay, floor=0.0)),
        base.chain(kl_schedules=configure(linear_warmup, fraction=0.5)),
    ):
        assert changed.traced() == base.traced()
    assert base.replace(activation=jnp.tanh).traced() != base.traced()


def test_the_order_of_schedules_is_no_choice_and_that_of_transforms_is():
    cosine, warmup = configure(cosine_decay, floor=0.0), configure(linear_warmup, fraction=0.1)
    both = Recipe().chain(learning_rate_schedules=cosine).chain(learning_rate_schedules=warmup)
    assert both == Recipe().chain(learning_rate_schedules=warmup).chain(learning_rate_schedules=cosine)
    clip, zero = configure(optax.clip_by_global_norm, max_norm=1.0), configure(optax.zero_nans)
    clipped = Recipe().chain(gradient_transforms=clip).chain(gradient_transforms=zero)
    assert clipped.gradient_transforms == (clip, zero)


def test_a_bare_function_in_a_chain_is_configured():
    recipe = Recipe().chain(gradient_transforms=optax.zero_nans)
    assert recipe == Recipe().chain(gradient_transforms=configure(optax.zero_nans))
    assert jax.tree.structure(recipe) == jax.tree.structure(recipe)


def test_changes_names_the_slots_that_differ():
    assert Recipe().changes(Recipe()) == ()
    assert Recipe().replace(activation=jnp.tanh, learning_rate=1.0).changes(Recipe()) == ("activation", "learning_rate")


def test_descriptions_are_json_and_tell_recipes_apart():
    recipes = [Recipe(), Recipe().replace(activation=jnp.tanh), Recipe().replace(learning_rate=0.1)]
    texts = [json.dumps(recipe.describe()) for recipe in recipes]
    assert len(set(texts)) == 3
    assert Recipe().describe()["activation"] == "jax.nn.sigmoid" or "sigmoid" in Recipe().describe()["activation"]


def test_what_no_other_process_could_find_is_refused():
    def inner(x):
        return x

    for function in (lambda x: x, inner, functools.partial(jnp.add, 1)):
        with pytest.raises(ValueError, match="imported by name"):
            Recipe().replace(activation=function)
        with pytest.raises(ValueError, match="imported by name"):
            configure(function)
    with pytest.raises(ValueError, match="no slot 'activatoin'"):
        Recipe().replace(activatoin=jnp.tanh)
