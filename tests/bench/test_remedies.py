"""The contract of a remedy, for every one that is discovered: a new one is tested without a line written for it."""

import functools

import jax
import numpy as np
import pytest

from bench.catalogue import load_catalogue
from bench.compose import build_workload
from bench.plugin import FAMILIES, remedy
from tests.vae_jax.setting import ARCHITECTURE, begin, compiled, data, numbers
from vae_jax.evaluation import validate
from vae_jax.recipe import Recipe

CATALOGUE = load_catalogue()
BASES = build_workload(CATALOGUE, "digits-dense")[1].bases
NAMES = sorted(CATALOGUE.remedies)


def test_the_catalogue_holds_what_was_promised():
    promised = {
        "activation": "tanh relu leaky_relu elu selu gelu silu",
        "residual": "post_activation_residual pre_activation_residual highway rezero",
        "normalization": "batch_norm layer_norm rms_norm",
        "initialization": "tiny_normal lecun_normal he_normal orthogonal",
        "optimizer": "sgd momentum nesterov rprop rmsprop adagrad adadelta adam adam_small_eps adamw adamax nadam "
        "radam adabelief amsgrad yogi adan lion sign_sgd lamb lars novograd muon shampoo prodigy schedule_free sophia "
        "lookahead adopt ademamix",
        "gradient": "clip_by_value clip_by_global_norm clip_by_layer adaptive_gradient_clip centralisation "
        "layer_normalised_gradient gradient_noise accumulation sam skip_non_finite",
        "schedule": "cosine_decay learning_rate_warmup exponential_decay linear_decay step_decay warm_restarts "
        "one_cycle inverse_square_root cyclical_learning_rate warmup_stable_decay reduce_on_plateau growing_batch",
        "regularization": "l1 l2 decoupled_decay orthogonality_penalty max_norm early_stopping weight_averaging "
        "tail_averaging",
        "kl": "beta kl_warmup cyclical_annealing free_bits",
    }
    for family, names in promised.items():
        for name in names.split():
            assert CATALOGUE.remedies[name].family == family


@pytest.mark.parametrize("name", NAMES)
def test_a_remedy_changes_something_and_says_what_it_is(name):
    found = CATALOGUE.remedies[name]
    assert found.family in FAMILIES
    assert found.source
    assert found.mechanism
    changed = found(BASES["baseline"])
    assert isinstance(changed, Recipe)
    # What one base is made of changes nothing there, as SGD does on the baseline.
    assert any(found(base).changes(base) for base in BASES.values())
    # Pure: the same again, and the base is as it was.
    assert found(BASES["baseline"]) == changed
    assert BASES["baseline"] == Recipe()


@pytest.mark.parametrize("name", NAMES)
def test_a_remedy_trains_with_finite_loss_and_gradients_and_one_trace(name):
    recipe = CATALOGUE.remedies[name](BASES["baseline"])
    state, readings = begin(recipe), None
    before = compiled()._cache_size()
    # Two chunks, the second of other numbers: a second trace would be seen.
    for chunk in numbers(recipe, recipe.learning_rate / 10, 15):
        state, readings = compiled()(state, jax.random.key(0), chunk, data())
    assert compiled()._cache_size() <= before + 1
    assert state.step == 15
    assert state.diverged_at == -1
    for leaf in jax.tree.leaves((readings, state.parameters)):
        assert np.isfinite(leaf).all()
    x = jax.numpy.asarray(np.ones((4, 64), np.float32))
    terms, _ = jax.jit(functools.partial(validate, architecture=ARCHITECTURE, draws=2))(
        state, jax.numpy.asarray(False), jax.random.key(1), recipe.program(), data(), x
    )
    assert np.isfinite(terms.negative_elbo)


def test_zero_strength_is_the_base_bit_for_bit():
    base = BASES["baseline"]
    for idle in (
        CATALOGUE.remedies["beta"](base, weight=1.0),
        CATALOGUE.remedies["clip_by_global_norm"](base, max_norm=1e30),
        CATALOGUE.remedies["cosine_decay"](base, floor=1.0),
    ):
        states = []
        for recipe in (base, idle):
            state = begin(recipe)
            state, _ = compiled()(state, jax.random.key(0), numbers(recipe, 0.03, 10)[0], data())
            states.append(state)
        jax.tree.map(np.testing.assert_array_equal, states[0].parameters, states[1].parameters)


def test_what_a_remedy_must_have():
    with pytest.raises(ValueError, match="needs a source"):

        @remedy(source=" ")
        def unsourced(recipe):
            """Documented."""
            return recipe

    with pytest.raises(ValueError, match="needs a docstring"):

        @remedy(source="Someone 2020")
        def undocumented(recipe):
            return recipe

    with pytest.raises(ValueError, match="unknown family 'activations'"):

        @remedy(source="Someone 2020", family="activations")
        def misfiled(recipe):
            """Documented."""
            return recipe

    with pytest.raises(ValueError, match="needs a default"):

        @remedy(source="Someone 2020", family="kl")
        def demanding(recipe, nats):
            """Documented."""
            return recipe
