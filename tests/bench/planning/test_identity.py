"""Whatever can change a number of a cell asks another question, or names other code."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.data.dataset import Dataset
from bench.language.arms import parse_arms
from bench.language.errors import InputError
from bench.planning.catalogue import load_catalogue
from bench.planning.compose_arm import compose_arm
from bench.planning.identity import _without_words, host_sources, identify, versions
from bench.planning.loaded_workload import digest, load_workload
from bench.planning.plan import make_plan
from bench.planning.protocol import Protocol
from bench.training.arm_trainer import ArmTrainer
from bench.training.cell import run_cell
from tests.bench.planning.own_code import NUMBERS, write

# Beside what stands in a person's own code: what is asked for on the command line, and the machine.
ASKED = {"steps": 3, "seeds": 2, "rates": 2, "validate_every": 4, "divergence_distance": 5.0}
ELSEWHERE = ("arm", "device", "flags", "parameter", "library")

CHANGED = st.one_of(
    st.tuples(st.sampled_from(sorted(NUMBERS)), st.floats(1.5, 9.5).map(lambda number: round(number, 4))),
    st.tuples(st.sampled_from(sorted(ASKED)), st.integers(7, 99)),
    st.tuples(st.sampled_from(ELSEWHERE), st.integers(6, 99)),
)
TRIED: list[str] = []


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    """The identity of a cell of the plugin, with some of its numbers changed."""
    folder = tmp_path_factory.mktemp("identity") / "own_numbers"
    known = versions()

    def find(changed):
        numbers = NUMBERS | {name: value for name, value in changed.items() if name in NUMBERS}
        asked = ASKED | {name: value for name, value in changed.items() if name in ASKED}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in write(folder, numbers).items():
                patch.setenv(name, value)
            patch.setenv("XLA_FLAGS", f"--xla_a={changed.get('flags', 1)}")
            # That an instrument is tried when it loads takes a second.
            patch.setattr("bench.planning.catalogue.try_instrument", lambda _: None)
            patch.setattr("bench.planning.identity.versions", lambda: known | {"own": str(changed.get("library"))})
            catalogue = load_catalogue([str(folder)])
            loaded = load_workload(catalogue, f"own[times={numbers['in_a_parameter']}]")
            # The base's activation stays where the remedy's is not its own.
            text = (
                f"second+bend[rate={0.5 + changed.get('parameter', 0) / 1000}]"
                if "in_the_base" not in changed
                else "second"
            )
            (arm,) = parse_arms(text + "+rezero" * ("arm" in changed), tuple(loaded.workload.bases))
            composed = compose_arm(catalogue, loaded, arm)
            instruments = tuple(catalogue.instruments.values())
            return identify(composed, loaded, Protocol(**asked), instruments, str(changed.get("device", "cpu")))

    return find


@settings(max_examples=600, deadline=None)
@given(changed=CHANGED)
def test_whatever_changes_a_number_changes_the_identity(identity, changed):
    name, value = changed
    TRIED.append(name)
    before, after = identity({name: 1.0} if name == "in_the_base" else {}), identity({name: value})
    assert before.differs(after)
    assert str(before) != str(after)
    # Of what is asked for and what the data are no program can tell: it is in the question.
    if name in (*ASKED, *ELSEWHERE, "in_the_data", "in_a_data_file", "in_the_plateau", "in_a_parameter", "in_the_base"):
        assert before.question != after.question


def test_each_of_them_was_tried_and_500_in_all():
    if not TRIED:
        pytest.skip("counts the changes of the test before, which has not been run")
    assert len(TRIED) >= 500
    assert set(TRIED) == {*NUMBERS, *ASKED, *ELSEWHERE}


def test_the_same_asks_the_same(identity):
    assert str(identity({})) == str(identity({}))


INVERTED = """
from bench import Workload, workload
from bench.data.dataset import Dataset
from bench.data.digits import digits, independent_pixels
from vae_jax import Recipe
from vae_jax.models.vae import VAEArchitecture

@workload
def inverted(*, invert: bool = False, depth: int = 2, width: int = 16, latent: int = 4, batch: int = 64,
             steps: int = 60) -> Workload:
    '''Digits, inverted or not: only the data differ.'''
    def data():
        d = digits()
        return Dataset(1 - d.train, 1 - d.validation, 1 - d.test) if invert else d
    return Workload(VAEArchitecture(64, depth, width, latent), {"baseline": Recipe()}, steps, batch, data,
                    independent_pixels)
"""


def test_a_parameter_that_changes_only_the_data_is_another_question(tmp_path):
    (tmp_path / "mine.py").write_text(INVERTED)
    catalogue = load_catalogue([str(tmp_path / "mine.py")])
    texts = ("inverted", "inverted[invert=true]", "inverted[invert=false]")
    plans = [make_plan(catalogue, suite="smoke", workload=text, arms="baseline") for text in texts]
    first, other, again = (plan.cells[0].question for plan in plans)
    assert first == again != other


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """A job for a cell of the plugin, made when its numbers were one; and where the plugin lies."""
    folder = tmp_path / "own_numbers"
    for name, value in write(folder, NUMBERS).items():
        monkeypatch.setenv(name, value)
    catalogue = load_catalogue([str(folder)])
    plan = make_plan(catalogue, suite="smoke", workload="own", arms="bend", plugins=(str(folder),))
    return plan.job(plan.cells[0]), folder


@pytest.mark.parametrize(
    ("name", "part"),
    [("in_the_activation", "own code"), ("in_a_data_file", "data"), ("in_a_file_of_the_remedy", "recipe"),
     ("in_a_sibling", "own code"), ("in_a_variable", "own code")],
)  # fmt: skip
def test_what_has_changed_since_the_plan_is_not_run(planned, monkeypatch, name, part):
    job, folder = planned
    ArmTrainer(job)
    for variable, value in write(folder, NUMBERS | {name: 3.0}).items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match=rf"this process finds other .*{part}.* than the plan was made with"):
        ArmTrainer(job)


def test_data_that_differ_in_each_process_are_not_run(planned):
    job, _ = planned
    other = replace(job, identity=replace(job.identity, asked=job.identity.asked | {"data": "of another process"}))
    with pytest.raises(InputError, match="finds other data than the plan was made with"):
        ArmTrainer(other)


READS_WHEN_TRACED = """
from pathlib import Path
import jax.numpy as jnp
from bench import remedy

