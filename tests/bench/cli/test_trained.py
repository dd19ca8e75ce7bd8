"""The commands that use a trained model, as a person types them."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.cli.main import main
from tests.bench.saved_run import save

ROOT = Path(__file__).parents[3]

SQUARES = "image-dense[latent=4,likelihood=mse,widths=16x3]"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of each kind of model, by the name that tests give it."""
    return {
        name: save(tmp_path_factory.mktemp(name), workload, "trainable").directory
        for name, workload in {
            "vae": SQUARES, "bernoulli": "image-dense[latent=4,widths=16x3]",
            "coder": "autoencoder[code=4,widths=16x3]",
            "linear": "linear[depth=2,width=16]", "classifier": "classify[widths=16x3]",
            "text": "text-lstm[embedding=8,latent=4,width=16]",
        }.items()
    }  # fmt: skip


@pytest.fixture
def run(runs, tmp_path, capsys):
    """A command on a copy of a run: its exit code, and what it says."""

    def command(name, kind, *typed):
        folder = tmp_path / kind
        if not folder.exists():
            shutil.copytree(runs[kind], folder)
        with pytest.raises(SystemExit) as ended:
            main([name, "--from", str(folder), "--arm", "trainable", *map(str, typed)])
        said = capsys.readouterr()
        return ended.value.code, said.out + said.err

    return command


@pytest.mark.parametrize("kind", ["vae", "bernoulli", "coder", "linear"])
def test_codes_decoded_are_the_reconstructions_bit_for_bit(run, tmp_path, kind):
    code, said = run("encode", kind, "--out", tmp_path / "codes.npy")
    assert code == 0
    codes = np.load(tmp_path / "codes.npy")
    latent = 8 if kind == "linear" else 4
    count = 1024 if kind == "linear" else 270
    numbers = 16 if kind == "linear" else 64
    assert codes.shape == (count, latent)
    unit = {"bernoulli": "nats", "linear": "nats", "vae": "per image", "coder": "per example"}[kind]
    # A pixel is a byte, whatever it is stored as.
    size = count * numbers * (4 if kind == "linear" else 1)
    sizes = rf"{count:,} test examples of .*: {size:,} bytes in, {4 * count * latent:,} bytes of code"
    assert re.search(rf"{sizes}; reconstruction error [\d.]+ {unit}\n", said)
    run("decode", kind, "--data", tmp_path / "codes.npy", "--out", tmp_path / "decoded.npy")
    run("reconstruct", kind, "--out", tmp_path / "again.npy")
    decoded = np.load(tmp_path / "decoded.npy")
    assert decoded.shape == ((count, 16) if kind == "linear" else (count, 8, 8))
    np.testing.assert_array_equal(decoded, np.load(tmp_path / "again.npy"))
    if kind in ("vae", "coder"):
        from bench.data.images import images

        x = images("digits").splits().test["images"]
        error = ((x - decoded.astype(float)) ** 2).sum(axis=(1, 2)).mean()
        assert float(re.findall(r"error ([\d.]+)", said)[0]) == pytest.approx(error, abs=0.006)


def test_samples_are_the_seeds(run, tmp_path):
    for name, seed in (("one", 5), ("same", 5), ("other", 6)):
        assert run("sample", "vae", "--count", 3, "--seed", seed, "--out", tmp_path / f"{name}.npy")[0] == 0
    one, same, other = (np.load(tmp_path / f"{name}.npy") for name in ("one", "same", "other"))
    np.testing.assert_array_equal(one, same)
    assert one.shape == (3, 8, 8)
    assert not np.array_equal(one, other)
    assert run("sample", "vae", "--count", 0) == (2, "error: count must be at least 1, got 0\n")
    for seed in (-1, 10**20):
        code, said = run("sample", "vae", f"--seed={seed}")
        assert (code, f"seed must lie from 0 to 4294967295, got {seed}" in said) == (2, True)
    code, said = run("decode", "vae", "--data", tmp_path)
    assert (code, f"there is no file {tmp_path}: make codes with" in said) == (2, True)


def test_without_a_name_files_lie_in_the_run_and_nothing_is_written_over(run, tmp_path):
    folder = tmp_path / "vae"
    for name, made in (
        ("encode", "codes-trainable.npy"), ("decode", "decoded-trainable.png"), ("sample", "samples-trainable.png"),
        ("reconstruct", "reconstructions-trainable.png"),
    ):  # fmt: skip
        code, said = run(name, "vae")
        assert (code, f"{folder / made} holds" in said) == (0, True)
        before = (folder / made).read_bytes()
        (folder / made).write_bytes(b"mine")
        code, said = run(name, "vae")
        assert (code, said) == (
            2, f"error: {folder / made} is there already: name another file with --out, or write over it with --force\n"
        )  # fmt: skip
        assert (folder / made).read_bytes() == b"mine"
        assert run(name, "vae", "--force")[0] == 0
        assert (folder / made).read_bytes() == before


