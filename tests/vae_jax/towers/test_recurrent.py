"""The recurrent tower against plain loops and PyTorch's cells."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vae_jax.initialization.initializers import identity
from vae_jax.layers.normalization import batch_norm, layer_norm
from vae_jax.layers.units import GatedUnit, ParametricUnit
from vae_jax.recipe.configured import configure
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.cells import GRUCell, LayerNormLSTMCell, LSTMCell, TanhCell
from vae_jax.towers.gate_biases import chrono, constant_keep
from vae_jax.towers.pooling import mean_state
from vae_jax.towers.recurrent import Recurrent
from vae_jax.towers.state_passing import truncated, zoneout

LENGTH, SYMBOLS, WIDTH, BATCH = 7, 5, 6, 4
KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (BATCH, LENGTH * SYMBOLS))
RECIPE = Recipe().replace(activation=jnp.tanh)
CELLS = [TanhCell, LSTMCell, GRUCell, LayerNormLSTMCell]


def tower(recipe, width=WIDTH):
    return Recurrent(LENGTH)(LENGTH * SYMBOLS, 3, 1, width, recipe, jax.random.key(2))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def normalized(z):
    return (z - z.mean(axis=1, keepdims=True)) / np.sqrt(z.var(axis=1, keepdims=True) + 1e-6)


def by_hand(model, cell, x):
    """Every state of a plain loop in numpy, and its head's output."""
    gates = model.cell.gates
    w, b, u = (
        {name: np.asarray(array(gates[name]), float) for name in cell.names}
        for array in (
            lambda gate: gate.unit.dense.kernel[...],
            lambda gate: gate.unit.dense.bias[...],
            lambda gate: gate.recurrent[...],
        )
    )
    steps = np.asarray(x, float).reshape(BATCH, LENGTH, SYMBOLS)
    h, c, states = np.zeros((BATCH, WIDTH)), np.zeros((BATCH, WIDTH)), []
    for t in range(LENGTH):
        from_input = {name: steps[:, t] @ w[name] for name in cell.names}
        from_state = {name: h @ u[name] for name in cell.names}
        if cell is LayerNormLSTMCell:
            for sums in (from_input, from_state):
                whole = normalized(np.concatenate([sums[name] for name in cell.names], axis=1))
                sums.update(zip(cell.names, np.split(whole, 4, axis=1), strict=True))
        z = {name: from_input[name] + from_state[name] + b[name] for name in cell.names}
        if cell is TanhCell:
            h = np.tanh(z["candidate"])
        elif cell is GRUCell:
            candidate = np.tanh(
                from_input["candidate"] + b["candidate"] + sigmoid(z["reset"]) * from_state["candidate"]
            )
            update = sigmoid(z["update"])
            h = update * h + (1 - update) * candidate
        else:
            c = sigmoid(z["forget"]) * c + sigmoid(z["input"]) * np.tanh(z["candidate"])
            h = sigmoid(z["output"]) * np.tanh(normalized(c) if cell is LayerNormLSTMCell else c)
        states.append(h)
    return np.stack(states), h @ np.asarray(model.head.kernel[...], float) + np.asarray(model.head.bias[...], float)


@pytest.mark.parametrize("cell", CELLS)
def test_the_scan_is_a_plain_loop(cell):
    recipe = RECIPE.replace(cell=cell, gate_bias=chrono)
    model = tower(recipe)
    outputs, hidden = model(X, ForwardPass(recipe))
    states, expected = by_hand(model, cell, X)
    np.testing.assert_allclose(np.stack(hidden), states, atol=1e-5)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    seen, (layers,) = model.observed(X, (jnp.zeros((LENGTH, BATCH, WIDTH)),), ForwardPass(recipe))
    np.testing.assert_allclose(seen, outputs, atol=1e-6)
    np.testing.assert_allclose(layers.output, states, atol=1e-5)
    assert np.all((np.asarray(layers.slope) > 0) & (np.asarray(layers.slope) <= 1))
    if cell is TanhCell:
        np.testing.assert_allclose(layers.slope, 1 - states**2, atol=1e-5)


@pytest.mark.parametrize(("cell", "name", "order"), [
    (TanhCell, "RNN", ("candidate",)),
    (LSTMCell, "LSTM", ("input", "forget", "candidate", "output")),
    (GRUCell, "GRU", ("reset", "update", "candidate")),
])  # fmt: skip
def test_cells_and_their_gradients_agree_with_pytorch(cell, name, order):
    torch = pytest.importorskip("torch")
    recipe = RECIPE.replace(cell=cell, gate_bias=configure(constant_keep, keep=1.0))
    model = tower(recipe)
    peer = getattr(torch.nn, name)(SYMBOLS, WIDTH, batch_first=True)

    def stacked(array):
        return torch.tensor(np.concatenate([np.asarray(array(model.cell.gates[gate])).T for gate in order]))

    with torch.no_grad():
        peer.weight_ih_l0.copy_(stacked(lambda gate: gate.unit.dense.kernel[...]))
        peer.weight_hh_l0.copy_(stacked(lambda gate: gate.recurrent[...]))
        peer.bias_ih_l0.copy_(stacked(lambda gate: gate.unit.dense.bias[...]))
        peer.bias_hh_l0.zero_()
    x = torch.tensor(np.array(X).reshape(BATCH, LENGTH, SYMBOLS), requires_grad=True)
    theirs, _ = peer(x)
    np.testing.assert_allclose(model(X, ForwardPass(recipe))[1], theirs.detach().numpy().swapaxes(0, 1), atol=1e-5)
    theirs[:, -1].sum().backward()
    ours = jax.grad(lambda x: model(x, ForwardPass(recipe))[1][-1].sum())(X)
    np.testing.assert_allclose(ours, x.grad.numpy().reshape(BATCH, -1), atol=1e-5)


