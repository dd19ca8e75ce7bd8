"""`doctor` as a person types it, on a model of their own."""

import importlib
import pickle
import re
import subprocess
import sys

import numpy as np
import orbax.checkpoint
import pytest
from flax import nnx, serialization
from flax.traverse_util import flatten_dict
from safetensors.numpy import save_file

from bench.cli.main import main
from vae_jax.layers.slope import FLAT_SLOPE

MODEL = """
import jax, jax.numpy as jnp, numpy as np
from flax import nnx

class Net(nnx.Module):
    def __init__(self, rngs):
        orthogonal = nnx.initializers.orthogonal()
        self.layers = nnx.List([nnx.Linear(12, 12, kernel_init=orthogonal, rngs=rngs) for _ in range(5)])
        self.layers[2].bias[...] = 30.0

    def __call__(self, x):
        for layer in self.layers:
            x = jnp.tanh(layer(x))
        return x

def make_model():
    return Net(nnx.Rngs(0))

def make_pair():
    return (lambda kernel, x: jax.nn.sigmoid(x @ kernel) @ kernel.T), jnp.eye(12)

def loss(outputs, batch):
    return jnp.mean((outputs - batch) ** 2)

def vector_loss(outputs):
    return outputs

def bad_loss(outputs):
    raise KeyError("no such term")

def raises():
    raise RuntimeError("the weights are lost\\nsecond line")

def no_model():
    return 3

def needs(argument):
    return argument

number = 7

def one_number():
    return jnp.zeros(())

def marked(model, batch):
    from jax.ad_checkpoint import checkpoint_name
    z = model(batch)
    checkpoint_name(z, "z")
    return jnp.mean(z ** 2)

def make_shift():
    return (lambda own, x: x + jnp.log(own["offset"])[None]), {"offset": jnp.zeros(12)}

def against_many(kernel, x):
    many = jnp.broadcast_to((x @ kernel)[..., None], (*x.shape, 1 << 40))
    return jnp.sum(many ** 2, axis=-1)

def make_vast():
    return against_many, jnp.eye(12)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a person's files, as the working folder."""
    (tmp_path / "mine.py").write_text(MODEL)
    (tmp_path / "broken.py").write_text("def make_model(:\n")
    (tmp_path / "imports.py").write_text("import not_installed_anywhere\n")
    draw = np.random.default_rng(0).normal(size=(16, 12))
    np.save(tmp_path / "data.npy", draw)
    np.save(tmp_path / "wide.npy", np.ones((16, 13)))
    np.save(tmp_path / "one.npy", np.ones((1, 12)))
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    np.save(tmp_path / "objects.npy", np.array([{}, []], object), allow_pickle=True)
    draw[3, 4] = np.nan
    np.save(tmp_path / "nan.npy", draw)
    np.savez(tmp_path / "several.npz", a=draw, b=draw)
    np.savez(tmp_path / "uneven.npz", a=draw, b=draw[:8])
    (tmp_path / "pickled.pkl").write_bytes(pickle.dumps({"layers": draw}))
    save_file({"layers.0.bias": np.zeros(3, np.float32)}, tmp_path / "other.safetensors")
    save_file({"dense.bias": np.zeros(3, np.float32)}, tmp_path / "none.safetensors")
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "one.msgpack").write_bytes(serialization.to_bytes({"offset": np.ones(12, np.float32)}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


BAD = [
    ("nowhere.module:make_model data.npy", "there is no module 'nowhere.module' for the model"),
    ("nowhere.py:make_model data.npy", "there is no file 'nowhere.py' for the model"),
    ("mine.py data.npy", "model 'mine.py' must be written as package.module:name or file.py:name"),
    ("mine.py:make_modle data.npy", "unknown name in mine.py 'make_modle': did you mean 'make_model'?"),
    ("mine.py:number data.npy", "a model must be a Flax NNX module"),
    ("mine.py:no_model data.npy", "a model must be a Flax NNX module"),
    ("mine.py:needs data.npy", "missing 1 required positional argument"),
    ("mine.py:raises data.npy", "raised RuntimeError: the weights are lost (line 32 of mine.py) when it was made"),
    ("broken.py:make_model data.npy", "model file 'broken.py' raised SyntaxError: invalid syntax"),
    ("imports.py:make_model data.npy", "raised ModuleNotFoundError: No module named 'not_installed_anywhere'"),
    ("mine.py:make_model wide.npy", "model 'mine.py:make_model' raised TypeError"),
    ("mine.py:make_model wide.npy", "on data of shape 16 x 13"),
    ("mine.py:make_model nowhere.npy", "there is no data file 'nowhere.npy'"),
    ("mine.py:make_model text.npy", "data file 'text.npy' cannot be read"),
    ("mine.py:make_model objects.npy", "data file 'objects.npy' cannot be read"),
    ("mine.py:make_model words.npy", "it must hold real numbers"),
    ("mine.py:make_model one.npy", "must hold at least 2 examples"),
    ("mine.py:make_model several.npz", "on data of shape a 16 x 12, b 16 x 12"),
    ("mine.py:make_model uneven.npz", "holds arrays of 8 and 16 examples"),
    ("mine.py:make_model mine.py:one_number", "data 'mine.py:one_number' holds a single number"),
    ("mine.py:make_model mine.py:raises", "data 'mine.py:raises' raised RuntimeError: the weights are lost (line 32"),
    ("mine.py:make_model data.npy --loss mine.py:loss --objective mine.py:loss", "give one of them"),
    ("mine.py:make_model data.npy --objective mine.py:marked", "the mark 'z' at mine.py:48 marks nothing"),
    ("mine.py:make_model data.npy --parameters nowhere.safetensors", "there is no parameters file"),
    ("mine.py:make_model data.npy --parameters pickled.pkl", "is a pickle, which runs code when it is read"),
    ("mine.py:make_model data.npy --parameters other.safetensors", "holds 'layers/0/bias' of shape 3"),
    ("mine.py:make_model data.npy --parameters none.safetensors", "holds no 'layers/0/bias': it is another model's"),
    ("mine.py:make_model data.npy --loss mine.py:bad_loss", "raised KeyError: 'no such term' (line 29 of mine.py)"),
    ("mine.py:make_model data.npy --loss mine.py:vector_loss", "a loss must return one real number"),
    ("mine.py:make_model data.npy --loss mine.py:lost", "did you mean 'loss'?"),
    (
        "mine.py:make_vast data.npy",
        "GB of memory: one pass on 2 examples keeps 2.11e+05 GB, its largest value 1.06e+05",
    ),
    ("mine.py:make_vast data.npy", "(of shape 2x12x1099511627776, made by `broadcast_in_dim` at mine.py:55)"),
    ("mine.py:make_model data.npy --examples 1", "examples must be at least 2, got 1"),
]


@pytest.mark.parametrize(("typed", "said"), BAD, ids=[f"{typed}: {said[:20]}" for typed, said in BAD])
def test_a_mistake_ends_with_one_clear_line(typed, said, folder, capsys):
    model, data, *rest = typed.split()
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(SystemExit) as ended:
        main(["doctor", model, "--data", data, *rest])
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("error: ")
    assert said in line
    assert sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") == before


def test_a_saturated_layer_is_named_in_the_terminal_and_on_the_page(folder, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "mine.py:make_model", "--data", "data.npy", "--loss", "mine.py:loss", "--examples", "8"])
    said = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    assert "Verdict: saturated" in said
    assert "To blame: block layers/2, and in it the activation" in said
    assert "Differentiated: the given loss, loss, whose value is " in said
    page = (folder / "results" / "doctor" / "mine.py-make_model" / "doctor.html").read_text().replace("<wbr>", "")
    for part in ("Verdict: saturated", "layers/2", "8 x 12", "<svg", "--examples 8",
                 f"slope is below {100 * FLAT_SLOPE:g} % of its largest"):  # fmt: skip
        assert part in page, part
    assert re.search(r'class="blamed"><th scope=row class="words">layers/2<', page)
    # Offline: nothing is asked of any host.
    assert not re.search(r'(src|href)="?(https?:)?//', page)
    assert "default-src 'none'" in page


def test_an_importable_module_without_a_loss_says_what_was_pulled_back(folder):
    command = [sys.executable, "-m", "bench", "doctor", "mine:make_pair", "--data", "data.npy", "--out", "page"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=_with_path())
    assert answer.returncode == 0, answer.stderr
    assert "no loss was given: a fixed random unit vector pulled back from the output" in " ".join(
        answer.stdout.split()
    )
    assert "random unit vector" in (folder / "page" / "doctor.html").read_text()


@pytest.mark.parametrize("form", ["safetensors", "msgpack", "orbax"])
def test_trained_parameters_are_read_of_every_form_that_runs_no_code(form, folder, capsys):
    """All kernels a ten-thousandth of what they are: with those the gradient fades."""
    sys.path.insert(0, str(folder))
    try:
        model = importlib.import_module("mine").make_model()
    finally:
        sys.path.remove(str(folder))
        del sys.modules["mine"]
    kernels = nnx.as_pure(nnx.state(model, nnx.Param))["layers"]
    small = {
        "layers": {
            str(index): {name: np.asarray(1e-4 * layer[name]) for name in layer} for index, layer in kernels.items()
        }
    }
    if form == "safetensors":
        flat = {name.replace("/", "."): np.asarray(leaf) for name, leaf in flatten_dict(small, sep="/").items()}
        save_file(flat, "small.safetensors")
    elif form == "msgpack":
        (folder / "small.msgpack").write_bytes(serialization.to_bytes(small))
    else:
        orbax.checkpoint.PyTreeCheckpointer().save(folder / "small.orbax", small)
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "mine.py:make_model", "--data", "data.npy", "--parameters", f"small.{form}"])
    assert ended.value.code == 0
    assert "Verdict: vanishing" in capsys.readouterr().out


