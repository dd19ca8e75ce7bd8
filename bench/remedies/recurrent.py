"""Recurrent cells and their gates: what the gradient meets on its way back through time."""

import jax

from bench.plugins.remedy import remedy, require
from vae_jax.initialization import initializers
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers import gate_biases, pooling, state_passing
from vae_jax.towers.cells import GRUCell, LayerNormLSTMCell, LSTMCell, TanhCell


@remedy(source="Hochreiter & Schmidhuber 1997, Neural Computation 9(8)")
def lstm(recipe: Recipe) -> Recipe:
    """A memory that the gradient leaves by the forget gate alone; half open, as here at first, it halves every step."""
    return recipe.replace(cell=LSTMCell)


@remedy(source="Cho et al. 2014, arXiv:1406.1078")
def gru(recipe: Recipe) -> Recipe:
    """A state mixed of old and new by one gate, which the gradient passes without a matrix; half open at first."""
    return recipe.replace(cell=GRUCell)


@remedy(
    source="Gers, Schmidhuber & Cummins 2000, Neural Computation 12(10); Jozefowicz et al. 2015, ICML",
    idle={"bias": 0.0},
)
def forget_gate_bias(recipe: Recipe, *, bias: float = 1.0) -> Recipe:
    """Gates start open to the past, by 0.73 at a bias of 1: the gradient through a memory shrinks by that per step."""
    return recipe.replace(gate_bias=configure(gate_biases.constant_keep, keep=bias))


@remedy(source="Tallec & Ollivier 2018, arXiv:1804.11188")
def chrono_init(recipe: Recipe) -> Recipe:
    """Forget gates drawn as log U(1, T - 1): some units pass the gradient back over all of the sequence at first."""
    return recipe.replace(gate_bias=gate_biases.chrono)


@remedy(source="Le, Jaitly & Hinton 2015, arXiv:1504.00941")
def irnn(recipe: Recipe) -> Recipe:
    """ReLU and the identity from state to state: where a unit is on, its gradient passes back unchanged."""
    return recipe.replace(
        activation=jax.nn.relu, cell=TanhCell, recurrent_init=configure(initializers.identity, scale=1.0)
    )


@remedy(source="Saxe, McClelland & Ganguli 2014, arXiv:1312.6120; Henaff, Szlam & LeCun 2016, arXiv:1602.06662")
def orthogonal_recurrent(recipe: Recipe, *, scale: float = 1.0) -> Recipe:
    """All singular values of the matrix from state to state equal: only the activation's slope still shrinks."""
    require(scale > 0, "scale", scale, "be above 0")
    return recipe.replace(recurrent_init=configure(initializers.orthogonal, scale=scale))


@remedy(source="Ba, Kiros & Hinton 2016, arXiv:1607.06450")
def layer_norm_lstm(recipe: Recipe) -> Recipe:
    """An LSTM whose gates' sums and memory are normalized: gates stay off their flat ends, whatever the weights."""
    return recipe.replace(cell=LayerNormLSTMCell)


@remedy(source="Krueger et al. 2017, arXiv:1606.01305", idle={"hidden": 0.0, "memory": 0.0})
def zoneout(recipe: Recipe, *, hidden: float = 0.05, memory: float = 0.5) -> Recipe:
    """States that keep their old value at random: a share of the gradient passes a step as through an identity."""
    require(0 <= hidden < 1, "hidden", hidden, "lie in [0, 1)")
    require(0 <= memory < 1, "memory", memory, "lie in [0, 1)")
    return recipe.replace(zoneout=configure(state_passing.zoneout, hidden=hidden, memory=memory))


@remedy(source="Williams & Peng 1990, Neural Computation 2(4)", idle={"steps": 1000}, control=True)
def truncated_bptt(recipe: Recipe, *, steps: int = 10) -> Recipe:
    """No gradient goes further back than a number of steps: a control, which cannot learn what lies before them."""
    require(steps >= 1, "steps", steps, "be at least 1")
    return recipe.replace(carry=configure(state_passing.truncated, steps=steps))


@remedy(source="Long, Cao & Cheung 2019, arXiv:1911.03976")
def mean_pooling(recipe: Recipe) -> Recipe:
    """The head reads the mean of all states: the first is one step from the loss, and not all steps away."""
    return recipe.replace(readout=pooling.mean_state)
