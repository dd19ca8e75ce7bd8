"""Every choice of a training run, as a value that compares, travels and compiles."""
