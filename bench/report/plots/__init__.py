"""The plots of a report: each a function of results. No jax, no pyplot."""

from bench.report.plots.cost import gain_against_slowdown
from bench.report.plots.depth import gradient_over_depth
from bench.report.plots.escape import share_on_the_plateau
from bench.report.plots.examples import what_a_model_does
from bench.report.plots.foretelling import areas_under_the_curve
from bench.report.plots.heat import gradient_heat_maps
from bench.report.plots.progress import score_over_steps
from bench.report.plots.rates import score_over_learning_rates

PLOTS = (
    gain_against_slowdown, score_over_steps, share_on_the_plateau, score_over_learning_rates, gradient_over_depth,
    gradient_heat_maps, what_a_model_does, areas_under_the_curve,
)  # fmt: skip
"""All of them, in the order of the page."""
