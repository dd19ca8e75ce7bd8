"""Which wrapper may stand around which optimizer, over every optimizer and wrapper of the catalogue."""

import jax
import jax.numpy as jnp
import optax
import pytest

from bench.planning.catalogue import load_catalogue
from tests.vae_jax.optimization.tree import take, tree
from vae_jax.optimization.compatible import require_compatible
from vae_jax.optimization.evaluated import schedule_free_average
from vae_jax.optimization.wrappers import decay_weights, slow_weights
from vae_jax.recipe.recipe import Recipe
from vae_jax.training.train import Numbers, _optimizer

RATE, STEPS = jnp.asarray(0.01), jnp.asarray(100)
PARAMETERS = {"encoder": tree(0)["encoder"], "decoder": {**tree(1)["encoder"], "scale": jnp.ones(())}}
BASE, REMEDIES = Recipe(), load_catalogue().remedies
# Some remedies apply only to another base; none of them is an optimizer or a wrapper.
CHANGES = {name: REMEDIES[name](BASE).changes(BASE) for name in REMEDIES if REMEDIES[name].family != "initialization"}
WRAPPERS = [name for name, slots in CHANGES.items() if "optimizer_wrappers" in slots]
OPTIMIZERS = [name for name, slots in CHANGES.items() if "optimizer" in slots]
CHANGING = ["fixup", "reduce_on_plateau", "max_norm", "decoupled_decay"]
REFUSED = {
    **{("schedule_free", name): "choose another optimizer" for name in [*CHANGING, "aggressive_encoder"]},
    **{("lookahead", name): "let lookahead come after it" for name in [*CHANGING, "aggressive_encoder"]},
    ("sophia", "aggressive_encoder"): "needs all for the curvature of the loss: choose another",
}


def both(first, second):
    return REMEDIES[second](REMEDIES[first](BASE))


def test_slow_weights_without_lookahead():
    with pytest.raises(ValueError, match="no wrapper here is one: add it"):
        require_compatible(BASE.replace(evaluated_parameters=slow_weights))


@pytest.mark.parametrize("pair", REFUSED)
def test_what_would_go_wrong_is_refused_with_the_cure(pair):
    with pytest.raises(ValueError, match=REFUSED[pair]):
        require_compatible(both(*pair))


@pytest.mark.parametrize("first", [*OPTIMIZERS, *WRAPPERS])
def test_what_is_allowed_initializes_updates_and_is_evaluated(first):
    for second in WRAPPERS:
        # The slot of what is evaluated has room for one.
        if (first, second) in REFUSED or second == first or (first, second) == ("schedule_free", "lookahead"):
            continue
        recipe = both(first, second)
        require_compatible(recipe)

        def step(parameters, recipe=recipe):
            numbers = Numbers(recipe, RATE[None], RATE[None], STEPS)
            optimizer, evaluated = _optimizer(numbers, RATE), recipe.evaluated_parameters()
            extra = {"value": RATE, "grad": parameters, "value_fn": optax.tree.norm, "key": jax.random.key(0)}
            state = optimizer.init(parameters)
            updates, after = optimizer.update(parameters, state, parameters, **extra)
            kept = evaluated.update(evaluated.init(parameters), parameters, STEPS, STEPS)
            return updates, evaluated.get(kept, parameters, after), state, after

        with jax.numpy_dtype_promotion("standard"):
            updates, found, before, after = jax.eval_shape(step, PARAMETERS)
        for shapes in (updates, found):
            assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(jnp.shape, PARAMETERS)
        assert jax.tree.structure(before) == jax.tree.structure(after)


def test_what_is_outside_a_schedule_free_optimizer_would_move_what_it_is_evaluated_at():
    """Why it is refused: with no gradient and no step of its own, x has moved by more than y."""
    optimizer = optax.contrib.schedule_free_sgd(RATE, b1=0.5)
    nothing = jax.tree.map(jnp.zeros_like, PARAMETERS)
    ((after,), state) = take(decay_weights(optimizer, RATE, STEPS, strength=1.0), PARAMETERS, [nothing])
    found = schedule_free_average().get((), after, state)
    y, x, start = (leaves["encoder"]["input"]["kernel"] for leaves in (after, found, PARAMETERS))
    assert jnp.allclose(x - start, 2 * (y - start), atol=1e-6)
