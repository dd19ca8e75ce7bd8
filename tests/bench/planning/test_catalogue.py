import textwrap

import pytest

from bench.language.errors import InputError
from bench.planning.catalogue import load_catalogue
from bench.planning.plan import make_plan

GOOD = '''
import jax
from bench import remedy
from vae_jax import Recipe

@remedy(source="Barron 2017, arXiv:1704.07483", family="activation")
def celu(recipe: Recipe) -> Recipe:
    """max(x, 0) + min(exp(x) - 1, 0): slope 1 at zero."""
    return recipe.replace(activation=jax.nn.celu)
'''


def write(folder, text, name="my_remedy.py"):
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return str(path)


def test_a_plugin_adds_its_remedy(tmp_path):
    catalogue = load_catalogue([write(tmp_path, GOOD)])
    assert catalogue.from_plugins == ("celu",)
    assert catalogue.remedies["celu"].family == "activation"
    assert set(load_catalogue().remedies) == set(catalogue.remedies) - {"celu"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def broken(:\n", "line 1, does not parse"),
        ("import nothing_of_this_name\n", "line 1, raised ModuleNotFoundError"),
        ("\n\nraise RuntimeError('no')\n", "line 3, raised RuntimeError when it was loaded: no"),
        ("import sys\nsys.exit(3)\n", "line 2, raised SystemExit"),
        ("x = 1\n", "defines no remedy, workload or instrument"),
        (GOOD.replace(', family="activation"', ""), "names no family"),
        (GOOD.replace("celu(", "gelu("), "takes a name that is taken"),
        (GOOD.replace("Barron 2017, arXiv:1704.07483", ""), "needs a source"),
    ],
)
def test_a_plugin_that_does_not_hold_is_said_in_a_sentence(tmp_path, text, said):
    with pytest.raises(InputError) as caught:
        load_catalogue([write(tmp_path, text)])
    assert said in str(caught.value)
    assert "my_remedy.py" in str(caught.value)


def test_a_plugin_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="there is no plugin file"):
        load_catalogue([str(tmp_path / "absent.py")])


SHARED = """
import jax.numpy as jnp

def slope():
    return 2.0
"""

IN_FOLDER = """
import jax.numpy as jnp
from bench import remedy
from ._shared import slope

def steep(x):
    return jnp.tanh(slope() * x)

@remedy(source="Someone 2026", family="activation")
def steep_tanh(recipe):
    '''Twice the slope.'''
    return recipe.replace(activation=steep)
"""


def test_a_folder_is_a_plugin_and_what_its_files_share_is_part_of_them(tmp_path):
    folder = tmp_path / "my-remedies"
    folder.mkdir()
    write(folder, GOOD)
    write(folder, IN_FOLDER, "steep.py")
    write(folder, SHARED, "_shared.py")

    def cells():
        catalogue = load_catalogue([str(folder)])
        assert set(catalogue.from_plugins) == {"celu", "steep_tanh"}
        return {cell.arm: cell.identity for cell in make_plan(catalogue, suite="smoke").cells}

    first = cells()
    write(folder, SHARED.replace("2.0", "3.0"), "_shared.py")
    second = cells()
    assert first["steep_tanh"] != second["steep_tanh"]
    assert first["baseline"] == second["baseline"]


def test_a_folder_without_plugins(tmp_path):
    write(tmp_path, SHARED, "_shared.py")
    with pytest.raises(InputError, match="holds no Python file"):
        load_catalogue([str(tmp_path)])


def test_a_thing_that_a_plugin_imports_is_not_its_own(tmp_path):
    text = "from bench.remedies.activation import gelu\nfrom vae_jax.training.instruments import dead\n" + GOOD
    assert load_catalogue([write(tmp_path, text)]).from_plugins == ("celu",)


INSTRUMENT = '''
from bench import instrument

@instrument
def mine(view):
    """A number of one's own."""
    return view.loss_parts.kl_nats
'''


def test_a_plugin_is_loaded_once_while_it_stays_as_it_is(tmp_path):
    path = write(tmp_path, INSTRUMENT)
    first = load_catalogue([path])
    assert load_catalogue([path]) is first
    # Its functions stay one, so that cells that are read by it share their programs.
    assert load_catalogue([path]).instruments["mine"].measure is first.instruments["mine"].measure
    write(tmp_path, INSTRUMENT.replace("kl_nats", "reconstruction"))
    assert load_catalogue([path]).instruments["mine"].measure is not first.instruments["mine"].measure
