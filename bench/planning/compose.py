"""How the names of an arm become a recipe, and the text of a workload a workload."""

import contextlib
import inspect
from collections.abc import Mapping
from typing import Any

from bench.data.chosen import typed_data
from bench.language.arms import Arm, Term, Value, parse_term
from bench.language.errors import ConflictError, InputError, briefly, unknown
from bench.planning.catalogue import Catalogue
from bench.plugins.own_code import OwnCodeError
from bench.plugins.remedy import NotApplicable, Remedy
from bench.plugins.workload import Workload
from vae_jax.optimization.compatible import require_compatible
from vae_jax.recipe.recipe import Recipe


def compose(catalogue: Catalogue, workload: Workload, arm: Arm) -> Recipe:
    """The recipe of an arm: its base, changed by its remedies.

    Remedies compose unless two of them put different values into one slot. What the base had there is replaced;
    gradient transforms chain in the written order, schedules multiply.

    Raises:
        InputError: If a remedy or parameter is unknown or out of range, or two remedies conflict.
        NotApplicable: If a remedy makes no sense there.
    """
    recipe = base = workload.bases[arm.base]
    writer: dict[str, Term] = {}
    for term in arm.remedies:
        changed = _apply(catalogue, term, recipe)
        # One remedy alone has none to conflict with.
        for slot in _writes(catalogue, term, arm, base) if len(arm.remedies) > 1 else ():
            before, after = getattr(recipe, slot), getattr(changed, slot)
            chained = isinstance(after, tuple) and set(map(repr, before)) <= set(map(repr, after))
            if slot in writer and not chained and after != before:
                raise ConflictError(str(writer[slot]), str(term), str(arm), slot)
            writer[slot] = term
        recipe = changed
    try:
        recipe = recipe.resolve(workload.architecture.depth)
        require_compatible(recipe)
        workload.architecture.require(recipe)
    except ValueError as error:
        raise NotApplicable(str(error)) from error
    except Exception as error:
        # A function that a person has put into a slot is called to find what depends on it.
        raise OwnCodeError(f"arm {str(arm)!r} raised {briefly(error, kind=True)} when it was composed") from error
    return recipe


def conflicts(catalogue: Catalogue, workload: Workload, name: str, base: str) -> dict[str, list[str]]:
    """With which remedies one cannot be combined, by the slot that both set, or by "" where what they set is at odds.

    Args:
        catalogue: What is there.
        workload: Of which a base is changed.
        name: The remedy.
        base: The base.

    Raises:
        InputError: If the remedy does not hold.
    """

    def applies(*names: str) -> bool:
        with contextlib.suppress(NotApplicable):
            compose(catalogue, workload, Arm(base, tuple(map(Term, names)), ""))
            return True
        return False

    found: dict[str, list[str]] = {}
    for other in catalogue.remedies:
        if other == name:
            continue
        try:
            # Of two wrappers one may have to stand outside; what does not apply alone is at odds with nothing.
            if not applies(name, other) and applies(name) and applies(other) and not applies(other, name):
                found.setdefault("", []).append(other)
        except ConflictError as error:
            found.setdefault(error.slot, []).append(other)
        except InputError:
            # What another remedy does wrong is not this one's fault, unless this one is wrong alone.
            applies(name)
    return found


def family(catalogue: Catalogue, arm: Arm) -> str:
    """The families of an arm's remedies, joined as the arm is; `base` for a base alone."""
    return "+".join(dict.fromkeys(_remedy(catalogue, term).family for term in arm.remedies)) or "base"


def build_workload(catalogue: Catalogue, text: str) -> tuple[str, Workload]:
    """The workload that a text names, with the text in its shortest form.

    Raises:
        InputError: If it or a parameter of it is unknown or out of range, or it is a sweep.
    """
    terms = parse_term(text)
    if len(terms) != 1:
        raise InputError(f"workload {text!r} is a sweep of {len(terms)}: run one workload at a time")
    if terms[0].name not in catalogue.workloads:
        raise unknown("workload", terms[0].name, catalogue.workloads, "python -m bench list workloads")
    kind = catalogue.workloads[terms[0].name]
    parameters = _bind(f"workload {kind.name!r}", terms[0], kind.parameters)
    workload = kind(**parameters)
    told = {name: value for name, value in parameters.items() if value != kind.parameters[name].default}
    return str(Term(kind.name, tuple(sorted(told.items())))), workload


