"""Whatever a person types: an arm, or a sentence; never a traceback, never another arm."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.arm import parse_arms
from bench.catalogue import load_catalogue
from bench.compose import build_workload, compose
from bench.errors import InputError

BASES = ("baseline", "trainable")
CATALOGUE = load_catalogue()
WORKLOAD = build_workload(CATALOGUE, "digits-dense")[1]

# Texts near the grammar: its own letters and names, in any order.
PIECES = st.sampled_from(
    [*"[]=,+ .-_01e", "gelu", "tanh", "rezero", "alpha", "baseline", "trainable", "adam", "nats", "free_bits", "true",
     "null", "NaN", "1e999", "-1", "0.5", "\u03b2", "\n", '"', "{}"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=30)

NAMES = st.sampled_from(sorted(CATALOGUE.remedies))
ARMS = st.builds(
    lambda base, names: "+".join([*base, *names]),
    st.sampled_from([(), ("baseline",), ("trainable",)]),
    st.lists(NAMES, min_size=1, max_size=4),
)


@settings(max_examples=3000, deadline=None)
@example("[" * 2000)
@example("a[x=" + "[" * 5000 + "1" + "]" * 5000 + "]")
@given(TEXTS)
def test_any_text_is_arms_or_a_sentence(text):
    try:
        arms = parse_arms(text, BASES)
    except InputError as error:
        assert str(error)
        return
    # What was understood says so: its own text means the same arm.
    for arm in arms:
        assert parse_arms(str(arm), BASES) == [arm]


@settings(max_examples=500, deadline=None)
@given(ARMS)
def test_any_remedies_compose_or_conflict_and_their_order_does_not_matter(text):
    (arm,) = parse_arms(text, BASES)
    turned = type(arm)(arm.base, tuple(reversed(arm.remedies)), arm.default_base)
    outcomes = []
    for each in (arm, turned):
        try:
            outcomes.append(compose(CATALOGUE, WORKLOAD, each).describe())
        except InputError as error:
            assert "different values into the slot" in str(error)
            outcomes.append(None)
    if not any(term.name == "clip_by_global_norm" for term in arm.remedies):
        assert outcomes[0] == outcomes[1]
