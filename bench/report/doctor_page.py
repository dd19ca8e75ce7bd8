"""The page of a diagnosis: one HTML file, which asks no host for anything. No jax."""

from pathlib import Path
from typing import TYPE_CHECKING

from bench.language.errors import InputError
from bench.report.diagnosis_words import diagnosis_table, diagnosis_words, figure
from bench.report.plots.profile import layer_profile
from bench.report.plots.sheet import svg
from bench.report.template import environment, inline
from bench.results.stored.store import write_atomically

if TYPE_CHECKING:
    # What is diagnosed imports jax; the page does not.
    from bench.examination.own_model import Case


def write_diagnosis(case: "Case", folder: Path) -> Path:
    """Write doctor.html into a folder; returns its path.

    Raises:
        InputError: If the folder cannot be made or written to.
    """
    found = case.diagnosis
    heads, rows = diagnosis_table(found.layers)
    profile = inline(svg(layer_profile(found.layers, found.blame.block), "profile")) if found.layers else ""
    page = environment().get_template("doctor.html.j2").render(
        case=case, words=diagnosis_words(case), heads=heads, rows=rows, blamed=found.blame.block,
        figure=profile,
        kinds={kind: figure(factor, "x") for kind, factor in found.kind_factors.items()},
    )  # fmt: skip
    path = folder / "doctor.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, page.encode())
    except OSError as error:
        raise InputError(
            f"cannot write to {str(folder)!r}: {error.strerror}; name a folder that can be with --out"
        ) from error
    return path
