"""The admission test: what a remedy must do, what it must leave alone, what it goes with and what it costs."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from bench.examination.small_workloads import Setting, settings, sized
from bench.examination.trial import PROTOCOL, Trained, Trial
from bench.language.arms import Arm, Term
from bench.language.errors import InputError, briefly
from bench.planning.applicability import slots_read
from bench.planning.catalogue import Catalogue
from bench.planning.compose import compose, conflicts
from bench.planning.plan import Cell, Job
from bench.planning.protocol import Protocol
from bench.plugins.plugin import FAMILIES, NotApplicable, Remedy, line, place
from bench.plugins.watching import watched
from bench.training.timing import time_cell
from vae_jax.recipe.recipe import Recipe

OK, FAILED, NEITHER = "ok", "failed", "does not apply"

# Time is measured on layers of their real width.
_TIMED = {"depth": 2}

# Between a mapped and a single training in float32; in float64 both must agree to the second figure.
_CLOSE, _CLOSE_DOUBLE = 1e-4, 1e-6

# Below this share of the largest parameter, a leaf's own size says nothing.
_ALL_BUT_ZERO = 1e-3


@dataclass(frozen=True)
class Outcome:
    """What one check of one remedy came to.

    Attributes:
        remedy: Its name.
        check: What was checked, in words.
        status: `ok`, `failed` or `does not apply`.
        said: What was found, or why not.
    """

    remedy: str
    check: str
    status: str
    said: str = ""


class CheckError(Exception):
    """A check has failed, and why."""


class Skip(Exception):  # noqa: N818, since it is no error
    """A check does not apply, and why."""


class Admission:
    """The admission test of the remedies of a catalogue; what they share is computed once.

    A remedy is tried on the first base of `digits-dense` that it changes, else of another workload.
    """

    def __init__(self, catalogue: Catalogue, plugins: tuple[str, ...] = (), timing: bool = True):
        """Prepare.

        Args:
            catalogue: What is there.
            plugins: The files and folders that were loaded into it.
            timing: Whether to measure the time of a step too, alone on the machine.
        """
        self._catalogue, self._plugins, self._timing = catalogue, plugins, timing
        self._references: dict[Any, Trained] = {}
        self._done: list[str] = []

    def outcomes(self, name: str) -> Iterator[Outcome]:
        """Each check of one remedy, as it ends.

        Args:
            name: Of the remedy.
        """
        remedy = self._catalogue.remedies[name]
        setting: Setting | None = None
        self._done = []
        checks: dict[str, Any] = {
            "says what it is": self._described,
            "changes something": self._changes,
            "leaves the rest alone": self._pure,
            "finite loss and gradients": self._finite,
            "instruments still work": self._instruments,
            "traced twice it is one program": self._retraced,
            "mapped trainings equal single ones": self._mapped,
            "at zero strength it is the base": self._idle,
            "composes with the others": self._composes,
            "cost": self._cost,
        }
        stopped = ""
        for check, function in checks.items():
            try:
                if function == self._described:
                    said = self._described(remedy)
                elif stopped:
                    raise Skip(f"it has failed at {stopped!r}")
                else:
                    setting = setting or self._setting(remedy)
                    said = function(remedy, setting)
                yield Outcome(name, check, OK, said)
            except Skip as reason:
                yield Outcome(name, check, NEITHER, str(reason))
            except (Exception, SystemExit) as error:
                # Without these no training would say anything.
                if check in ("changes something", "leaves the rest alone", "finite loss and gradients"):
                    stopped = stopped or check
                yield Outcome(name, check, FAILED, _words(error, remedy))

    def _described(self, remedy: Remedy) -> str:
        if not (remedy.source and remedy.mechanism and remedy.family in FAMILIES):
            raise CheckError(f"it needs a source, a docstring and one of the families {', '.join(FAMILIES)}")
        return f"{remedy.family}; {remedy.source}"

    def _changes(self, remedy: Remedy, setting: Setting) -> str:
        slots = self._apply(remedy, setting).changes(setting.recipe)
        return f"{', '.join(slots)} of {setting.base!r} on {setting.text}"

    def _pure(self, remedy: Remedy, setting: Setting) -> str:
        base = setting.recipe
        with watched(self._done):
            # What it draws from a global generator would differ the second time.
            changed, again = remedy(base), remedy(base)
            # What it put into the slots is called here.
            architecture = setting.workload.architecture
            changed_reads = slots_read(changed.resolve(architecture.depth), architecture, setting.dataset)
        # What it reads it may keep, so that only the first time tells.
        if done := dict.fromkeys(self._done):
            raise CheckError(
                f"it {' and '.join(done)}: a remedy only maps a recipe to a recipe; take that out of {remedy.place}"
            )
        if changed != again or jax.tree.structure(changed) != jax.tree.structure(again):
            raise CheckError("applied twice it gives two recipes: fix its numbers with configure(function, name=value)")
        # The program that is mapped has no instruments, which may be somebody else's.
        if self._trial(setting, remedy.name, lanes=2).steps.calls_host:
            raise CheckError(
                "its training calls Python at every step, as jax.debug.print and jax.pure_callback do: compute it with "
                f"jax.numpy, in {remedy.place}"
            )
        return f"pure, silent; {len(changed_reads)} slots are read"

    def _finite(self, remedy: Remedy, setting: Setting) -> str:
        trained = self._trained(setting, remedy.name)
        losses = np.asarray(trained.readings["negative_elbo"])
        for step, loss in enumerate(losses):
            if not np.isfinite(loss):
                raise CheckError(f"the loss is {loss:g} at step {step}: see what it does to numbers, in {remedy.place}")
        for what, tree in (("gradient", trained.readings["weight_gradient"]), ("parameters", trained.state.parameters)):
            for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
                if np.issubdtype(leaf.dtype, np.floating) and not np.isfinite(leaf).all():
                    where = jax.tree_util.keystr(path)
                    raise CheckError(f"the {what} {where} is not finite after {len(losses)} steps: see {remedy.place}")
        if trained.state.diverged_at >= 0:
            raise CheckError(f"it diverges at step {trained.state.diverged_at} at a tenth of its own learning rate")
        return f"-ELBO {losses[0]:.1f} to {losses[-1]:.1f} nats in {len(losses)} steps"

    def _instruments(self, remedy: Remedy, setting: Setting) -> str:
        readings = self._trained(setting, remedy.name).readings
        if broken := _not_finite(readings):
            # What an installed package's instrument reads of the base is not finite either: no fault of the remedy's.
            of_base, instruments = _not_finite(self._trained(setting, "").readings), self._catalogue.instruments
            own = [name for name in of_base if place(instruments[name].measure).startswith(self._plugins)]
            if broken := [name for name in broken if name in own or name not in of_base]:
                raise CheckError(f"{', '.join(broken)} read what is not finite")
        return f"{len(readings)} read finite numbers"

    def _retraced(self, remedy: Remedy, setting: Setting) -> str:
        trial = self._trial(setting, remedy.name, lanes=2)
        if trial.steps.digest != trial.retraced().digest:
            raise CheckError(
                "traced a second time its training is another program: what it draws or counts in Python is fixed when "
                f"it is traced; give it a key, or numbers by configure, in {remedy.place}"
            )
        return ""

    def _mapped(self, remedy: Remedy, setting: Setting) -> str:
        seeds = [0, 1]

        def apart(double: bool) -> float:
            rate = self._rate(remedy, setting)
            together = self._trial(setting, remedy.name, lanes=len(seeds), double=double)
            lanes = _outcome(together.train(seeds, rate))
            single = [_outcome(self._trained(setting, remedy.name, seed, double)) for seed in seeds]
            return max(_apart(jax.tree.map(lambda leaf, i=i: leaf[i], lanes), own) for i, own in enumerate(single))

        if (difference := apart(double=False)) <= _CLOSE:
            return f"within {difference:.0e}"
        if (in_double := apart(double=True)) <= _CLOSE_DOUBLE:
            return f"within {difference:.0e} in float32, {in_double:.0e} in float64"
        raise CheckError(
            f"two trainings side by side differ from the same two alone by {difference:.0e}, and by {in_double:.0e} in "
            "float64: something in it knows of the other lane"
        )

    def _idle(self, remedy: Remedy, setting: Setting) -> str:
        if not remedy.idle:
            raise Skip("it names no parameters at which it does nothing: @remedy(idle={'weight': 0.0})")
        arm = str(Term(remedy.name, tuple(sorted(remedy.idle.items()))))
        rate = setting.recipe.learning_rate

        def apart(double: bool) -> float:
            return _apart(*(_outcome(self._trained(setting, term, 0, double, rate)) for term in (arm, "")))

        if (difference := apart(double=False)) == 0:
            return f"{arm}, bit for bit"
        if (in_double := apart(double=True)) <= _CLOSE_DOUBLE:
            return f"{arm}, within {in_double:.0e} in float64"
        raise CheckError(f"{arm} differs from the base by {difference:.0e}, and by {in_double:.0e} in float64")

    def _composes(self, remedy: Remedy, setting: Setting) -> str:
        against = conflicts(self._catalogue, setting.workload, remedy.name, setting.base)
        others = len(self._catalogue.remedies) - 1
        count = others - len({name for names in against.values() for name in names})
        odd = against.pop("", [])
        words = "; ".join(f"{slot} is also set by {', '.join(names)}" for slot, names in against.items())
        said = f"; not with those of its slots: {words}" if words else ""
        return f"with {count} of {others}{said}" + (f"; at odds with {', '.join(odd)}" if odd else "")

    def _cost(self, remedy: Remedy, setting: Setting) -> str:
        trials = [self._trial(setting, arm, lanes=2) for arm in (remedy.name, "")]
        parameters = [trial.parameters for trial in trials]
        flops = [trial.steps.flops for trial in trials]
        words = f"{parameters[0] / parameters[1]:.2f} of the base's parameters, {flops[0] / flops[1]:.2f} of its FLOPs"
        if not self._timing:
            return words
        workload = sized(self._catalogue, setting.text.partition("[")[0], _TIMED)
        protocol = Protocol(steps=100, seeds=1)
        jobs = [
            Job(Cell(workload, setting.arm(arm), "", "", "", 0), protocol, setting.plateau, self._plugins)
            for arm in (remedy.name, "")
        ]
        timing = time_cell(jobs[0], self._rate(remedy, setting), jobs[1])
        low, high = timing.slowdown_low, timing.slowdown_high
        return f"{words}, {timing.slowdown:.2f} [{low:.2f}, {high:.2f}] of its time a step on {workload}"

    def _setting(self, remedy: Remedy) -> Setting:
        """Where it changes something.

        Raises:
            CheckError: If it does so nowhere.
        """
        why: list[str] = []
        for setting in settings(self._catalogue):
            base = setting.recipe
            with contextlib.suppress(NotApplicable):
                changed = self._apply(remedy, setting).changes(base)
                if not changed:
                    why.append(f"equals {setting.base!r}")
                elif slots_read(base, setting.workload.architecture, setting.dataset).isdisjoint(changed):
                    why.append(f"sets {', '.join(changed)}, which {setting.base!r} on {setting.text} does not read")
                else:
                    return setting
        raise CheckError(
            f"it changes nothing: it {'; '.join(why) or 'applies to no base'}; return recipe.replace(...) in "
            f"{remedy.place}"
        )

    def _apply(self, remedy: Remedy, setting: Setting) -> Recipe:
        with watched(self._done):
            return compose(self._catalogue, setting.workload, Arm(setting.base, (Term(remedy.name),), ""))

    def _rate(self, remedy: Remedy, setting: Setting) -> float:
        # The lowest that is tuned over: what diverges there is of no use.
        return PROTOCOL.learning_rates(self._apply(remedy, setting).learning_rate)[0]

    def _trial(self, setting: Setting, term: str, lanes: int = 1, double: bool = False) -> Trial:
        return Trial(setting.text, setting.arm(term), setting.plateau, self._plugins, lanes, double)

    def _trained(
        self, setting: Setting, term: str, seed: int = 0, double: bool = False, rate: float | None = None
    ) -> Trained:
        key = (setting.text, setting.base, term, seed, double, rate)
        if key not in self._references:
            # What the remedies before this one came to is not needed again; what their base came to is.
            self._references = {k: v for k, v in self._references.items() if not k[2] or k[2] == term}
            trial = self._trial(setting, term, double=double)
            used = rate if rate is not None else PROTOCOL.learning_rates(trial.recipe.learning_rate)[0]
            self._references[key] = trial.train([seed], used)
        return self._references[key]


def _not_finite(readings: dict[str, Any]) -> list[str]:
    return [
        name for name, tree in readings.items() if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(tree))
    ]


def _outcome(trained: Trained) -> Any:
    """What two trainings are compared by: their parameters, and those that they would be evaluated at."""
    return trained.state.parameters, trained.evaluated


def _apart(one: Any, other: Any) -> float:
    """The greatest difference between two trees of one kind, relative to the largest number of each leaf.

    Of a leaf that is all but zero, relative to a thousandth of the largest number of all: a bias before batch
    normalization has no gradient, and holds nothing but the rounding of its sums.

    Raises:
        CheckError: If they are of different kinds.
    """
    leaves, others = jax.tree.leaves(one), jax.tree.leaves(other)
    if [leaf.shape for leaf in leaves] != [leaf.shape for leaf in others]:
        raise CheckError("its parameters have other shapes than the base's")
    pairs = [(np.asarray(a), np.asarray(b)) for a, b in zip(leaves, others, strict=True)]
    largest = [float(np.max(np.abs(b))) for _, b in pairs]
    floor = max(_ALL_BUT_ZERO * max(largest), 1e-30)
    return max(float(np.max(np.abs(a - b))) / max(size, floor) for (a, b), size in zip(pairs, largest, strict=True))


def _words(error: BaseException, remedy: Remedy) -> str:
    if isinstance(error, CheckError | InputError):
        return str(error)
    return f"it raises {briefly(error, kind=True)}; mend it in {line(error, remedy.function)}"
