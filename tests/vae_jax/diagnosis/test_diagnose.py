import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.ad_checkpoint import checkpoint_name

import vae_jax
from tests.vae_jax.small_vae import ARCHITECTURE, begin, data, first_step
from vae_jax.diagnosis.calling.any_model import as_whole
from vae_jax.diagnosis.layers.blame import OVER_TIME
from vae_jax.layers.slope import FLAT_SLOPE
from vae_jax.models.batch import Batch
from vae_jax.models.contract import taps
from vae_jax.objective.bound import loss_parts
from vae_jax.objective.loss import observed_paths, structure
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.recipe import Recipe

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (8, 16))


class Perceptron(nn.Module):
    """Linen, with a tap after each hidden layer to compare with; dropout asks for a key."""

    rate: float = 0.0

    @nn.compact
    def __call__(self, x, taps=None):
        for index in range(3):
            x = nn.tanh(nn.Dense(12, name=f"hidden_{index}")(x))
            x = x if taps is None else x + taps[index]
        x = nn.Dropout(self.rate, deterministic=False)(x)
        return nn.Dense(4, name="head")(x)


class ResidualConvolution(nnx.Module):
    """NNX, residual, batch normalization that trains its statistics."""

    def __init__(self, rngs):
        self.first = nnx.Conv(1, 6, (3, 3), rngs=rngs)
        self.branches = nnx.List([nnx.Conv(6, 6, (3, 3), rngs=rngs) for _ in range(2)])
        self.normalizations = nnx.List([nnx.BatchNorm(6, rngs=rngs) for _ in range(2)])
        self.head = nnx.Linear(6, 3, rngs=rngs)

    def __call__(self, x):
        x = self.first(x)
        for branch, normalization in zip(self.branches, self.normalizations, strict=True):
            x = x + nnx.relu(normalization(branch(x)))
        return self.head(x.mean((1, 2)))


class ConvolutionThenRecurrence(nnx.Module):
    """NNX, a convolution over time and an LSTM whose last output is read."""

    def __init__(self, rngs):
        self.convolution = nnx.Conv(3, 6, (3,), rngs=rngs)
        self.recurrence = nnx.RNN(nnx.LSTMCell(6, 5, rngs=rngs))
        self.head = nnx.Linear(5, 2, rngs=rngs)

    def __call__(self, x):
        return self.head(jnp.asarray(self.recurrence(nnx.gelu(self.convolution(x))))[:, -1])


def rms(values):
    return float(np.sqrt(np.mean(np.asarray(values, np.float64) ** 2)))


def mean_square(outputs):
    return jnp.mean(outputs**2)


def agrees(found):
    assert found.output_difference <= 1e-6
    assert found.gradient_difference <= 1e-6


def test_a_linen_model_against_taps_written_into_it():
    module = Perceptron()
    variables = module.init(KEY, X)
    found = vae_jax.diagnose((module, variables), X, loss=mean_square)
    agrees(found)
    assert [layer.name for layer in found.layers] == ["hidden_0", "hidden_1", "hidden_2", "head"]
    assert [layer.kind for layer in found.layers] == ["matrix + activation"] * 3 + ["matrix"]

    def tapped(taps, params):
        return mean_square(module.apply({"params": params}, X, taps))

    by_tap, by_parameter = jax.jit(jax.grad(tapped, (0, 1)))(jnp.zeros((3, 8, 12)), variables["params"])
    np.testing.assert_allclose([layer.hidden_gradient for layer in found.layers[:3]], list(map(rms, by_tap)), rtol=1e-5)
    own = [rms(by_parameter[layer.name]["kernel"]) for layer in found.layers]
    weight_gradients = np.array([layer.weight_gradient for layer in found.layers], float)
    np.testing.assert_allclose(weight_gradients, own, rtol=1e-5)
    h = np.tanh(np.asarray(nn.Dense(12).apply({"params": variables["params"]["hidden_0"]}, X), np.float64))
    unit = h / np.linalg.norm(h, axis=1, keepdims=True)
    first = found.layers[0]
    figures = np.array([first.mean_square, first.mean_cosine, first.saturated_share], float)
    cosines = (unit @ unit.T)[~np.eye(8, dtype=bool)]
    np.testing.assert_allclose(
        figures, [np.mean(h**2), cosines.mean(), np.mean(1 - h**2 < FLAT_SLOPE)], rtol=1e-5, atol=1e-6
    )
    assert (found.verdict, found.blame.kind) == ("healthy", "")


