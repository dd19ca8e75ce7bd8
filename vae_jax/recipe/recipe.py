"""A recipe: every choice of one training run, as a value that compares, travels and compiles."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import jax
import optax

from vae_jax.recipe.configured import Configured, Deferred, configure, is_structure, require_importable

Schedules = tuple[Callable[..., jax.Array], ...]

# Slots whose outcome enters the compiled program as an array, so that they make no program of their own.
_ARGUMENTS = (
    "kernel_init", "bias_init", "recurrent_init", "gate_bias", "data_dependent_init", "learning_rate",
    "learning_rate_schedules", "kl_schedules",
)  # fmt: skip


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True, init=False)
class Recipe:
    """Every choice of one training run; `Recipe()` is the plain one, see `vae_jax.defaults`.

    A slot holds a function, or one with parameters made by `configure`. The numbers in it are leaves of the pytree;
    the functions are its structure.

    Attributes:
        activation: phi, elementwise; of z, and of what its unit learns for it.
        unit: `(inputs, outputs, recipe, key, role=, context=, linear=) -> Unit`: what stands around the activation,
            with the linear map that it is handed.
        block: `(position, recipe, key) -> Block`: how a hidden layer is put together.
        normalization: `(width) -> module`, applied to the pre-activation, or where the block says.
        weight_form: `(kernel) -> module`, from the kernel that is trained to the matrix that is used.
        product: `(h, matrix) -> z`: how, and in which precision, a layer multiplies.
        dtype: `float32` or `float64`, of parameters, data and all that is computed from them. A model is drawn in
            float32 and cast, so that two trainings of one seed start alike.
        hidden_noise: `(h, key) -> h`, after every activation, in training.
        input_noise: `(x, key) -> x`, of the encoder's inputs, in training.
        decoder_context: `(z, hidden, layers) -> arrays`: what the decoder's blocks and head see beside the layer below.
        cell: `(inputs, width, length, recipe, key) -> TanhCell`: one step of a recurrent tower.
        zoneout: `(before, after, key) -> state`: what of a recurrent state is new; in evaluation the key is None.
        carry: `(state, remaining) -> state`: what a step is given of the one before, `remaining` being what is left.
        readout: `(hidden, mask) -> h`: what a recurrent tower's head reads of the states "steps batch width".
        kernel_init: `(key, shape, dtype, role) -> kernel`, shape `(inputs, outputs)`, of every dense layer; of every
            convolution with the shape `(rows, columns, channels, outputs)`.
        bias_init: The same for its bias, shape `(outputs,)`.
        recurrent_init: The same for the matrix from one state to the next, of shape `(width, width)`.
        gate_bias: `(key, shape, dtype, length) -> (keep, write)`: what a recurrent cell's gates are biased by.
        data_dependent_init: `(layer, inputs)`: changes a drawn layer by what the training examples look like there.
        optimizer: `(learning_rate) -> optax.GradientTransformation`.
        learning_rate: The optimizer's own scale: the centre of the rates that are tuned.
        gradient_transforms: Each `() -> optax.GradientTransformation`, applied in order before the optimizer.
        optimizer_wrappers: Each `(transformation, learning_rate, steps) -> optax.GradientTransformation`, the first
            around transforms and optimizer, the next around that; `steps` is the training's length.
        gradient_function: `(differentiate, parameters) -> ((loss, aux), gradient)`, see `optimization.gradients`.
        evaluated_parameters: `() -> EvaluatedParameters`: what is evaluated in place of the newest parameters.
        selected_parameters: `() -> SelectedParameters`: which of those evaluated the training ends with.
        learning_rate_schedules: Each `(step, steps) -> factor`; they multiply.
        posterior_head: `(latent) -> module`: how the encoder's outputs become q(z|x).
        kl_estimator: `(mean, log_var, z) -> kl_units` "batch latent": the KL term that is trained on.
        kl_treatment: `() -> Treatment`: what becomes of the bound's two parts in the training objective.
        kl_schedules: Each `(step, steps) -> weight` of the KL term; they multiply.
    """

    activation: Callable[..., jax.Array]
    unit: Callable[..., Any]
    block: Callable[..., Any]
    normalization: Callable[..., Callable[[jax.Array], jax.Array]]
    weight_form: Callable[..., Callable[[jax.Array], jax.Array]]
    product: Callable[[jax.Array, jax.Array], jax.Array]
    dtype: str
    hidden_noise: Callable[..., jax.Array]
    input_noise: Callable[..., jax.Array]
    decoder_context: Callable[..., list[jax.Array] | None]
    cell: Callable[..., Any]
    zoneout: Callable[..., tuple[jax.Array, ...]]
    carry: Callable[..., tuple[jax.Array, ...]]
    readout: Callable[..., jax.Array]
    kernel_init: Callable[..., jax.Array]
    bias_init: Callable[..., jax.Array]
    recurrent_init: Callable[..., jax.Array]
    gate_bias: Callable[..., tuple[jax.Array, jax.Array]]
    data_dependent_init: Callable[..., None]
    optimizer: Callable[..., optax.GradientTransformation]
    learning_rate: float
    gradient_transforms: tuple[Callable[[], optax.GradientTransformation], ...]
    optimizer_wrappers: tuple[Callable[..., optax.GradientTransformation], ...]
    gradient_function: Callable[..., Any]
    evaluated_parameters: Callable[[], Any]
    selected_parameters: Callable[[], Any]
    learning_rate_schedules: Schedules
    posterior_head: Callable[..., Any]
    kl_estimator: Callable[..., jax.Array]
    kl_treatment: Callable[[], Any]
    kl_schedules: Schedules

    def __init__(self, **slots: Any):
        """A recipe with these values in its slots, and in all others what the plain recipe holds.

        Raises:
            ValueError: If there is no such slot, its value is of another kind than the plain one, or a function in it
                cannot be imported by name.
        """
        for name in slots.keys() - set(self.slots()):
            raise ValueError(f"a recipe has no slot {name!r}: its slots are {', '.join(self.slots())}")
        for name, plain in _PLAIN.items():
            value = slots.get(name, plain)
            object.__setattr__(self, name, plain if value is plain else _checked(name, value))

    def replace(self, **slots: Any) -> "Recipe":
        """This recipe with other values in some slots.

        Raises:
            ValueError: As for a new recipe.
        """
        return type(self)(**{name: getattr(self, name) for name in self.slots()} | slots)

    def chain(self, **slots: Callable[..., Any]) -> "Recipe":
        """This recipe with one more member at the end of a slot that is a chain of transforms or schedules."""
        return self.replace(**{name: (*getattr(self, name), value) for name, value in slots.items()})

    def resolve(self, depth: int) -> "Recipe":
        """This recipe with a value in every slot that was put off until the rest was known.

        Args:
            depth: Blocks in each tower.

        Raises:
            ValueError: If a slot's value does not go with the rest.
        """
        recipe = self
        # In the slots' order: what is drawn depends on the activation, not the other way round.
        for name in self.slots():
            if isinstance(value := getattr(recipe, name), Deferred):
                recipe = recipe.replace(**{name: value.resolve(recipe, depth)})
        return recipe

    @classmethod
    def slots(cls) -> tuple[str, ...]:
        """The names of the slots, in order."""
        return tuple(slot.name for slot in fields(cls))

    def changes(self, base: "Recipe") -> tuple[str, ...]:
        """The slots in which this recipe differs from another."""
        return tuple(name for name in self.slots() if getattr(self, name) != getattr(base, name))

    def traced(self) -> "Recipe":
        """The part that a compiled training is traced with; two recipes whose parts have one structure share a program.

        Initial weights, learning rates and KL weights enter the program as arrays, so the slots that make them hold
        their defaults here.
        """
        return replace(self, **{name: _PLAIN[name] for name in _ARGUMENTS})

    def functions(self) -> Iterator[Callable[..., Any]]:
        """Every function that a slot holds, those fixed as parameters of others among them."""
        for name in self.slots():
            yield from _functions(getattr(self, name))

    def describe(self) -> dict[str, Any]:
        """The recipe as names and numbers, fit for JSON; equal recipes and no others have equal descriptions."""
        return {name: _describe(getattr(self, name)) for name in self.slots()}

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        values = tuple((name, getattr(self, name)) for name in self.slots())
        leaves = tuple(value for _, value in values if not is_structure(value))
        return leaves, tuple((name, value if is_structure(value) else _LEAF) for name, value in values)

    @classmethod
    def tree_unflatten(cls, structure: tuple[Any, ...], leaves: tuple[Any, ...]) -> "Recipe":
        # Past __init__: inside a program, and inside jax, leaves are not the numbers that it is declared for.
        recipe, remaining = object.__new__(cls), iter(leaves)
        for name, value in structure:
            object.__setattr__(recipe, name, next(remaining) if value is _LEAF else value)
        return recipe


_LEAF = "leaf"

# Filled in by `vae_jax.defaults`, which stands above all that fills a slot: whatever is imported of this package, it is
# imported first.
_PLAIN: dict[str, Any] = {}


def declare_plain(**slots: Any) -> None:
    """Say what every slot holds where nothing is chosen.

    Args:
        **slots: A value for each slot.
    """
    if slots.keys() != set(Recipe.slots()):
        raise TypeError(f"the plain recipe must fill every slot and no other: {slots.keys() ^ set(Recipe.slots())}")
    _PLAIN.update(slots)


def _checked(name: str, value: Any) -> Any:
    """A slot's value, if it can be compared, found again and compiled."""
    _require_kind(name, value, _PLAIN[name])
    if isinstance(value, tuple):
        # A bare function in a tuple would be a leaf of the pytree; configured, it is structure.
        members = [m if isinstance(m, Configured) else configure(m) for m in value]
        # Schedules multiply, so their order is no choice: one order makes equal recipes equal.
        return tuple(sorted(members, key=repr) if name.endswith("_schedules") else members)
    if callable(value) and not isinstance(value, Configured | Deferred):
        require_importable(value)
    return value


