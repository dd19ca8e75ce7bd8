"""Programs: what they count, and when they are let go of."""

import jax
import jax.numpy as jnp
import pytest

from bench.training import programs
from bench.training.programs import Program, program


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


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Times that one program has been traced; and programs of no other test are dropped."""
    monkeypatch.setattr(programs, "_programs", {})
    monkeypatch.setattr(programs, "_at_first", None)
    return []


def ask(traced: list[int]) -> None:
    def double(x: jax.Array) -> jax.Array:
        traced.append(1)
        return 2 * x

    program(double, (jnp.zeros(3),), name="double")


def test_what_was_compiled_is_kept_until_a_process_holds_more_by_so_much(
    compiled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = iter([100, 150, 151, 140, 151])
    monkeypatch.setattr(programs, "held", lambda: next(at))
    ask(compiled)
    programs.let_go(50)  # The first time says what is held at first: 100.
    programs.let_go(50)  # 150: no more than 50 more.
    ask(compiled)
    assert len(compiled) == 1
    programs.let_go(50)  # 151 is more.
    ask(compiled)
    programs.let_go(50)  # 140 is not, whatever was left.
    ask(compiled)
    assert len(compiled) == 2
    programs.let_go(50)
    ask(compiled)
    assert len(compiled) == 3
