"""The plots of a report: each a function of results. No jax, no pyplot."""

from bench.report.plots.depth import gradient_over_depth
from bench.report.plots.examples import what_a_model_does
from bench.report.plots.heat import gradient_heat_maps
from bench.report.plots.progress import score_over_steps
from bench.report.plots.throughput import score_against_throughput

PLOTS = (score_over_steps, score_against_throughput, gradient_over_depth, gradient_heat_maps, what_a_model_does)
"""All of them, in the order of the page."""
