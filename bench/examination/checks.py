"""The checks that a remedy must pass: each says what it found, or raises why it has failed or does not apply."""

import jax
import numpy as np

from bench.examination.candidate import Candidate
from bench.examination.check_result import CheckError, Skip
from bench.examination.comparison import apart, ended, not_finite
from bench.examination.small_workloads import sized
from bench.language.arms import Term
from bench.planning.applicability import slots_read
from bench.planning.compose import conflicts
from bench.planning.job import Job
from bench.planning.protocol import Protocol
from bench.plugins.own_code import location
from bench.plugins.watching import watched
from bench.results.stored.records import PlannedCell
from bench.training.timing import time_cell

# Time is measured on layers of their real width.
_TIMED = {"depth": 2}

# Between a mapped and a single training in float32; in float64 both must agree to the second figure.
_CLOSE, _CLOSE_DOUBLE = 1e-4, 1e-6


def changes_something(candidate: Candidate) -> str:
    """The slots that it sets."""
    slots = candidate.recipe.changes(candidate.on.recipe)
    return f"{', '.join(slots)} of {candidate.on.base!r} on {candidate.on.text}"


def leaves_the_rest_alone(candidate: Candidate) -> str:
    """The number of slots that are read with it, if it only maps recipe to recipe, and calls no Python at a step."""
    remedy, base = candidate.remedy, candidate.on.recipe
    with watched(candidate.done):
        # What it draws from a global generator would differ the second time.
        changed, again = remedy(base), remedy(base)
        # What it put into the slots is called here.
        architecture = candidate.on.workload.architecture
        changed_reads = slots_read(changed.resolve(architecture.depth), architecture, candidate.on.dataset)
    # What it reads it may keep, so that only the first time tells.
    if done := dict.fromkeys(candidate.done):
        raise CheckError(
            f"it {' and '.join(done)}: a remedy only maps a recipe to a recipe; take that out of {remedy.location}"
        )
    if changed != again or jax.tree.structure(changed) != jax.tree.structure(again):
        raise CheckError("applied twice it gives two recipes: fix its numbers with configure(function, name=value)")
    # The program that is mapped has no instruments, which may be somebody else's.
    if candidate.trial(remedy.name, lanes=2).steps.calls_host:
        raise CheckError(
            "its training calls Python at every step, as jax.debug.print and jax.pure_callback do: compute it with "
            f"jax.numpy, in {remedy.location}"
        )
    return f"pure, silent; {len(changed_reads)} slots are read"


def stays_finite(candidate: Candidate) -> str:
    """The loss over a few steps, if that, the gradient and the parameters are finite."""
    remedy = candidate.remedy
    trained = candidate.trained(remedy.name)
    losses = np.asarray(trained.readings["score"])
    for step, loss in enumerate(losses):
        if not np.isfinite(loss):
            raise CheckError(f"the loss is {loss:g} at step {step}: see what it does to numbers, in {remedy.location}")
    for what, tree in (("gradient", trained.readings["weight_gradient"]), ("parameters", trained.state.parameters)):
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            if np.issubdtype(leaf.dtype, np.floating) and not np.isfinite(leaf).all():
                where = jax.tree_util.keystr(path)
                raise CheckError(f"the {what} {where} is not finite after {len(losses)} steps: see {remedy.location}")
    if trained.state.diverged_at >= 0:
        raise CheckError(f"it diverges at step {trained.state.diverged_at} at a tenth of its own learning rate")
    score = candidate.on.workload.score
    return f"{score.name} {losses[0]:.1f} to {losses[-1]:.1f} {score.unit} in {len(losses)} steps"


def instruments_read_it(candidate: Candidate) -> str:
    """The number of instruments, if all read finite numbers of it."""
    remedy = candidate.remedy
    readings = candidate.trained(remedy.name).readings
    if broken := not_finite(readings):
        # What an installed package's instrument reads of the base is not finite either: no fault of the remedy's.
        of_base, instruments = not_finite(candidate.trained("").readings), candidate.catalogue.instruments
        own = [name for name in of_base if location(instruments[name].measure).startswith(candidate.plugins)]
        if broken := [name for name in broken if name in own or name not in of_base]:
            raise CheckError(f"{', '.join(broken)} read what is not finite")
    return f"{len(readings)} read finite numbers"


