"""What is said of a cell's trainings, and said anew of one that is kept."""

import json
import math
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.results.stored.records import BlameRecord, TheoryRecord, TrainingRecord
from bench.training import explanation
from bench.training.explanation import explain, with_verdicts
from vae_jax.diagnosis.verdict import LIMITS

SGD, ADAM = {"optimizer": "optax.sgd"}, {"optimizer": {"function": "optax.adam", "values": {"b1": 0.9}}}
STUCK = TrainingRecord(
    0, 0.1, None, 27.2, 27.2, kl_nats=0.0, active_units=0, gradient_ratio_init=1.0, shared_gradient_init=0.0,
    reconstruction_share_end=0.02, flat_init=0.0,
)  # fmt: skip


def word(training, recipe):
    ((found),) = with_verdicts([training], recipe, 9)
    return found.verdict


@pytest.mark.parametrize(
    ("figures", "by_sgd", "by_adam"),
    [
        ({}, "collapsed", "collapsed"),
        ({"gradient_ratio_init": LIMITS["vanishing"].plain / 2}, "vanishing", "collapsed"),
        ({"gradient_ratio_init": LIMITS["vanishing"].rescaling / 2}, "vanishing", "vanishing"),
        ({"shared_gradient_init": 0.1}, "dead signal", "collapsed"),
        ({"shared_gradient_init": 0.5}, "dead signal", "dead signal"),
        # Without a KL term there is no code that it could pull together.
        ({"shared_gradient_init": 0.5, "kl_nats": None, "active_units": None}, "healthy", "healthy"),
        ({"kl_nats": 3.0, "active_units": 2, "gradient_ratio_init": 1e-9}, "healthy", "healthy"),
        # What has diverged, or was read by no instrument, has no verdict.
        ({"score": None}, None, None),
        ({"gradient_ratio_init": None, "shared_gradient_init": None, "flat_init": None}, None, None),
    ],
)
def test_a_word_is_found_from_what_is_stored(figures, by_sgd, by_adam):
    training = replace(STUCK, **figures)
    assert (word(training, SGD), word(training, ADAM)) == (by_sgd, by_adam)
    # A word of old is forgotten.
    assert word(replace(training, verdict="saturated", because="so it was"), SGD) == by_sgd


def test_what_is_said_anew_is_as_json_can_hold_it(monkeypatch):
    """Where no gradient came back at all, no number says how much more does with another block in its place."""
    trainer: Any = SimpleNamespace(
        initial=lambda _: ({}, {}, SimpleNamespace(inputs=np.zeros((4, 2))), np.zeros(4)),
        workload=SimpleNamespace(
            architecture=SimpleNamespace(stacks={"encoder": [SimpleNamespace(layers=9)]}), batch=2
        ),
        recipe=SimpleNamespace(describe=lambda: SGD),
    )
    monkeypatch.setattr(explanation, "predict", lambda *_: {"encoder": TheoryRecord(gradient_ratio=(math.nan, 0.5))})
    monkeypatch.setattr(explanation, "_blamed", lambda *_: BlameRecord("", "matrix", math.inf))
    monkeypatch.setattr(explanation.jax, "tree", SimpleNamespace(map=lambda _, tree: tree))
    monkeypatch.setattr(explanation.jax, "device_get", lambda value: value)
    said = explain(trainer, 0, [replace(STUCK, gradient_ratio_init=0.0)] * 3)
    assert (said["verdict"], said["verdict_seeds"]) == ("vanishing", 3)
    assert said["blame"] == BlameRecord("", "matrix", None)
    assert said["theory"]["encoder"].gradient_ratio == (None, 0.5)
    json.dumps([asdict(each) for each in said["trainings"]], allow_nan=False)
    # Of a gradient that arrives nobody is asked.
    assert explain(trainer, 0, [STUCK])["blame"] is None
