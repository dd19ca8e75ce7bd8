"""From what was asked to the cells that answer it: pure, and no backend is started."""

import functools
import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import jax

from bench.language.arms import Arm, parse_arms, parse_term, split_arms
from bench.language.errors import unknown
from bench.planning.applicability import slots_read
from bench.planning.catalogue import Catalogue
from bench.planning.compose import build_workload, compose, family
from bench.planning.identity import question, sources
from bench.planning.protocol import Protocol
from bench.plugins.plugin import NotApplicable, Workload
from vae_jax.diagnosis.verdict import RULES
from vae_jax.recipe.recipe import Recipe

# First readings on two cores, for the minutes to expect.
_COMPILE_SECONDS = 6.0
_SECONDS_PER_STEP_AND_WEIGHT = 1e-3 / (18 * 64 * 64)
# What a layer costs that is one step of a scan, over one that is written out: as many small operations, and a loop.
_SCANNED = 5.0


@dataclass(frozen=True)
class Cell:
    """One arm on one workload.

    Attributes:
        workload: The workload's text.
        arm: The arm's text.
        base: Its base.
        family: The families of its remedies.
        identity: What the store knows it by: `QUESTION-SOURCES`, see `bench.planning.identity`.
        program: Cells of one number run one compiled program.
        status: `planned`, or `not applicable`.
        reason: Why it is not applicable.
    """

    workload: str
    arm: str
    base: str
    family: str
    identity: str
    program: int
    status: str = "planned"
    reason: str = ""

    @property
    def question(self) -> str:
        """What its identity says of it, whatever the sources."""
        return self.identity.partition("-")[0]


@dataclass(frozen=True)
class Job:
    """A cell with all that a worker needs to run it: names, numbers and paths, no code.

    Attributes:
        cell: The cell.
        protocol: How it is tuned and reported.
        plateau: What a dead arm sits at on test, in nats.
        plugins: Files that its arm needs.
        commit: Of this source tree.
        known: Identities of stored cells that asked the same of other sources, by the fingerprint of their programs.
    """

    cell: Cell
    protocol: Protocol
    plateau: float
    plugins: tuple[str, ...] = ()
    commit: str | None = None
    known: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """The cells of one command.

    Attributes:
        suite: The suite's name.
        workload_text: The workload, in its shortest form.
        workload: The workload.
        description: Its first sentence.
        plateau: What a dead arm sits at on test, in nats.
        plateau_validation: And on validation, which curves over steps are measured on.
        protocol: How each cell is tuned and reported.
        cells: The cells, in the order of the table.
        baseline: The workload's first base alone, beside which all others are timed; it may be none of the cells.
        plugins: Files that the arms need.
    """

    suite: str
    workload_text: str
    workload: Workload
    description: str
    plateau: float
    plateau_validation: float
    protocol: Protocol
    cells: tuple[Cell, ...]
    baseline: Cell
    plugins: tuple[str, ...]

    @property
    def planned(self) -> list[Cell]:
        """The cells that run."""
        return [cell for cell in self.cells if cell.status == "planned"]

    def job(self, cell: Cell, commit: str | None = None, known: Mapping[str, str] | None = None) -> Job:
        """A cell as work for a worker."""
        return Job(cell, self.protocol, self.plateau, self.plugins, commit, known or {})

    def expected_seconds(self, cells: list[Cell]) -> float:
        """How long training some of the cells may take one core, by first readings of this shape of network."""
        sizes = self.workload.architecture
        layers = sum(
            count * (_SCANNED if getattr(sizes, tower).scanned() else 1) for tower, count in sizes.layers.items()
        )
        weights = layers * sizes.width**2 * self.workload.batch / 128
        training = self.protocol.trainings * self.protocol.steps * weights * _SECONDS_PER_STEP_AND_WEIGHT
        return len(cells) * training + len({cell.program for cell in cells}) * _COMPILE_SECONDS

    def describe(self, command: str) -> dict[str, Any]:
        """The plan as the store keeps it."""
        sizes = self.workload.architecture
        return {
            "schema": 1,
            "suite": self.suite,
            "command": command,
            "plugins": list(self.plugins),
            "workloads": {
                self.workload_text: {
                    "description": self.description,
                    "plateau": self.plateau,
                    "plateau_validation": self.plateau_validation,
                    "layers": sizes.layers,
                    "width": sizes.width,
                    "latent": sizes.latent,
                    "batch": self.workload.batch,
                    "steps": self.protocol.steps,
                    "bases": list(self.workload.bases),
                }
            },
            "protocol": {"words": self.protocol.words(), **self.protocol.identity()},
            "verdict_rules": list(RULES),
            "cells": [asdict(cell) for cell in self.cells],
        }


