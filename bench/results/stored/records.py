"""The contents of a store, as values: a cell's record, a plan, a timing. No jax.

A figure that does not exist is None, never zero: JSON has neither NaN nor infinity.
"""

from dataclasses import dataclass, field
from typing import Any

from bench.results.judging.score import Left, Score

SCHEMA = 4
"""The version of these records; to be raised by whoever removes or renames a field, or adds one without a default."""


@dataclass(frozen=True)
class DeviceRecord:
    """The machine of a measurement: `kind` is cpu or gpu."""

    kind: str
    name: str
    cores: int | None


@dataclass(frozen=True)
class TrainingRecord:
    """One training's figures, as `results/README.md` says them of a cell's mean.

    The signal at the start and at the end could be read from the curves, but those are float32, and in an arm that
    trains in float64 that would change printed digits: so it is kept as it was measured. A training that tunes has no
    estimates and no verdict, and none has what its kind of model has not: `shuffled` is the reconstruction where each
    example is given the z of another.
    """

    seed: int
    learning_rate: float
    diverged_at: int | None
    score: float | None
    reconstruction: float | None
    kl_nats: float | None = None
    shuffled: float | None = None
    accuracy: float | None = None
    train_score: float | None = None
    neighbours: float | None = None
    gradient_ratio_init: float | None = None
    gradient_ratio_end: float | None = None
    gradient_per_layer_init: float | None = None
    mean_cosine_init: float | None = None
    mean_cosine_end: float | None = None
    shared_gradient_init: float | None = None
    shared_gradient_end: float | None = None
    reconstruction_share_init: float | None = None
    reconstruction_share_end: float | None = None
    flat_init: float | None = None
    importance_weighted: float | None = None
    importance_weighted_standard_error: float | None = None
    effective_samples: float | None = None
    active_units: int | None = None
    mutual_information: float | None = None
    mutual_information_ceiling: float | None = None
    marginal_kl: float | None = None
    kl_units: tuple[float | None, ...] | None = None
    verdict: str | None = None
    because: str | None = None


@dataclass(frozen=True)
class TheoryRecord:
    """The expectation of mean-field theory for one tower's layers; `reason` where it expects nothing."""

    mean_square: tuple[float | None, ...] = ()
    mean_cosine: tuple[float | None, ...] | None = None
    gradient_ratio: tuple[float | None, ...] = ()
    head_mean_square: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class BlameRecord:
    """The cause that keeps the gradient from the first layer: a block, or a kind of step in all of them.

    `factor` is how many times more comes back without it; None where nothing comes back otherwise.
    """

    block: str
    kind: str
    factor: float | None


@dataclass(frozen=True)
class CellRecord:
    """One cell: what was asked and what was found, with nothing where it was not.

    Attributes:
        identity: What the store knows it by.
        workload: What the workload was called when it was run; a plan may call it otherwise, and the next three.
        arm: The arm's text.
        base: Its base.
        family: The families of its remedies.
        status: `ok`, `diverged`, `failed`, `timeout`, `out of memory`.
        reason: Why there are no figures.
        plateau: The score that a dead arm sits at, on the test set that its figures are of.
        gradient_evaluations: How many gradients one training takes.
        commit: Of the source tree that ran it.
        finished: When it ended.
        traceback: Of a failure.
        recipe: Every slot's value.
        changes: The baseline's value and its own, of every slot that it changes.
        learning_rate: The one it is reported at.
        tuning: All trainings that the rate was chosen from, in the order in which they were run; none where there was
            only one rate.
        trainings: A training for each fresh seed.
        parameters: How many numbers are trained.
        compile_seconds: Of its program.
        memory_bytes: Of its program.
        train_seconds: Of the whole cell.
        program: Fingerprint of its programs and of all that they were given.
        verdict: The commonest over seeds.
        verdict_seeds: Of how many.
        theory: By tower.
        blame: None where nobody is to blame.
        tangent_condition: Of the neural tangent kernel before the first step, in powers of ten; None where it was not
            asked for.
        versions: Of the libraries.
        device: None of a cell that failed before it met one.
    """

    identity: str
    workload: str
    arm: str
    base: str
    family: str
    status: str
    reason: str
    plateau: float
    gradient_evaluations: int
    commit: str | None
    finished: str
    traceback: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    learning_rate: float | None = None
    tuning: tuple[TrainingRecord, ...] = ()
    trainings: tuple[TrainingRecord, ...] = ()
    parameters: int | None = None
    compile_seconds: float | None = None
    memory_bytes: int | None = None
    train_seconds: float | None = None
    program: str | None = None
    verdict: str = ""
    verdict_seeds: int = 0
    theory: dict[str, TheoryRecord] = field(default_factory=dict)
    blame: BlameRecord | None = None
    versions: dict[str, str] = field(default_factory=dict)
    device: DeviceRecord | None = None
    tangent_condition: float | None = None


