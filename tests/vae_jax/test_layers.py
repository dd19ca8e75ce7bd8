import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.vae_jax.setting import ARCHITECTURE, DATASET, data
from vae_jax import theory
from vae_jax.configured import configure
from vae_jax.forward_pass import ForwardPass, Place
from vae_jax.keys import named_key
from vae_jax.layers import (
    activations,
    blocks,
    calibration,
    gains,
    initializers,
    noise,
    normalization,
    precision,
    units,
    weight_forms,
)
from vae_jax.recipe import Recipe
from vae_jax.towers.dense import DenseTower
from vae_jax.train import init, present

KEY = jax.random.key(3)
PLACE = Place(16)
PRELU = configure(activations.parametric_relu, negative_slope=0.25)
ROLES = ("input", "hidden", "hidden", "head")
H = jax.random.normal(jax.random.key(4), (32, 16))


def pieces(block):
    return np.asarray(block.unit.dense.kernel[...]), np.asarray(block.unit.dense.bias[...])


@pytest.mark.parametrize(
    ("initializer", "variance"),
    [
        (configure(initializers.normal, standard_deviation=0.01), 1e-4),
        (configure(initializers.variance_scaling, scale=2.0, mode="fan_in", distribution="truncated_normal"), 2 / 300),
        (configure(initializers.variance_scaling, scale=1.0, mode="fan_avg", distribution="uniform"), 1 / 250),
    ],
)
def test_initializers_have_their_variance(initializer, variance):
    kernel = np.asarray(initializer(KEY, (300, 200), jnp.float32, "hidden"))
    np.testing.assert_allclose(kernel.var(), variance, rtol=0.02)
    assert abs(kernel.mean()) < 5 * np.sqrt(variance / kernel.size)


def test_orthogonal_kernels_have_equal_singular_values():
    kernel = np.asarray(initializers.orthogonal(KEY, (64, 64), jnp.float32, "hidden", scale=0.9))
    np.testing.assert_allclose(np.linalg.svd(kernel, compute_uv=False), 0.9, rtol=1e-5)


def test_plain_block():
    block = blocks.PlainBlock(PLACE, Recipe(), KEY)
    kernel, bias = pieces(block)
    np.testing.assert_allclose(
        block(H, ForwardPass(Recipe())), 1 / (1 + np.exp(-(np.asarray(H) @ kernel + bias))), rtol=1e-5
    )


def test_post_activation_residual_block():
    recipe = Recipe(activation=jnp.tanh)
    block = blocks.PostActivationResidualBlock(PLACE, recipe, KEY)
    kernel, bias = pieces(block)
    np.testing.assert_allclose(
        block(H, ForwardPass(recipe)), np.tanh(np.asarray(H) + np.asarray(H) @ kernel + bias), rtol=1e-4
    )


def test_pre_activation_residual_block():
    recipe = Recipe(activation=jnp.tanh)
    block = blocks.PreActivationResidualBlock(PLACE, recipe, KEY)
    kernel, bias = pieces(block)
    expected = np.asarray(H) + np.tanh(np.asarray(H)) @ kernel + bias
    np.testing.assert_allclose(block(H, ForwardPass(recipe)), expected, rtol=1e-4, atol=1e-6)


def test_highway_block_is_nearly_shut_at_first():
    recipe = Recipe(activation=jnp.tanh)
    block = blocks.HighwayBlock(PLACE, recipe, KEY, gate_bias=-3.0)
    kernel, bias = pieces(block)
    gate = 1 / (1 + np.exp(-(np.asarray(H) @ np.asarray(block.gate.kernel[...]) - 3.0)))
    expected = gate * np.tanh(np.asarray(H) @ kernel + bias) + (1 - gate) * np.asarray(H)
    np.testing.assert_allclose(block(H, ForwardPass(recipe)), expected, rtol=1e-4, atol=1e-6)
    assert gate.mean() < 0.1
    assert not np.array_equal(block.gate.kernel[...], kernel)


def test_rezero_block_is_the_identity_at_alpha_zero():
    block = blocks.ReZeroBlock(PLACE, Recipe(), KEY, alpha=0.0)
    np.testing.assert_array_equal(block(H, ForwardPass(Recipe())), H)
    half = blocks.ReZeroBlock(PLACE, Recipe(), KEY, alpha=0.5)
    np.testing.assert_allclose(
        half(H, ForwardPass(Recipe())), H + 0.5 * half.branch(H, ForwardPass(Recipe())), rtol=1e-6
    )


