"""Cells handed to processes, on this machine or a Ray cluster."""
