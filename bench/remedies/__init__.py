"""One file per family; each remedy one small decorated function."""
