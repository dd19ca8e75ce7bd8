import json
import math

from bench.planning.plan import Cell, Job
from bench.planning.protocol import Protocol
from bench.results.readable import blame_sentence
from bench.training.record import choose, manifest


def test_a_manifest_holds_what_json_can():
    job = Job(Cell("digits-dense", "tanh", "baseline", "activation", "a-b", 0), Protocol(steps=1), 27.2)
    blame = {"kind": "matrix", "block": "", "factor": math.inf}
    found = manifest(job, blame=blame, tuning=[{"seed": 0, "negative_elbo": math.nan}], learning_rate=0.1)
    assert json.loads(json.dumps(found, allow_nan=False))["tuning"] == [{"seed": 0, "negative_elbo": None}]
    assert found["learning_rate"] == 0.1
    # Where no gradient came back at all, no number says how much more does.
    assert found["blame"]["factor"] is None
    assert blame_sentence(found["blame"]).endswith("comes back at the first layer, where none does otherwise.")


def test_the_best_rate_on_validation_is_chosen_among_those_that_ended():
    assert choose([5.0, 4.0, math.nan]) == 1
    assert choose([math.nan, math.inf]) is None
