"""Layers in a row, and steps in time."""