def test_normalizations_against_numpy():
    h = np.asarray(H, np.float64) * 3 + 5
    per_unit = (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5)
    per_example = (h - h.mean(1, keepdims=True)) / np.sqrt(h.var(1, keepdims=True) + 1e-6)
    scaled = h / np.sqrt((h**2).mean(1, keepdims=True) + 1e-6)
    batch_norm = normalization.batch_norm(16)
    batch_norm.train()
    h32 = jnp.asarray(h, jnp.float32)
    np.testing.assert_allclose(batch_norm(h32), per_unit, atol=1e-4)
    np.testing.assert_allclose(batch_norm.mean[...], h.mean(0), rtol=1e-5)
    np.testing.assert_allclose(normalization.layer_norm(16)(h32), per_example, atol=1e-4)
    np.testing.assert_allclose(normalization.rms_norm(16)(h32), scaled, atol=1e-4)
    np.testing.assert_array_equal(normalization.no_normalization(16)(h32), h32)


def test_scaled_residual_block():
    recipe = Recipe(activation=jnp.tanh)
    place = Place(16, depth=4)
    branch = blocks.PreActivationResidualBlock(place, recipe, KEY)(H, ForwardPass(recipe)) - H
    scaled = blocks.ScaledResidualBlock(place, recipe, KEY)(H, ForwardPass(recipe)) - H
    np.testing.assert_allclose(scaled, branch / 2, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("block", "numbers"), [(blocks.SkipInitBlock, {"alpha": 0.0}), (blocks.LayerScaleBlock, {"gamma": 0.0})]
)
def test_a_branch_scaled_by_zero_leaves_the_identity(block, numbers):
    recipe = Recipe(activation=jnp.tanh)
    np.testing.assert_array_equal(block(PLACE, recipe, KEY, **numbers)(H, ForwardPass(recipe)), H)
    whole = block(PLACE, recipe, KEY, **dict.fromkeys(numbers, 1.0))(H, ForwardPass(recipe))
    expected = blocks.PreActivationResidualBlock(PLACE, recipe, KEY)(H, ForwardPass(recipe))
    np.testing.assert_allclose(whole, expected, rtol=1e-6)


def test_stochastic_depth_drops_whole_branches_and_keeps_their_mean():
    recipe = Recipe(activation=jnp.tanh)
    # Block 2 of 4 at survival 0.2 is kept with probability 1 - 2 / 4 * 0.8.
    block = blocks.StochasticDepthBlock(Place(16, index=1, depth=4), recipe, KEY, survival=0.2)
    assert float(block.kept[...]) == pytest.approx(0.6)
    many = jnp.tile(H, (200, 1))
    branch = block.branch(H, ForwardPass(recipe))
    np.testing.assert_allclose(block(H, ForwardPass(recipe)), H + branch, rtol=1e-6)
    trained = (block(many, ForwardPass(recipe, KEY)) - many).reshape(200, *H.shape)
    dropped = np.all(np.asarray(trained) == 0, axis=2)
    assert dropped.mean() == pytest.approx(0.4, abs=0.03)
    np.testing.assert_allclose(trained.mean(axis=0).mean(), branch.mean(), atol=0.02)


def test_densely_connected_blocks_see_all_outputs_before_them():
    recipe = Recipe(activation=jnp.tanh)
    known = jnp.concatenate([H, 2 * H], axis=1)
    block = blocks.DenselyConnectedBlock(Place(16, index=1, depth=3), recipe, KEY)
    kernel, bias = pieces(block)
    assert kernel.shape == (32, 16)
    expected = np.concatenate([known, np.tanh(np.asarray(known) @ kernel + bias)], axis=1)
    np.testing.assert_allclose(block(known, ForwardPass(recipe)), expected, rtol=1e-4, atol=1e-6)