def _require_kind(name: str, value: Any, default: Any) -> None:
    if isinstance(default, tuple):
        holds, kind = isinstance(value, tuple) and all(map(callable, value)), "a tuple of functions: use chain(...)"
    elif isinstance(default, float):
        # No array, which would not compare.
        holds, kind = type(value) in (int, float) and 0 < value < math.inf, "a plain finite number above 0"
    elif isinstance(default, str):
        holds, kind = value in ("float32", "float64"), "'float32' or 'float64'"
    else:
        holds, kind = callable(value), "a function, or what configure(function, name=value) makes"
    if not holds:
        raise ValueError(f"slot {name!r} must hold {kind}, got {value!r:.80}")


def _describe(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_describe(member) for member in value]
    if isinstance(value, Configured | Deferred):
        return {"function": _describe(value.function), **{k: _describe(v) for k, v in value.parameters.items()}}
    if callable(value):
        return f"{value.__module__}.{getattr(value, '__qualname__', getattr(value, '__name__', ''))}"
    return value


def _functions(value: Any) -> Iterator[Callable[..., Any]]:
    if isinstance(value, Configured | Deferred):
        yield from _functions((value.function, *value.parameters.values()))
    elif isinstance(value, tuple):
        for member in value:
            yield from _functions(member)
    elif callable(value):
        yield value
