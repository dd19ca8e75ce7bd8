"""A person's own code in which every number that a figure may rest on can be changed by itself."""

import json
from typing import Any

import numpy as np

NUMBERS: dict[str, float] = dict.fromkeys(
    (
        "in_the_activation", "in_a_default_argument", "in_a_closure", "in_the_package", "in_a_sibling",
        "in_a_file_of_the_remedy", "in_a_file_of_the_module", "in_a_variable", "in_the_base", "in_the_first_base",
        "in_the_data", "in_a_data_file", "in_the_plateau", "in_the_instrument", "in_the_likelihood", "in_a_parameter",
    ),
    1.0,
)  # fmt: skip
"""Where each number stands."""

_PLUGIN = """
import json
import os
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from bench import Workload, instrument, remedy, workload
from bench.data.dataset import Dataset
from vae_jax import Recipe
from vae_jax.models.likelihoods import Gaussian
from vae_jax.models.vae import VAEArchitecture

from . import OF_PACKAGE
from ._sibling import OF_SIBLING

HERE = Path(__file__).parent
OF_FILE = json.loads((HERE / "module.json").read_text())
OF_VARIABLE = float(os.environ["OWN_VARIABLE"])


def _made(number):
    def inner(x):
        return number * x
    return inner


closed = _made({in_a_closure})


def bent(x, by={in_a_default_argument}):
    return closed(jnp.tanh({in_the_activation} * x)) * by * OF_PACKAGE * OF_SIBLING * OF_FILE * OF_VARIABLE


@dataclass(frozen=True)
class Wide(Gaussian):
    def log_prob(self, outputs, x, mask=None):
        return {in_the_likelihood} * super().log_prob(outputs, x, mask)


@remedy(source="Someone 2026", family="activation")
def bend(recipe: Recipe, *, rate: float = 0.5) -> Recipe:
    '''Bends.'''
    return recipe.replace(activation=bent, learning_rate=rate * json.loads((HERE / "remedy.json").read_text()))


def data():
    rows = {in_the_data} * np.load(HERE / "rows.npy")
    return Dataset(rows, rows[:8], rows[:8])


def plateau(dataset, x):
    return 20.0 + {in_the_plateau}


@workload
def own(*, times: float = 1.0) -> Workload:
    '''Own rows.'''
    bases = {{"first": Recipe().replace(learning_rate={in_the_first_base} / 10),
              "second": Recipe().replace(zoneout=Recipe().zoneout, dtype="float32", learning_rate=0.5,
                                         gradient_transforms=(), activation=jnp.sin if {in_the_base} > 1 else jnp.cos)}}
    return Workload(VAEArchitecture(4, 1, 2, 2, Wide(0.5 * times)), bases, 10, 2, data, plateau)


@instrument
def own_reading(view):
    '''A number.'''
    return {in_the_instrument} * view.loss_parts.score
"""


def write(folder: Any, numbers: dict[str, float]) -> dict[str, str]:
    """Write the plugin with these numbers into a folder; the variables that it needs."""
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").write_text(f"OF_PACKAGE = {numbers['in_the_package']}\n")
    (folder / "_sibling.py").write_text(f"OF_SIBLING = {numbers['in_a_sibling']}\n")
    (folder / "module.json").write_text(json.dumps(numbers["in_a_file_of_the_module"]))
    (folder / "remedy.json").write_text(json.dumps(numbers["in_a_file_of_the_remedy"]))
    np.save(folder / "rows.npy", numbers["in_a_data_file"] * np.ones((600, 4), np.float32))
    (folder / "own.py").write_text(_PLUGIN.format(**numbers))
    return {"OWN_VARIABLE": str(numbers["in_a_variable"])}
