"""Formats: from the bytes of a file to arrays or sentences."""
