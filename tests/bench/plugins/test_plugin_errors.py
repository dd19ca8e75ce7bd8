"""What is wrong with a plugin is said in a sentence, with the line and the cure, by whatever command meets it first."""

import pytest

from bench.cli.main import main

HEAD = """
import jax, optax
import jax.numpy as jnp
import numpy as np
from bench import Score, remedy, workload
from bench.plugins.remedy import NotApplicable
from bench.plugins.workload import Workload
from vae_jax import Recipe, configure
from bench.data.dataset import Dataset
from bench.data.digits import digits, independent_pixels
from vae_jax.training.instruments import instrument
from vae_jax.models.vae import VAEArchitecture

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
        ("return recipe.replace(learning_rate=jnp.ones(3))", "slot 'learning_rate' must hold a plain finite number"),
        (
            "return recipe.replace(learning_rate='0.1')",
            "must hold a plain finite number above 0, got '0.1'; mend it in",
        ),
        ("return recipe.replace(learning_rate=-0.1)", "must hold a plain finite number above 0, got -0.1; mend it in"),
        ("return recipe.replace(activation=None)", "slot 'activation' must hold a function, or what configure("),
        ("return recipe.replace(activation='gelu')", "slot 'activation' must hold a function, or what configure("),
        ("return recipe.replace(gradient_transforms=[optax.scale])", "slot 'gradient_transforms' must hold a tuple of"),
        (
            "return recipe.replace(gradient_transforms=(1,))",
            "slot 'gradient_transforms' must hold a tuple of functions",
        ),
        ("return recipe.replace(gradient_transforms=optax.scale)", "must hold a tuple of functions: use chain(...)"),
        ("return recipe.replace(dtype='float16')", "slot 'dtype' must hold 'float32' or 'float64', got 'float16'"),
        (
            "return recipe.replace(activation=configure(jax.nn.leaky_relu, negative_slope=jnp.ones(3)))",
            "parameter 'negative_slope' of leaky_relu is of type ArrayImpl: fix plain numbers",
        ),
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
    # In a run it is a row, and the others go on.
    assert code == (1 if command[0] == "run" else 2)
    assert words in error
    # What it raises, it raises in its body; for what it returns the whole is named.
    assert line(text, text.splitlines()[-1] if "mend it in" in error else text.splitlines()[0]) in error


A_WORKLOAD = '''
def load():
    return digits()

def sits(dataset, x):
    return independent_pixels(dataset, x)

@workload
def mine():
    """Documented."""
    return Workload(
        architecture=VAEArchitecture(64, depth=2, width=16, latent=4), bases={"baseline": Recipe()}, steps=20, batch=32,
        data=load, plateau=sits,
    )
'''


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("    return Workload(", "    Workload(", "returned NoneType: return a bench.Workload"),
        ("    return Workload(", "    raise RuntimeError('no')\n    Workload(", "raised RuntimeError: no; mend it in"),
        ('{"baseline": Recipe()}', "{}", "has the bases {}: name at least one recipe, as bases="),
        ('{"baseline": Recipe()}', '{"baseline": None}', "has the bases {'baseline': None}: name"),
        ('{"baseline": Recipe()}', '{"my base+1": Recipe()}', "of letters, digits, - and _"),
        ("steps=20", "steps=20.5", "has steps=20.5: give at least 1"),
        ("data=load", "data=load()", "has no named function as data: write def name(...)"),
        ("    return Workload(", "    raise NotApplicable('no')\n    Workload(", "raised NotApplicable: no; mend"),
        ("return digits()", "return np.load('/nonexistent.npy')", "raised FileNotFoundError: [Errno 2] No such file"),
        ("return digits()", "return None", "loads NoneType as train: its data function must return"),
        ("VAEArchitecture(64", "VAEArchitecture(32", "of shape (1257, 64) as train: its data function must return"),
        ("return digits()", "d = digits(); return Dataset(d.train[:0], d.test, d.test)", "of shape (0, 64) as train"),
        ("return digits()", "d = digits(); return Dataset(d.train * np.nan, d.test, d.test)", "that are not finite in"),
        (
            "return digits()",
            "d = digits(); return Dataset(d.train * np.array(1e39), d.test, d.test)",
            "finite in float32",
        ),
        (
            "return digits()",
            "d = digits(); return Dataset(2 * d.train, d.test, d.test)",
            "loads numbers from 0 to 2 as train: its likelihood, Bernoulli, is of numbers from 0 to 1: scale them",
        ),
        (
            "return digits()",
            "d = digits(); return Dataset(d.train, d.test - 1, d.test)",
            "loads numbers from -1 to 0 as validation",
        ),
        (
            "return independent_pixels(dataset, x)",
            "raise RuntimeError('no')",
            "plateau of workload 'mine' raised Runtime",
        ),
        (
            "return independent_pixels(dataset, x)",
            "return None",
            "has a plateau of None: give the -ELBO of an arm that has learnt nothing, a finite number",
        ),
        ("return independent_pixels(dataset, x)", "return np.nan", "has a plateau of nan: give the -ELBO of an arm"),
        ("plateau=sits", "plateau=sits, score='error'", "has the score 'error': write bench.Score("),
        ("plateau=sits", "plateau=sits, score=Score('error', 'per image', 0.0)", "the margin above 0"),
        ("plateau=sits", "plateau=sits, left='below'", "has left='below': give bench.BELOW_PLATEAU"),
    ],
)
@pytest.mark.parametrize("command", [("list", "workloads"), ("run", "--workload", "mine", "--dry-run")])
def test_a_workload_that_does_not_hold(said, old, new, words, command):
    code, error = said(A_WORKLOAD.replace(old, new), *command)
    assert code == 2
    assert words in error
    assert "mine.py, line" in error


def test_a_workload_with_too_few_examples_is_refused_before_anything_is_trained(said):
    few = A_WORKLOAD.replace("return digits()", "d = digits(); return Dataset(d.train[:500], d.test, d.test)")
    code, error = said(few, "run", "--workload", "mine", "--dry-run")
    assert code == 2
    assert "loads 500 examples as train and 270 as test: give one of them at least 512" in error


DOCUMENTED = "return recipe.replace(activation=jax.nn.relu)"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (a_remedy(DOCUMENTED, decorator="@remedy"), "does not name its source: write @remedy(source="),
        (a_remedy(DOCUMENTED, decorator="@remedy('Someone 2026')"), "does not name its source: write @remedy(source="),
        (a_remedy(DOCUMENTED, decorator="@remedy(source=2026)"), "needs a source: write @remedy(source="),
        (a_remedy(DOCUMENTED, signature="mine(*recipes)"), "takes no recipe: write def mine(recipe, *, parameter="),
        (a_remedy(DOCUMENTED, signature="mine(*, recipe=None)"), "takes no recipe: write def mine(recipe, *, param"),
        (a_remedy(DOCUMENTED, signature="mine(recipe, slope=1.0, /)"), "nobody can set, 'slope=1.0': write *, slope="),
        (a_remedy(DOCUMENTED, signature="mine(recipe, **more)"), "nobody can set, '**more'"),
        (a_remedy(DOCUMENTED, signature="mine(recipe, *, a=[1])"), "'a' that nobody can type, [1]: a finite number"),
        (a_remedy(DOCUMENTED, signature="mine(recipe, *, a=None)"), "'a' that nobody can type, None: a finite number"),
        (a_remedy(DOCUMENTED, signature="mine(recipe, *, a=np.nan)"), "'a' that nobody can type, nan: a finite num"),
        (a_remedy(DOCUMENTED, signature="mine(recipe, *, a=jnp.ones(2))"), "'a' that nobody can type, Array("),
        (a_remedy(DOCUMENTED, signature="_mine(recipe)"), "has a name that cannot be typed: letters, digits and _"),
        (a_remedy(DOCUMENTED, signature="größe(recipe)"), "has a name that cannot be typed: letters, digits and _"),
        (a_remedy(DOCUMENTED, signature="trainable(recipe)"), "is called as a base of workload"),
        (a_remedy(DOCUMENTED) + a_remedy(DOCUMENTED), "defines 'mine' a second time, after line"),
        ("class Call:\n    pass\n\nmine = remedy(source='Someone')(Call())\n", "@remedy is for a function, got"),
        (A_WORKLOAD.replace("@workload", "@workload()"), "write @workload, without brackets"),
        (A_WORKLOAD.replace("mine():", "mine(depth):"), "needs a default for the parameter 'depth': write depth=value"),
        (A_WORKLOAD.replace('"baseline"', '"gelu"'), "is called as a base of workload 'mine' in"),
        ("x = 1  # \0", "does not parse: source code string cannot contain null bytes; save it as text in UTF-8"),
    ],
)
def test_a_plugin_that_does_not_load(said, text, words):
    code, error = said(text, "list", "suites")
    assert code == 2
    assert words in error
    assert "mine.py" in error
    assert "bench/plugins/" not in error


def test_a_line_of_what_a_plugin_imports(tmp_path, capsys):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "first.py").write_text("from ._second import x\n")
    (folder / "_second.py").write_text("\nraise RuntimeError('no')\n")
    with pytest.raises(SystemExit):
        main(["list", "suites", "--plugin", str(folder)])
    assert "_second.py, line 2, raised RuntimeError when it was loaded: no" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["baseline", "gated", "gelu", "jax", "remedy", "configure"])
def test_a_new_remedy_needs_a_name_of_its_own(tmp_path, capsys, name):
    with pytest.raises(SystemExit) as ended:
        main(["new-remedy", name, "--out", str(tmp_path / "mine.py")])
    assert ended.value.code == 2
    assert "give another" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return None", "gave None: return a number, or for each stack's name, decoder and encoder, one number"),
        ("return 'text'", "gave str: return a number"),
        ("return jnp.ones((3, 4))", "gave (3, 4): return a number"),
        ("return {'middle': jnp.ones(3)}", "gave {'middle': (3,)}: return a number"),
        ("return {}", "gave {}: return a number"),
        ("raise RuntimeError('no')", "raised RuntimeError: no; mend it there"),
        ("return float(view.loss_parts.kl_nats)", "raised ConcretizationTypeError: "),
        ("return view.no_such_thing", "raised AttributeError: "),
    ],
)
def test_an_instrument_that_does_not_hold(said, body, words):
    text = f"@instrument\ndef mine(view):\n    'Documented.'\n    {body}\n"
    code, error = said(text, "list", "suites")
    assert code == 2
    assert words in error
    assert line(text, "@instrument") in error


@pytest.mark.parametrize(
    "text",
    [
        "@instrument\ndef mine(view):\n    'Documented.'\n    return np.float32(1)\n",
        "def scaled(view, scale):\n    return scale * view.loss_parts.kl_nats\n\n"
        "mine = Instrument('mine', 'Documented.', functools.partial(scaled, scale=2.0))\n",
    ],
)
def test_an_instrument_that_holds(said, text):
    text = "import functools\nfrom vae_jax.training.instruments import Instrument\n" + text
    assert said(text, "list", "instruments") == (0, "")


def test_a_value_that_a_person_typed_is_told_with_the_line_that_refuses_it(said):
    text = a_remedy("return recipe.replace(activation=lambda z: a * z)", signature="mine(recipe, *, a=1.0)")
    code, error = said(text, "run", "--arms", "mine[a=2.0]", "--dry-run")
    assert code == 1
    assert "remedy 'mine[a=2]': a slot must hold a function" in error
    assert line(text, text.splitlines()[-1]) in error
    # What is built in has nothing to mend.
    _, error = said(text, "run", "--arms", "rezero[alpha=0.1]+dropout[rate=2.0]", "--dry-run")
    assert error.startswith("error: remedy 'dropout[rate=2]': rate must")
    assert ".py" not in error