def test_a_sheet_has_each_reconstruction_under_its_original(run, tmp_path):
    images = np.linspace(0, 1, 3 * 64, dtype=np.float32).reshape(3, 8, 8)
    np.save(tmp_path / "mine.npy", images)
    run("reconstruct", "vae", "--data", tmp_path / "mine.npy", "--out", tmp_path / "sheet.png")
    run("reconstruct", "vae", "--data", tmp_path / "mine.npy", "--out", tmp_path / "sheet.npy")
    made = np.load(tmp_path / "sheet.npy")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    # Two pairs beside each other, four times as large as stored, with 2 white lines after an image and 4 after a pair.
    assert sheet.shape == (2 * 70, 2 * 36)
    pair = sheet[:70, 36:]
    np.testing.assert_array_equal(pair[:32:4, :32:4], np.round(255 * images[1]))
    np.testing.assert_array_equal(pair[34:66:4, :32:4], np.round(255 * np.clip(made[1], 0, 1)))
    assert (sheet[70:, 36:] == 255).all()


def test_files_of_a_person_go_in_and_come_out(run, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(256, size=(4, 8, 8)).astype(np.uint8)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{number}.png")
    np.save(tmp_path / "flat.npy", (pixels / 255).astype(np.float32).reshape(4, 64))
    np.savez(tmp_path / "one.npz", pixels)
    for name in ("pictures", "flat.npy", "one.npz"):
        code, said = run("encode", "bernoulli", "--data", tmp_path / name, "--out", tmp_path / f"of-{name}.npy")
        assert code == 0
        assert said.startswith(f"4 examples of {tmp_path / name}: 256 bytes in, 64 bytes of code")
        np.testing.assert_array_equal(np.load(tmp_path / f"of-{name}.npy"), np.load(tmp_path / "of-pictures.npy"))
    rows = np.random.default_rng(1).normal(size=(5, 16))
    np.savetxt(tmp_path / "rows.csv", rows, delimiter=",")
    assert run("reconstruct", "linear", "--data", tmp_path / "rows.csv", "--out", tmp_path / "back.csv")[0] == 0
    assert run("reconstruct", "linear", "--data", tmp_path / "rows.csv", "--out", tmp_path / "back.npy")[0] == 0
    back = np.loadtxt(tmp_path / "back.csv", delimiter=",").astype(np.float32)
    np.testing.assert_array_equal(back, np.load(tmp_path / "back.npy"))
    # All alike is no reason not to encode them, though none could be learnt from.
    np.save(tmp_path / "alike.npy", np.full((3, 16), 0.5, np.float32))
    assert run("encode", "linear", "--data", tmp_path / "alike.npy", "--out", tmp_path / "alike-codes.npy")[0] == 0


def test_text_goes_in_and_comes_out(run, tmp_path):
    from bench.data.text.sentences import sentences

    data = sentences("agreement")
    own = [" ".join(sentence) for sentence in data.vocabulary.decode(data.test["tokens"])]
    code, said = run("encode", "text", "--out", tmp_path / "codes.npy")
    assert code == 0
    sizes = re.match(r"500 test examples of text-lstm.*: ([\d,]+) bytes in, 8,000 bytes of code; ", said)
    assert sizes is not None
    assert int(sizes[1].replace(",", "")) == sum(len(line) + 1 for line in own)
    run("decode", "text", "--data", tmp_path / "codes.npy", "--out", tmp_path / "decoded.txt")
    made = (tmp_path / "decoded.txt").read_text().splitlines()
    # By hand: each token and each end at its place, and where the other has ended there is nothing.
    pairs = [(f"{line} <end>".split(), f"{back} <end>".split()) for line, back in zip(own, made, strict=True)]
    others = np.mean([[token] != back[place : place + 1] for line, back in pairs for place, token in enumerate(line)])
    assert float(re.findall(r"decoded, ([\d.]+)% of the tokens and ends are others", said)[0]) == pytest.approx(
        100 * others, abs=0.051
    )
    # A file of one's own, in another order.
    mine = tmp_path / "mine.txt"
    mine.write_text("".join(f"{line}\n" for line in own[::-1][:200]))
    code, said = run("reconstruct", "text", "--data", mine, "--out", tmp_path / "back.txt")
    assert (code, said) == (0, f"{tmp_path / 'back.txt'} holds 200 examples of {mine}, reconstructed\n")
    assert (tmp_path / "back.txt").read_text().splitlines() == made[::-1][:200]
    assert run("sample", "text", "--count", 3)[0] == 0
    words = (tmp_path / "text" / "samples-trainable.txt").read_text().split()
    assert set(words) <= set(data.vocabulary.tokens)


# What stands in a file of text, and what is said.
BAD_TEXT = {
    "another word": (b"the cow waits here\nthe dog waits here\n", "sentence 2, 'the dog waits here', has 'dog',"),
    "too long": (b"the cow sees " * 4, "line 1 has 12 tokens, .* trained on sentences of at most 11: shorten it"),
    "empty line": (b"the cow waits here\n\n", "line 2 is empty"),
    "another script": ("the c\xf6w".encode("latin1"), "is not in UTF-8 .byte 0xf6 at offset 5, in line 1.: save it"),
    "nothing": (b"", "is empty: give at least one example"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_TEXT)
def test_text_that_a_model_is_not_of_is_said_in_a_line(run, tmp_path, case):
    content, said = BAD_TEXT[case]
    (tmp_path / "bad.txt").write_bytes(content)
    code, answer = run("encode", "text", "--data", tmp_path / "bad.txt", "--out", tmp_path / "out.npy")
    assert code == 2
    assert re.fullmatch(rf"error: {re.escape(str(tmp_path))}/bad\.txt.*({said}).*\n", answer), answer
    np.save(tmp_path / "bad.npy", np.zeros((3, 4), np.float32))
    code, answer = run("encode", "text", "--data", tmp_path / "bad.npy")
    assert (code, "bad.npy is no text, and this model is of text: give a .txt" in answer) == (2, True)


def test_what_is_unknown_does_not_come_back():
    from bench.data.text.lines import Lines
    from bench.data.text.vocabulary import Vocabulary

    vocabulary = Vocabulary.of([("the", "cow"), ("the", "cat")], "<unk>", at_least=2)
    lines = Lines(vocabulary, 2, words=True)
    rows = vocabulary.encode([("the", "cow"), ("the",)])
    # Of the, an unknown word and an end, and of the and an end.
    assert lines.lost(rows, rows["tokens"]) == pytest.approx(1 / 5)
    assert lines.lost(rows, np.zeros_like(rows["tokens"])) == 1


def test_images_with_an_axis_of_one_are_grey_ones_and_what_is_no_picture_is_written_as_numbers(tmp_path, capsys):
    draw = np.random.default_rng(0)
    for name, shape, ending in (("grey", (8, 8, 1), ".png"), ("front", (2, 4, 4), ".npy")):
        np.save(tmp_path / f"{name}.npy", draw.integers(256, size=(700, *shape)).astype(np.uint8))
        folder = save(
            tmp_path / name, f'image-dense[data="{tmp_path / name}.npy",latent=4,widths=16x2]', "trainable", steps=4
        ).directory
        for command in ("reconstruct", "sample"):
            with pytest.raises(SystemExit) as ended:
                main([command, "--from", str(folder), "--arm", "trainable"])
            assert ended.value.code == 0, capsys.readouterr()
        assert (folder / f"reconstructions-trainable{ending}").exists()
        # Labels are of no concern to it, whatever they are.
        np.savez(tmp_path / "few.npz", images=np.zeros((3, *shape), np.uint8), labels=np.full(3, 9))
        with pytest.raises(SystemExit) as ended:
            main(["encode", "--from", str(folder), "--arm", "trainable", "--data", str(tmp_path / "few.npz")])
        assert ended.value.code == 0, capsys.readouterr()


def spoilt(kind, **changes):
    numbers = np.full({"bernoulli": (3, 8, 8), "linear": (3, 16)}[kind], 0.5, np.float32)
    for value in changes.values():
        numbers[1].flat[2] = value
    return numbers


# The command, the kind of model, what its file holds, and what is said.
BAD = {
    "another size": ("encode", "bernoulli", np.zeros((3, 9, 8), np.float32), "holds examples of 9 x 8, and this"),
    "another mode": ("encode", "bernoulli", np.zeros((3, 8, 8, 3), np.uint8), "8 x 8 x 3, and this model is of im"),
    "columns": ("encode", "linear", np.zeros((3, 15), np.float32), "examples of 15, and this model is of rows of 16"),
    "NaN": ("encode", "linear", spoilt("linear", to=np.nan), r"index \[1, 2\] holds nan, and numbers must be finite"),
    "infinite": ("reconstruct", "linear", spoilt("linear", to=np.inf), "holds inf, and numbers must be"),
    "out of range": ("encode", "bernoulli", spoilt("bernoulli", to=1.5), r"index \[1, 0, 2\] holds 1.5, .* in \[0, 1"),
    "below it": ("reconstruct", "bernoulli", spoilt("bernoulli", to=-0.1), r"holds -0.1, and numbers must lie in"),
    "integers": ("encode", "linear", np.zeros((3, 16), int), "whole numbers of type int64 have no range that is known"),
    "no example": ("encode", "linear", np.zeros((0, 16), np.float32), "give at least one example"),
    "objects": ("encode", "linear", np.array([{}]), "holds Python objects, which could run anything"),
    "other codes": ("decode", "linear", np.zeros((3, 7), np.float32), "an array of 3 x 7, and a code of this model"),
    "one code": ("decode", "linear", np.zeros(8, np.float32), "an array of 8, and a code of this model is 8 n"),
    "whole codes": ("decode", "linear", np.zeros((3, 8), int), "holds int64, and codes are floats: store float32"),
    "NaN in codes": ("decode", "linear", spoilt("linear", to=np.nan)[:, :8], r"index \[1, 2\] holds nan: codes must b"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_a_model_is_not_of_is_said_in_a_line(run, tmp_path, case):
    name, kind, content, said = BAD[case]
    np.save(tmp_path / "bad.npy", content)
    code, answer = run(name, kind, "--data", tmp_path / "bad.npy", "--out", tmp_path / "out.npy")
    assert code == 2
    assert re.fullmatch(rf"error: {re.escape(str(tmp_path))}/bad\.npy.*{said}.*\n", answer), answer
    assert not (tmp_path / "out.npy").exists()


def test_files_that_are_none(run, tmp_path):
    whole = tmp_path / "whole.npy"
    np.save(whole, np.zeros((3, 16), np.float32))
    (tmp_path / "short.npy").write_bytes(whole.read_bytes()[:-9])
    (tmp_path / "mine.txt").write_text("a line\n")
    for data, said in (
        ("gone.npy", "there is no"),
        ("short.npy", "truncated or damaged"),
        ("mine.txt", "is text, and"),
    ):
        code, answer = run("encode", "linear", "--data", tmp_path / data)
        assert (code, answer.count("\n")) == (2, 1)
        assert said in answer
    code, answer = run("decode", "linear")
    assert (code, "codes-trainable.npy: make codes with python -m bench encode" in answer) == (2, True)
    for out, said in (("x.jpg", "ends in '.jpg', and what can be written is .npy or .csv"), ("no/x.npy", "no folder")):
        code, answer = run("reconstruct", "linear", "--out", tmp_path / out)
        assert (code, said in answer) == (2, True)


def test_what_a_kind_of_model_cannot_do_is_a_sentence(run):
    for name in ("encode", "decode", "sample", "reconstruct"):
        code, said = run(name, "classifier")
        assert (code, "is a Classifier, which makes no code of an example" in said) == (2, True)
    code, said = run("sample", "coder")
    assert (code, "is an autoencoder, whose codes have no prior that could be drawn from" in said) == (2, True)


def bench(*typed):
    return subprocess.run(
        [sys.executable, "-m", "bench", *map(str, typed)], capture_output=True, text=True, check=False, cwd=ROOT
    )


def test_a_run_keeps_its_models_and_one_that_lacks_them_is_run_again_with_the_same_figures(tmp_path, cache):
    out = tmp_path / "out"
    command = [
        "run", "--suite", "smoke", "--workload", SQUARES, "--arms", "trainable", "--seeds", 1, "--rates", 1, "--steps",
        20, "--workers", 1, "--no-timing", "--out", out,
    ]  # fmt: skip
    assert bench(*command).returncode == 0
    assert not (out / "models").exists()
    (cell,) = (out / "cells").glob("*.json")
    figures = cell.read_bytes(), cell.with_suffix(".parquet").read_bytes()
    planned = bench(*command, "--save", "--dry-run")
    assert "1 to run" in planned.stdout
    assert re.search(r"saves 1 model, [\d.]+kB; 1 arm is stored without, and run again for it\n", planned.stdout)
    again = bench(*command, "--save")
    assert again.returncode == 0, again.stderr
    # The very files: what is stored stands, and the model is put beside it.
    assert (cell.read_bytes(), cell.with_suffix(".parquet").read_bytes()) == figures
    assert not (out / "set_aside").exists()
    names = {path.suffix for path in (out / "models").iterdir()}
    assert names == {".json", ".safetensors", ".npz"}
    record = json.loads((out / "models" / cell.name).read_text())
    assert (record["schema"], record["arm"], record["seed"], record["steps"]) == (1, "trainable", 3, 20)
    assert "What the saved models do" in (out / "report.html").read_text()
    stored = bench(*command, "--save")
    assert "1 stored, 0 to run" in stored.stdout
    # A damaged one is set aside, and made anew.
    (out / "models" / cell.name).with_suffix(".npz").write_bytes(b"x")
    mended = bench(*command, "--save")
    assert "its model is trained anew" in mended.stdout
    assert len(list((out / "set_aside").iterdir())) == 3
    assert bench("sample", "--from", out, "--arm", "trainable").returncode == 0
