"""The plain recipe: what fills every slot where nothing is chosen, a sigmoid stack with plain SGD."""

import jax
import jax.numpy as jnp
import optax

from vae_jax.initialization.data_dependent import no_data_dependent_init
from vae_jax.initialization.initializers import variance_scaling, zeros
from vae_jax.layers.blocks import PlainBlock
from vae_jax.layers.noise import no_noise
from vae_jax.layers.normalization import no_normalization
from vae_jax.layers.units import Unit
from vae_jax.layers.weight_forms import plain_weights
from vae_jax.models.posteriors import GaussianHead
from vae_jax.objective.bound import exact_kl
from vae_jax.objective.treatment import weighted_kl
from vae_jax.optimization.evaluated import last_selected, trained_parameters
from vae_jax.optimization.gradients import plain_gradient
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import declare_plain
from vae_jax.towers.cells import TanhCell
from vae_jax.towers.gate_biases import no_gate_bias
from vae_jax.towers.pooling import last_state
from vae_jax.towers.skip_connections import no_context
from vae_jax.towers.state_passing import no_zoneout, whole_past

declare_plain(
    activation=jax.nn.sigmoid,
    unit=Unit,
    block=PlainBlock,
    normalization=no_normalization,
    weight_form=plain_weights,
    product=jnp.matmul,
    dtype="float32",
    hidden_noise=no_noise,
    input_noise=no_noise,
    decoder_context=no_context,
    cell=TanhCell,
    zoneout=no_zoneout,
    carry=whole_past,
    readout=last_state,
    # Kernels with variance 2 / (inputs + outputs), uniform as in Glorot & Bengio 2010.
    kernel_init=configure(variance_scaling, scale=1.0, mode="fan_avg", distribution="uniform"),
    bias_init=zeros,
    # A state halves from step to step: what a recurrent tower has to be cured of.
    recurrent_init=configure(variance_scaling, scale=0.25, mode="fan_in", distribution="normal"),
    gate_bias=no_gate_bias,
    data_dependent_init=no_data_dependent_init,
    optimizer=optax.sgd,
    learning_rate=0.03,
    gradient_transforms=(),
    optimizer_wrappers=(),
    gradient_function=plain_gradient,
    evaluated_parameters=trained_parameters,
    selected_parameters=last_selected,
    learning_rate_schedules=(),
    posterior_head=GaussianHead,
    kl_estimator=exact_kl,
    kl_treatment=weighted_kl,
    kl_schedules=(),
)