def make_plan(
    catalogue: Catalogue,
    *,
    suite: str,
    workload: str | None = None,
    arms: str | None = None,
    seeds: int | None = None,
    rates: int | None = None,
    steps: int | None = None,
    plugins: tuple[str, ...] = (),
    device_kind: str = "cpu",
) -> Plan:
    """The cells that a command asks for.

    Args:
        catalogue: What names mean.
        suite: Name of the suite.
        workload: Instead of the suite's.
        arms: Instead of the suite's; without it, each remedy of a plugin is an arm beside the suite's.
        seeds: Instead of the suite's.
        rates: Instead of the suite's.
        steps: Instead of the suite's, or the workload's.
        plugins: Files that were loaded into the catalogue.
        device_kind: What the numbers will be computed on.

    Raises:
        InputError: If a name or number does not hold.
    """
    if suite not in catalogue.suites:
        raise unknown("suite", suite, catalogue.suites, "python -m bench list suites")
    chosen = catalogue.suites[suite][0]
    asked = chosen.workload if workload is None else workload
    text, built = build_workload(catalogue, asked)
    given = dict(parse_term(asked)[0].parameters)
    protocol = Protocol(
        steps=_first(steps, built.steps if "steps" in given else None, chosen.steps, built.steps),
        seeds=_first(seeds, chosen.seeds),
        rates=_first(rates, chosen.rates),
    )
    programs: dict[Any, int] = {}
    instruments = tuple(catalogue.instruments.values())

    data = built.data()

    @functools.cache
    def read(base: str) -> frozenset[str]:
        return slots_read(built.bases[base], built.architecture, data)

    def idle(arm: Arm, recipe: Recipe) -> str:
        """Why an arm would train what its base trains; empty where it does not."""
        changed, remedies = recipe.changes(built.bases[arm.base]), "+".join(map(str, arm.remedies))
        if not changed:
            return f"changes nothing: {remedies} gives what the base {arm.base!r} has already"
        if read(arm.base).isdisjoint(changed):
            slots = " and ".join(map(repr, changed))
            return f"changes nothing here: {remedies} sets {slots}, which no training of {arm.base!r} on {text} reads"
        return ""

    def make_cell(arm: Arm) -> Cell:
        try:
            recipe = compose(catalogue, built, arm)
            reason = idle(arm, recipe) if arm.remedies else ""
        except NotApplicable as unfit:
            recipe, reason = built.bases[arm.base], str(unfit)
        key = jax.tree.structure(recipe.traced())
        return Cell(
            workload=text,
            arm=str(arm),
            base=arm.base,
            family=family(catalogue, arm),
            identity=f"{question(recipe, built, protocol, instruments, device_kind)}-"
            f"{sources(recipe, built, instruments)}",
            program=programs.setdefault(key, len(programs)),
            status="not applicable" if reason else "planned",
            reason=reason,
        )

    bases = tuple(built.bases)
    baseline = make_cell(Arm(bases[0], (), bases[0]))
    wanted = split_arms(arms) if arms is not None else (*chosen.arms, *catalogue.from_plugins)
    # A * stands for every remedy.
    spelt = ([text.replace("*", name) for name in catalogue.remedies] if "*" in text else [text] for text in wanted)
    wanted = ",".join(itertools.chain.from_iterable(spelt))
    cells: dict[tuple[str, str], Cell] = {}
    for cell in map(make_cell, parse_arms(wanted, bases)):
        # Two spellings of one recipe are one cell; that an arm changes nothing is worth a row of its own.
        cells.setdefault((cell.identity, cell.arm if cell.status == "not applicable" else ""), cell)
    plateaus = (built.plateau(data, data.test), built.plateau(data, data.validation))
    description = catalogue.workloads[text.partition("[")[0]].description.split("\n")[0]
    return Plan(suite, text, built, description, *plateaus, protocol, tuple(cells.values()), baseline, plugins)


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)