def bent(x):
    return float((Path(__file__).parent / "number.txt").read_text()) * jnp.tanh(x)

@remedy(source="Someone 2026", family="activation")
def bend(recipe):
    '''Bends.'''
    return recipe.replace(activation=bent)
"""


def test_a_file_that_is_read_while_an_arm_is_traced_is_refused_with_the_cure(tmp_path):
    (tmp_path / "mine.py").write_text(READS_WHEN_TRACED)
    (tmp_path / "number.txt").write_text("1.5")
    plugins = (str(tmp_path / "mine.py"),)
    catalogue = load_catalogue(plugins)
    small = {"suite": "smoke", "workload": "digits-dense[depth=2,width=16]", "plugins": plugins}
    plan = make_plan(catalogue, arms="bend", **small)
    with pytest.raises(InputError, match=r"arm 'bend' reads '.*number.txt' while it is traced: .* read it when"):
        run_cell(plan.job(plan.cells[0]), lambda: None)


REFUSED = """
import functools
import jax.numpy as jnp
from bench import remedy

class Bent:
    def __init__(self, scale):
        self.scale = scale
    def act(self, x):
        return self.scale * x

def make(scale):
    @functools.wraps(jnp.tanh)
    def act(x):
        return scale * x
    return act

@remedy(source="Someone 2026", family="activation")
def wrapped(recipe, *, scale: float = 0.5):
    '''A closure under the name of another.'''
    return recipe.replace(activation=make(scale))

@remedy(source="Someone 2026", family="activation")
def bound(recipe, *, scale: float = 0.5):
    '''A method of an object that holds its number.'''
    return recipe.replace(activation=Bent(scale).act)

@remedy(source="Someone 2026", family="activation")
def partial(recipe, *, scale: float = 0.5):
    '''A function of functools.'''
    return recipe.replace(activation=functools.partial(jnp.multiply, scale))
"""


def test_a_function_that_bears_the_name_of_another_is_refused_with_the_cure(tmp_path):
    (tmp_path / "mine.py").write_text(REFUSED)
    catalogue = load_catalogue([str(tmp_path / "mine.py")])
    cells = make_plan(catalogue, suite="smoke", arms="wrapped,wrapped[scale=2],bound,partial,tanh").cells
    assert [cell.status for cell in cells] == ["failed"] * 4 + ["planned"]
    assert "got jax.numpy.tanh, which is another: define it at the top of its module" in cells[0].reason
    assert "plugin_mine.Bent.act, which is another" in cells[2].reason


def test_the_code_that_runs_cells_is_found_from_its_imports():
    names = {"/".join(path.parts[-2:]) for path in host_sources()}
    assert names >= {"training/cell.py", "training/arm_trainer.py", "training/record.py", "training/curves.py",
                     "layers/ratios.py"}  # fmt: skip
    # Words are found anew for a cell that is kept.
    assert not names & {
        "training/explanation.py",
        "diagnosis/verdict.py",
        "training/train.py",
        "layers/blocks.py",
        "results/tables.py",
        "planning/plan.py",
    }
    # What decides which trainings there are, though its room is held by value.
    assert names >= {"planning/tuning.py", "planning/protocol.py", "judging/tuned.py", "judging/left.py"}
    assert {"jax", "jaxlib", "numpy", "scipy", "scikit-learn"} <= versions().keys()


def test_what_is_said_of_a_training_is_code_and_no_question(monkeypatch):
    """Whoever changes it has the words of stored cells found again, and nothing trained."""
    catalogue = load_catalogue()
    (before,) = make_plan(catalogue, suite="smoke", arms="tanh").cells
    monkeypatch.setattr("bench.planning.identity._SAYS", ("bench/training/explanation.py",))
    (after,) = make_plan(catalogue, suite="smoke", arms="tanh").cells
    assert after.identity != before.identity
    assert after.question == before.question


def test_words_of_a_rule_are_no_part_of_it(tmp_path):
    path = tmp_path / "rule.py"
    path.write_text("class Rule:\n    def words(self):\n        return 'one'\n\ndef words():\n    return 1\nBEST = 2\n")
    before = _without_words(path)
    path.write_text(path.read_text().replace("'one'", "'another'").replace("return 1", "return 3"))
    assert _without_words(path) == before
    path.write_text(path.read_text().replace("BEST = 2", "BEST = 3"))
    assert _without_words(path) != before


def test_a_digest_holds_every_number_of_the_data():
    rows = np.zeros((3, 2), np.float32)
    found = {digest(Dataset(rows, rows, rows))}
    for split in range(3):
        changed = [rows.copy() for _ in range(3)]
        changed[split][1, 1] = np.nextafter(np.float32(0), np.float32(1))
        found.add(digest(Dataset(*changed)))
    found |= {digest(Dataset(rows.astype(np.float64), rows, rows)), digest(Dataset(rows.reshape(2, 3), rows, rows))}
    assert len(found) == 6
