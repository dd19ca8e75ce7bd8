"""Sentences: where the posterior collapses and what lifts it, what the grammar says, and which remedies there are."""

import math
from typing import Any

import numpy as np
import pytest

from bench.data.sets.agreement import AGREEMENT
from bench.language.errors import InputError
from bench.planning.catalogue import load_catalogue
from bench.planning.compose import build_workload
from bench.planning.plan import Plan, make_plan
from bench.plugins.remedy import FAMILIES
from bench.results.judging.left import figures, has_left
from bench.results.judging.score import NEGATIVE_LOG_LIKELIHOOD
from bench.training.cell import run_cell
from tests.bench.data.real_data import needs_files
from vae_jax.models.sequence import LanguageModelArchitecture, SequenceAutoencoderArchitecture

CATALOGUE = load_catalogue()
SMALL = "width=32,embedding=16"


def workload(text) -> Any:
    return build_workload(CATALOGUE, text)[1]


def ran(text, arms, steps) -> tuple[Plan, dict[str, Any]]:
    """The one training of each arm on a fresh seed."""
    plan = make_plan(CATALOGUE, suite="smoke", workload=text, arms=arms, seeds=1, rates=1, steps=steps)
    found = {}
    for cell in plan.planned:
        outcome: Any = run_cell(plan.job(cell), lambda: None)
        assert outcome.record.status == "ok", outcome.record.traceback
        found[cell.arm] = outcome.record.trainings[0], outcome.curves
    return plan, found


@pytest.fixture(scope="module")
def trained():
    return ran(f"text-lstm[{SMALL}]", "baseline,trainable", 300)


def left(plan, training):
    workload = plan.loaded.workload
    return has_left(workload.score, workload.left, plan.loaded.plateau, figures(training))


@pytest.mark.long
def test_the_baseline_does_without_z_and_the_trainable_base_does_not(trained):
    plan, found = trained
    (stuck, _), (learnt, _) = found["baseline"], found["trainable"]
    assert (stuck.verdict, learnt.verdict) == ("collapsed", "healthy")
    assert stuck.shuffled - stuck.reconstruction < 0.2
    assert stuck.kl_nats < 0.1
    assert stuck.active_units == 0
    assert learnt.shuffled - learnt.reconstruction > 1
    assert learnt.kl_nats > 1
    assert learnt.accuracy > stuck.accuracy
    assert (left(plan, stuck), left(plan, learnt)) == (False, True)
    # The score does not tell: no -ELBO is below the entropy.
    assert min(stuck.score, learnt.score) > plan.loaded.plateau


@pytest.mark.long
def test_what_the_rule_needs_is_recorded_at_every_validation(trained):
    _, found = trained
    for _, curves in found.values():
        own = curves[(curves.split == "validation") & (curves.phase == "reporting")]
        for name in ("score", "reconstruction", "kl_nats", "shuffled", "accuracy"):
            assert own[own.instrument == name].step.tolist() == [100, 200, 300]
            assert np.isfinite(own[own.instrument == name].value).all()


@pytest.mark.long
def test_every_step_of_either_tower_is_read(trained):
    _, found = trained
    curves = found["baseline"][1]
    own = curves[(curves.instrument == "hidden_gradient") & (curves.phase == "reporting")]
    assert own.groupby("tower").layer.nunique().to_dict() == {"decoder": 12, "encoder": 12}
    # The longest sentences are seldom: of the last steps alone there may be no reading.
    assert np.isfinite(own[(own.tower == "encoder") | (own.layer < 10)].value).all()


@pytest.mark.long
def test_a_model_that_learns_knows_the_grammars_probabilities_and_the_collapsed_one_is_told_from_it():
    plan, found = ran("text-lstm[data=agreement-large]", "baseline,trainable+cosine_decay", 3000)
    (stuck, _), (learnt, _) = found["baseline"], found["trainable+cosine_decay"]
    data = plan.loaded.dataset
    own = [-AGREEMENT.log_probability(each) for each in data.vocabulary.decode(data.test["tokens"])]
    assert plan.loaded.plateau == pytest.approx(np.mean(own), rel=1e-12)
    # The entropy, but for which sentences were drawn.
    assert abs(np.mean(own) - AGREEMENT.entropy) < 3 * np.std(own) / math.sqrt(len(own))
    assert learnt.importance_weighted == pytest.approx(np.mean(own), abs=0.1)
    assert (stuck.verdict, learnt.verdict) == ("collapsed", "healthy")
    assert (left(plan, stuck), left(plan, learnt)) == (False, True)


@pytest.mark.parametrize(("model", "kind"), [("autoencoder", SequenceAutoencoderArchitecture),
                                             ("language-model", LanguageModelArchitecture)])  # fmt: skip
