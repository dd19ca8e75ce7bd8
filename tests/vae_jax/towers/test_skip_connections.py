import jax.numpy as jnp
import pytest

from vae_jax.towers.skip_connections import encoder_context, latent_context, no_context

Z = jnp.ones((2, 4))
# Hidden layer n holds n everywhere.
HIDDEN = [jnp.full((2, 8), float(layer)) for layer in range(4)]


def test_nothing_or_z_for_every_layer():
    assert no_context(Z, HIDDEN, 3) is None
    seen = latent_context(Z, HIDDEN, 3)
    assert len(seen) == 3
    assert all(each is Z for each in seen)


@pytest.mark.parametrize(("layers", "expected"), [(3, [2, 1, 0]), (2, [2, 1]), (5, [2, 1, 0, 0, 0])])
def test_the_encoders_layers_come_back_in_reverse_without_the_last(layers, expected):
    assert [float(each[0, 0]) for each in encoder_context(Z, HIDDEN, layers)] == expected


def test_of_a_code_alone_there_are_no_layers_to_come_back():
    with pytest.raises(ValueError, match="reads the encoder's hidden layers past z"):
        encoder_context(Z, [], 3)