def with_data(catalogue: Catalogue, text: str, data: str) -> str:
    """The text of a workload with other data: a set's name, or a path.

    Raises:
        InputError: If the workload takes none, or its text names some.
    """
    term = parse_term(text)[0]
    # Of others it may be a number of dimensions.
    takers = [name for name, kind in catalogue.workloads.items() if _default(kind.parameters.get("data")) is str]
    if term.name in catalogue.workloads and term.name not in takers:
        cure = f"give --workload one of {', '.join(takers)}"
        raise InputError(f"workload {term.name!r} makes its own data, got --data {data!r}: {cure}")
    if "data" in dict(term.parameters):
        raise InputError(f"workload {text!r} names its data, got --data {data!r} beside it: leave one of them out")
    return str(Term(term.name, (*term.parameters, ("data", typed_data(data)))))


def with_split(catalogue: Catalogue, text: str, split: int) -> str:
    """The text of a workload on another split of its data.

    Raises:
        InputError: If its data come in one split alone, or its text names one.
    """
    term = parse_term(text)[0]
    takers = [name for name, kind in catalogue.workloads.items() if _default(kind.parameters.get("split")) is int]
    if term.name in catalogue.workloads and term.name not in takers:
        raise InputError(
            f"workload {term.name!r} has its data in one split, got --split {split}: leave it out, or give --workload "
            f"one of {', '.join(takers)}"
        )
    if "split" in dict(term.parameters):
        raise InputError(f"workload {text!r} names its split, got --split {split} beside it: leave one of them out")
    return str(Term(term.name, (*term.parameters, ("split", split))))


def _default(parameter: inspect.Parameter | None) -> type[Any] | None:
    return None if parameter is None else type(parameter.default)


def _remedy(catalogue: Catalogue, term: Term) -> Remedy:
    if term.name not in catalogue.remedies:
        raise unknown("remedy", term.name, catalogue.remedies, "python -m bench list remedies")
    return catalogue.remedies[term.name]


def _apply(catalogue: Catalogue, term: Term, recipe: Recipe) -> Recipe:
    remedy = _remedy(catalogue, term)
    return remedy(recipe, **_bind(f"remedy {remedy.name!r}", term, remedy.parameters))


def _writes(catalogue: Catalogue, term: Term, arm: Arm, base: Recipe) -> list[str]:
    # What it puts into a slot may be what the base has there already: what the arm's others put there shows it.
    written: set[str] = set()
    for other in (None, *arm.remedies):
        with contextlib.suppress(NotApplicable):
            start = base if other is None else _apply(catalogue, other, base)
            written |= set(_apply(catalogue, term, start).changes(start))
    # In the recipe's order, where what is chosen comes before what follows from it, as an optimizer before its rate.
    return [slot for slot in Recipe.slots() if slot in written]


def _bind(what: str, term: Term, parameters: Mapping[str, inspect.Parameter]) -> dict[str, Value]:
    """A term's parameters, checked against the defaults' types."""
    bound: dict[str, Value] = {}
    for name, value in term.parameters:
        if name not in parameters:
            raise unknown(f"parameter of {what}:", name, parameters)
        bound[name] = _typed(what, name, value, type(parameters[name].default))
    return bound


def _typed(what: str, name: str, value: Value, wanted: type[Any]) -> Value:
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise InputError(f"parameter {name!r} of {what} is too large for a float: give a smaller number") from None
    if wanted is str and type(value) is int:
        # One width, as 500 beside 128-64.
        return str(value)
    if type(value) is not wanted:
        raise InputError(f"parameter {name!r} of {what} must be of type {wanted.__name__}, got {value!r}")
    return value
