"""Whatever a person types, and whatever befalls a store: never a traceback, never a wrong cell."""

import tempfile
from dataclasses import replace

import pandas as pd
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bench.language.arms import parse_arms
from bench.language.errors import InputError
from bench.planning.catalogue import load_catalogue
from bench.planning.compose import build_workload, compose
from bench.planning.plan import make_plan
from bench.plugins.remedy import NotApplicable
from bench.results.stored.store import CURVE_COLUMNS, Store
from tests.bench.results.stored.test_store import RECORD

BASES = ("baseline", "trainable")
CATALOGUE = load_catalogue()
WORKLOADS = {name: build_workload(CATALOGUE, name)[1] for name in ("digits-dense", "remember")}
WORKLOAD = WORKLOADS["digits-dense"]

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


@settings(max_examples=4500, deadline=None)
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
@given(ARMS, st.sampled_from(sorted(WORKLOADS)))
@example("gru+irnn", "digits-dense")
def test_any_remedies_compose_or_conflict_and_their_order_does_not_matter_but_around_lookahead(text, workload):
    (arm,) = parse_arms(text, BASES)
    turned = type(arm)(arm.base, tuple(reversed(arm.remedies)), arm.default_base)
    outcomes = []
    for each in (arm, turned):
        try:
            outcomes.append(compose(CATALOGUE, WORKLOADS[workload], each).describe())
        except NotApplicable as error:
            assert str(error)
            outcomes.append(None)
        except InputError as error:
            assert "different values into the slot" in str(error)
            outcomes.append(None)
            continue
        # Transforms and wrappers act in the order in which they are written.
        for slot in ("gradient_transforms", "optimizer_wrappers") if outcomes[-1] else ():
            outcomes[-1][slot].sort(key=repr)
    # Some may only stand inside lookahead, which is then refused in one of the orders.
    assert outcomes[0] == outcomes[1] or (None in outcomes and "lookahead" in text)


def options(numbers):
    return st.fixed_dictionaries(
        {},
        optional={
            "steps": numbers,
            "seeds": numbers,
            "workload": st.sampled_from(
                ["digits-dense", "digits-dense[depth=2]", "digits-dense[depth=0]", "digits-dense[width=16,depth=3]",
                 "digits-dense[steps=70]", "digits-dense[depth=[2,3]]", "digits-dens", "digits-dense[depth=true]", ""]
            ),
        },
    )  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(ARMS, min_size=1, max_size=4).map(",".join) | TEXTS, options(st.integers(-2, 10**9)))
def test_whatever_is_asked_is_a_plan_or_a_sentence(arms, asked):
    try:
        plan = make_plan(CATALOGUE, suite="smoke", arms=arms, **asked)
    except InputError as error:
        assert len(str(error).splitlines()) <= 8
        return
    # No cell twice, and every cell by its own name is the same cell.
    assert len({(cell.identity, cell.arm) for cell in plan.cells}) == len(plan.cells)
    assert len({cell.identity for cell in plan.planned}) == len(plan.planned)
    for cell in plan.planned:
        (again,) = make_plan(CATALOGUE, suite="smoke", arms=cell.arm, **asked).cells
        assert again.identity == cell.identity
        assert again.reason == cell.reason


IDENTITIES = [f"{question}-{sources}" for question in ("a", "b") for sources in ("0", "1")]


class StoreMachine(RuleBasedStateMachine):
    """Any sequence of writes, damage and repair: what is read is what was last written whole, or nothing."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = Store(self.folder.name)
        self.store.require_writable()
        self.expected = {}

    @rule(identity=st.sampled_from(IDENTITIES), value=st.floats(width=32, allow_nan=False))
    def write(self, identity, value):
        row = dict.fromkeys(CURVE_COLUMNS, "") | {
            "seed": 1,
            "step": 2,
            "layer": -1,
            "learning_rate": 0.1,
            "value": value,
        }
        self.store.write(replace(RECORD, identity=identity), pd.DataFrame([row]))
        self.expected[identity] = value

    @rule(
        identity=st.sampled_from(IDENTITIES), ending=st.sampled_from(["json", "parquet"]), data=st.binary(max_size=60)
    )
    def damage(self, identity, ending, data):
        path = self.store.cells / f"{identity}.{ending}"
        path.write_bytes(data)
        self.expected.pop(identity, None)

    @rule(identity=st.sampled_from(IDENTITIES), data=st.data())
    def flip_a_bit(self, identity, data):
        path = self.store.cells / f"{identity}.parquet"
        # Of a whole record only: the same bit a second time would mend it.
        if identity in self.expected:
            content = bytearray(path.read_bytes())
            place = data.draw(st.integers(0, len(content) - 1))
            content[place] ^= 1 << data.draw(st.integers(0, 7))
            path.write_bytes(bytes(content))
            self.expected.pop(identity, None)

    @rule(identity=st.sampled_from(IDENTITIES), ending=st.sampled_from(["json", "parquet"]))
    def lose(self, identity, ending):
        (self.store.cells / f"{identity}.{ending}").unlink(missing_ok=True)
        self.expected.pop(identity, None)

    @rule(stored=st.sampled_from(IDENTITIES), identity=st.sampled_from(IDENTITIES))
    def adopt(self, stored, identity):
        if stored in self.expected:
            assert self.store.adopt(stored, identity, {}).identity == identity
            self.expected[identity] = self.expected[stored]

    @invariant()
    def what_is_read_is_what_was_written(self):
        for identity in IDENTITIES:
            assert (self.store.read(identity) is not None) == (identity in self.expected)
            if identity in self.expected:
                (value,) = self.store.load(identity).curves()["value"]
                assert value == self.expected[identity]

    def teardown(self):
        self.folder.cleanup()


StoreMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestStore = StoreMachine.TestCase
