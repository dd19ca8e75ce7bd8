import contextlib
import itertools
from pathlib import Path

import optax
import pytest

from bench.language.arms import parse_arms
from bench.language.errors import InputError
from bench.planning.catalogue import load_catalogue
from bench.planning.compose import build_workload, compose, conflicts, family
from bench.plugins.remedy import NotApplicable
from vae_jax.recipe.configured import configure

CATALOGUE = load_catalogue()
WORKLOAD = build_workload(CATALOGUE, "digits-dense")[1]


def recipe(text, workload=WORKLOAD):
    (arm,) = parse_arms(text, tuple(workload.bases))
    return compose(CATALOGUE, workload, arm)


def test_the_trainable_base_is_its_remedies_on_the_baseline():
    assert recipe("trainable") == recipe("tanh+orthogonal+adam") == recipe("adam+orthogonal+tanh")


def test_the_bases_value_is_replaced():
    assert recipe("trainable+relu") == recipe("relu+orthogonal+adam")


def test_transforms_chain_in_the_written_order():
    chained = recipe("clip_by_global_norm[max_norm=1]+clip_by_global_norm[max_norm=5]")
    assert chained.gradient_transforms == tuple(
        configure(optax.clip_by_global_norm, max_norm=norm) for norm in (1.0, 5.0)
    )


def test_schedules_multiply_in_any_order():
    assert recipe("cosine_decay+learning_rate_warmup") == recipe("learning_rate_warmup+cosine_decay")
    assert len(recipe("beta+kl_warmup").kl_schedules) == 2


def test_two_values_for_one_slot_conflict_also_where_the_base_has_one_of_them():
    for text in (
        "tanh+relu",
        "trainable+tanh+relu",
        "adam+momentum",
        "rezero[alpha=0]+rezero[alpha=1]",
        "selu+he_normal",
    ):
        with pytest.raises(InputError, match="put different values into the slot"):
            recipe(text)
    # The same value twice is no conflict.
    assert recipe("tanh+tanh") == recipe("tanh")


def test_two_values_conflict_also_where_one_of_them_is_that_of_every_base():
    # Both bases of the digits have a plain cell, and all bases of `remember` have Adam and tanh.
    remember = build_workload(CATALOGUE, "remember")[1]
    for text, workload in (("gru+irnn", WORKLOAD), ("adam+rmsprop", remember), ("elu+tanh", remember)):
        first, second = text.split("+")
        for order in (f"{first}+{second}", f"{second}+{first}"):
            with pytest.raises(InputError, match="put different values into the slot"):
                recipe(order, workload)


@pytest.mark.long
def test_no_pair_of_remedies_composes_to_another_recipe_in_the_other_order():
    for name in ("digits-dense", "remember"):
        workload = build_workload(CATALOGUE, name)[1]
        for pair in itertools.combinations(sorted(CATALOGUE.remedies), 2):
            described = []
            for text in ("+".join(pair), "+".join(reversed(pair))):
                with contextlib.suppress(InputError, NotApplicable):
                    one = recipe(text, workload).describe()
                    # Transforms and wrappers act in the order in which they are written.
                    for slot in ("gradient_transforms", "optimizer_wrappers"):
                        one[slot].sort(key=repr)
                    described.append(one)
            assert len(described) < 2 or described[0] == described[1], pair


def test_remedies_that_do_not_go_together_are_not_applicable_and_count_as_such():
    with pytest.raises(NotApplicable, match="let lookahead come after it"):
        recipe("lookahead+fixup")
    assert len(recipe("fixup+lookahead").optimizer_wrappers) == 2
    changing = ["aggressive_encoder", "decoupled_decay", "fixup", "max_norm", "reduce_on_plateau"]
    assert sorted(conflicts(CATALOGUE, WORKLOAD, "schedule_free", "baseline")[""]) == changing
    assert conflicts(CATALOGUE, WORKLOAD, "sophia", "baseline")[""] == ["aggressive_encoder"]
    # In the other order these two go together.
    assert "" not in conflicts(CATALOGUE, WORKLOAD, "lookahead", "baseline")


def test_what_another_remedy_does_wrong_is_not_this_ones_fault():
    broken = Path(__file__).parents[1] / "broken" / "wrong_return.py"
    catalogue = load_catalogue([str(broken)])
    (name,) = catalogue.from_plugins
    assert conflicts(catalogue, WORKLOAD, "gelu", "baseline") == conflicts(CATALOGUE, WORKLOAD, "gelu", "baseline")
    with pytest.raises(InputError, match="returned NoneType"):
        conflicts(catalogue, WORKLOAD, name, "baseline")


def test_families_are_joined():
    (arm,) = parse_arms("relu+rezero+adam", tuple(WORKLOAD.bases))
    assert family(CATALOGUE, arm) == "activation+residual+optimizer"
    (arm,) = parse_arms("baseline", tuple(WORKLOAD.bases))
    assert family(CATALOGUE, arm) == "base"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("geluu", "unknown remedy 'geluu': did you mean 'gelu'?"),
        ("rezero[alpa=1]", "did you mean 'alpha'?"),
        ("rezero[alpha=high]", "must be of type float, got 'high'"),
        ("clip_by_global_norm[max_norm=true]", "must be of type float, got True"),
        ("clip_by_global_norm[max_norm=-1]", "max_norm must be above 0, got -1"),
        ("cyclical_annealing[cycles=1.5]", "must be of type int, got 1.5"),
        ("kl_warmup[fraction=2]", "fraction must lie in (0, 1], got 2"),
    ],
)
def test_bad_remedies_are_said_in_a_sentence(text, said):
    with pytest.raises(InputError) as caught:
        recipe(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("digit-dense", "did you mean 'digits-dense'?"),
        ("digits-dense[depth=0]", "depth must be at least 1, got 0"),
        ("digits-dense[depht=4]", "did you mean 'depth'?"),
        ("digits-dense[depth=4.5]", "must be of type int"),
        ("digits-dense[steps=0]", "at least 1"),
        ("digits-dense[depth=[1,2]]", "is a sweep of 2"),
    ],
)
def test_bad_workloads_are_said_in_a_sentence(text, said):
    with pytest.raises(InputError) as caught:
        build_workload(CATALOGUE, text)
    assert said in str(caught.value)


def test_a_workload_takes_parameters():
    text, workload = build_workload(CATALOGUE, " digits-dense[depth=16, width=128] ")
    assert text == "digits-dense[depth=16,width=128]"
    assert (workload.architecture.depth, workload.architecture.width) == (16, 128)