@dataclass(frozen=True)
class ConfirmationRecord:
    """A cell's trainings on seeds that no claim was made on, at the rate that it was reported at."""

    identity: str
    learning_rate: float
    trainings: tuple[TrainingRecord, ...]
    commit: str | None
    finished: str


@dataclass(frozen=True)
class TimingRecord:
    """How fast a cell's program runs, timed in turns with the baseline's."""

    seconds_per_step: tuple[float, ...]
    baseline_seconds_per_step: tuple[float, ...]
    examples_per_second: float
    slowdown: float
    slowdown_low: float
    slowdown_high: float
    flops_per_step: float
    batch: int
    device: DeviceRecord


@dataclass(frozen=True)
class PlannedCell:
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
        control: Whether one of its remedies is a control: compared with, and not recommended.
        drawn_by: Slots that it changes and from which initial weights are drawn: they are not its base's.
    """

    workload: str
    arm: str
    base: str
    family: str
    identity: str
    program: int
    status: str = "planned"
    reason: str = ""
    control: bool = False
    drawn_by: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """The part of its identity that holds whatever the sources."""
        return self.identity.partition("-")[0]


@dataclass(frozen=True)
class WorkloadRecord:
    """A workload as a reader needs it.

    Attributes:
        description: Its first sentence.
        score: What its trainings are judged by.
        left: Its rule of having left the plateau.
        plateau: The score that a dead arm sits at on test.
        plateau_validation: And on validation.
        layers: Hidden layers of each stack; the first stack is the one that reads the data.
        width: Units of a hidden layer.
        latent: Units of z; None where there is none.
        batch: Examples in a minibatch.
        steps: Steps of one training.
        bases: The names of its bases.
        tokens: Of text, how many a sentence of the test set has on average, its end counted.
    """

    description: str
    score: Score
    left: Left
    plateau: float
    plateau_validation: float
    layers: dict[str, int]
    width: int
    latent: int | None
    batch: int
    steps: int
    bases: tuple[str, ...]
    tokens: float | None = None


@dataclass(frozen=True)
class ProtocolRecord:
    """How every cell is tuned and reported: what can be typed, the other constants by name, all of it in words, and
    the fresh seeds that are reported on and confirmed on.
    """

    words: tuple[str, ...]
    steps: int
    seeds: int
    rates: int
    constants: dict[str, float]
    reporting_seeds: tuple[int, ...]
    confirming_seeds: tuple[int, ...]


@dataclass(frozen=True)
class PlanRecord:
    """All that the last command asked for.

    Attributes:
        suite: The suite's name.
        command: The command.
        plugins: Files of a person's own.
        workloads: Each workload by its text.
        protocol: How cells are tuned and reported.
        verdict_rules: The rules of the verdict in words.
        cells: The cells.
        verdict_limits: Of each word that is read off the first step, its rule's limit under an optimizer that rescales
            nothing and under one that does; none in plans of old.
    """

    suite: str
    command: str
    plugins: tuple[str, ...]
    workloads: dict[str, WorkloadRecord]
    protocol: ProtocolRecord
    verdict_rules: tuple[str, ...]
    cells: tuple[PlannedCell, ...]
    verdict_limits: dict[str, tuple[float, float]] = field(default_factory=dict)
