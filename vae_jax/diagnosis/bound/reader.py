"""What one pass tells of a model's z and of its loss's parts, once its layers are known."""

from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vae_jax.diagnosis.bound.latents import Held, Parts, find_parts
from vae_jax.diagnosis.bound.reduction import Reduction, read_reduction
from vae_jax.diagnosis.bound.use_of_z import Plateau, UseOfZ, read_plateau, read_use
from vae_jax.diagnosis.layers.attribution import double
from vae_jax.diagnosis.layers.chain import Chain, find_chain
from vae_jax.diagnosis.layers.example_axis import ExampleAxes, mixes, one_changed
from vae_jax.diagnosis.layers.ratios import quotient
from vae_jax.diagnosis.layers.readings import rms, shared
from vae_jax.diagnosis.tracing.passes import Passes, Value

MIXED = 1e-3
"""Of the largest entry: what another example has to change before examples are called mixed."""


class BoundReader:
    """A model's z and its loss's parts, as far as one pass tells them.

    Args:
        chain: The model's blocks.
        passes: Its passes.
        parameters: Its parameters.
        batch: What it is called with.
        values: Of the forward pass.
        axes: Which axis of each value is the example's.
        outputs: By name, the model's outputs.
        cut: By name the values at which the loss is cut: the outputs, or what a person marked.
    """

    def __init__(
        self,
        chain: Chain,
        passes: Passes,
        parameters: Any,
        batch: Any,
        values: Mapping[int, Value],
        axes: ExampleAxes,
        outputs: Mapping[str, int],
        cut: Mapping[str, int],
    ):
        self._chain, self._passes, self._parameters, self._batch = chain, passes, parameters, batch
        self._values, self._axes, self._outputs, self._cut = values, axes, outputs, cut

    @cached_property
    def parts(self) -> Parts | None:
        """Which values are what; None where the loss cannot be cut from its model."""
        if not self._cut:
            return None
        data = {str(place): leaf for place, leaf in enumerate(jax.tree.leaves(self._batch))}
        end = self._chain.blocks[-1].after if self._chain.blocks else next(iter(self._cut.values()))
        return find_parts(self._held(), self._chain.graph, data, end)

    @cached_property
    def split(self) -> int | None:
        """The block that ends in z; None where z is not on the chain."""
        latents = self.parts.latents if self.parts is not None else ()
        zs = [latent.z for latent in latents if latent.z is not None]
        if not zs:
            return None
        reached = {zs[0]}
        for operation in self._chain.graph.operations:
            if not reached.isdisjoint(operation.inputs):
                reached.update(operation.outputs)
        after = [index for index, block in enumerate(self._chain.blocks) if block.before in reached]
        return after[0] - 1 if after and after[0] > 0 else None

    @cached_property
    def encoder(self) -> tuple[int, ...]:
        """Of an encoder that is no part of the chain, as under teacher forcing, its hidden values on the longest way to
        the mean, in order: those that a row ends in.
        """
        if self.parts is None or not self.parts.latents or self.split is not None:
            return ()
        graph, ends = self._chain.graph, {row.after for row in self._chain.rows}
        *hidden, _head = find_chain(graph, self._parameters, (self.parts.latents[0].mean,)).blocks or (None,)
        return tuple(block.after for block in hidden if block is not None and block.after in ends)

    def uses(self) -> tuple[UseOfZ, ...]:
        """What the decoder makes of each latent."""
        known, values = self.parts, self._values
        if known is None:
            return ()
        found = []
        for latent in known.latents:
            mean, width = double(values[latent.mean]), double(values[latent.log_var])
            z, decode, axis = None, None, 0
            if latent.z is not None:
                z = double(values[latent.z])
                decode = partial(self._decoded, latent.z, known.reconstruction)
                axis = (self._axes.axis(latent.z) or (0, 1))[0]
            found.append(read_use(latent, mean, width, z, decode, known.likelihood, axis))
        return tuple(found)

    def of_encoder(self) -> tuple[float | None, float | None]:
        """At the encoder's last hidden layer: the reconstruction's share of dL/dh, and what of that all have alike.

        The output's bias learns the data's mean in the first steps, so what the output's gradient says alike of all
        examples is taken away before.
        """
        known, hidden = self.parts, self.encoder
        if self.split is not None:
            hidden = [block.after for block in self._chain.blocks[: self.split]]
        if known is None or not hidden or known.reconstruction not in known.direct:
            return None, None
        number = hidden[-1]
        direct = dict(known.direct)
        made = direct.pop(known.reconstruction)
        centred = made - jnp.mean(made, axis=0, keepdims=True)

        def at(seeds: Mapping[int, Value]) -> np.ndarray:
            arrived = self._passes.backward(self._values, seeds, parameters=False).at.get(number)
            return double(self._values[number]) * 0 if arrived is None else double(arrived)

        norms = rms(at({known.reconstruction: made})), rms(at(direct))
        rows = self._axes.rows(number, at({known.reconstruction: centred}))
        return quotient(norms[0], sum(norms)), None if rows is None else shared(rows)

    def reduction(self) -> Reduction | None:
        """How much a pixel and a unit weigh."""
        known = self.parts
        weighed = [latent for latent in known.latents if latent.weight is not None] if known is not None else []
        if known is None or known.likelihood is None or not weighed:
            return None
        output = double(self._values[known.reconstruction])
        return read_reduction(weighed[0], known.likelihood, output, self._values[weighed[0].mean].shape)

    def squashed(self) -> str:
        """Which of softmax and sigmoid the loss takes though it has been taken already; empty of none."""
        known = self.parts
        if known is None or known.likelihood is None:
            return ""
        output, name = double(self._values[known.reconstruction]), known.likelihood.family.name
        made = {name for operation in self._chain.graph.operations for name in operation.names}
        if name.startswith("categorical") and (output >= 0).all() and np.allclose(output.sum(axis=-1), 1, atol=1e-3):
            return "softmax"
        inside = bool((output >= 0).all() and (output <= 1).all())
        return "sigmoid" if name == "Bernoulli, of logits" and inside and "logistic" in made else ""

    def likelihood(self) -> str:
        """What the loss compares the reconstruction with, by name; empty where that is none that is known."""
        return "" if self.parts is None or self.parts.likelihood is None else self.parts.likelihood.family.name

    def target(self) -> tuple[float, float] | None:
        """The least and the largest number that the reconstruction is compared with."""
        if self.parts is None or self.parts.likelihood is None:
            return None
        counted = self.parts.likelihood.target[self.parts.likelihood.counted]
        return float(counted.min()), float(counted.max())

    def free_bits(self) -> float:
        """The share of units whose KL term is flat here."""
        return max((latent.flat for latent in self.parts.latents), default=0.0) if self.parts is not None else 0.0

    def plateau(self) -> Plateau | None:
        """What a model reaches that knows the data's mean alone."""
        # What a sequence model reaches without z depends on what it is told of the tokens before.
        if not self.likelihood() or self.likelihood().startswith("categorical"):
            return None
        assert self.parts is not None
        assert self.parts.likelihood is not None
        return read_plateau(self.parts.likelihood, double(self._values[self.parts.reconstruction]))

    def mixed(self) -> tuple[str, ...]:
        """Where what is made of one example depends on another: "model", "loss", or both."""
        found, axes = [], self._axes
        outputs = [
            number for number in self._outputs.values()
            if self._passes.real(number) and axes.axis(number) is not None and number not in self._chain.graph.batch
        ]  # fmt: skip
        for number in outputs:
            one, other = axes.rows(number), axes.rows(number, np.asarray(axes.moved[number]))
            if one is not None and other is not None and mixes(one, other) > MIXED:
                found.append("model")
                break
        if self.parts is not None and outputs:
            changed = {}
            for number in outputs:
                array, place = np.array(self._values[number]), (axes.axis(number) or (0, 1))[0]
                rows = np.moveaxis(array, place, 0)
                rows[0] = rows[1] + np.std(array) + 1e-3
                changed[number] = array
            after = self._held().gradient(changed, one_changed(self._batch))
            for number in outputs:
                own = axes.rows(number, double(self.parts.direct[number]))
                other = axes.rows(number, double(after[number]))
                if own is not None and other is not None and mixes(own, other) > MIXED:
                    found.append("loss")
                    break
        return tuple(found)

    def _held(self) -> Held:
        return Held(self._passes, self._parameters, self._batch, self._values, self._cut)

    def _decoded(self, z: int, reconstruction: int, other: np.ndarray) -> np.ndarray:
        """The reconstruction with another z."""
        own = jnp.asarray(other, self._values[z].dtype)
        return double(self._passes.forward(self._parameters, self._batch, {z: own})[reconstruction])
