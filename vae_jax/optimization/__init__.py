"""What becomes of a gradient: transforms, optimizers, schedules, wrappers."""
