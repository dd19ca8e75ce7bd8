"""A saved model is the model that was trained, whatever its recipe; and what is no such model is said to be none."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.language.errors import InputError
from bench.language.figures import figure
from bench.planning.catalogue import load_catalogue
from bench.planning.loaded_workload import load_workload
from bench.results.arm_record import arm_record
from bench.results.stored.saved_model import EXAMPLES, TENSORS, checksum, pack, unpack
from bench.results.stored.store import Store
from bench.training.precision import cast, computing
from bench.training.restoring import held_out, restore
from tests.bench.fake_store import change
from tests.bench.saved_run import save
from vae_jax.models.batch import examples
from vae_jax.objective.bound import loss_parts
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key, random_key

CATALOGUE = load_catalogue()

DENSE = "image-dense[latent=4,widths=16x3]"
# Averaged weights with running statistics, the best weights with a posterior head that has numbers of its own, and
# another type of numbers.
NORMED = "trainable+batch_norm+weight_averaging"
ARMS = ("trainable", NORMED, "trainable+bn_vae+early_stopping", "trainable+float64")
OTHERS = ("autoencoder[code=4,widths=16x3]", "classify[widths=16x3]", "linear[depth=2,width=16]",
          "text-lstm[embedding=8,latent=4,width=16]")  # fmt: skip

PLUGIN = '''
import jax.numpy as jnp
from bench import remedy

@remedy(source="none", family="activation")
def bent(recipe):
    """A soft bend."""
    return recipe.replace(activation=lambda_)

def lambda_(x):
    return jnp.tanh(x) * 0.9
'''


@pytest.fixture(scope="module")
def dense(tmp_path_factory) -> Store:
    return save(tmp_path_factory.mktemp("dense"), DENSE, ",".join(ARMS))


@pytest.fixture(scope="module")
def others(tmp_path_factory) -> dict[str, Store]:
    return {text: save(tmp_path_factory.mktemp("other"), text, "trainable") for text in OTHERS}


def one(store: Store, arm: str) -> Path:
    """The record of an arm's model."""
    return store.directory / "models" / f"{arm_record(store, arm).row.cell.identity}.json"


def stored(store: Store, arm: str) -> float:
    """The score that is stored of an arm's one training."""
    (training,) = arm_record(store, arm).row.trainings
    assert training.score is not None
    return training.score


def again(store: Store, arm: str, catalogue=CATALOGUE):
    """The score of a loaded model on test, as an evaluation has it."""
    model, record = restore(store, arm, catalogue)
    architecture, recipe = model.workload.architecture, model.recipe.traced()
    with computing(model.recipe.dtype):
        rows = cast(jax.tree.map(jnp.asarray, held_out(catalogue, record)), model.recipe.dtype)
        repeated = jax.tree.map(lambda leaf: jnp.tile(leaf, (4, *[1] * (leaf.ndim - 1))), rows)
        numbers = jax.tree.map(jnp.asarray, model.numbers)
        batch = architecture.present(None, repeated, numbers.mean)
        noise = architecture.noise(named_key(random_key(20_000), "evaluate"), examples(repeated), numbers.mean.dtype)
        forward = numbers.model(recipe, architecture)(batch, noise, ForwardPass(recipe))
        return float(loss_parts(forward, batch, architecture.likelihood).score)


@pytest.mark.parametrize("arm", ARMS)
def test_a_loaded_model_has_the_stored_score(dense, arm):
    found = again(dense, arm)
    assert figure(found) == figure(stored(dense, arm))
    np.testing.assert_allclose(found, stored(dense, arm), rtol=1e-6)


@pytest.mark.parametrize("workload", OTHERS)
def test_of_every_kind_of_model(others, workload):
    store = others[workload]
    np.testing.assert_allclose(again(store, "trainable"), stored(store, "trainable"), rtol=1e-6)


