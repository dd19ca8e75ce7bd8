"""Why an arm's gradient does what it does before the first step: what theory expects, and which block is to blame."""

from dataclasses import asdict
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array

from bench.lanes import Bench
from bench.programs import program
from vae_jax.attribution import arrivals, blame
from vae_jax.chain import find_chain
from vae_jax.graph import trace
from vae_jax.objective import gaussian_kl, total_kl
from vae_jax.theory import predict
from vae_jax.train import structure

# Verdicts on a gradient that does not arrive.
_BLAMED = ("vanishing", "exploding", "saturated")


def expected(bench: Bench, seed: int) -> dict[str, dict[str, Any]]:
    """What theory expects of each tower of an arm, or why it expects nothing.

    Args:
        bench: The arm.
        seed: Whose initial weights.
    """
    parameters, _, x, _ = bench.initial(seed)
    centred = jax.device_get(x - bench.data.mean[None])
    return {tower: asdict(profile) for tower, profile in predict(bench.recipe, parameters, centred).items()}


def blamed(bench: Bench, seed: int, verdict: str) -> dict[str, Any]:
    """The block, or the kind of block, that keeps the gradient of -ELBO from the pixels' end; nothing where none does.

    Args:
        bench: The arm.
        seed: Whose initial weights.
        verdict: The arm's; a gradient that arrives has nobody to blame.
    """
    if verdict not in _BLAMED:
        return {}
    parameters, statistics, x, noise = bench.initial(seed)
    # As many examples as a step sees.
    x, noise = x[: bench.workload.batch], noise[: bench.workload.batch]
    architecture, recipe = bench.workload.architecture, bench.recipe.program()
    graph = structure(recipe, architecture)

    def outputs(parameters: Any, centred: Array) -> tuple[Array, Array, Array]:
        model = nnx.merge(graph, parameters, statistics)
        model.train()
        forward = model(centred, noise, recipe)
        return forward.outputs, forward.mean, forward.log_var

    def negative_elbo(made: tuple[Array, Array, Array]) -> Array:
        return total_kl(gaussian_kl(*made[1:])) - architecture.likelihood.log_prob(made[0], x).mean()

    given = (parameters, x - bench.data.mean[None])
    chain = find_chain(trace(outputs, *given), parameters)
    compiled = program(
        lambda parameters, centred: arrivals(chain, negative_elbo, parameters, centred), given,
        name="blame", architecture=architecture, recipe=repr(recipe.describe()), seed=seed,
    )  # fmt: skip
    found = blame(chain, jax.device_get(compiled(*given)))
    return found._asdict() if found.kind else {}
