"""What the start foretells: readings, ends and rules from a store, against what the store was made from."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.results.foretelling.foretell import (
    NO_WORD,
    foretell,
    foretelling_tables,
    foretelling_words,
)
from bench.results.foretelling.networks import SHARES, networks_of, networks_table, word_of
from bench.results.judging.score import Left
from tests.bench.fake_store import ARMS, PLATEAU, build, read
from vae_jax.diagnosis.verdict import LIMITS, Code, judge

WRITTEN = {word: (limit.plain, limit.rescaling) for word, limit in LIMITS.items()}
TRAINED = [arm for arm in ARMS if arm.status in ("ok", "diverged")]
LEFT = {arm.arm: arm.score < PLATEAU - 0.2 for arm in TRAINED}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = build(tmp_path_factory.mktemp("store"), seeds=5, steps=300)
    plan = store.read_plan()
    store.write_plan(replace(plan, verdict_limits=WRITTEN))
    return store


@pytest.fixture(scope="module")
def found(store):
    return foretell(read(store))


def test_every_network_that_was_trained_is_there_with_its_end(found):
    assert len(found.networks) == len(TRAINED)
    assert found.left == sum(LEFT.values())
    assert not found.silence


def test_a_reading_is_the_median_over_seeds_of_the_stored_curves(store, found):
    results = read(store)
    for row, network in zip([row for row in results.stored if row.trainings], found.networks, strict=True):
        curves = row.curves("hidden_gradient")
        for place, share in enumerate(SHARES):
            step = 25 * round(share * 300 / 25)
            there = curves.loc[(curves["step"] == step) & (curves["tower"] == "encoder")]
            profiles = there.pivot(index="seed", columns="layer", values="value").to_numpy(float)
            expected = -np.median(np.abs(np.log10(profiles[:, 1] / profiles[:, -1])))
            assert network.readings["hidden_gradient"][place] == pytest.approx(expected)


def test_the_area_is_that_of_a_plain_loop_over_pairs(found):
    (gradient,) = (each for each in found.foretold if each.instrument == "hidden_gradient")
    readings = [each.readings["hidden_gradient"][0] for each in found.networks]
    pairs = [one > other for one, other in itertools.product(
        [reading for reading, each in zip(readings, found.networks, strict=True) if each.left],
        [reading for reading, each in zip(readings, found.networks, strict=True) if not each.left],
    )]  # fmt: skip
    assert gradient.areas[0].mean == pytest.approx(np.mean(pairs))
    assert gradient.by_group == {"digits-dense, sgd": gradient.areas[0]}
    assert gradient.networks == len(TRAINED)


def test_the_rules_are_counted_by_the_first_that_holds(found):
    # Seven steps from the last block to the first, by SGD; of the others nothing is flat or shared.
    vanished = {arm.arm for arm in TRAINED if arm.shrink[0] ** 7 < LIMITS["vanishing"].plain}
    assert {each.rescales for each in found.said} == {False}
    counts = {each.word: (each.left, each.networks) for each in found.said}
    assert counts == {
        "vanishing": (sum(LEFT[arm] for arm in vanished), len(vanished)),
        NO_WORD: (sum(LEFT.values()) - sum(LEFT[arm] for arm in vanished), len(TRAINED) - len(vanished)),
    }
    stayed = sum(not LEFT[arm] for arm in vanished)
    assert found.rightly == stayed + counts[NO_WORD][0]
    assert found.guessed == max(found.left, len(TRAINED) - found.left)


def test_it_is_said_in_words_and_tables(found):
    first, second, *_, last = foretelling_words(found)
    assert first.startswith("At the first step hidden_gradient (orders of magnitude between dL/dh")
    assert f"right about {found.guessed} of {len(TRAINED)}, the verdict's rules about {found.rightly}." in second
    assert last == "All of this is digits-dense: what holds there need not hold elsewhere."
    (_, areas), (_, rules) = foretelling_tables(found)
    assert list(areas["instrument"]) == [each.instrument for each in found.foretold]
    assert list(rules["at the first step"]) == ["vanishing", NO_WORD]
    assert all(" of " in left for left in rules["left"])


def test_a_plan_without_limits_says_nothing_of_rules(store):
    results = read(store)
    found = foretell(replace(results, plan=replace(results.plan, verdict_limits={})))
    assert found.said == ()
    assert "rules" not in " ".join(foretelling_words(found))
    assert len(foretelling_tables(found)) == 1


def test_too_few_networks_are_said_to_be(tmp_path):
    few = [arm.arm for arm in TRAINED[:9]]
    found = foretell(read(build(tmp_path, few, seeds=3, steps=100, depth=2)))
    assert foretelling_words(found) == [
        "9 trained networks are too few to say what foretells their end: 10 are needed."
    ]
    assert foretelling_tables(found) == []


@pytest.mark.parametrize(("word", "nats"), [("all", 0.0), ("none", 100.0)])
def test_where_all_left_or_none_did_nothing_is_told(store, word, nats):
    results = read(store)
    by_kl = replace(results.plan.workloads["digits-dense"], left=Left(kl_nats=nats))
    found = foretell(replace(results, plan=replace(results.plan, workloads={"digits-dense": by_kl})))
    whole = f"{word.capitalize()} of {len(TRAINED)} networks left: no reading can tell one from another."
    assert foretelling_words(found) == [whole]
    assert foretelling_tables(found) == []


def test_where_the_base_alone_decides_no_reading_is_credited(store):
    """Those that left on one base, those that stayed on another: no pair, and the reason is said."""
    results = read(store)
    cells = tuple(replace(cell, base="good" if LEFT.get(cell.arm) else "bad") for cell in results.plan.cells)
    found = foretell(replace(results, plan=replace(results.plan, cells=cells)))
    assert found.foretold == ()
    assert foretelling_words(found)[0].startswith("In no kind of workload, base and optimizer some networks left")


def test_arms_with_one_forward_pass_are_one_structure(store):
    results = read(store)
    rows = [row for row in results.stored if row.trainings]
    for number, row in enumerate(rows):
        curves = row.curves()
        square = curves.loc[curves["instrument"] == "hidden_gradient"].assign(instrument="mean_square")
        # Two and two have the same.
        square["value"] = 1.0 + number // 2
        assert row.stored is not None
        kept = curves.loc[curves["instrument"] != "mean_square"]
        store.write(row.record, pd.concat([kept, square])[curves.columns])
    found = foretell(read(store))
    assert len({each.structure for each in found.networks}) == math.ceil(len(rows) / 2)


def test_a_network_has_left_if_most_trainings_of_one_rate_did(store):
    """Tuning trainings count, on the validation's plateau, and by the workload's own rule."""
    results = read(store)
    row = next(row for row in results.stored if row.cell.arm == "gelu")
    assert not LEFT["gelu"]
    record = row.record
    lucky = replace(record.tuning[1], score=20.0)
    store.write(replace(record, tuning=(record.tuning[0], lucky, *record.tuning[2:])), row.curves())
    again = foretell(read(store))
    assert again.left == sum(LEFT.values()) + 1
    # At the same rate two more that stayed outweigh it.
    stuck = replace(record.tuning[1], seed=8), replace(record.tuning[1], seed=9)
    store.write(replace(record, tuning=(*record.tuning, lucky, *stuck)), row.curves())
    assert foretell(read(store)).left == sum(LEFT.values())


def test_two_arms_that_end_alike_are_one_network_and_its_kernel_is_read(store):
    results = read(store)
    rows = [row for row in results.stored if row.trainings][:4]
    for number, row in enumerate(rows):
        first = rows[2 * (number // 2)].record
        stored = replace(row.record, tuning=first.tuning, trainings=first.trainings, tangent_condition=1.0 + number)
        store.write(stored, row.curves())
    found = networks_of(read(store))
    assert len(found) == len(TRAINED) - 2
    # The first of each.
    assert [each.readings["tangent_kernel"][0] for each in found[:2]] == [-1.0, -3.0]
    assert "tangent_kernel" not in found[2].readings


def test_the_table_of_networks_says_readings_in_their_own_sense(found):
    table = networks_table(found.networks, WRITTEN)
    assert list(table["arm"]) == [each.arm for each in found.networks]
    assert table["left"].sum() == found.left
    shown = table["hidden_gradient, at the first step"].to_numpy()
    np.testing.assert_array_equal(shown, [-each.readings["hidden_gradient"][0] for each in found.networks])
    assert {"kind", "base", "optimizer", "structure", "score, at 10%"} <= set(table)
    said = table.groupby(["word", "rescales"])["left"].agg(["sum", "size"])
    assert {key: tuple(row) for key, row in said.iterrows()} == {
        (each.word, each.rescales): (each.left, each.networks) for each in found.said
    }
    assert set(networks_table(found.networks, {})["word"]) == {None}


def test_a_rule_is_tried_when_the_verdict_tries_it(found):
    """The first rule that holds is the word of `judge`, with its limits; where all is well there is none."""
    draw = np.random.default_rng(0)
    words = set()
    for number in range(300):
        ratio, shared, flat = float(10 ** draw.uniform(-6, 4)), float(draw.uniform(0, 0.3)), float(draw.uniform(0.7, 1))
        coded, optimizer = bool(number % 2), ("sgd", "adam")[number // 2 % 2]
        one = found.networks[0]._replace(
            ratio=ratio, shared=shared, flat=flat, coded=coded, rescales=optimizer == "adam"
        )
        code = Code(0.0, 0, 0.5) if coded else None
        word = judge(ratio, shared, flat, code, rescales=optimizer == "adam").word
        assert word_of(one, WRITTEN) == {"healthy": NO_WORD, "collapsed": NO_WORD}.get(word, word)
        words.add(word)
    assert words == {*LIMITS, "healthy", "collapsed"}
