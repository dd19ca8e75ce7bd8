"""The plots of a report: each a function of results. No jax, no pyplot."""

from bench.report.plots.depth import gradient_over_depth
from bench.report.plots.heat import gradient_heat_maps
from bench.report.plots.progress import elbo_over_steps
from bench.report.plots.throughput import elbo_against_throughput

PLOTS = (elbo_over_steps, elbo_against_throughput, gradient_over_depth, gradient_heat_maps)
"""All of them, in the order of the page."""
