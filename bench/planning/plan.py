"""From what was asked to the cells that answer it: pure, and no backend is started."""

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import jax

from bench.language.arms import Arm, parse_arms, parse_term, parse_workloads
from bench.language.errors import InputError, briefly, unknown
from bench.planning.applicability import slots_drawn_from, slots_read
from bench.planning.catalogue import Catalogue
from bench.planning.compose import family, with_data, with_split
from bench.planning.compose_arm import ComposedArm, compose_arm
from bench.planning.forecast import expected_seconds, model_bytes
from bench.planning.identity import Identity, identify
from bench.planning.job import Job, Known
from bench.planning.loaded_workload import LoadedWorkload, load_workload
from bench.planning.protocol import Protocol
from bench.planning.tuning import words as words_of_tuning
from bench.plugins.own_code import OwnCodeError
from bench.plugins.reads import Reads
from bench.plugins.remedy import NotApplicable
from bench.results.confirmation import words as words_of_confirming
from bench.results.judging.comparison import words as words_of_comparing
from bench.results.stored.records import PlannedCell, PlanRecord, ProtocolRecord, WorkloadRecord
from vae_jax.diagnosis.verdict import LIMITS, RULES
from vae_jax.models.contract import Architecture
from vae_jax.recipe.recipe import Recipe


@dataclass(frozen=True)
class Plan:
    """The cells of one command.

    Attributes:
        suite: The suite's name.
        loaded: The workload, with its data.
        description: Its first sentence.
        protocol: How each cell is tuned and reported.
        cells: The cells, in the order of the table.
        baseline: The workload's first base alone, beside which all others are timed; it may be none of the cells.
        plugins: Files that the arms need.
        device_kind: What the numbers will be computed on.
        identities: The parts of each cell's identity, by its whole.
        recipes: Each cell's recipe, by its identity.
        programs: Programs are numbered up to this, those of the plans before it counted.
        confirm: Whether the best arms, and those claimed to be better, are trained on fresh seeds more.
        tangent_kernel: Whether the condition of each network's tangent kernel is found.
    """

    suite: str
    loaded: LoadedWorkload
    description: str
    protocol: Protocol
    cells: tuple[PlannedCell, ...]
    baseline: PlannedCell
    plugins: tuple[str, ...]
    device_kind: str
    identities: Mapping[str, Identity]
    recipes: Mapping[str, Recipe]
    programs: int
    confirm: bool = False
    tangent_kernel: bool = False

    @property
    def planned(self) -> list[PlannedCell]:
        """The cells that run."""
        return [cell for cell in self.cells if cell.status == "planned"]

    def job(self, cell: PlannedCell, commit: str | None = None, known: Mapping[str, Known] | None = None) -> Job:
        """A cell as work for a worker."""
        return Job(
            cell, self.protocol, self.loaded.plateau, self.loaded.plateau_validation, self.plugins, commit, known or {},
            self.identities.get(cell.identity), self.device_kind, tangent_kernel=self.tangent_kernel,
        )  # fmt: skip

    def expected_seconds(self, cells: Collection[PlannedCell]) -> float:
        """How long training some of the cells may take one core."""
        return expected_seconds(cells, self.loaded.workload, self.protocol)

    def model_bytes(self, cell: PlannedCell) -> int:
        """How much the numbers of a cell's model take."""
        return model_bytes(self.recipes[cell.identity], self.loaded.workload.architecture)

    def describe(self, command: str) -> PlanRecord:
        """The plan as the store keeps it."""
        loaded, constants = self.loaded, self.protocol.identity()
        sizes: Any = loaded.workload.architecture
        latent = getattr(sizes, "latent", None) if sizes.before_z else None
        typed = {name: constants.pop(name) for name in ("steps", "seeds", "rates")}
        workload = WorkloadRecord(
            self.description, loaded.workload.score, loaded.workload.left, loaded.plateau, loaded.plateau_validation,
            _layers(sizes), sizes.width, latent, loaded.workload.batch, self.protocol.steps,
            tuple(loaded.workload.bases), loaded.dataset.tokens,
        )  # fmt: skip
        data = [loaded.dataset.description] if loaded.dataset.description else []
        judged = loaded.workload.score, loaded.workload.left
        words = (
            *data,
            *words_of_tuning(self.protocol, *judged),
            *self.protocol.words(judged[0], bool(sizes.before_z)),
            *words_of_comparing(judged[0], loaded.plateau, self.protocol.seeds),
            *([words_of_confirming(self.protocol.confirming)] if self.confirm else []),
        )
        return PlanRecord(
            suite=self.suite,
            command=command,
            plugins=self.plugins,
            workloads={loaded.text: workload},
            protocol=ProtocolRecord(
                words,
                **typed,
                constants=constants,
                reporting_seeds=self.protocol.reporting_seeds,
                confirming_seeds=self.protocol.confirming_seeds,
            ),
            verdict_rules=tuple(RULES),
            cells=self.cells,
            verdict_limits={word: (limit.plain, limit.rescaling) for word, limit in LIMITS.items()},
        )


def workloads_of(catalogue: Catalogue, suite: str, workload: str | None = None) -> list[str]:
    """The workloads that a command asks for, a text each: those of its suite, or others.

    Raises:
        InputError: If there is no such suite, or they are not of the grammar.
    """
    if suite not in catalogue.suites:
        raise unknown("suite", suite, catalogue.suites, "python -m bench list suites")
    return parse_workloads(catalogue.suites[suite][0].workload if workload is None else workload)


