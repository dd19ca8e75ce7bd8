import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.vae_jax.small_vae import (
    ARCHITECTURE,
    LOOP,
    TANH,
    WATCHED,
    begin,
    compiled,
    data,
    drawing,
    first_step,
    numbers,
    run,
    taken,
)
from vae_jax.initialization.initializers import orthogonal
from vae_jax.layers.normalization import batch_norm
from vae_jax.models.vae import VAEArchitecture
from vae_jax.objective.loss import loss, structure
from vae_jax.objective.rates import free_bits
from vae_jax.optimization.optimizers import rprop
from vae_jax.optimization.schedules import linear_warmup
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe
from vae_jax.training.train import Loop, batches, present, start


def test_the_compiled_loop_is_a_plain_loop_of_optax_steps():
    recipe = TANH.replace(optimizer=optax.adam)
    state, _ = run(recipe, 1e-3, 20)
    start, key = begin(recipe), jax.random.key(0)
    parameters, optimizer = start.parameters, optax.adam(1e-3)
    optimizer_state = optimizer.init(parameters)
    graph = structure(recipe.traced(), ARCHITECTURE)
    gradient = jax.jit(jax.grad(functools.partial(loss, graph, ARCHITECTURE), has_aux=True))
    for step in range(20):
        first = jnp.asarray(step // LOOP.chunk * LOOP.chunk)
        examples = batches(key, first, LOOP.batch, LOOP.chunk, 1257)[step % LOOP.chunk]
        batch, noise = present(key, jnp.asarray(step), data().train[examples], data(), ARCHITECTURE)
        gradients, _ = gradient(parameters, first_step(start.statistics, recipe.traced(), batch, noise))
        with jax.numpy_dtype_promotion("standard"):
            updates, optimizer_state = optimizer.update(gradients, optimizer_state)
        parameters = optax.apply_updates(parameters, updates)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-6), state.parameters, parameters)


def test_a_training_may_end_within_a_chunk():
    ended = run(TANH, 0.05, 7)[0]
    assert ended.step == 7
    longer = run(TANH, 0.05, 20)[0]
    assert longer.step == 20
    # The same seven steps, whatever the chunk: records every step, one at a time.
    single = Loop(LOOP.batch, 1, 1, ())
    by_one = run(TANH, 0.05, 7, loop=single)[0]
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), ended.parameters, by_one.parameters
    )


def test_an_epoch_shows_every_example_once():
    loop = Loop(batch=100, chunk=30, record_every=30, instruments=())
    key = jax.random.key(5)
    shown = np.concatenate(
        [batches(key, jnp.asarray(first), loop.batch, loop.chunk, 1257).reshape(-1) for first in (0, 30)]
    )
    assert shown.shape == (6000,)
    for epoch in range(4):
        order = shown[epoch * 1257 : (epoch + 1) * 1257]
        np.testing.assert_array_equal(np.sort(order), np.arange(1257))
    assert not np.array_equal(shown[:1257], shown[1257:2514])


def test_arms_of_one_seed_share_weights_batches_and_noise():
    plain, other = begin(TANH), begin(TANH.replace(activation=jax.nn.relu, optimizer=optax.adam))
    jax.tree.map(np.testing.assert_array_equal, plain.parameters, other.parameters)
    normalized = begin(TANH.replace(normalization=batch_norm))
    np.testing.assert_array_equal(
        normalized.parameters["encoder"]["blocks"][1]["unit"]["dense"]["kernel"],
        plain.parameters["encoder"]["blocks"][1]["unit"]["dense"]["kernel"],
    )
    # Batches and noise: recipes that are one function at first lose the same nats on the first minibatch.
    adam, lenient = TANH.replace(optimizer=optax.adam), TANH.replace(kl_treatment=configure(free_bits, nats=1.0))
    first = {run(recipe, 0.01, 5)[1][0]["reconstruction"][0].item() for recipe in (TANH, adam, lenient)}
    assert len(first) == 1


def test_seeds_differ():
    first, second = begin(TANH, 0), begin(TANH, 1)
    assert not np.array_equal(
        first.parameters["encoder"]["input"]["dense"]["kernel"],
        second.parameters["encoder"]["input"]["dense"]["kernel"],
    )


