"""The admission test: what a remedy must do, what it must leave alone, what it goes with and what it costs."""

from collections.abc import Callable, Iterator
from typing import Any

from bench.examination import checks
from bench.examination.candidate import Candidate, find_candidate
from bench.examination.check_result import FAILED, NEITHER, OK, CheckResult, Skip, said_of
from bench.examination.trial import Trained
from bench.planning.catalogue import Catalogue
from bench.plugins.remedy import FAMILIES, Remedy

_DESCRIBED = "says what it is"

_CHECKS: dict[str, Callable[[Candidate], str]] = {
    "changes something": checks.changes_something,
    "leaves the rest alone": checks.leaves_the_rest_alone,
    "finite loss and gradients": checks.stays_finite,
    "instruments still work": checks.instruments_read_it,
    "traced twice it is one program": checks.one_program,
    "mapped trainings equal single ones": checks.mapped_as_single,
    "at zero strength it is the base": checks.idle_as_base,
    "composes with the others": checks.composes,
    "cost": checks.cost,
}

# Without these no training would say anything.
_FIRST = ("changes something", "leaves the rest alone", "finite loss and gradients")


class Admission:
    """The admission test of the remedies of a catalogue; the trainings that they share are made once."""

    def __init__(self, catalogue: Catalogue, plugins: tuple[str, ...] = (), timing: bool = True):
        """Prepare.

        Args:
            catalogue: Where the remedies are.
            plugins: The files and folders that were loaded into it.
            timing: Whether to measure the time of a step too, alone on the machine.
        """
        self._catalogue, self._plugins = catalogue, plugins
        self._checks = _CHECKS | {"cost": checks.cost_and_time} if timing else _CHECKS
        self._of_bases: dict[Any, Trained] = {}

    def results(self, name: str) -> Iterator[CheckResult]:
        """Each check of one remedy, as it ends.

        Args:
            name: Of the remedy.
        """
        remedy = self._catalogue.remedies[name]
        candidate: Candidate | None = None
        stopped = ""
        yield _described(remedy)
        for check, found in self._checks.items():
            try:
                if stopped:
                    raise Skip(f"it has failed at {stopped!r}")
                candidate = candidate or find_candidate(self._catalogue, remedy, self._plugins, self._of_bases)
                yield CheckResult(name, check, OK, found(candidate))
            except Skip as reason:
                yield CheckResult(name, check, NEITHER, str(reason))
            except (Exception, SystemExit) as error:
                if check in _FIRST:
                    stopped = stopped or check
                yield CheckResult(name, check, FAILED, said_of(error, remedy.function))


def _described(remedy: Remedy) -> CheckResult:
    if remedy.source and remedy.mechanism and remedy.family in FAMILIES:
        return CheckResult(remedy.name, _DESCRIBED, OK, f"{remedy.family}; {remedy.source}")
    needed = f"it needs a source, a docstring and one of the families {', '.join(FAMILIES)}"
    return CheckResult(remedy.name, _DESCRIBED, FAILED, needed)