def test_an_nnx_model_with_residuals_and_batch_statistics_stays_as_it_was():
    model = ResidualConvolution(nnx.Rngs(0))
    before = jax.tree.map(np.asarray, nnx.as_pure(nnx.state(model)))
    images = jax.random.normal(KEY, (8, 6, 6, 1))
    found = vae_jax.diagnose(model, images)
    agrees(found)
    jax.tree.map(np.testing.assert_array_equal, nnx.as_pure(nnx.state(model)), before)
    assert [layer.name for layer in found.layers] == ["first", "branches/0", "branches/1", "head"]
    assert found.layers[1].kind == "block + matrix + normalization + activation"
    assert all(layer.whole for layer in found.layers)
    assert found.layers[0].shape == found.layers[1].shape == (8, 6, 6, 6)
    assert "random unit vector" in found.loss
    # Nobody is asked about a gradient that arrives.
    assert found.kind_factors == {}


def test_a_model_with_convolution_and_recurrence_has_a_profile_over_time():
    model = ConvolutionThenRecurrence(nnx.Rngs(0))
    sequences = jax.random.normal(KEY, (8, 9, 3))
    found = vae_jax.diagnose(model, sequences, loss=mean_square)
    agrees(found)
    assert [layer.name for layer in found.layers] == ["convolution", "recurrence/cell", "head"]
    assert [layer.kind for layer in found.layers] == ["matrix + activation", "recurrence", "matrix"]

    def looped(taps):
        cell = nnx.clone(model).recurrence.cell
        fed = nnx.gelu(model.convolution(sequences))
        carry = (jnp.zeros((8, 5)), jnp.zeros((8, 5)))
        for time in range(9):
            carry, _ = cell(carry, fed[:, time])
            carry = jax.tree.map(jnp.add, carry, (taps[0, time], taps[1, time]))
        return mean_square(model.head(carry[1]))

    # The cell's state is (c, h); h is made of c, so a tap on c inside the cell reaches h, and one outside does not.
    _, by_h = jax.jit(jax.grad(looped))(jnp.zeros((2, 9, 8, 5)))
    assert len(found.layers[1].over_time) == 9
    assert found.layers[1].over_time[0] < found.layers[1].over_time[-1]
    np.testing.assert_allclose(found.layers[1].hidden_gradient, rms(by_h[-1]), rtol=1e-5)
    assert found.layers[0].shape == (8, 9, 6)
    assert [way.over_time for way in found.ways] == [False, True]


def test_a_recurrence_that_forgets_is_to_blame_over_time():
    def apply(kernels, x):
        def step(state, x):
            state = jnp.tanh(0.1 * state @ kernels["recurrent"] + x @ kernels["input"])
            return state, state

        return jax.lax.scan(step, jnp.zeros((8, 5)), x.swapaxes(0, 1))[1][-1]

    kernels = {"recurrent": jnp.eye(5), "input": jax.random.normal(KEY, (3, 5))}
    found = vae_jax.diagnose((apply, kernels), jax.random.normal(KEY, (8, 9, 3)))
    agrees(found)
    assert (found.verdict, found.blame.block, found.blame.kind) == ("vanishing", "input to recurrent", OVER_TIME)
    # Each step multiplies by a tenth, or less where tanh bends.
    assert found.blame.factor > 1e8
    assert found.ways[-1].ratio < 1e-8


