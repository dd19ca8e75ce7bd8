"""A plot of the results: one decorated function of them. No jax, and nothing is drawn here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.language.errors import InputError
from bench.results.column import named, said
from bench.results.results import Results


@dataclass(frozen=True)
class Plot:
    """A plot, as `@plot` makes one of a function.

    Attributes:
        name: The function's name with `-` for `_`: of its files in plots/.
        title: What stands over it, where {score} and {unit} are the workload's.
        caption: What to look for in it.
        needs: Instruments without whose curves there is nothing to draw.
        function: From `Results` to figures, each as wide as it is to be seen.
        columns: How many of its figures stand side by side in its files.
        layout: The class of its place on the page.
        of_all: Whether it is drawn once, of all workloads; else of each.
    """

    name: str
    title: str
    caption: str
    needs: tuple[str, ...]
    function: Callable[[Results], Any]
    columns: int = 3
    layout: str = "wrap"
    of_all: bool = False

    def figures(self, results: Results) -> list[Any]:
        """The matplotlib figures of some results; none where there is nothing to show.

        Raises:
            InputError: If the function raises or gives something else, with its file and line.
        """
        if self.needs and not set(self.needs) <= set(results.curves(self.needs)["instrument"]):
            return []
        try:
            drawn = self.function(results)
            figures = [] if drawn is None else [drawn] if hasattr(drawn, "savefig") else list(drawn)
            if not all(hasattr(figure, "savefig") for figure in figures):
                raise TypeError("gave no matplotlib Figure, nor a list of them")
        except Exception as error:
            raise InputError(f"{said('plot', self.name, self.function, error)}: it is left out") from error
        return figures


def plot(
    *, title: str, caption: str, needs: tuple[str, ...] = (), columns: int = 3, layout: str = "wrap",
    of_all: bool = False,
) -> Callable[[Callable[[Results], Any]], Plot]:  # fmt: skip
    """Make a plot of a function `(results) -> figure`, of one workload's results.

    It gives a `matplotlib.figure.Figure`, or a list of them to be set side by side, or None where there is nothing to
    show; of pyplot there is no need.

    Args:
        title: What stands over it, where {score} and {unit} are the workload's.
        caption: What to look for in it.
        needs: Instruments without whose curves there is nothing to draw.
        columns: How many figures stand side by side in its files.
        layout: The class of its place on the page: `wrap`, `tiles`, or `scroll card-box` for a wide one.
        of_all: Whether it is drawn once, of all workloads' results; else of each workload's.

    Raises:
        InputError: If it is no function with a name, or has no title.
    """

    def make(function: Callable[[Results], Any]) -> Plot:
        what = named("plot", function, 1)
        if not title.strip():
            raise InputError(f"{what} has no title: write @plot(title=..., caption=...)")
        needed = (needs,) if isinstance(needs, str) else tuple(needs)
        return Plot(function.__name__.replace("_", "-"), title, caption, needed, function, columns, layout, of_all)

    return make