@pytest.mark.parametrize("cell", [TanhCell, LSTMCell])
def test_taps_give_the_gradient_at_every_state(cell):
    """dL/dh_t by autodiff through a Python loop that goes on from the state after step t."""
    recipe = RECIPE.replace(cell=cell)
    model, run = tower(recipe), ForwardPass(recipe)
    direction = jax.random.normal(KEY, (BATCH, 3))
    taps = jnp.zeros((LENGTH, BATCH, WIDTH))
    found = jax.grad(lambda taps: jnp.sum(model.observed(X, (taps,), run)[0] * direction))(taps)
    drive = model.cell.drive(X.reshape(BATCH * LENGTH, SYMBOLS), run).reshape(BATCH, LENGTH, -1)

    def rest(h, t, memory):
        state = (h, *memory)
        for later in range(t + 1, LENGTH):
            state = model.cell(drive[:, later], state, model.cell.matrix(), run)
        return jnp.sum(model.head(state[0], run) * direction)

    state = tuple(jnp.zeros((BATCH, WIDTH)) for _ in range(cell.states))
    for t in range(LENGTH):
        state = model.cell(drive[:, t], state, model.cell.matrix(), run)
        np.testing.assert_allclose(found[t], jax.grad(rest)(state[0], t, state[1:]), atol=1e-6)


def gradient_by_step(recipe):
    model = tower(recipe)
    gradient = jax.grad(lambda x: model(x, ForwardPass(recipe))[0].sum())(X)
    return model(X, ForwardPass(recipe))[0], np.abs(gradient).reshape(BATCH, LENGTH, SYMBOLS).max(axis=(0, 2))


@pytest.mark.parametrize("cell", [TanhCell, LSTMCell])
def test_truncation_stops_the_gradient_after_its_steps_and_keeps_the_forward_pass(cell):
    base = RECIPE.replace(cell=cell)
    outputs, whole = gradient_by_step(base)
    cut_outputs, cut = gradient_by_step(base.replace(carry=configure(truncated, steps=3)))
    np.testing.assert_array_equal(cut_outputs, outputs)
    assert np.all(whole > 0)
    assert np.all(cut[:-3] == 0)
    np.testing.assert_array_equal(cut[-3:], whole[-3:])


def test_mean_pooling_is_one_step_from_every_state():
    recipe = RECIPE.replace(readout=mean_state)
    model = tower(recipe)
    outputs, hidden = model(X, ForwardPass(recipe))
    np.testing.assert_allclose(outputs, model.head(jnp.mean(jnp.stack(hidden), axis=0), ForwardPass(recipe)), atol=1e-6)
    _, pooled = gradient_by_step(recipe)
    _, last = gradient_by_step(RECIPE)
    assert pooled[0] > 10 * last[0]


@pytest.mark.parametrize("cell", [TanhCell, LSTMCell])
def test_zoneout_keeps_old_values_with_its_probability(cell):
    base = RECIPE.replace(cell=cell)
    model, keyed = tower(base, 50), ForwardPass(base, KEY)

    def states(hidden, memory, run):
        recipe = base.replace(zoneout=configure(zoneout, hidden=hidden, memory=memory))
        return np.stack(model(X, run._replace(recipe=recipe))[1])

    # Operation by operation: compiled, the two programs round differently.
    with jax.disable_jit():
        for run in (keyed, ForwardPass(base)):
            np.testing.assert_array_equal(states(0.0, 0.0, run), np.stack(model(X, run)[1]))
    drawn = states(0.25, 0.0, keyed)
    before = np.concatenate([np.zeros_like(drawn[:1]), drawn[:-1]])
    # Five standard errors of 1,400 draws; no two steps draw alike.
    assert np.mean(drawn == before) == pytest.approx(0.25, abs=5 * np.sqrt(0.25 * 0.75 / drawn.size))
    assert not np.array_equal(drawn[1] == before[1], drawn[2] == before[2])
    if cell is TanhCell:
        # In evaluation, the mean over draws of the first step.
        expected = states(0.25, 0.0, ForwardPass(base))[0]
        np.testing.assert_allclose(expected, 0.75 * np.stack(model(X, ForwardPass(base))[1])[0], atol=1e-6)


