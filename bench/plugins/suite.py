"""A suite: which arms on which workloads, under which protocol."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Suite:
    """One file in `bench/suites/` holds one as `SUITE`; its docstring says what to expect.

    Attributes:
        arms: As on the command line, one string an arm or sweep; `*` stands for every remedy, one after another.
        workload: As on the command line, one or several.
        seeds: Fresh seeds of the reporting pass.
        rates: Learning rates of the tuning pass; with 1 there is none.
        steps: Steps of one training; None for the workload's own.
        confirm: Whether the best arms, and those claimed to be better, are trained on fresh seeds more.
        tangent_kernel: Whether the condition of each network's tangent kernel is found before its first step.
    """

    arms: tuple[str, ...]
    workload: str = "digits-dense"
    seeds: int = 5
    rates: int = 5
    steps: int | None = None
    confirm: bool = False
    tangent_kernel: bool = False
