"""Views: the columns and plots that a person adds to what readers show. No jax."""

from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType

from bench.language.errors import InputError
from bench.results.column import Column
from bench.results.columns import COLUMNS
from bench.results.plot import Plot


@dataclass(frozen=True)
class Views:
    """Columns and plots, those that come with this package first."""

    columns: tuple[Column, ...] = ()
    plots: tuple[Plot, ...] = ()

    def with_more(self, more: "Views") -> "Views":
        """These, and more after them.

        Raises:
            InputError: If a name is taken.
        """
        for kind, there, added in (("column", self.columns, more.columns), ("plot", self.plots, more.plots)):
            taken = {each.name: each.function.__code__ for each in there}
            for each in added:
                if each.name in taken:
                    where, first = each.function.__code__, taken[each.name]
                    raise InputError(
                        f"{kind} {each.name!r} in {where.co_filename}, line {where.co_firstlineno}, takes a name that "
                        f"is taken by {first.co_filename}, line {first.co_firstlineno}: give it another"
                    )
                taken[each.name] = each.function.__code__
        return Views((*self.columns, *more.columns), (*self.plots, *more.plots))


def views_of(modules: Iterable[ModuleType]) -> Views:
    """The columns and plots that modules define, in their order; what one imports from another counts once.

    Raises:
        InputError: If two are called alike, or one as a column that is there.
    """
    things = list({id(thing): thing for module in modules for thing in vars(module).values()}.values())
    found = Views(
        tuple(thing for thing in things if isinstance(thing, Column) and thing not in COLUMNS),
        tuple(thing for thing in things if isinstance(thing, Plot)),
    )
    Views(COLUMNS).with_more(found)
    return found