def test_fixup_blocks_start_as_the_activation_and_update_the_output_alike_at_any_depth():
    recipe = Recipe(activation=jax.nn.relu).replace(
        kernel_init=configure(initializers.variance_scaling, scale=2.0, mode="fan_in", distribution="normal")
    )
    block = blocks.FixupBlock(PLACE, recipe, KEY)
    np.testing.assert_array_equal(block(H, ForwardPass(recipe)), jax.nn.relu(H))

    def moved(depth):
        """How far one step of SGD on its matrices moves the output of a stack: Theta(rate), whatever the depth."""
        stack = [blocks.FixupBlock(Place(16, i, depth), recipe, jax.random.key(i)) for i in range(depth)]
        graph, parameters = nnx.split(nnx.List(stack))

        def output(parameters):
            h = jax.nn.relu(H)
            for own in nnx.merge(graph, parameters):
                h = own(h, ForwardPass(recipe))
            return h

        direction = jax.random.normal(jax.random.key(9), H.shape)
        gradient = jax.grad(lambda p: jnp.mean(output(p) * direction))(nnx.as_pure(parameters))
        after = jax.tree.map(lambda p, g: p - 0.1 * g if p.ndim == 2 else p, nnx.as_pure(parameters), gradient)
        return float(jnp.linalg.norm(output(after) - output(nnx.as_pure(parameters))))

    assert moved(32) / moved(4) == pytest.approx(1.0, abs=0.5)


def test_what_an_entry_by_entry_block_cannot_take_apart():
    recipe = Recipe().replace(unit=units.GatedUnit, block=blocks.PreActivationResidualBlock)
    with pytest.raises(ValueError, match="choose a block that leaves its unit whole"):
        DenseTower.require(recipe)


def test_units_against_numpy():
    h = np.asarray(H, np.float64)

    def made(unit, activation):
        recipe = Recipe(activation=activation)
        drawn = unit(16, 8, recipe, KEY)
        return drawn, np.asarray(drawn(H, ForwardPass(recipe))), h @ np.asarray(drawn.dense.kernel[...], np.float64)

    drawn, found, sums = made(configure(units.ParametricUnit, negative_slope=0.25), PRELU)
    np.testing.assert_allclose(found, np.where(sums > 0, sums, 0.25 * sums), rtol=1e-4, atol=1e-5)
    drawn.slope[...] = jnp.asarray(0.5)
    learnt = drawn(H, ForwardPass(Recipe(activation=PRELU)))
    np.testing.assert_allclose(learnt, np.where(sums > 0, sums, 0.5 * sums), rtol=1e-4, atol=1e-5)
    _, found, sums = made(configure(units.MaxoutUnit, pieces=3), jax.nn.identity)
    np.testing.assert_allclose(found, sums.reshape(32, 8, 3).max(axis=2), rtol=1e-4, atol=1e-5)
    drawn, found, sums = made(units.GatedUnit, jnp.tanh)
    linear = h @ np.asarray(drawn.linear.kernel[...], np.float64)
    np.testing.assert_allclose(found, np.tanh(sums) * linear, rtol=1e-3, atol=1e-5)
    _, found, sums = made(units.ConcatenatedUnit, jax.nn.relu)
    np.testing.assert_allclose(found, np.maximum(np.concatenate([sums, -sums], axis=1), 0), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="must be even, got 7"):
        units.ConcatenatedUnit(16, 7, Recipe(), KEY)


def test_looks_linear_weights_make_a_drawn_stack_of_concatenated_relus_linear():
    recipe = Recipe(activation=jax.nn.relu).replace(unit=units.ConcatenatedUnit, kernel_init=initializers.looks_linear)
    stack = [units.ConcatenatedUnit(16, 16, recipe, jax.random.key(i), role=r) for i, r in enumerate(ROLES)]

    def through(h):
        for unit in stack[:-1]:
            h = unit(h, ForwardPass(recipe))
        return stack[-1].dense(h, ForwardPass(recipe))

    np.testing.assert_allclose(through(2 * H) - through(H), through(H), rtol=1e-3, atol=1e-5)
    jacobian = np.asarray(jax.jacobian(lambda h: through(h[None])[0])(H[0]), np.float64)
    np.testing.assert_allclose(np.linalg.svd(jacobian, compute_uv=False), 1.0, rtol=1e-4)