def one_program(candidate: Candidate) -> str:
    """Nothing, if it is the same program when it is traced a second time."""
    remedy = candidate.remedy
    trial = candidate.trial(remedy.name, lanes=2)
    if trial.steps.digest != trial.retraced().digest:
        raise CheckError(
            "traced a second time its training is another program: what it draws or counts in Python is fixed when "
            f"it is traced; give it a key, or numbers by configure, in {remedy.location}"
        )
    return ""


def mapped_as_single(candidate: Candidate) -> str:
    """How far two trainings side by side are from the same two alone, if that is rounding."""
    seeds = [0, 1]

    def differ(double: bool) -> float:
        rate = candidate.rate
        together = candidate.trial(candidate.remedy.name, len(seeds), double)
        lanes = ended(together.train(seeds, rate))
        single = [ended(candidate.trained(candidate.remedy.name, seed, double)) for seed in seeds]
        return max(apart(jax.tree.map(lambda leaf, i=i: leaf[i], lanes), own) for i, own in enumerate(single))

    if (difference := differ(double=False)) <= _CLOSE:
        return f"within {difference:.0e}"
    if (in_double := differ(double=True)) <= _CLOSE_DOUBLE:
        return f"within {difference:.0e} in float32, {in_double:.0e} in float64"
    raise CheckError(
        f"two trainings side by side differ from the same two alone by {difference:.0e}, and by {in_double:.0e} in "
        "float64: something in it knows of the other lane"
    )


def idle_as_base(candidate: Candidate) -> str:
    """How far it is from its base at the parameters where it does nothing, if that is rounding."""
    remedy = candidate.remedy
    if not remedy.idle:
        raise Skip("it names no parameters at which it does nothing: @remedy(idle={'weight': 0.0})")
    arm = str(Term(remedy.name, tuple(sorted(remedy.idle.items()))))
    rate = candidate.on.recipe.learning_rate

    def differ(double: bool) -> float:
        return apart(*(ended(candidate.trained(term, 0, double, rate)) for term in (arm, "")))

    if (difference := differ(double=False)) == 0:
        return f"{arm}, bit for bit"
    if (in_double := differ(double=True)) <= _CLOSE_DOUBLE:
        return f"{arm}, within {in_double:.0e} in float64"
    raise CheckError(f"{arm} differs from the base by {difference:.0e}, and by {in_double:.0e} in float64")


def composes(candidate: Candidate) -> str:
    """The number of remedies that it goes with, and with which it does not."""
    remedy = candidate.remedy
    against = conflicts(candidate.catalogue, candidate.on.workload, remedy.name, candidate.on.base)
    others = len(candidate.catalogue.remedies) - 1
    count = others - len({name for names in against.values() for name in names})
    odd = against.pop("", [])
    words = "; ".join(f"{slot} is also set by {', '.join(names)}" for slot, names in against.items())
    said = f"; not with those of its slots: {words}" if words else ""
    return f"with {count} of {others}{said}" + (f"; at odds with {', '.join(odd)}" if odd else "")


def cost(candidate: Candidate) -> str:
    """Its parameters and its floating-point operations over the base's."""
    remedy = candidate.remedy
    trials = [candidate.trial(arm, lanes=2) for arm in (remedy.name, "")]
    parameters = [trial.parameters for trial in trials]
    flops = [trial.steps.flops for trial in trials]
    return f"{parameters[0] / parameters[1]:.2f} of the base's parameters, {flops[0] / flops[1]:.2f} of its FLOPs"


def cost_and_time(candidate: Candidate) -> str:
    """Its cost with the time of a step over the base's; the machine must be doing nothing else."""
    workload = sized(candidate.catalogue, candidate.on.text.partition("[")[0], _TIMED)
    protocol = Protocol(steps=100, seeds=1)
    jobs = [
        Job(
            PlannedCell(workload, candidate.on.arm(arm), "", "", "", 0),
            protocol,
            candidate.on.plateau,
            candidate.on.plateau,
            candidate.plugins,
        )
        for arm in (candidate.remedy.name, "")
    ]
    timing = time_cell(jobs[0], candidate.rate, jobs[1])
    low, high = timing.slowdown_low, timing.slowdown_high
    return f"{cost(candidate)}, {timing.slowdown:.2f} [{low:.2f}, {high:.2f}] of its time a step on {workload}"
