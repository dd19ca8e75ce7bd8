"""What is let go of is what was compiled, and only once enough more is held."""

import jax
import jax.numpy as jnp
import pytest

from bench.training import memory, programs
from bench.training.programs import program


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Times that one program has been traced; and programs of no other test are dropped."""
    monkeypatch.setattr(programs, "_programs", {})
    monkeypatch.setattr(memory, "_left", None)
    return []


def ask(traced: list[int]) -> None:
    def double(x: jax.Array) -> jax.Array:
        traced.append(1)
        return 2 * x

    program(double, (jnp.zeros(3),), name="double")


def test_what_was_compiled_is_kept_until_a_process_holds_more_by_so_much(
    compiled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = iter([100, 150, 151, 90, 141, 80])
    monkeypatch.setattr(memory, "held", lambda: next(at))
    ask(compiled)
    memory.let_go(50)  # The first time says what is held at first: 100.
    memory.let_go(50)  # 150: no more than 50 more.
    ask(compiled)
    assert len(compiled) == 1
    memory.let_go(50)  # 151: let go, and 90 are left.
    ask(compiled)
    assert len(compiled) == 2
    memory.let_go(50)  # 141 is more than 50 above 90.
    ask(compiled)
    assert len(compiled) == 3


def test_this_process_holds_something() -> None:
    assert memory.held() == 0 or memory.held() > 2**24