def test_tailored_relu_reaches_its_correlation_through_the_real_depth():
    depth, width = 16, 512
    activation = activations.tailored(None, depth, correlation=0.9)
    draw = np.random.default_rng(0)
    cosines = []
    for _ in range(8):
        signals = np.sqrt(width) * np.linalg.qr(draw.normal(size=(width, 32)))[0].T
        for _ in range(2 * (depth + 1)):
            kernel = draw.normal(size=(width, width)) / np.sqrt(width)
            signals = np.asarray(activation(jnp.asarray(signals @ kernel, jnp.float32)))
        units_of = signals / np.linalg.norm(signals, axis=1, keepdims=True)
        cosines.append((units_of @ units_of.T)[~np.eye(32, dtype=bool)].mean())
    assert np.mean(cosines) == pytest.approx(0.9, abs=0.015)
    # The slope 0 is ReLU, whose map is the arc-cosine kernel of Cho & Saul.
    for before in (0.0, 0.3, 0.9):
        angle = np.arccos(before)
        expected = (np.sin(angle) + (np.pi - angle) * before) / np.pi
        assert activations.leaky_relu_cosine(before, 0.0) == pytest.approx(expected)


@pytest.mark.parametrize(("name", "weights", "biases"), [("tanh", 1.4247, 0.01003), ("relu", 2.0, 0.0)])
def test_the_critical_point_is_a_fixed_point_with_chi_one(name, weights, biases):
    activation = {"tanh": jnp.tanh, "relu": jax.nn.relu}[name]
    found = gains.critical_point(activation, 0.2737)
    assert found == pytest.approx((weights, biases), abs=2e-4)
    assert theory.chi(activation, 0.2737, found[0]) == pytest.approx(1.0)
    assert theory.length_map(activation, 0.2737, *found) == pytest.approx(0.2737)


def test_where_there_is_no_critical_point_that_is_said():
    with pytest.raises(ValueError, match="softplus has no critical point"):
        gains.critical_point(jax.nn.softplus, 0.25)
    # Sigmoid's lies where its weights are enormous: between 93 and 105 by quadrature elsewhere.
    assert 93 < gains.critical_point(jax.nn.sigmoid, 0.25)[0] < 105


def test_gains_keep_what_they_are_for():
    recipe = Recipe(activation=jnp.tanh)
    weights = gains.signal_preserving(recipe, 8).parameters["scale"]
    assert theory.length_map(jnp.tanh, 1.0, weights, 0.0) == pytest.approx(1.0)
    gain = gains.orthogonal_for_activation(recipe, 8).parameters["scale"]
    assert theory.chi(jnp.tanh, 1.0, gain**2) == pytest.approx(1.0)


def test_sparse_and_identity_initializers():
    kernel = np.asarray(initializers.sparse(KEY, (64, 200), jnp.float32, "hidden", connections=15))
    assert set((kernel != 0).sum(axis=0)) == {15}
    assert kernel[kernel != 0].var() == pytest.approx(1 / 15, rel=0.1)
    assert (kernel != 0).mean(axis=1).std() < 0.1
    square = initializers.identity(KEY, (8, 8), jnp.float32, "hidden", scale=0.5)
    np.testing.assert_array_equal(square, np.eye(8) / 2)
    ends = np.asarray(initializers.identity(KEY, (8, 8), jnp.float32, "head", scale=0.5))
    assert not np.array_equal(ends, square)
    np.testing.assert_allclose(np.linalg.svd(ends, compute_uv=False), 0.5, rtol=1e-5)


