"""A person's function as operations, run piece by piece or one by one."""