def test_a_code_decoded_is_the_reconstruction_whatever_stands_beside_it(dense):
    model, record = restore(dense, NORMED, CATALOGUE)
    rows = held_out(CATALOGUE, record)
    codes = model.encode(rows)
    assert codes.shape == (270, 4)
    whole = model.decode(codes)
    # One example alone, and in any company, is the same to every bit.
    for part in (slice(7, 8), slice(100, 230)):
        np.testing.assert_array_equal(model.encode(rows[part]), codes[part])
        np.testing.assert_array_equal(model.decode(codes[part]), whole[part])
    # Against the likelihood by hand, in float64.
    x, p = rows.astype(float), whole.astype(float)
    by_hand = -(x * np.log(p) + (1 - x) * np.log1p(-p)).sum(axis=1).mean()
    assert model.missed(codes, rows) == pytest.approx(by_hand, rel=1e-5)


def test_samples_are_decoded_draws_of_the_prior(dense):
    model, _ = restore(dense, "trainable", CATALOGUE)
    drawn = jax.random.normal(random_key(3), (5, 4))
    np.testing.assert_array_equal(model.sample(5, seed=3), model.decode(np.asarray(drawn)))
    assert not np.array_equal(model.sample(5, seed=4), model.sample(5, seed=3))


def test_what_is_shown_is_what_the_model_does(dense):
    model, record = restore(dense, "trainable", CATALOGUE)
    shown = arm_record(dense, "trainable").row.examples
    few = held_out(CATALOGUE, record)[:8]
    codes = model.encode(few)

    def pixels(numbers):
        return np.round(255 * numbers).astype(np.uint8).reshape(-1, 8, 8)

    np.testing.assert_array_equal(shown["originals"], pixels(few))
    np.testing.assert_array_equal(shown["reconstructions"], pixels(model.decode(codes)))
    np.testing.assert_array_equal(shown["samples"], pixels(model.sample(16, 0)))
    ways = shown["interpolations"].reshape(3, 8, 8, 8)
    np.testing.assert_array_equal(ways[:, 0], shown["reconstructions"][:3])
    np.testing.assert_array_equal(ways[:, -1], shown["reconstructions"][1:4])


def test_of_text_lines_are_shown(others):
    store = others[OTHERS[3]]
    model, record = restore(store, "trainable", CATALOGUE)
    shown = arm_record(store, "trainable").row.examples
    few = jax.tree.map(lambda leaf: leaf[:8], held_out(CATALOGUE, record))
    codes = model.encode(few)
    lines = [
        " ".join(sentence) for sentence in load_workload(CATALOGUE, OTHERS[3]).dataset.vocabulary.decode(few["tokens"])
    ]
    assert shown["originals"].tolist() == lines
    np.testing.assert_array_equal(shown["reconstructions"], model.medium.shown(model.decode(codes)))
    np.testing.assert_array_equal(shown["samples"], model.medium.shown(model.sample(16, 0)))
    ways = shown["interpolations"].reshape(3, 8)
    np.testing.assert_array_equal(ways[:, 0], shown["reconstructions"][:3])
    np.testing.assert_array_equal(ways[:, -1], shown["reconstructions"][1:4])


def copied(store, folder):
    """The same run in a folder that may be broken."""
    shutil.copytree(store.directory, folder, dirs_exist_ok=True)
    return Store(folder)


def edit_arrays(path: Path, change_arrays) -> None:
    """Change a model's arrays, and have its record say so."""
    tensors = path.with_suffix(f".{TENSORS}")
    arrays = unpack(tensors.read_bytes())
    change_arrays(arrays)
    tensors.write_bytes(pack(arrays))
    checksums = json.loads(path.read_text())["checksums"]
    change(path, checksums={**checksums, TENSORS: checksum(tensors.read_bytes())})


def truncate(path: Path) -> None:
    tensors = path.with_suffix(f".{TENSORS}")
    tensors.write_bytes(tensors.read_bytes()[:-100])
    checksums = json.loads(path.read_text())["checksums"]
    change(path, checksums={**checksums, TENSORS: checksum(tensors.read_bytes())})