def test_weight_forms_against_numpy():
    kernel = jax.random.normal(KEY, (16, 8)) + 0.5
    array = np.asarray(kernel, np.float64)
    normalized = weight_forms.WeightNorm(kernel)
    np.testing.assert_allclose(normalized(kernel), array, rtol=1e-5)
    # The direction alone counts: a kernel twice as long is the same matrix.
    np.testing.assert_allclose(normalized(2 * kernel), array, rtol=1e-5)
    spectral = weight_forms.SpectralNorm(kernel, iterations=30)
    assert np.linalg.svd(spectral(kernel), compute_uv=False)[0] == pytest.approx(1.0, rel=1e-4)
    standardised = np.asarray(weight_forms.WeightStandardisation(kernel, gain=1.5)(kernel), np.float64)
    np.testing.assert_allclose(standardised.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(standardised.std(axis=0) * np.sqrt(16), 1.5, rtol=1e-5)
    plain = weight_forms.plain_weights(kernel)
    np.testing.assert_array_equal(plain(kernel), kernel)


def test_other_normalizations_against_numpy():
    h = np.asarray(H, np.float64) * 3 + 5
    h32 = jnp.asarray(h, jnp.float32)
    groups = h.reshape(32, 4, 4)
    by_group = (groups - groups.mean(2, keepdims=True)) / np.sqrt(groups.var(2, keepdims=True) + 1e-5)
    np.testing.assert_allclose(normalization.group_norm(16, groups=4)(h32), by_group.reshape(32, 16), atol=1e-4)
    # 5 does not divide 16, 4 does.
    np.testing.assert_allclose(normalization.group_norm(16, groups=5)(h32), by_group.reshape(32, 16), atol=1e-4)
    lengths = np.linalg.norm(normalization.ScaleNorm(16)(h32), axis=1)
    np.testing.assert_allclose(lengths, 4.0, rtol=1e-5)
    squashed = normalization.DynamicTanh(16, alpha=0.5)(h32)
    np.testing.assert_allclose(squashed, np.tanh(0.5 * h), atol=1e-5)


def test_dropout_keeps_the_mean_and_is_left_out_of_evaluation():
    recipe = Recipe().replace(activation=jax.nn.identity, hidden_noise=configure(noise.dropout, rate=0.25))
    ones = jnp.ones((200, 50))
    np.testing.assert_array_equal(ForwardPass(recipe).activate(ones), ones)
    dropped = np.asarray(ForwardPass(recipe, KEY).activate(ones))
    assert set(np.unique(dropped)) == {0.0, np.float32(1 / 0.75)}
    assert dropped.mean() == pytest.approx(1.0, abs=0.02)
    noisy = np.asarray(noise.gaussian_noise(0 * ones, KEY, standard_deviation=0.3))
    assert noisy.std() == pytest.approx(0.3, rel=0.03)


@pytest.mark.parametrize(("product", "bits"), [(precision.bfloat16, 8), (precision.float16, 11)])
def test_products_round_as_their_type_does_and_so_do_their_gradients(product, bits):
    kernel = jax.random.normal(KEY, (16, 16)) / 4
    exact = np.asarray(H, np.float64) @ np.asarray(kernel, np.float64)
    error = np.abs(np.asarray(product(H, kernel)) - exact).max() / np.abs(exact).max()
    assert 2.0 ** -(bits + 3) < error < 2.0 ** -(bits - 2)
    # A gradient of 1e-9 is nothing in float16, and something in bfloat16.
    gradient = jax.grad(lambda h: jnp.sum(1e-9 * product(h, kernel)))(H)
    assert bool(jnp.all(gradient == 0)) == (product is precision.float16)


def test_a_scaled_loss_keeps_what_float16_would_lose():
    scaled = configure(precision.scaled_float16, loss_scale=2.0**20)
    kernel = jax.random.normal(KEY, (16, 16)) / 4

    def gradient(product, size):
        return np.asarray(jax.grad(lambda pair: jnp.sum(size * product(*pair)))((H, kernel))[0], np.float64)

    exact = gradient(jnp.matmul, 1e-9)
    np.testing.assert_allclose(gradient(scaled, 1e-9), exact, atol=2e-3 * np.abs(exact).max())
    # A loss that is really so many times as large gives the same bits.
    np.testing.assert_array_equal(gradient(scaled, 1e-3), gradient(precision.float16, 1e-3 * 2**20) / 2**20)
    np.testing.assert_array_equal(scaled(H, kernel), precision.float16(H, kernel))


def test_calibration_gives_every_layer_what_it_promises():
    key = jax.random.key(0)
    x, _ = present(named_key(key, "calibration"), jnp.zeros((), jnp.int32), data().train, ARCHITECTURE)

    def sums(what):
        """What each of the encoder's layers sums up to on the first batch."""
        recipe = Recipe(activation=jnp.tanh).replace(calibration=what)
        tower, h = init(key, recipe, ARCHITECTURE, data())[0]["encoder"], np.asarray(x, np.float64) - DATASET.mean
        for unit in (tower["input"], *(tower["blocks"][i]["unit"] for i in tower["blocks"])):
            total = h @ np.asarray(unit["dense"]["kernel"], np.float64) + np.asarray(unit["dense"]["bias"], np.float64)
            yield total
            h = np.tanh(total)

    for total in sums(calibration.unit_variance):
        assert total.std() == pytest.approx(1.0, rel=1e-4)
    for total in sums(calibration.zero_mean_unit_variance):
        np.testing.assert_allclose(total.mean(axis=0), 0.0, atol=1e-4)
        np.testing.assert_allclose(total.std(axis=0), 1.0, rtol=1e-4)