def test_our_own_vae_agrees_with_its_own_taps():
    recipe = Recipe()
    state, centre = begin(recipe), data().mean
    # So far from 0 that in one layer some of the sigmoids are flat, and some are not.
    kernel = state.parameters["encoder"]["input"]["dense"]
    kernel["kernel"] = 8 * kernel["kernel"]
    graph = structure(recipe.traced(), ARCHITECTURE)
    x = (data().train[:8] > 0.5).astype(jnp.float32)
    noise = jax.random.normal(KEY, (8, ARCHITECTURE.latent))

    batch = Batch(x - centre[None], x)

    def apply(parameters, centred):
        model = nnx.merge(graph, parameters, state.statistics)
        return model(batch._replace(inputs=centred), noise, ForwardPass(recipe.traced()))

    def score(forward):
        return loss_parts(forward, batch, ARCHITECTURE.likelihood).score

    def tapped(zeros):
        whole = first_step(state.statistics, recipe.traced(), batch, noise)
        paths, (_, hidden) = observed_paths(graph, ARCHITECTURE, state.parameters, zeros, whole)
        return jnp.sum(paths), {tower: layers.slope for tower, (layers,) in hidden.items()}

    found = vae_jax.diagnose((apply, state.parameters), x - centre[None], loss=score)
    agrees(found)
    own, slopes = jax.jit(jax.grad(tapped, has_aux=True))(taps(ARCHITECTURE, 8, jnp.float32))
    own = {tower: layers for tower, (layers,) in own.items()}
    by_name = {layer.name: layer for layer in found.layers}
    names = ["input/dense", *(f"blocks/{index}/unit/dense" for index in range(ARCHITECTURE.depth))]
    for tower in ("encoder", "decoder"):
        ours = [by_name[f"{tower}/{name}"] for name in names]
        np.testing.assert_allclose([layer.hidden_gradient for layer in ours], list(map(rms, own[tower])), rtol=1e-4)
        # What the suite calls saturated: its instruments count these slopes.
        flat = np.asarray(slopes[tower]) < FLAT_SLOPE
        np.testing.assert_array_equal([layer.saturated_share for layer in ours], flat.mean(axis=(1, 2)))
        np.testing.assert_array_equal([layer.dead_share for layer in ours], flat.all(axis=1).mean(axis=1))
    assert 0.1 < float(found.layers[0].saturated_share or 0) < 0.9
    assert len(found.layers) == 2 * (ARCHITECTURE.depth + 2)
    ratio = np.linalg.norm(own["encoder"][0]) / np.linalg.norm(own["encoder"][-1])
    assert [way.name for way in found.ways] == ["encoder", "decoder"]
    np.testing.assert_allclose(found.ways[0].ratio, ratio, rtol=1e-4)
    # Sigmoids from Glorot's weights: each block lets through a little, and none stands out.
    assert found.blame.block == ""


def stack(activation, scale, depth=8):
    """A plain stack of orthogonal matrices as a pure function, which asks for a key by name."""
    draw = np.random.default_rng(0)
    kernels = [jnp.asarray(scale * np.linalg.qr(draw.normal(size=(16, 16)))[0], jnp.float32) for _ in range(depth)]

    def apply(kernels, x, *, key):
        x = x + 1e-3 * jax.random.normal(key, x.shape)
        return jax.lax.scan(lambda h, kernel: (activation(h @ kernel), None), x, kernels)[0]

    return apply, jnp.stack(kernels)


@pytest.mark.parametrize(
    ("activation", "scale", "word", "kind"),
    [
        (jnp.tanh, 1.0, "healthy", ""),
        (jax.nn.sigmoid, 1.0, "vanishing", "activation"),
        (jnp.sin, 0.3, "vanishing", "matrix"),
        (jax.nn.leaky_relu, 8.0, "exploding", "matrix"),
        (jnp.tanh, 60.0, "saturated", None),
        # All examples nearly alike: of a model without a KL term that foretells nothing.
        (lambda x: jax.nn.relu(x + 1.0), 1.0, "healthy", ""),
    ],
    ids=["healthy", "fading slopes", "fading matrices", "exploding", "saturated", "alike"],
)
def test_verdicts(activation, scale, word, kind):
    # A quarter a layer, or less than a third: over ten hidden ones below what an optimizer that rescales can use.
    found = vae_jax.diagnose(stack(activation, scale, depth=12), X)
    agrees(found)
    assert found.verdict == word
    assert kind is None or (found.blame.block, found.blame.kind) == ("", kind)
    assert len(found.layers) == 12


def test_a_word_that_is_another_under_sgd_is_said():
    found = vae_jax.diagnose(stack(jnp.sin, 0.45), X)
    agrees(found)
    assert 1e-4 < found.ways[0].ratio < 0.01
    assert found.verdict == "healthy"
    assert found.because.endswith("under SGD, whose steps are as small as the gradient, vanishing")
    assert "SGD" not in vae_jax.diagnose(stack(jnp.tanh, 1.0), X).because


def test_a_forward_pass_that_overflows_has_exploded():
    found = vae_jax.diagnose(stack(jax.nn.relu, 1e10, depth=6), X)
    assert found.verdict == "not finite"
    assert found.not_finite[0].operation == "dot_general"
    assert found.layers[-1].mean_cosine is None


