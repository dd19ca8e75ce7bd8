"""Plots and the page, drawn from results alone."""
