"""What a person's function is given, and what is said of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

from vae_jax.diagnosis.calling.any_model import as_whole, named_leaves
from vae_jax.diagnosis.calling.arguments import Arguments

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (8, 4))


def given(function, batch, taken=0):
    arguments = Arguments(function, batch, KEY, taken)
    return arguments.call(*["first"] * taken, batch=batch), arguments.said


def test_an_array_is_the_first_argument_and_what_is_unknown_a_key():
    (x, key), said = given(lambda x, z_rng: (x, z_rng), X)
    assert x is X
    assert jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    assert len(said) == 1
    assert said[0].endswith("asks for 'z_rng', which the batch does not hold: it was given a random key")


def test_flags_are_those_of_training_and_defaults_stay():
    def call(x, train, *, deterministic, is_training=False, width=3):
        return train, deterministic, is_training, width

    flags, said = given(call, X)
    assert flags == (True, False, True, 3)
    assert len(said) == 3


def test_entries_of_a_mapping_go_to_the_arguments_of_their_names():
    batch = {"image": X, "tabular": 2 * X, "labels": jnp.zeros(8)}
    (image, tabular, _), said = given(lambda image, *, tabular, key: (image, tabular, key), batch)
    assert image is X
    np.testing.assert_array_equal(tabular, 2 * X)
    assert len(said) == 1
    # A function with none of the names gets the whole.
    assert given(lambda batch: batch, batch)[0] is batch
    assert given(lambda _, everything: everything, batch, taken=1)[0] is batch
    assert given(lambda _, labels: labels, batch, taken=1)[0] is batch["labels"]


def test_rngs_are_those_of_nnx_and_a_wrapper_gets_its_batch():
    (rngs,), _ = given(lambda _, rngs: (rngs,), X)
    assert isinstance(rngs, nnx.Rngs)
    assert given(lambda _, *args: args, X, taken=1)[0] == (X,)


class Net(nn.Module):
    """Linen, batch statistics and dropout."""

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(3)(x))
        return nn.Dropout(0.5, deterministic=not train)(x)


class State:
    """As flax's TrainState."""

    def __init__(self, module, variables):
        self.apply_fn, self.params, self.batch_stats = module.apply, variables["params"], variables["batch_stats"]


def outputs(model, batch=X, **judged):
    whole = as_whole(model, batch, KEY, **judged)
    return whole.function(whole.parameters, batch), whole


def test_a_linen_model_is_one_however_it_is_held():
    module = Net()
    variables = module.init(KEY, X, False)
    held = [(module, variables), (module.apply, variables), State(module, variables)]
    made = [outputs(each)[0].outputs["output"] for each in held]
    for other in made[1:]:
        np.testing.assert_array_equal(made[0], other)
    # Statistics of the batch, and half of it dropped.
    assert 0.2 < float((made[0] == 0).mean()) < 0.8


def test_functions_and_integers_among_a_models_leaves_are_constants():
    kernels = {"kernel": jnp.eye(4), "step": jnp.int32(7), "activation": jnp.tanh}

    def apply(tree, x):
        return tree["activation"](x @ tree["kernel"]) + tree["step"].astype(jnp.float32)

    made, whole = outputs((apply, kernels))
    np.testing.assert_allclose(made.outputs["output"], jnp.tanh(X) + 7, rtol=1e-6)
    assert list(whole.parameters) == ["kernel"]


def test_an_objective_is_given_the_model_itself_and_parts_are_kept():
    class Halves(nnx.Module):
        def __init__(self, rngs):
            self.encoder, self.decoder = nnx.Linear(4, 2, rngs=rngs), nnx.Linear(2, 4, rngs=rngs)

    def objective(model, x, key):
        lost = jnp.mean((model.decoder(model.encoder(x)) - x) ** 2)
        return lost + jax.random.uniform(key), {"lost": lost, "shape": x}

    made, whole = outputs(Halves(nnx.Rngs(0)), objective=objective)
    assert set(made.parts) == {"lost"}
    assert float(made.loss) > float(made.parts["lost"])
    assert whole.differentiated == "the given objective, objective"
    with pytest.raises(ValueError, match=r"Halves has none: give its loss as an objective"):
        as_whole(Halves(nnx.Rngs(0)), X, KEY)


def test_outputs_are_named_by_their_paths():
    tree = {"image": X, "codes": (X[0], [X[1]]), "none": None}
    assert {name: leaf.shape for name, leaf in named_leaves(tree).items()} == {
        "image": (8, 4), "codes/0": (4,), "codes/1/0": (4,),
    }  # fmt: skip
    assert list(named_leaves(X)) == ["output"]


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (lambda outputs: outputs, "a loss must return one real number, or that and its parts, got float32 of shape"),
        (lambda _: 3, "got a int: take its mean"),
        (lambda outputs: jnp.argmax(outputs), "got int32 of shape"),
    ],
)
def test_a_loss_that_is_no_number_is_told(loss, said):
    with pytest.raises(ValueError, match=said):
        outputs((lambda kernel, x: x @ kernel, jnp.eye(4)), loss=loss)
