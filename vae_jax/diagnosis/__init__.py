"""Any model as a chain of steps: readings, verdict and blame."""