def test_a_program_is_traced_once_for_all_numbers():
    # A loop of its own, so that no other test's traces are counted.
    loop = Loop(LOOP.batch, LOOP.chunk, LOOP.record_every, LOOP.instruments[:1])
    program = taken(loop, ARCHITECTURE)
    recipes = [
        TANH,
        TANH.replace(kernel_init=configure(orthogonal, scale=0.5)),
        Recipe().replace(activation=jnp.tanh),
    ]
    for recipe, rate, seed in zip(recipes, (0.01, 0.1, 0.2), (0, 1, 2), strict=True):
        run(recipe, rate, 12, seed=seed, loop=loop)
    assert program._cache_size() == 1


def test_the_lowered_program_calls_nothing_on_the_host():
    state, chunk = begin(TANH), numbers(TANH, 0.01, 10)[0]
    text = jax.jit(drawing(ARCHITECTURE, WATCHED)).lower(state, jax.random.key(0), chunk, data()).as_text()
    assert "callback" not in text
    assert "stablehlo.while" in text


def test_divergence_is_dated():
    # SGD at an absurd rate: the first update wrecks the weights, so the second loss is beyond the limit.
    state, _ = run(TANH, 1e6, 10)
    assert 0 < state.diverged_at < 10
    assert run(TANH, 0.01, 10)[0].diverged_at == -1


def test_vectorised_lanes_agree_with_single_trainings():
    """Lanes side by side as on a GPU, on whatever device there is: one step in float32."""
    from bench.training.arm_trainer import NUMBERS_AXES, STATE_AXES

    recipe = TANH.replace(optimizer=optax.adam)
    states = [begin(recipe, seed) for seed in (0, 1)]
    chunk = numbers(recipe, 1e-3, 1)[0]
    keys = jnp.stack([jax.random.key(seed) for seed in (0, 1)])
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    stacked = stacked._replace(step=states[0].step)
    lanes = chunk._replace(learning_rates=jnp.stack([chunk.learning_rates] * 2))
    single = drawing(ARCHITECTURE, LOOP)
    mapped = jax.jit(jax.vmap(single, (STATE_AXES, 0, NUMBERS_AXES, None), (STATE_AXES, 0)))
    together, _ = mapped(stacked, keys, lanes, data())
    for lane, state in enumerate(states):
        alone, _ = compiled()(state, jax.random.key(lane), chunk, data())
        jax.tree.map(
            lambda a, b, lane=lane: np.testing.assert_allclose(a[lane], b, atol=1e-5),
            together.parameters, alone.parameters,
        )  # fmt: skip


def test_an_optimizer_starts_from_the_true_first_rate_in_every_lane():
    """Rprop keeps its steps in its state, which begins with the first rate of the schedule."""
    from bench.training.arm_trainer import NUMBERS_AXES, STATE_AXES

    recipe = TANH.replace(optimizer=configure(rprop, shrink=0.5, grow=1.2))
    recipe = recipe.chain(learning_rate_schedules=configure(linear_warmup, fraction=1.0))
    drawn = begin(recipe)
    chunk = numbers(recipe, 0.1, 10)[0]
    alone = start(chunk, drawn.parameters, drawn.statistics)
    np.testing.assert_allclose(alone.optimizer_state[0].sizes["encoder"]["head"]["bias"], 0.01, rtol=1e-6)
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(alone))
    lanes = chunk._replace(learning_rates=jnp.stack([chunk.learning_rates, 2 * chunk.learning_rates]))
    two = jax.tree.map(lambda leaf: jnp.stack([leaf] * 2), (drawn.parameters, drawn.statistics))
    together = jax.vmap(start, (NUMBERS_AXES, 0, 0), STATE_AXES)(lanes, *two)
    np.testing.assert_allclose(together.optimizer_state[0].sizes["encoder"]["head"]["bias"][1], 0.02, rtol=1e-6)


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"chunk": 0}, {"record_every": 3}])
def test_a_chunk_has_a_sensible_shape(wrong):
    with pytest.raises(ValueError, match="must be"):
        Loop(**({"batch": 1, "chunk": 10, "record_every": 5, "instruments": ()} | wrong))


def test_sizes_are_positive():
    with pytest.raises(ValueError, match="latent must be at least 1, got 0"):
        VAEArchitecture(data=64, depth=1, width=8, latent=0)
