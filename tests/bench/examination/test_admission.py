"""The contract of a remedy, for every one that is discovered: a new one is tested without a line written for it."""

import re
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.examination.admission import Admission
from bench.planning.catalogue import load_catalogue
from bench.planning.listing import list_entries, remedies_markdown
from bench.plugins.remedy import FAMILIES, remedy

CATALOGUE = load_catalogue()
ADMISSION = Admission(CATALOGUE, timing=False)
BROKEN = Path(__file__).parents[1] / "broken"


def by_family():
    """All remedies, those of one family one after another, since they share programs; all but its first are long."""
    for family in FAMILIES:
        first, *others = (name for name, remedy in CATALOGUE.remedies.items() if remedy.family == family)
        yield first
        yield from (pytest.param(name, marks=pytest.mark.long) for name in others)


@pytest.mark.parametrize("name", [*by_family()])
def test_a_remedy_passes_the_admission_test(name):
    outcomes = list(ADMISSION.results(name))
    assert [outcome for outcome in outcomes if outcome.status == "failed"] == []
    assert outcomes[1].status == outcomes[3].status == "ok"


def test_what_says_that_it_is_a_control_is_one():
    said = {name for name, remedy in CATALOGUE.remedies.items() if re.search(r"\bcontrol\b", remedy.mechanism)}
    assert said == {name for name, remedy in CATALOGUE.remedies.items() if remedy.control}
    assert {"tiny_normal", "encoder_skip"} <= said


def test_the_page_of_remedies_is_fresh():
    page = (Path(__file__).parents[3] / "REMEDIES.md").read_text()
    assert page == remedies_markdown(list_entries(CATALOGUE, "remedies")), (
        "python -m bench list remedies --markdown > REMEDIES.md makes it anew"
    )


SAID = {
    "syntax_error": ["syntax_error.py, line 5, does not parse"],
    "duplicate_name": ["duplicate_name.py, line 6", "'gelu'", "is taken by", "activation.py", "give it another"],
    "no_source": ["no_source.py, line 6", "'unsourced'", "needs a source: write @remedy(source="],
    "wrong_return": ["wrong_return.py, line 6", "returned NoneType: return a recipe, as recipe.replace"],
    "nan_at_step_0": ["the loss is nan at step 0", "nan_at_step_0.py, line 10"],
    "prints": ["prints 'softplus it is'", "prints.py, line 6", "take that out of"],
    "reads_files": ["opens the file '/etc/passwd'", "reads_files.py, line 6", "take that out of"],
    "reads_once": ["opens the file '/etc/passwd'", "reads_once.py, line 12", "take that out of"],
    "calls_host": ["its training calls Python at every step, as jax.debug.print", "calls_host.py, line 12"],
    "wrong_idle": ["never_idle[negative_slope=1] differs from the base by"],
    "nan_parameters": ["the parameters [", "is not finite after 4 steps: see", "nan_parameters.py, line 12"],
    "nan_instrument": ["instruments still work: log_of_gradient read what is not finite"],
    "draws": ["traced a second time its training is another program", "draws.py, line 13"],
    "same_name_twice": ["same_name_twice.py, line 13, defines 'repeated' a second time, after line 7"],
    "no_default": ["no_default.py, line 7", "needs a default for the parameter 'negative_slope'"],
    "unknown_family": ["unknown_family.py, line 6", "unknown family 'activations': choose one of activation"],
    "changes_nothing": ["it changes nothing: it equals 'baseline'", "changes_nothing.py, line 4"],
}


@pytest.mark.parametrize("name", SAID)
def test_a_broken_plugin_fails_with_the_right_words(name, capsys, monkeypatch):
    import bench.execution.process

    # The tests have chosen device and flags already.
    monkeypatch.setattr(bench.execution.process, "configure_process", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main(["check", str(BROKEN / f"{name}.py"), "--no-timing"])
    printed = capsys.readouterr()
    loads = name not in ("syntax_error", "duplicate_name", "no_source", "no_default", "unknown_family",
                         "same_name_twice")  # fmt: skip
    assert ended.value.code == (1 if loads else 2)
    text = re.sub(r"\s+", " ", printed.out if loads else printed.err)
    for words in SAID[name]:
        assert words in text
    assert "Traceback" not in text
    if loads:
        assert "0 of 1 passed; not" in text


def test_every_broken_plugin_is_tested():
    assert {path.stem for path in BROKEN.glob("*.py")} == set(SAID)


def test_what_a_remedy_must_have():
    with pytest.raises(ValueError, match="needs a docstring"):

        @remedy(source="Someone 2020")
        def undocumented(recipe):
            return recipe

    with pytest.raises(ValueError, match="takes no recipe"):

        @remedy(source="Someone 2020", family="kl")  # pyright: ignore[reportArgumentType]
        def empty():
            """Documented."""

    with pytest.raises(ValueError, match="is idle at 'nats', which is none of its parameters"):

        @remedy(source="Someone 2020", family="kl", idle={"nats": 0.0})
        def restless(recipe):
            """Documented."""
            return recipe