BIAS = "parameters.decoder.head.bias"
BREAKS = {
    "gone": (lambda path: path.unlink(), r"holds no model of arm 'trainable': give its run's command again with --sav"),
    "no JSON": (lambda path: path.write_text('{"arm": '), r"damaged: .*\.json is no JSON"),
    "nothing of a model": (lambda path: change(path, arrays=None), r"is not as it was written: .* lacks.* arrays"),
    "another version": (lambda path: change(path, schema=2), r"is of schema 2, and this version reads schema 1"),
    "arrays gone": (lambda path: path.with_suffix(f".{TENSORS}").unlink(), r"has no .*\.safetensors beside it"),
    "arrays changed": (
        lambda path: path.with_suffix(f".{TENSORS}").write_bytes(b"x"), r"\.safetensors has another checksum than",
    ),
    "arrays truncated": (truncate, r"\.safetensors: .*: use the version that saved it"),
    "another cell": (lambda path: change(path, identity="a-b"), r"holds the model of another cell, arm 'trainable'"),
    "another arm": (
        lambda path: path.write_bytes(next(each for each in path.parent.glob("*.json") if each != path).read_bytes()),
        r"holds the model of another cell",
    ),
    "another shape": (
        lambda path: edit_arrays(path, lambda arrays: arrays.update({BIAS: arrays[BIAS][:3]})),
        rf"has float32 of shape 3 as {BIAS}, where the arm has float32 of shape 64",
    ),
    "another type": (
        lambda path: edit_arrays(path, lambda arrays: arrays.update({BIAS: arrays[BIAS].astype(int)})),
        rf"has int64 of shape 64 as {BIAS}",
    ),
    "too few": (lambda path: edit_arrays(path, lambda arrays: arrays.pop(BIAS)), rf"has nothing as {BIAS}, where"),
    "too many": (
        lambda path: edit_arrays(path, lambda arrays: arrays.update(more=arrays[BIAS])),
        r"has float32 of shape 64 as more, where the arm has nothing",
    ),
    "another recipe": (
        lambda path: change(path, recipe={**json.loads(path.read_text())["recipe"], "activation": "jax.nn.relu"}),
        r"whose activation is 'jax.nn.relu', and arm 'trainable' on .* has",
    ),
    "another likelihood": (lambda path: change(path, likelihood="SquaredError()"), r"whose likelihood is 'SquaredErr"),
    "another medium": (lambda path: change(path, medium={"kind": "text"}), r"whose medium is \{'kind': 'text'\}"),
}  # fmt: skip


@pytest.mark.parametrize("case", BREAKS)
def test_what_is_no_model_of_the_arm_is_said_in_a_line(dense, tmp_path, case):
    broken, said = BREAKS[case]
    store = copied(dense, tmp_path)
    broken(one(store, "trainable"))
    with pytest.raises(InputError, match=said) as error:
        restore(store, "trainable", CATALOGUE)
    assert "\n" not in str(error.value)
    restore(store, NORMED, CATALOGUE)


def test_another_vocabulary_is_said_with_its_cure(others, tmp_path):
    store = copied(others[OTHERS[3]], tmp_path)
    path = one(store, "trainable")
    medium = json.loads(path.read_text())["medium"]
    change(path, medium={**medium, "tokens": [*medium["tokens"][:-1], "wug"]})
    with pytest.raises(
        InputError, match="for examples of other tokens than its workload has now: give it the data that"
    ):
        restore(store, "trainable", CATALOGUE)


def test_a_slot_that_came_later_does_nothing_to_an_old_model(dense, tmp_path):
    store = copied(dense, tmp_path)
    path = one(store, "trainable")
    recipe = json.loads(path.read_text())["recipe"]
    del recipe["input_noise"]
    change(path, recipe=recipe)
    restore(store, "trainable", CATALOGUE)


