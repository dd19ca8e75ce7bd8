"""The page says what the code does: it is the file in results/, and what it says of the data is done here from its "
"words."""

import math
import re
from pathlib import Path

import jax
import numpy as np
import pytest
import scipy.stats
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from bench.cli.protocol_page import protocol_page
from bench.data.digits import digits
from bench.planning.protocol import Protocol


@pytest.fixture(scope="module")
def page():
    return protocol_page()


def test_the_file_is_the_page(page):
    assert (Path(__file__).parents[3] / "results" / "PROTOCOL.md").read_text() == page


def test_the_data_are_those_of_its_words(page):
    images, labels = load_digits(return_X_y=True)
    train, rest = train_test_split(range(1797), test_size=540, stratify=labels, random_state=0)
    validation, test = train_test_split(rest, test_size=270, stratify=labels[rest], random_state=0)
    intensity = (images / 16).astype(np.float32)
    ours = digits()
    np.testing.assert_array_equal(ours.train, intensity[train])
    for seed, (rows, held_out) in enumerate([(validation, ours.validation), (test, ours.test)], start=1):
        drawn = np.random.default_rng(seed).random((270, 64)) < intensity[rows]
        np.testing.assert_array_equal(held_out, drawn)
    p = (intensity[train].astype(np.float64).sum(axis=0) + 1 / 2) / (1257 + 1)
    plateau = -np.mean(np.log(np.where(ours.test == 1, p, 1 - p)).sum(axis=1))
    assert f"{plateau:.2f} nats on test" in page


def test_it_names_the_numbers(page):
    protocol = Protocol(1500)
    for said in (f"{protocol.rates} learning rates", f"{protocol.draws} draws of z", "1e-05 to a biased variance",
                 "sigmoid", "adam(b1=0.9, b2=0.999, eps=1e-08)", "tuning seeds 1 and 2", "at most 3 times",
                 "clip(mean of the training intensities, 0.001, 0.999)", "learning rate 0.03"):  # fmt: skip
        assert said in page
    assert "vae_jax" not in page
    assert "optax" not in page


def test_truncated_normals_are_as_it_says(page):
    cut, deviation = map(float, re.findall(r"truncated normal is cut at (\d+) .* divided by ([\d.]+),", page)[0])
    assert scipy.stats.truncnorm(-cut, cut).std() == pytest.approx(deviation, abs=5e-5)
    # Of 400 inputs he_normal asks for a standard deviation of sqrt(2 / 400).
    drawn = np.asarray(jax.nn.initializers.he_normal()(jax.random.key(0), (400, 1000))) / math.sqrt(2 / 400)
    assert drawn.std() == pytest.approx(1, abs=0.005)
    assert np.abs(drawn).max() == pytest.approx(cut / deviation, abs=1e-3)
