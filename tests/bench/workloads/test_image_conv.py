"""Images through convolutions: where they stall, what lifts them, and that a published network is what it was."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from bench.language.errors import InputError
from tests.bench.workloads.test_images import ran, workload
from tests.vae_jax.small_vae import numbers
from vae_jax.evaluation.estimates import estimate
from vae_jax.evaluation.evaluate import Evaluation, validate
from vae_jax.layers.normalization import batch_norm, no_normalization
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.training.train import Data, init, start

DEEPOBS = "image-conv[network=deepobs,data=mnist,batch=64]"


@pytest.mark.long
def test_the_baseline_stalls_by_its_gradient_and_the_trainable_base_lifts_it():
    plan, found = ran("image-conv", "baseline,trainable,trainable+crelu,trainable+latent_skip", steps=60)
    (stuck,), (learnt,) = (found[arm].trainings for arm in ("baseline", "trainable"))
    plateau, margin = plan.loaded.plateau, plan.loaded.workload.score.margin
    assert stuck.gradient_ratio_init < 0.002
    assert stuck.verdict == "vanishing"
    assert stuck.score > plateau - margin
    assert learnt.gradient_ratio_init > 0.05
    assert learnt.score < plateau - margin
    assert learnt.kl_nats > 0.2
    # What takes layers for rows of one length has a row that says so.
    reasons = {cell.arm: (cell.status, cell.reason) for cell in plan.cells if cell not in plan.planned}
    assert set(reasons) == {"trainable+crelu", "trainable+latent_skip"}
    assert all(status == "not applicable" and reason.endswith(
        ("choose other weights, as orthogonal", "a convolution's inputs are images: leave it out")
    ) for status, reason in reasons.values())  # fmt: skip


def test_deepobs_is_the_published_network():
    made = workload(DEEPOBS)
    architecture, recipe = made.architecture, made.bases["baseline"]
    assert {stack: [(run.layers, run.shape) for run in runs] for stack, runs in architecture.stacks.items()} == {
        "encoder": [(1, (14, 14, 64)), (2, (7, 7, 64))],
        "decoder": [(1, (24,)), (1, (49,)), (2, (14, 14, 64)), (1, (14, 14, 64))],
    }
    model = nnx.eval_shape(lambda: architecture.draw(recipe, jax.random.key(0), jnp.full((784,), 0.1)))
    parameters = nnx.as_pure(nnx.split(model, nnx.Param, ...)[1])
    kernels = {stack: [kernel.shape for kernel in own] for stack, own in architecture.kernels(parameters).items()}
    assert kernels == {
        "encoder": [(16, 64), (1024, 64), (1024, 64), (3136, 16)],
        "decoder": [(8, 24), (24, 49), (16, 64), (1024, 64), (1024, 64), (12544, 784)],
    }
    # Keras counts as many: three convolutions, heads of 8 and 8; dense 24, 49, three convolutions, dense 784.
    encoder = 16 * 64 + 64 + 2 * (1024 * 64 + 64) + 2 * (3136 * 8 + 8)
    decoder = 8 * 24 + 24 + 24 * 49 + 49 + 16 * 64 + 64 + 2 * (1024 * 64 + 64) + 12544 * 784 + 784
    assert sum(leaf.size for leaf in jax.tree.leaves(parameters)) == encoder + decoder
    # The encoder sees the images as they are.
    x = jnp.full((2, 784), 0.3)
    np.testing.assert_array_equal(architecture.present(None, x, x.mean(axis=0)).inputs, x)


def test_deepobs_drops_where_it_is_published_to_and_rectifies_the_decoders_images():
    made = workload(DEEPOBS.replace("mnist", "digits"))
    architecture, recipe = made.architecture, made.bases["baseline"]
    model: Any = architecture.draw(recipe, jax.random.key(0), jnp.full((64,), 0.1))
    x, z = jax.random.normal(jax.random.key(1), (16, 64)), jax.random.normal(jax.random.key(2), (16, 8))
    # By another activation nothing is 0 but what is dropped.
    tanh = recipe.replace(activation=jnp.tanh)
    for given, tower, dropped, negative in (
        (x, model.encoder, [True] * 3, [True] * 3),
        (z, model.decoder, [False, False, True, True, False], [True, True, False, False, False]),
    ):
        assert [float(h.min()) < 0 for h in tower(given, ForwardPass(recipe))[1]] == negative
        zeros = [float(jnp.mean(h == 0)) for h in tower(given, ForwardPass(tanh, jax.random.key(3)))[1]]
        np.testing.assert_allclose(zeros, 0.2 * np.array(dropped), atol=0.02)


@pytest.mark.parametrize("normalization", [no_normalization, batch_norm])
def test_a_set_of_ten_thousand_images_is_evaluated_in_bounded_memory(normalization):
    # Ten draws of each are decoded at once in the estimates, four in the evaluation, of 56,000 hidden units each.
    architecture = workload(DEEPOBS).architecture
    recipe = workload(DEEPOBS).bases["baseline"].replace(normalization=normalization)

    def program(function: Any, **sizes: int) -> Any:
        def whole(key: jax.Array, rows: jax.Array) -> Any:
            data = Data(rows, rows.mean(axis=0))
            state = start(numbers(recipe, 0.1, 100)[0], *init(key, recipe, architecture, data))
            return function(
                state, jnp.asarray(True), Evaluation(key, recipe, data, rows), architecture=architecture, **sizes
            )

        return jax.jit(whole).lower(jax.random.key(0), jax.ShapeDtypeStruct((10_000, 784), jnp.float32)).compile()

    for compiled in (program(validate, draws=4), program(estimate, samples=100, chunk=10)):
        assert compiled.memory_analysis().temp_size_in_bytes < 2**31


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image-conv[network=resnet]", "network must be one of deep, deepobs, got 'resnet'"),
        ("image-conv[data=cifar]", "unknown data set 'cifar'"),
        ("image-conv[data=penn-treebank]", "holds text, and this workload is of images"),
        ("image-conv[layers=0]", "channels and layers must be at least 1, got 16 and 0"),
        ("image-conv[network=deepobs,channels=8]", "leave channels, layers and binarisation out"),
        ("image-conv[network=deepobs,binarisation=anew]", "leave channels, layers and binarisation out"),
        ("image-conv[binarisation=twice]", "binarisation must be one of anew, fixed, none"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(text, said):
    with pytest.raises(InputError, match=said):
        workload(text)


def test_sides_that_no_four_divides_are_rounded_up():
    stacks = workload("image-conv[data=frey-faces,layers=1]").architecture.stacks
    assert [run.shape for run in stacks["encoder"]] == [(14, 10, 16), (7, 5, 16)]
    assert [run.shape for run in stacks["decoder"]] == [(560,), (7, 5, 16), (14, 10, 16)]