def make_plan(
    catalogue: Catalogue,
    *,
    suite: str,
    workload: str | None = None,
    data: str | None = None,
    split: int | None = None,
    arms: str | None = None,
    seeds: int | None = None,
    rates: int | None = None,
    steps: int | None = None,
    patience: int = 0,
    plugins: tuple[str, ...] = (),
    device_kind: str = "cpu",
    confirm: bool = False,
    first_program: int = 0,
) -> Plan:
    """The cells that a command asks for.

    Args:
        catalogue: What names mean.
        suite: Name of the suite.
        workload: Instead of the suite's, which then may have only one.
        data: Instead of the workload's: the name of a set, or a path.
        split: Instead of the workload's own split of its data: a seed.
        arms: Instead of the suite's; without it, each remedy of a plugin is an arm beside the suite's.
        seeds: Instead of the suite's.
        rates: Instead of the suite's.
        steps: Instead of the suite's, or the workload's.
        patience: Steps up to which a training is followed that has not left the plateau; 0 for no more than any other.
        plugins: Files that were loaded into the catalogue.
        device_kind: What the numbers will be computed on.
        confirm: Whether the best arms are confirmed, though the suite does not ask for it.
        first_program: The number of its first program: cells of other plans of one run have others.

    Raises:
        InputError: If a name or number does not hold.
    """
    asked, *others = workloads_of(catalogue, suite, workload)
    if others:
        raise InputError(f"a plan is of one workload, and {len(others) + 1} are asked for: make one of each")
    chosen = catalogue.suites[suite][0]
    asked = asked if data is None else with_data(catalogue, asked, data)
    asked = asked if split is None else with_split(catalogue, asked, split)
    loaded = load_workload(catalogue, asked)
    built = loaded.workload
    given = dict(parse_term(asked)[0].parameters)
    protocol = Protocol.of_length(
        steps=_first(steps, built.steps if "steps" in given else None, chosen.steps, built.steps),
        seeds=_first(seeds, chosen.seeds),
        rates=_first(rates, chosen.rates),
        patience=patience,
    )
    programs: dict[Any, int] = {}
    identities: dict[str, Identity] = {}
    recipes: dict[str, Recipe] = {}
    instruments = tuple(catalogue.instruments.values())

    def idle(arm: Arm, recipe: Recipe) -> str:
        """Why an arm would train what its base trains; empty where it does not."""
        base = built.bases[arm.base]
        changed, remedies = recipe.changes(base), "+".join(map(str, arm.remedies))
        if not changed:
            return f"changes nothing: {remedies} gives what the base {arm.base!r} has already"
        try:
            read = slots_read(base, built.architecture, loaded.dataset)
        except (Exception, SystemExit) as error:
            said = f"raised {briefly(error, kind=True)} when it was traced"
            raise OwnCodeError(f"base {arm.base!r} of {loaded.text} {said}") from error
        if read.isdisjoint(changed):
            slots = " and ".join(map(repr, changed))
            unread = f"which no training of {arm.base!r} on {loaded.text} reads"
            return f"changes nothing here: {remedies} sets {slots}, {unread}"
        return ""

    @functools.cache
    def drawn_from(base: str) -> frozenset[str]:
        return slots_drawn_from(built.bases[base], built.architecture, loaded.dataset)

    def make_cell(arm: Arm) -> PlannedCell:
        composed, status, reason = ComposedArm(built.bases[arm.base], Reads()), "planned", ""
        drawn_by: tuple[str, ...] = ()
        try:
            composed = compose_arm(catalogue, loaded, arm)
            reason = idle(arm, composed.recipe) if arm.remedies else ""
            status = "not applicable" if reason else "planned"
            changed = composed.recipe.changes(built.bases[arm.base])
            drawn_by = tuple(slot for slot in changed if slot in drawn_from(arm.base))
        except NotApplicable as unfit:
            status, reason = "not applicable", str(unfit)
        except OwnCodeError as error:
            status, reason = "failed", str(error)
        identity = identify(composed, loaded, protocol, instruments, device_kind)
        identities[str(identity)], recipes[str(identity)] = identity, composed.recipe
        key = jax.tree.structure(composed.recipe.traced())
        return PlannedCell(
            workload=loaded.text,
            arm=str(arm),
            base=arm.base,
            family=family(catalogue, arm),
            identity=str(identity),
            program=programs.setdefault(key, first_program + len(programs)),
            status=status,
            reason=reason,
            control=any(catalogue.remedies[term.name].control for term in arm.remedies),
            drawn_by=drawn_by,
        )

    bases = tuple(built.bases)
    baseline = make_cell(Arm(bases[0], (), bases[0]))
    wanted = [arms] if arms is not None else [*chosen.arms, *catalogue.from_plugins]
    cells: dict[tuple[str, str], PlannedCell] = {}
    for cell in (make_cell(arm) for text in wanted for arm in parse_arms(text, bases, catalogue.remedies)):
        # Two spellings of one recipe are one cell; that an arm changes nothing, or fails, is worth a row of its own.
        cells.setdefault((cell.identity, "" if cell.status == "planned" else cell.arm), cell)
    description = catalogue.workloads[loaded.text.partition("[")[0]].description.split("\n")[0]
    return Plan(
        suite, loaded, description, protocol, tuple(cells.values()), baseline, plugins, device_kind, identities,
        recipes, first_program + len(programs), confirm or chosen.confirm, chosen.tangent_kernel,
    )  # fmt: skip


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)


def _layers(architecture: Architecture) -> dict[str, int]:
    return {stack: sum(run.layers for run in runs) for stack, runs in architecture.stacks.items()}
