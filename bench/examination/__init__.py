"""What you bring, tried out: the admission of a remedy, the diagnosis of a model."""
