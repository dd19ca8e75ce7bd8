"""The mark of a test that needs the published files."""

import os

import pytest

needs_files = pytest.mark.skipif(
    not os.environ.get("VAE_JAX_DATA"), reason="VAE_JAX_DATA names no folder with the published files"
)
