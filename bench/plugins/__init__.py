"""A remedy, a workload, a file of your own: loaded, and what is said of it."""