def test_nothing_that_a_file_names_is_run(dense, tmp_path, monkeypatch):
    store = copied(dense, tmp_path)
    path, ran = one(store, "trainable"), tmp_path / "ran"
    evil = tmp_path / "evil.py"
    evil.write_text(f"open({str(ran)!r}, 'w')")
    text = f"__import__('pathlib').Path({str(ran)!r}).touch()"
    record = json.loads(path.read_text())
    for name in ("workload", "arm", "likelihood", "presentation", "own_code"):
        change(path, **{**record, "plugins": [str(evil)], name: text})
        if name in ("workload", "arm"):
            # Only said: the plan says what is composed.
            restore(store, "trainable", CATALOGUE)
        else:
            with pytest.raises(InputError):
                restore(store, "trainable", CATALOGUE)
    change(path, **{**record, "recipe": {**record["recipe"], "activation": "evil.run"}})
    with pytest.raises(InputError, match=r"whose activation is 'evil\.run'"):
        restore(store, "trainable", CATALOGUE)
    assert not ran.exists()


def test_an_arm_of_ones_own_needs_its_file_as_it_was(tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(PLUGIN)
    store = save(tmp_path / "run", DENSE, "trainable+bent", plugins=(str(plugin),))
    found = again(store, "trainable+bent", load_catalogue([str(plugin)]))
    np.testing.assert_allclose(found, stored(store, "trainable+bent"), rtol=1e-6)
    with pytest.raises(InputError, match=r"unknown remedy 'bent'.*trained with .*mine\.py: give --plugin FILE"):
        restore(store, "trainable+bent", CATALOGUE)
    plugin.write_text(PLUGIN.replace("0.9", "0.8"))
    with pytest.raises(InputError, match=r"code of your own .* is not what it was .*mine\.py"):
        restore(store, "trainable+bent", load_catalogue([str(plugin)]))


def test_a_training_that_diverged_leaves_no_model(tmp_path):
    plugin = tmp_path / "hot.py"
    plugin.write_text(
        "from bench import remedy\n\n@remedy(source='none', family='optimizer')\n"
        "def hot(recipe):\n    '''A rate at which all diverges.'''\n    return recipe.replace(learning_rate=1e7)\n"
    )
    store = save(tmp_path / "run", DENSE, "trainable+hot", plugins=(str(plugin),))
    assert not (store.directory / "models").exists()
    with pytest.raises(
        InputError, match=r"arm 'trainable\+hot' of .* diverged, at step \d+: of such a training no model is kept"
    ):
        restore(store, "trainable+hot", load_catalogue([str(plugin)]))


def test_a_classifier_has_no_code_and_an_autoencoder_no_prior(others):
    coder, classifier, *_ = (restore(store, "trainable", CATALOGUE)[0] for store in others.values())
    for use in (
        lambda: classifier.encode(np.zeros((1, 64))), lambda: classifier.decode(np.zeros((1, 4))),
        lambda: classifier.sample(1, 0), lambda: classifier.medium,
    ):  # fmt: skip
        with pytest.raises(InputError, match="'trainable' is a Classifier, which makes no code of an example"):
            use()
    with pytest.raises(InputError, match="'trainable' is an autoencoder, whose codes have no prior"):
        coder.sample(1, 0)


def test_a_decoder_that_reads_past_the_code_says_so(tmp_path):
    store = save(tmp_path, "digits-dense[depth=2,width=16]", "trainable+encoder_skip")
    model, record = restore(store, "trainable+encoder_skip", CATALOGUE)
    rows = held_out(CATALOGUE, record)
    with pytest.raises(InputError, match="cannot decode: the decoder reads the encoder's hidden layers past z"):
        model.decode(model.encode(rows))
    assert arm_record(store, "trainable+encoder_skip").row.examples == {}
    assert EXAMPLES in json.loads(one(store, "trainable+encoder_skip").read_text())["checksums"]


def test_other_data_than_it_was_trained_on_are_no_test_set_of_it(dense):
    _, record = restore(dense, "trainable", CATALOGUE)
    assert load_workload(CATALOGUE, DENSE).digest == record.data
    with pytest.raises(InputError, match="are not those that the model was trained on: name a file"):
        held_out(CATALOGUE, replace(record, data="other"))
