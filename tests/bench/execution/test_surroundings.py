"""What a person has set for other work changes no figure, no plan and no ending here."""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from bench.execution.surroundings import NUMBERS, fix_numbers

# For the settings that are neither switches nor numbers.
OTHERS = {"jax_default_prng_impl": "rbg", "jax_default_matmul_precision": "bfloat16"}

# What differs between any two runs of one cell.
CIRCUMSTANCES = ("finished", "train_seconds", "compile_seconds")

# A cell that draws an orthogonal matrix, batches, noise and masks: planned as a command does, trained as a worker does.
CELL = """
import json, sys
import jax
from dataclasses import asdict
from bench.cli.plugins import with_plugins
from bench.execution.process import configure_process
from bench.planning.plan import make_plan
from bench.training.cell import run_cell

asked = {"workload": "digits-dense[depth=1,width=16]", "arms": "orthogonal+dropout", "steps": 20}
plan = make_plan(with_plugins(())[1], suite="smoke", seeds=1, rates=1, **asked)
# As they are in a fresh process, which has read the same variables.
for name, value in json.loads(sys.argv[2]).items():
    jax.config.update(name, value)
configure_process("cpu", None, sys.argv[1])
print(json.dumps(asdict(run_cell(plan.job(plan.planned[0]), lambda: None)[0])))
"""


def recorded(cache, **settings):
    command = [sys.executable, "-c", CELL, str(cache), json.dumps(settings)]
    environment = {**os.environ, **{name.upper(): str(value).lower() for name, value in settings.items()}}
    answer = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return {name: value for name, value in json.loads(answer.stdout).items() if name not in CIRCUMSTANCES}


def test_no_variable_of_a_persons_changes_a_figure_or_the_plan(cache):
    settings = {name: OTHERS.get(name, type(value)(not value)) for name, value in NUMBERS.items()}
    # Those that raise are there too: a cell that fails has no figures.
    settings |= {"jax_numpy_rank_promotion": "raise", "jax_numpy_dtype_promotion": "strict"}
    plain, disturbed = recorded(cache), recorded(cache, **settings)
    assert plain["status"] == "ok"
    assert disturbed == plain


def test_a_wide_factorization_does_not_depend_on_how_many_threads_there_were():
    matrix = jax.random.normal(jax.random.key(0), (600, 600))

    def factor(threads):
        with threadpool_limits(threads, user_api="blas"):
            fix_numbers()
            assert {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"} == {1}
            return np.asarray(jnp.linalg.qr(matrix)[0])

    np.testing.assert_array_equal(factor(2), factor(1))
