"""The compiled programs of this process, each lowered and compiled once: the only room with jit."""

import contextlib
import gc
import hashlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp

from bench.training.memory import give_back, held


@dataclass(frozen=True)
class Compiled:
    """A compiled program: a function of arrays, and what it cost and needs.

    Attributes:
        call: The program itself.
        seconds: Time to lower and to compile it, or to find it in the persistent cache.
        memory_bytes: What it holds at once on the device: arguments, results and temporaries; None where the device
            does not say.
    """

    call: Callable[..., Any]
    seconds: float
    memory_bytes: int | None


class Program:
    """A function lowered for arguments of one shape; compiled when it is first needed."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]):
        self._function = function
        begun = time.perf_counter()
        self._lowered = jax.jit(function).lower(*arguments)
        self._lower_seconds = time.perf_counter() - begun

    @property
    def results(self) -> Any:
        """The shapes of what it gives."""
        return self._lowered.out_info

    @cached_property
    def digest(self) -> str:
        """Digest of the lowered program: what will be computed, whatever the sources that say it."""
        return hashlib.sha256(self._lowered.as_text().encode()).hexdigest()

    @cached_property
    def calls_host(self) -> bool:
        """Whether it calls a function of Python's while it runs, as `jax.debug.print` does."""
        return re.search(r"custom_call @\w*callback", self._lowered.as_text()) is not None

    @cached_property
    def flops(self) -> float:
        """Floating-point operations by XLA's count; the body of a loop counts once, however often it runs."""
        counted = self._lowered.cost_analysis()
        if counted is None:
            # XLA counts for a CPU only; the mathematics is the same.
            args, _ = self._lowered.args_info
            shapes = jax.tree.map(lambda each: jax.ShapeDtypeStruct(each.shape, each.dtype), args)
            with jax.default_device(jax.devices("cpu")[0]):
                counted = jax.jit(self._function).lower(*shapes).cost_analysis() or {}
        return float(counted["flops"])

    @cached_property
    def compiled(self) -> Compiled:
        """The program, compiled now or before."""
        begun = time.perf_counter()
        executable = self._lowered.compile()
        give_back()
        seconds = self._lower_seconds + time.perf_counter() - begun
        size = executable.memory_analysis()
        memory = None
        if size is not None:
            held = size.argument_size_in_bytes + size.output_size_in_bytes + size.temp_size_in_bytes
            memory = held - size.alias_size_in_bytes
        return Compiled(executable, seconds, memory)

    @cached_property
    def quick(self) -> Callable[..., Any]:
        """The program compiled in less time, to run in more, where that can be had: for a few steps."""
        if jax.default_backend() != "cpu":
            return self.compiled.call
        options = {"xla_cpu_use_fusion_emitters": False}
        executable = self._lowered.compile(compiler_options=options)  # type: ignore
        give_back()
        return executable

    def __call__(self, *arguments: Any) -> Any:
        return self.compiled.call(*arguments)


def program(function: Callable[..., Any], arguments: tuple[Any, ...], **key: Any) -> Program:
    """The program of a function for arguments of these shapes, lowered once while it is among the last ones used.

    Args:
        function: What to compile.
        arguments: Arrays, or their shapes.
        **key: All that the function is made from beside its arguments, since two closures never compare equal.
    """
    leaves, structure = jax.tree.flatten(arguments)
    shapes = tuple((jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves)
    whole = (tuple(key.items()), structure, shapes)
    # The latest used stands last.
    found = _programs.pop(whole, None) or Program(function, arguments)
    _programs[whole] = found
    if len(_programs) > _KEPT:
        del _programs[next(iter(_programs))]
    return found


@contextlib.contextmanager
def anew() -> Iterator[None]:
    """In which what is lowered already is lowered once more."""
    kept = dict(_programs)
    _programs.clear()
    try:
        yield
    finally:
        _programs.clear()
        _programs.update(kept)


def forget() -> None:
    """Let go of all that has been compiled: what is asked for again is traced, lowered and compiled again."""
    jax.clear_caches()
    _programs.clear()


def let_go(more: int) -> None:
    """Give back what is free, and let go of all that has been compiled where this process holds so many bytes more.

    More than at the first call, that is, which lets go of nothing. What is asked for again is traced, lowered and
    compiled again, or found in the persistent cache: so not after every piece of work, but when most of what is held
    is of no use to the next.
    """
    global _at_first
    give_back()
    if _at_first is None:
        _at_first = held()
    elif held() > _at_first + more:
        forget()
        gc.collect()
        give_back()


_at_first: int | None = None

_programs: dict[Any, Program] = {}

# Of compiled programs each maps memory of its own, of which a process may have 65,530 pieces; a suite of the whole
# catalogue compiles some thousand. An arm needs about six, and arms of one program come one after another.
_KEPT = 16
