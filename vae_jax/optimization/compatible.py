"""Which wrappers may stand around which optimizer."""

from vae_jax.optimization.aggressive_encoder import take_turns
from vae_jax.optimization.evaluated import schedule_free_average
from vae_jax.optimization.optimizers import sophia
from vae_jax.optimization.wrappers import accumulate, grow_batch, lookahead, skip_non_finite, slow_weights
from vae_jax.recipe.configured import made_by
from vae_jax.recipe.recipe import Recipe

# These hand on an optimizer's update as it is, or leave a step out, state and all.
_HAND_ON = (accumulate, grow_batch, skip_non_finite)


def require_compatible(recipe: Recipe) -> None:
    """Raise unless a recipe's optimizer can do what it does inside the wrappers around it.

    Raises:
        ValueError: If it cannot, and why.
    """
    optimizer, wrappers = made_by(recipe.optimizer), [made_by(wrapper) for wrapper in recipe.optimizer_wrappers]
    if optimizer is sophia and take_turns in wrappers:
        raise ValueError(
            "take_turns gives an optimizer one part of the parameters, and sophia needs all for the curvature of the "
            "loss: choose another optimizer for it"
        )
    evaluated = made_by(recipe.evaluated_parameters)
    if evaluated is schedule_free_average:
        inner, outer, cure = "a schedule-free optimizer", wrappers, "choose another optimizer for it"
    elif evaluated is slow_weights and lookahead not in wrappers:
        raise ValueError(
            "slow_weights are lookahead's, and no wrapper here is one: add it, or evaluate at other parameters"
        )
    elif evaluated is slow_weights:
        last = len(wrappers) - wrappers[::-1].index(lookahead)
        inner, outer, cure = "lookahead", wrappers[last:], "let lookahead come after it"
    else:
        return
    for wrapper in outer:
        if wrapper not in _HAND_ON:
            raise ValueError(
                f"{inner} is evaluated at parameters that follow from its state and its own updates, so a wrapper "
                f"around it must hand them on as they are, which {wrapper.__name__} is not known to: {cure}"
            )
