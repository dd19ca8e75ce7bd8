"""Formats: from the bytes of a file to arrays or sentences, and from what a model makes to a file."""
