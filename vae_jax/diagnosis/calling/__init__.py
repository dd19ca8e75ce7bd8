"""A person's model and loss, called as they are written."""
