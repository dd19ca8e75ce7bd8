import re
import subprocess
import sys
from dataclasses import replace

import pytest

import bench.planning.identity
import bench.planning.plan
from bench.execution.run import find_work
from bench.language.errors import InputError
from bench.planning.applicability import slots_drawn_from, slots_read
from bench.planning.catalogue import load_catalogue
from bench.planning.compose import build_workload
from bench.planning.plan import make_plan
from bench.results.stored.store import Store
from vae_jax.recipe.recipe import Recipe

CATALOGUE = load_catalogue()


def plan(arms=None, **options):
    return make_plan(CATALOGUE, **({"suite": "smoke", "arms": arms} | options))


def identities(*arms, **options):
    return [cell.identity for cell in plan(",".join(arms), **options).cells]


def test_quick_covers_the_families_and_names_what_it_must():
    cells = plan(suite="quick").cells
    arms = {cell.arm for cell in cells}
    assert 20 <= len(arms) <= 28
    assert {
        "baseline", "tanh+orthogonal+adam", "relu+rezero+adam", "relu+pre_activation_residual+layer_norm+adam",
    } <= arms  # fmt: skip
    families = {family for cell in cells for family in cell.family.split("+")}
    # No recurrence is there to be mended.
    assert families == {"base"} | {remedy.family for remedy in CATALOGUE.remedies.values()} - {"recurrent"}
    assert all(cell.status == "planned" for cell in cells)


def test_numbers_and_initial_weights_make_no_program():
    cells = plan(
        "baseline,orthogonal,tiny_normal,cosine_decay,learning_rate_warmup,kl_warmup,beta,cyclical_annealing,"
        "leaky_relu,leaky_relu[negative_slope=0.2],gelu"
    ).cells
    programs = [cell.program for cell in cells]
    assert programs == [0] * 8 + [1, 1, 2]


def test_two_spellings_are_one_cell():
    assert [cell.arm for cell in plan("gelu+adam,adam+gelu,baseline+gelu+adam").cells] == ["gelu+adam"]
    assert len(plan("trainable,tanh+orthogonal+adam").cells) == 1


def test_what_changes_nothing_is_not_applicable():
    (cell,) = plan("trainable+tanh").cells
    assert cell.status == "not applicable"
    assert cell.reason == "changes nothing: tanh gives what the base 'trainable' has already"
    assert plan("trainable+tanh").planned == []


UNFIT = """
from bench import remedy
from bench.plugins.remedy import NotApplicable

@remedy(source="Someone 2026", family="initialization")
def only_for_others(recipe):
    '''On the edge of chaos, where there is one.'''
    if recipe.activation.__name__ == "sigmoid":
        raise NotApplicable("sigmoid has no critical point")
    return recipe.replace(learning_rate=0.5)
"""


def test_a_remedy_that_makes_no_sense_is_not_applicable(tmp_path):
    (tmp_path / "unfit.py").write_text(UNFIT)
    catalogue = load_catalogue([str(tmp_path / "unfit.py")])
    cells = make_plan(
        catalogue, suite="smoke", arms="only_for_others,trainable+only_for_others,gelu+only_for_others"
    ).cells
    assert [cell.status for cell in cells] == ["not applicable", "planned", "planned"]
    assert cells[0].reason == "sigmoid has no critical point"


def test_what_no_training_reads_is_not_applicable(monkeypatch):
    # As a tower would that has no normalization.
    monkeypatch.setattr(bench.planning.plan, "slots_read", lambda *_: frozenset(Recipe.slots()) - {"normalization"})
    cells = plan("layer_norm,layer_norm+gelu,gelu").cells
    assert [cell.status for cell in cells] == ["not applicable", "planned", "planned"]
    assert cells[0].reason == (
        "changes nothing here: layer_norm sets 'normalization', which no training of 'baseline' on digits-dense reads"
    )


def test_a_trace_tells_what_a_training_reads():
    workload = build_workload(CATALOGUE, "digits-dense[depth=2]")[1]
    base, about = workload.bases["baseline"], (workload.architecture, workload.data())
    drawn_from = slots_drawn_from(base, *about)
    assert drawn_from >= {
        "unit",
        "block",
        "normalization",
        "weight_form",
        "kernel_init",
        "bias_init",
        "data_dependent_init",
    }
    # What a pass alone reads, and what another kind of tower is drawn from.
    assert drawn_from.isdisjoint({"activation", "optimizer", "kl_treatment", "cell", "recurrent_init"})
    assert "cell" not in slots_read(base, *about)
    assert slots_read(base, *about) >= {"activation", "optimizer", "kl_treatment", "kl_schedules", "learning_rate"}