def test_beside_it_stand_a_code_that_is_free_and_no_code_at_all(model, kind):
    plan, found = ran(
        f"text-lstm[{SMALL},model={model}]", "baseline,baseline+free_bits,baseline+kl_warmup,baseline+soft_clamp", 100
    )
    assert type(plan.loaded.workload.architecture) is kind
    (training, _) = found["baseline"]
    assert (training.kl_nats, training.active_units, training.importance_weighted) == (None, None, None)
    assert (training.shuffled is None) == (model == "language-model")
    if model == "autoencoder":
        assert training.shuffled - training.reconstruction > 3
    else:
        assert plan.loaded.workload.score == NEGATIVE_LOG_LIKELIHOOD
        assert training.score > plan.loaded.plateau
    # What acts on a KL term has none here, and its row says so.
    for cell in plan.cells[1:]:
        assert cell.status == "not applicable"
        assert "which no training of 'baseline'" in cell.reason


def test_the_plateau_is_the_grammars_own_or_what_pairs_of_tokens_cost():
    built = workload("text-lstm[length=6]")
    data = built.data()
    sentences = data.vocabulary.decode(data.test["tokens"])
    assert max(map(len, sentences)) == 6
    whole = math.fsum(
        math.exp(AGREEMENT.log_probability(each)) for each, _ in AGREEMENT.derivations() if len(each) <= 6
    )
    expected = -np.mean([AGREEMENT.log_probability(each) - math.log(whole) for each in sentences])
    assert built.plateau(data, data.test) == pytest.approx(expected, rel=1e-9)
    # The same sentences in other tokens.
    by_words, by_characters = (workload(f"text-lstm[tokens={tokens}]") for tokens in ("words", "characters"))
    one, other = by_words.data(), by_characters.data()
    assert by_words.plateau(one, one.test) == pytest.approx(by_characters.plateau(other, other.test), rel=1e-12)
    # Where some words are one symbol, nobody knows their probability.
    rare = workload("text-lstm[at_least=400]")
    assert rare.plateau(rare.data(), rare.data().test) != pytest.approx(by_words.plateau(one, one.test), abs=0.1)


def test_every_remedy_is_planned_or_says_in_a_sentence_why_not():
    plan = make_plan(CATALOGUE, suite="smoke", workload="text-lstm", arms="baseline+*", seeds=1, rates=1, steps=4)
    assert len(plan.cells) == len(CATALOGUE.remedies)
    idle = {cell.arm: cell.reason for cell in plan.cells if cell.status != "planned"}
    assert {cell.status for cell in plan.cells} == {"planned", "not applicable"}
    assert all(len(reason.split()) > 5 for reason in idle.values())
    families = {cell.family for cell in plan.planned}
    # Blocks are what the family is about, and a recurrence has none.
    assert families == set(FAMILIES) - {"residual"}
    for name in ("batch_norm", "lsuv", "data_dependent"):
        assert "they are padding, which is no data" in idle[name]
    for name in ("kl_warmup", "free_bits", "dropout", "zoneout", "gru", "layer_norm", "aggressive_encoder", "bn_vae"):
        assert name not in idle


@pytest.mark.long
def test_one_remedy_of_each_family_trains():
    arms = "gelu,layer_norm,he_normal,muon,centralisation,warm_restarts,dropout,aggressive_encoder,bn_vae,gru,bfloat16"
    plan, found = ran("text-lstm[length=6,width=16,depth=2,batch=32]", arms, 4)
    assert {cell.family for cell in plan.planned} == set(FAMILIES) - {"residual"}
    for arm, (training, _) in found.items():
        assert math.isfinite(training.score), arm


@needs_files
@pytest.mark.parametrize(("text", "symbols", "rows", "plateau"), [
    ("data=tang-poems,length=7,at_least=3", 2825, 8, 40), ("data=tiny-shakespeare,examples=2000", 60, 60, 90),
    ("data=penn-treebank,length=20,at_least=50", 710, 21, 60), ("data=lagging-synthetic", 1002, 11, 60),
])  # fmt: skip
def test_real_text_is_read_and_pairs_of_tokens_say_what_it_costs(text, symbols, rows, plateau):
    built = workload(f"text-lstm[{text}]")
    data = built.data()
    assert data.train["tokens"].shape[1] == built.architecture.length
    assert len(data.mean) == built.architecture.symbols == pytest.approx(symbols, rel=0.3)
    assert built.architecture.length == pytest.approx(rows, rel=0.3)
    found = built.plateau(data, data.test)
    assert found == pytest.approx(plateau, rel=0.5)
    # Single tokens alone cost no less.
    entropy = -math.fsum(share * math.log(share) for share in data.mean.tolist() if share)
    assert found < entropy * data.tokens * 1.05


@pytest.mark.parametrize(("text", "said"), [
    ("text-lstm[data=mnist]", "data 'mnist' holds images, and this workload is of text"),
    ("text-lstm[model=gan]", "model must be one of vae, autoencoder, language-model, got 'gan'"),
    ("text-lstm[z_enters=nowhere]", "z_enters must be one of state, inputs, both, got 'nowhere'"),
    ("text-lstm[word_dropout=2.0]", "word_dropout must lie in"),
    ("text-lstm[depth=0]", "depth must be at least 1, got 0"),
])  # fmt: skip
def test_what_is_not_there_is_said_in_a_sentence(text, said):
    with pytest.raises(InputError, match=said):
        workload(text)
