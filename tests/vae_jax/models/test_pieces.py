"""Many examples in pieces: the same results as at once, and as few numbers at once as was asked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vae_jax.models import pieces
from vae_jax.models.pieces import evenly, fitting, in_pieces
from vae_jax.models.sequence import SequenceArchitecture
from vae_jax.models.vae import VAEArchitecture
from vae_jax.towers.convolutional import Convolutional, Stage

X = jnp.arange(42.0).reshape(14, 3)


@pytest.mark.parametrize(
    ("most", "sizes"), [(20, {14}), (14, {14}), (13, {7}), (6, {5, 4}), (5, {5, 4}), (2, {2}), (1, {1})]
)
def test_results_are_in_order_whatever_the_pieces_and_none_is_larger(most, sizes):
    seen = set()

    def function(given: dict[str, jax.Array], more: jax.Array) -> tuple[jax.Array, jax.Array]:
        seen.add(len(more))
        return given["x"].sum(axis=1), given["x"] * more[:, None]

    summed, product = in_pieces(function, most, {"x": X}, jnp.arange(14.0))
    np.testing.assert_array_equal(summed, X.sum(axis=1))
    np.testing.assert_array_equal(product, X * np.arange(14.0)[:, None])
    assert seen == sizes


def test_some_examples_are_of_the_whole_set():
    np.testing.assert_array_equal(evenly({"x": X}, 4)["x"], X[np.array([0, 3, 7, 10])])
    assert evenly(X, 14) is X


def test_as_many_fit_as_their_hidden_layers_and_the_largest_patches_allow(monkeypatch):
    monkeypatch.setattr(pieces, "_AT_ONCE", 10_000)
    assert fitting(VAEArchitecture(64, 3, 16, 4)) == 10_000 // (2 * 4 * 16 + 2 * 16 + 3 * 64)
    convolutional = Convolutional((8, 8, 1), (Stage(4, 2, stride=2),))
    assert fitting(VAEArchitecture(64, 1, 16, 4, encoder=convolutional)) == (
        10_000 // (2 * 64 + 2 * 16 + 2 * 64 * 9 + 3 * 64)
    )
    # Of text it is the logits, one of each symbol at each step.
    assert fitting(SequenceArchitecture(100, 12, 8, 1, 16, 4)) == 10_000 // (2 * 12 * 16 + 2 * 16 + 3 * 12 * 100)
    # One does, however large.
    assert fitting(VAEArchitecture(64, 3, 10_000, 4)) == 1