def test_a_cell_says_by_which_slots_its_model_is_drawn_otherwise():
    cells = plan("baseline,orthogonal,gelu,rezero+adam").cells
    assert {cell.arm: cell.drawn_by for cell in cells} == {
        "baseline": (),
        "orthogonal": ("kernel_init",),
        "gelu": (),
        "rezero+adam": ("block",),
    }


def test_the_identity_is_what_changes_the_numbers(monkeypatch):
    same = identities("gelu")
    assert identities("adam", "gelu")[1:] == same
    assert identities("gelu", suite="quick", steps=60, seeds=2) == same
    for options in ({"steps": 61}, {"seeds": 3}, {"workload": "digits-dense[depth=9]"}, {"device_kind": "NVIDIA H200"}):
        assert identities("gelu", **options) != same
    assert identities("gelu", workload="digits-dense[depth=8]") == same
    assert identities("rezero[alpha=0]") == identities("rezero") != identities("rezero[alpha=0.1]")
    monkeypatch.setattr(bench.planning.identity, "versions", lambda: {"jax": "9.9"})
    assert identities("gelu") != same


def test_a_plugins_remedies_become_arms_and_its_source_is_part_of_them(tmp_path):
    path = tmp_path / "plugged.py"
    text = (
        "import jax\nimport jax.numpy as jnp\nfrom bench import remedy\n\n"
        "def steep(x):\n    return jnp.tanh(2 * x)\n\n"
        "@remedy(source='Someone 2026', family='activation')\ndef steep_tanh(recipe):\n"
        "    '''Twice the slope.'''\n    return recipe.replace(activation=steep)\n"
    )

    def cells(source):
        path.write_text(source)
        return {c.arm: c.identity for c in make_plan(load_catalogue([str(path)]), suite="smoke").cells}

    first, second = cells(text), cells(text.replace("2 * x", "3 * x"))
    assert first["steep_tanh"] != second["steep_tanh"]
    del first["steep_tanh"], second["steep_tanh"]
    assert first == second


def test_unknown_suites_are_said_in_a_sentence():
    with pytest.raises(InputError, match="unknown suite 'quik': did you mean 'quick'"):
        plan(suite="quik")


def test_planning_starts_no_backend():
    code = (
        "from bench.planning.catalogue import load_catalogue; from bench.planning.plan import make_plan; "
        "make_plan(load_catalogue(), suite='quick'); "
        "from jax._src import xla_bridge; print('backends:', len(xla_bridge._backends))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.search(r"backends: 0", answer.stdout)


def test_a_cell_is_expected_to_take_as_long_as_those_that_are_stored(tmp_path):
    planned = plan("baseline,gelu,orthogonal")
    work = find_work(planned, Store(tmp_path), timing=False)
    assert work.expected_seconds(2) == planned.expected_seconds(planned.planned) / 2
    work = replace(work, trained_seconds=(100.0, 200.0))
    assert work.expected_seconds(2) == 3 * 150 / 2
    # A worker for each cell, and no less than one cell takes.
    assert work.expected_seconds(100) == 150
    timed = find_work(planned, Store(tmp_path))
    assert timed.expected_seconds(2) > work.plan.expected_seconds(planned.planned) / 2


def test_a_step_of_a_scan_takes_longer_than_a_block():
    # Measured: 140 s for the six trainings of the baseline, 300 s for those of an LSTM.
    through_time = plan("baseline", workload="remember[steps=4000]", suite="catalogue")
    assert 60 < through_time.expected_seconds(through_time.planned) < 300


def test_many_cells_of_few_steps_are_expected_to_take_their_time():
    # 3,000 arms of one program: to evaluate and store each takes longer than its steps.
    values = ",".join(f"0.{value}" for value in range(100, 400))
    planned = plan(f"rezero[alpha=[{values}]]", workload="digits-dense[depth=1,width=2]", steps=1)
    assert len(planned.cells) == 300
    assert planned.expected_seconds(planned.planned) > 300


RAISES = """
import jax.numpy as jnp
from bench import remedy
from vae_jax import configure

@remedy(source="Someone 2026", family="activation")
def broken(recipe):
    '''Raises what no remedy should.'''
    return recipe.nothing

def untraceable(x):
    raise TypeError("no number")

@remedy(source="Someone 2026", family="initialization")
def steep(recipe):
    '''Its gain is asked of an activation that has none.'''
    return recipe.replace(activation=untraceable)
"""


def test_an_arm_whose_own_code_raises_is_a_row_and_the_others_are_planned(tmp_path):
    (tmp_path / "mine.py").write_text(RAISES)
    catalogue = load_catalogue([str(tmp_path / "mine.py")])
    cells = make_plan(catalogue, suite="smoke", arms="broken,steep+critical,tanh").cells
    assert [cell.status for cell in cells] == ["failed", "failed", "planned"]
    assert "raised AttributeError" in cells[0].reason
    assert "mine.py, line 9" in cells[0].reason
    assert "arm 'steep+critical' raised" in cells[1].reason
