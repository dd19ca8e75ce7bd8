import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.examination.trial import Trial
from bench.training.precision import cast, computing

# Each of eight layers passes less than a millionth of a gradient back: at the pixels' end float32 has none left.
WORKLOAD = "digits-dense[depth=8,width=16,latent=4,batch=32,steps=4]"
ARM = "baseline+tiny_normal[standard_deviation=1e-6]"


@pytest.fixture(scope="module")
def trained():
    return {
        dtype: Trial(WORKLOAD, arm, 27.0, ()).train([0], 0.01)
        for dtype, arm in (("float32", ARM), ("float64", f"{ARM}+float64"))
    }


def test_two_trainings_of_one_seed_start_alike(trained):
    single, double = (trained[dtype].began.parameters for dtype in ("float32", "float64"))
    for one, other in zip(jax.tree.leaves(single), jax.tree.leaves(double), strict=True):
        assert (one.dtype, other.dtype) == (np.float32, np.float64)
        np.testing.assert_array_equal(np.asarray(one, np.float64), np.asarray(other))


def test_what_underflows_in_float32_is_only_small_in_float64(trained):
    # After the first of the encoder's layers, at every step.
    single, double = (
        np.asarray(trained[dtype].readings["hidden_gradient"]["encoder"])[:, 0] for dtype in ("float32", "float64")
    )
    assert double.dtype == np.float64
    assert np.all(single == 0)
    assert np.all((double > 0) & (double < 1e-38))


def test_everything_that_a_training_carries_stays_in_float64(trained):
    state = trained["float64"].state
    assert {leaf.dtype for leaf in jax.tree.leaves((state.parameters, state.optimizer_state))} <= {
        np.dtype(np.float64),
        np.dtype(np.int32),
    }


def test_outside_there_is_no_float64_and_whole_numbers_stay():
    with computing("float64"):
        tree = cast({"x": jnp.ones(2, jnp.float32), "n": jnp.ones(2, jnp.int32)}, "float64")
    assert {name: leaf.dtype for name, leaf in tree.items()} == {"x": np.float64, "n": np.int32}
    assert jnp.zeros(1, float).dtype == np.float32