def test_a_batch_that_is_not_finite_is_a_verdict_that_counts(folder, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "mine.py:make_model", "--data", "nan.npy", "--loss", "mine.py:loss"])
    assert ended.value.code == 0
    assert "the batch holds 1 of 192 entries that are not finite" in " ".join(capsys.readouterr().out.split())


def test_of_a_model_without_layers_the_rest_is_told(folder, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "mine.py:make_shift", "--data", "data.npy", "--loss", "mine.py:loss"])
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Verdict: not finite" in said
    assert "`log` at mine.py:52" in said
    page = (folder / "results" / "doctor" / "mine.py-make_shift" / "doctor.html").read_text()
    assert "Layer by layer" not in page
    with pytest.raises(SystemExit):
        main(
            [
                "doctor",
                "mine.py:make_shift",
                "--data",
                "data.npy",
                "--loss",
                "mine.py:loss",
                "--parameters",
                "one.msgpack",
            ]
        )
    assert "no layer was found, as nothing multiplies the batch" in " ".join(capsys.readouterr().out.split())


def test_a_folder_that_cannot_be_written_to_is_told(folder, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "mine.py:make_pair", "--data", "data.npy", "--out", "/proc/nothing/here"])
    assert ended.value.code == 2
    assert "cannot write to '/proc/nothing/here'" in capsys.readouterr().err


def _with_path():
    import os
    from pathlib import Path

    import bench

    return {**os.environ, "PYTHONPATH": str(Path(bench.__file__).parents[1])}
