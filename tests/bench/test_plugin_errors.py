"""What is wrong with a plugin is said in a sentence, with the line and the cure, by whatever command meets it first."""

import pytest

from bench.cli import main

HEAD = """
import jax, optax
import jax.numpy as jnp
import numpy as np
from bench import remedy, workload
from bench.plugin import Workload
from vae_jax import Recipe, configure
from vae_jax.data import Dataset, digits, independent_pixels
from vae_jax.instruments import instrument
from vae_jax.vae import Architecture

"""


@pytest.fixture
def said(tmp_path, capsys):
    """The exit code of a command with a plugin of this text, and what it prints as an error."""

    def run(text, *command):
        path = tmp_path / "mine.py"
        path.write_text(HEAD + text)
        with pytest.raises(SystemExit) as ended:
            main([*command, "--plugin", str(path)])
        return ended.value.code, capsys.readouterr().err

    return run


def line(text, words):
    """The line of a plugin in which some words stand first."""
    return f"mine.py, line {(HEAD + text).splitlines().index(words) + 1}"


def a_remedy(*lines, decorator='@remedy(source="Someone 2026", family="kl")', signature="mine(recipe)"):
    return "\n".join([decorator, f"def {signature}:", '    """Documented."""', *(f"    {each}" for each in lines), ""])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("recipe.replace(activation=jax.nn.relu)", "returned NoneType: return a recipe"),
        ("return 1 / 0", "raised ZeroDivisionError: division by zero; mend it in"),
        ("raise ValueError('one\\ntwo')", "raised ValueError: one; mend it in"),
        ("raise SystemExit(0)", "raised SystemExit: 0; mend it in"),
        ("return recipe.replace(activation=lambda x: x)", "raised ValueError: a slot must hold a function that can"),
        ("return recipe.replace(learning_rate=jnp.ones(3))", "'learning_rate' got an array"),
        (
            "object.__setattr__(recipe, 'learning_rate', 0.5); return recipe",
            "changes the recipe that it is given: return recipe.replace",
        ),
    ],
)
@pytest.mark.parametrize(
    "command", [("list", "remedies", "--json"), ("list", "remedies", "mine"), ("run", "--dry-run")]
)
def test_a_remedy_that_does_not_hold(said, text, words, command):
    text = a_remedy(text)
    code, error = said(text, *command)
    assert code == 2
    assert words in error
    # What it raises, it raises in its body; for what it returns the whole is named.
    assert line(text, text.splitlines()[-1] if "mend it in" in error else text.splitlines()[0]) in error