def test_zoneout_keeps_the_memorys_old_values_too():
    base = RECIPE.replace(cell=LSTMCell)
    model = tower(base, 400)
    recipe = base.replace(zoneout=configure(zoneout, hidden=0.0, memory=0.25))
    drive, matrix = model.cell.drive(X[:, :SYMBOLS], ForwardPass(recipe)), model.cell.matrix()
    before = tuple(jax.random.normal(jax.random.key(name), (BATCH, 400)) for name in (3, 4))
    after = model.cell(drive, before, matrix, ForwardPass(recipe))

    def step(key):
        return [np.asarray(each) for each in recipe.zoneout(before, after, key)]

    h, c = step(KEY)
    np.testing.assert_array_equal(h, after[0])
    kept = c == before[1]
    np.testing.assert_array_equal(c, np.where(kept, before[1], after[1]))
    assert kept.mean() == pytest.approx(0.25, abs=5 * np.sqrt(0.25 * 0.75 / c.size))
    # In evaluation, the mean over draws.
    np.testing.assert_allclose(step(None)[1], 0.25 * before[1] + 0.75 * after[1], atol=1e-6)


def test_chrono_gates_forget_after_every_time_up_to_the_length():
    recipe = RECIPE.replace(cell=LSTMCell, gate_bias=chrono)
    gates = Recurrent(50)(50 * 4, 2, 1, 4000, recipe.replace(recurrent_init=identity_init()), KEY).cell.gates
    forget, write, other = (np.asarray(gates[name].unit.dense.bias[...]) for name in ("forget", "input", "output"))
    np.testing.assert_array_equal(write, -forget)
    np.testing.assert_array_equal(other, 0)
    times = np.exp(forget)
    assert times.min() >= 1
    assert times.max() <= 49
    # Uniform on [1, 49]: mean 25 and variance 48^2 / 12, to five standard errors.
    assert times.mean() == pytest.approx(25, abs=5 * np.sqrt(192 / 4000))
    assert times.var() == pytest.approx(192, rel=0.1)


def identity_init():
    return configure(identity, scale=1.0)


def test_gate_biases_go_to_the_gate_that_keeps():
    recipe = RECIPE.replace(gate_bias=configure(constant_keep, keep=1.0))
    lstm, gru = (tower(recipe.replace(cell=cell)).cell.gates for cell in (LSTMCell, GRUCell))
    for gates, keeps in ((lstm, "forget"), (gru, "update")):
        for name in gates:
            np.testing.assert_array_equal(gates[name].unit.dense.bias[...], float(name == keeps))


def test_an_irnn_starts_as_a_sum_that_passes_the_gradient_unchanged():
    recipe = RECIPE.replace(activation=jax.nn.relu, recurrent_init=identity_init())
    model = tower(recipe)
    np.testing.assert_array_equal(model.cell.matrix(), np.eye(WIDTH))
    # Where no sum is ever negative, h_T is the plain sum of its inputs: the paper's addition without forgetting.
    positive = model.cell.drive(X.reshape(BATCH * LENGTH, SYMBOLS), ForwardPass(recipe))
    state = (jnp.zeros((BATCH, WIDTH)),)
    drives = jnp.abs(positive).reshape(BATCH, LENGTH, WIDTH)
    for t in range(LENGTH):
        state = model.cell(drives[:, t], state, model.cell.matrix(), ForwardPass(recipe))
    np.testing.assert_allclose(state[0], drives.sum(axis=1), rtol=1e-5)


def test_normalizations_act_on_the_inputs_sums_and_learnt_slopes_on_the_state():
    for norm in (layer_norm, batch_norm):
        recipe = RECIPE.replace(normalization=norm)
        drive = np.asarray(tower(recipe).cell.drive(X.reshape(BATCH * LENGTH, SYMBOLS), ForwardPass(recipe)))
        np.testing.assert_allclose(drive.mean(axis=1 if norm is layer_norm else 0), 0, atol=1e-5)
    learnt = RECIPE.replace(activation=jax.nn.leaky_relu, unit=configure(ParametricUnit, negative_slope=1.0))
    plain = RECIPE.replace(activation=jax.nn.identity)
    np.testing.assert_allclose(
        tower(learnt)(X, ForwardPass(learnt))[0], tower(plain)(X, ForwardPass(plain))[0], atol=1e-6
    )


def test_what_makes_no_recurrent_tower_is_said():
    with pytest.raises(ValueError, match="length must be at least 2, got 1"):
        Recurrent(1)
    with pytest.raises(ValueError, match="multiple of the length 7, got 8"):
        Recurrent(LENGTH)(8, 3, 1, WIDTH, RECIPE, KEY)
    with pytest.raises(ValueError, match="sees no context"):
        Recurrent(LENGTH)(14, 3, 1, WIDTH, RECIPE, KEY, 2)
    with pytest.raises(ValueError, match="which a GatedUnit cannot"):
        Recurrent.require(RECIPE.replace(unit=GatedUnit))
