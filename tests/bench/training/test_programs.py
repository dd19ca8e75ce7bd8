import jax
import jax.numpy as jnp

from bench.training.programs import Program


def product(key, weights):
    return jax.random.normal(key, (64, 32)) @ weights["kernel"]


def test_operations_are_counted_where_the_device_counts_none(monkeypatch):
    """As on a GPU, where XLA counts for no program that it has not compiled."""
    arguments = (jax.random.key(0), {"kernel": jnp.ones((32, 16))})
    counted = Program(product, arguments).flops
    # The product alone; drawing counts too.
    assert counted > 2 * 64 * 32 * 16
    counts = jax.stages.Lowered.cost_analysis
    asked = []

    def none_at_first(lowered):
        asked.append(lowered)
        return None if len(asked) == 1 else counts(lowered)

    monkeypatch.setattr(jax.stages.Lowered, "cost_analysis", none_at_first)
    assert Program(product, arguments).flops == counted
    assert len(asked) == 2
