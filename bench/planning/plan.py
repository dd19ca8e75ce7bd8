"""From what was asked to the cells that answer it: pure, and no backend is started."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax

from bench.language.arms import Arm, parse_arms, parse_term
from bench.language.errors import briefly, unknown
from bench.planning.applicability import slots_read
from bench.planning.catalogue import Catalogue
from bench.planning.compose import family
from bench.planning.compose_arm import ComposedArm, compose_arm
from bench.planning.identity import Identity, identify
from bench.planning.loaded_workload import load_workload
from bench.planning.protocol import Protocol
from bench.plugins.own_code import OwnCodeError
from bench.plugins.reads import Reads
from bench.plugins.remedy import NotApplicable
from bench.plugins.workload import Workload
from bench.results.records import PlannedCell, PlanRecord, ProtocolRecord, WorkloadRecord
from vae_jax.diagnosis.verdict import RULES
from vae_jax.recipe.recipe import Recipe

# First readings on two cores, for the minutes to expect.
_COMPILE_SECONDS = 6.0
# To compose a cell, evaluate its trainings, estimate, explain and store it, however few its steps.
_CELL_SECONDS = 1.5
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
        status: `planned`, `not applicable`, or `failed` where a person's own code in it does.
        reason: Why it is not planned.
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
        """The part of its identity that holds whatever the sources."""
        return self.identity.partition("-")[0]


@dataclass(frozen=True)
class Known:
    """A stored cell that may stand for another: its identity, and the word that its verdict was."""

    identity: str
    verdict: str


@dataclass(frozen=True)
class Job:
    """A cell with all that a worker needs to run it: names, numbers and paths, no code.

    Attributes:
        cell: The cell.
        protocol: How it is tuned and reported.
        plateau: What a dead arm sits at on test, in nats.
        plugins: Files that its arm needs.
        commit: Of this source tree.
        known: Stored cells that asked the same of other sources, by the fingerprint of their programs.
        identity: The parts of the cell's identity, for a worker to find them once more; None where nothing is stored.
    """

    cell: Cell
    protocol: Protocol
    plateau: float
    plugins: tuple[str, ...] = ()
    commit: str | None = None
    known: Mapping[str, Known] = field(default_factory=dict)
    identity: Identity | None = None
    device_kind: str = "cpu"


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
        device_kind: What the numbers will be computed on.
        identities: The parts of each cell's identity, by its whole.
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
    device_kind: str = "cpu"
    identities: Mapping[str, Identity] = field(default_factory=dict)

    @property
    def planned(self) -> list[Cell]:
        """The cells that run."""
        return [cell for cell in self.cells if cell.status == "planned"]

    def job(self, cell: Cell, commit: str | None = None, known: Mapping[str, Known] | None = None) -> Job:
        """A cell as work for a worker."""
        return Job(
            cell, self.protocol, self.plateau, self.plugins, commit, known or {}, self.identities.get(cell.identity),
            self.device_kind,
        )  # fmt: skip

    def expected_seconds(self, cells: list[Cell]) -> float:
        """How long training some of the cells may take one core, by first readings of this shape of network."""
        sizes = self.workload.architecture
        layers = sum(
            count * (_SCANNED if getattr(sizes, tower).scanned() else 1) for tower, count in sizes.layers.items()
        )
        weights = layers * sizes.width**2 * self.workload.batch / 128
        training = self.protocol.trainings * self.protocol.steps * weights * _SECONDS_PER_STEP_AND_WEIGHT
        return len(cells) * (training + _CELL_SECONDS) + len({cell.program for cell in cells}) * _COMPILE_SECONDS

    def describe(self, command: str) -> PlanRecord:
        """The plan as the store keeps it."""
        sizes, constants = self.workload.architecture, self.protocol.identity()
        typed = {name: constants.pop(name) for name in ("steps", "seeds", "rates")}
        workload = WorkloadRecord(
            self.description, self.plateau, self.plateau_validation, sizes.layers, sizes.width, sizes.latent,
            self.workload.batch, self.protocol.steps, tuple(self.workload.bases),
        )  # fmt: skip
        return PlanRecord(
            suite=self.suite,
            command=command,
            plugins=self.plugins,
            workloads={self.workload_text: workload},
            protocol=ProtocolRecord(tuple(self.protocol.words()), **typed, constants=constants),
            verdict_rules=tuple(RULES),
            cells=tuple(
                PlannedCell(each.workload, each.arm, each.base, each.family, each.identity, each.program, each.status,
                            each.reason)
                for each in self.cells
            ),
        )  # fmt: skip


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
    loaded = load_workload(catalogue, asked)
    text, built, data = loaded.text, loaded.workload, loaded.dataset
    given = dict(parse_term(asked)[0].parameters)
    protocol = Protocol(
        steps=_first(steps, built.steps if "steps" in given else None, chosen.steps, built.steps),
        seeds=_first(seeds, chosen.seeds),
        rates=_first(rates, chosen.rates),
    )
    programs: dict[Any, int] = {}
    identities: dict[str, Identity] = {}
    instruments = tuple(catalogue.instruments.values())

    def idle(arm: Arm, recipe: Recipe) -> str:
        """Why an arm would train what its base trains; empty where it does not."""
        base = built.bases[arm.base]
        changed, remedies = recipe.changes(base), "+".join(map(str, arm.remedies))
        if not changed:
            return f"changes nothing: {remedies} gives what the base {arm.base!r} has already"
        try:
            read = slots_read(base, built.architecture, data)
        except (Exception, SystemExit) as error:
            said = f"raised {briefly(error, kind=True)} when it was traced"
            raise OwnCodeError(f"base {arm.base!r} of {text} {said}") from error
        if read.isdisjoint(changed):
            slots = " and ".join(map(repr, changed))
            return f"changes nothing here: {remedies} sets {slots}, which no training of {arm.base!r} on {text} reads"
        return ""

    def make_cell(arm: Arm) -> Cell:
        composed, status, reason = ComposedArm(built.bases[arm.base], Reads()), "planned", ""
        try:
            composed = compose_arm(catalogue, loaded, arm)
            reason = idle(arm, composed.recipe) if arm.remedies else ""
            status = "not applicable" if reason else "planned"
        except NotApplicable as unfit:
            status, reason = "not applicable", str(unfit)
        except OwnCodeError as error:
            status, reason = "failed", str(error)
        identity = identify(composed, loaded, protocol, instruments, device_kind)
        identities[str(identity)] = identity
        key = jax.tree.structure(composed.recipe.traced())
        return Cell(
            workload=text,
            arm=str(arm),
            base=arm.base,
            family=family(catalogue, arm),
            identity=str(identity),
            program=programs.setdefault(key, len(programs)),
            status=status,
            reason=reason,
        )

    bases = tuple(built.bases)
    baseline = make_cell(Arm(bases[0], (), bases[0]))
    wanted = [arms] if arms is not None else [*chosen.arms, *catalogue.from_plugins]
    cells: dict[tuple[str, str], Cell] = {}
    for cell in (make_cell(arm) for text in wanted for arm in parse_arms(text, bases, catalogue.remedies)):
        # Two spellings of one recipe are one cell; that an arm changes nothing, or fails, is worth a row of its own.
        cells.setdefault((cell.identity, "" if cell.status == "planned" else cell.arm), cell)
    description = catalogue.workloads[text.partition("[")[0]].description.split("\n")[0]
    return Plan(
        suite, text, built, description, loaded.plateau, loaded.plateau_validation, protocol, tuple(cells.values()),
        baseline, plugins, device_kind, identities,
    )  # fmt: skip


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)