class AsksForRngs(nnx.Module):
    def __init__(self, rngs):
        self.layer = nnx.Linear(16, 4, rngs=rngs)

    def __call__(self, x, rngs):
        return self.layer(x) + jax.random.normal(rngs.noise(), (8, 4))


@pytest.mark.parametrize("model", ["linen", "nnx"])
def test_a_key_is_given_to_a_model_that_asks_for_one(model):
    module = Perceptron(rate=0.5)
    given = {"linen": (module, module.init(KEY, X)), "nnx": AsksForRngs(nnx.Rngs(0))}[model]
    outputs = []
    for seed in (0, 0, 1):
        whole = as_whole(given, X, jax.random.key(seed))
        outputs.append(whole.function(whole.parameters, X).outputs["output"])
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert not np.array_equal(outputs[0], outputs[2])


def linear(kernel, x):
    return x @ kernel


@pytest.mark.parametrize(
    ("model", "batch", "loss", "said"),
    [
        ("a name", X, None, "a model must be a Flax NNX module, .* got a str"),
        ((linear, jnp.eye(16)), X[:1], None, r"at least two examples along its first axis, got shape \(1, 16\)"),
        ((linear, jnp.eye(16)), X, lambda outputs: outputs, "a loss must return one real number"),
        ((lambda kernel, x: (x @ kernel) > 0, jnp.eye(16)), X, None, "holds no real numbers"),
    ],
    ids=["model", "one example", "loss", "booleans"],
)
def test_what_cannot_be_diagnosed_is_told_in_a_sentence(model, batch, loss, said):
    with pytest.raises(ValueError, match=said):
        vae_jax.diagnose(model, batch, loss=loss)


@pytest.mark.parametrize(("scale", "word"), [(1.0, "healthy"), (0.02, "vanishing")])
def test_an_encoder_under_teacher_forcing_is_judged_beside_the_chain(scale, word):
    """The decoder is told what came before, so that no way leads through z alone."""
    draw = np.random.default_rng(0)
    series = jnp.asarray(np.cumsum(draw.normal(size=(16, 6, 8)), axis=1), jnp.float32)
    parameters = {
        "encoder": [jnp.asarray(draw.normal(size=(48, 24)) / 7, jnp.float32)]
        + [jnp.asarray(scale * np.linalg.qr(draw.normal(size=(24, 24)))[0], jnp.float32) for _ in range(3)],
        "mean": jnp.asarray(draw.normal(size=(24, 4)) / 5, jnp.float32),
        "log_var": jnp.zeros((24, 4)),
        "state": jnp.asarray(np.linalg.qr(draw.normal(size=(24, 24)))[0], jnp.float32),
        "told": jnp.asarray(draw.normal(size=(8, 24)) / 3, jnp.float32),
        "code": jnp.asarray(draw.normal(size=(4, 24)) / 2, jnp.float32),
        "out": jnp.asarray(draw.normal(size=(24, 8)) / 5, jnp.float32),
    }

    def objective(own, batch, key):
        h = batch.reshape(len(batch), -1)
        for kernel in own["encoder"]:
            h = jnp.tanh(h @ kernel)
        mean, log_var = checkpoint_name(h @ own["mean"], "mean"), checkpoint_name(h @ own["log_var"], "log_var")
        z = checkpoint_name(mean + jnp.exp(log_var / 2) * jax.random.normal(key, mean.shape), "z")

        def step(state, x):
            state = jnp.tanh(state @ own["state"] + x @ own["told"] + z @ own["code"])
            return state, state @ own["out"]

        told = jnp.concatenate([jnp.zeros_like(batch[:, :1]), batch[:, :-1]], axis=1).swapaxes(0, 1)
        made = checkpoint_name(
            jax.lax.scan(step, jnp.zeros((len(batch), 24)), told)[1].swapaxes(0, 1), "reconstruction"
        )
        kl = 0.5 * jnp.sum(jnp.exp(log_var) + mean**2 - 1 - log_var, axis=-1)
        return jnp.mean(0.5 * jnp.sum((made - batch) ** 2, axis=(1, 2)) + kl)

    found = vae_jax.diagnose(parameters, series, objective=objective)
    (way,) = [way for way in found.ways if way.name == "encoder"]
    assert (way.first, way.last) == ("encoder[0]", "encoder[3]")
    assert found.verdict == word
    if word == "vanishing":
        assert "the encoder's first" in found.because
        assert "beside the longest way" in found.blame_left_out
