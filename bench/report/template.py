"""How a page is made: templates beside this file, figures as SVG inside it."""

import re

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from bench.language.figures import figure, fixed, significant, thousands


def environment() -> Environment:
    """Where templates are found, with the filters that they use."""
    made = Environment(
        loader=PackageLoader("bench.report", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {
        "breakable": breakable, "figure": figure, "fixed": fixed, "significant": significant, "thousands": thousands,
    }  # fmt: skip
    return made


def inline(svg: str) -> Markup:
    """A figure's SVG as an element: without the prolog, and without the style that would reach the whole page."""
    # Matplotlib's own markup, with every label escaped by it.
    return Markup(re.sub(r"<style.*?</style>", "", svg[svg.index("<svg") :], flags=re.DOTALL))


def breakable(text: str) -> Markup:
    """Text whose long names may break after a plus or an underscore, not in a word."""
    return Markup(re.sub(r"([+_])(?=\w)", r"\1<wbr>", str(escape(text))))
