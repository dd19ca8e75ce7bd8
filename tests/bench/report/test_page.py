import html
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bench.report.conclusions import conclusions, drawn_otherwise
from bench.report.drawing import draw
from bench.report.page import fitting
from bench.report.plots import PLOTS
from bench.report.publish import publish
from bench.results.stored.store import Store
from bench.results.tables import readable
from tests.bench.fake_store import build, read, without_code

ARMS = ["baseline", "tanh", "pre_activation_residual", "clip_by_global_norm", "beta[weight=1.0]", "free_bits"]


class Page(HTMLParser):
    """Every tag with its attributes, and all text."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "p", "li", "dd"):
            self.text += " "


def published(store: Store) -> str:
    assert publish(read(store), PLOTS) == []
    return (store.directory / "report.html").read_text()


def said(store: Store) -> list[str]:
    return conclusions(read(store))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return build(tmp_path_factory.mktemp("store"), ARMS, seeds=3, steps=200, depth=2)


@pytest.fixture(scope="module")
def source(store: Store) -> str:
    return published(store)


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_page_asks_no_host_for_anything(source: str, page: Page) -> None:
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            if name in ("src", "href", "xlink:href", "srcset", "action", "poster", "data"):
                assert (value or "").startswith(("#", "data:")), (tag, name, value)
    assert not re.findall(r"url\((?!#)", source)
    assert "@import" not in source
    assert "<link" not in source
    # What is left of addresses are names of namespaces, which nobody fetches.
    assert set(re.findall(r'(\S+)="https?://', source)) <= {"xmlns", "xmlns:xlink"}
    assert len(re.findall(r"https?://", source)) == len(re.findall(r'xmlns(?::xlink)?="http', source))


def test_ids_are_unique_and_references_are_there(source: str, page: Page) -> None:
    ids = Counter(attributes["id"] for _, attributes in page.tags if "id" in attributes)
    assert [name for name, count in ids.items() if count > 1] == []
    references = {value[1:] for _, tag in page.tags for name, value in tag.items()
                  if name in ("href", "xlink:href") and value and value.startswith("#")}  # fmt: skip
    references |= set(re.findall(r"url\(#([^)]+)\)", source))
    assert references
    assert references <= set(ids)


def test_what_scrolls_is_reached_by_keyboard_and_has_a_name(page: Page) -> None:
    scrolling = [attributes for _, attributes in page.tags if "scroll" in (attributes.get("class") or "").split()]
    assert len(scrolling) > 3
    for attributes in scrolling:
        assert attributes.get("tabindex") == "0"
        assert attributes.get("role") in ("group", "region")
        assert attributes.get("aria-label")


def test_figures_do_not_style_the_page(page: Page) -> None:
    assert sum(tag == "style" for tag, _ in page.tags) == 1
    assert sum(tag == "svg" for tag, _ in page.tags) >= 7


def test_page_tells_what_was_asked_for(source: str, page: Page) -> None:
    assert "1 of 6 cells is missing" in page.text
    assert "tuning seed 0" in page.text
    assert "Example CPU at 2.5 GHz (cpu, 2 cores); jax 0.10.2" in page.text
    assert "commit 5b2d0ef5b2d0" in page.text
    assert "TypeError: unsupported operand <int> & 'str'" in page.text
    assert "&lt;int&gt; &amp; &#39;str&#39;" in source
    assert "Traceback (most recent call last)" in page.text
    assert "diverged at step 400" in page.text
    assert "changes nothing on this base" in page.text
    assert {"activation", "optimizer"} <= set(re.findall(r"<dt>(\w+)</dt>", source))
    assert "nan" not in re.findall(r"\bnan\b", page.text.lower())
    assert not re.search(r"\d\.\d{6,}", page.text)


def test_table_sorts_by_full_precision(store: Store, page: Page) -> None:
    keys = [attributes.get("data-key") for tag, attributes in page.tags if tag in ("td", "th")]
    rows = read(store).summary.set_index("arm")
    assert str(rows.loc["tanh", "score"]) in keys


def test_conclusions_begin_with_the_answer(store: Store) -> None:
    best, others, left, absent = said(store)
    assert re.fullmatch(
        r"The largest gain is that of tanh: 2\.\d\d \[2\.\d\d, 2\.\d\d\] nats below the plateau, which 3 of 3 seeds "
        r"left; beside baseline: better, screened\.",
        best,
    )
    assert others == (
        "By the same rule no other arm left the plateau in more than half of its seeds. A step takes 1.04 times as "
        "long as the baseline's."
    )
    assert left == (
        "All seeds of 1 of 4 arms, and some of 0 more, left the plateau of 27.21 nats: -ELBO lies more than 0.2 nats "
        "below the plateau."
    )
    assert absent == "Other than ok: 1 diverged, 1 missing, 1 not applicable, 1 failed."


def test_arms_that_are_not_told_apart_are_named_with_the_cheapest(tmp_path: Path) -> None:
    store = build(tmp_path, ["baseline", "tanh", "selu"], seeds=5, steps=50, depth=1)
    stored = store.load(next(cell.identity for cell in store.read_plan().cells if cell.arm == "selu"))
    # As good as tanh, seed by seed, but for luck that speaks for neither.
    other = next(row for row in read(store).rows if row.cell.arm == "tanh")
    luck = (0.3, -0.25, 0.2, -0.3, 0.1)
    again = tuple(
        replace(each, score=value + own) for each, value, own in
        zip(stored.record.trainings, other.scores.values(), luck, strict=True)
    )  # fmt: skip
    store.write(replace(stored.record, trainings=again), stored.curves())
    best, others, *_ = said(store)
    assert best.startswith("The largest gain is that of tanh")
    assert others == "It is not told apart from selu. A step takes 1.04 times as long as the baseline's."


def test_nothing_is_recommended_where_nothing_left(tmp_path: Path) -> None:
    store = build(tmp_path, ["baseline", "relu"], seeds=3, steps=50, depth=1)
    assert said(store)[0] == "None of 2 arms left the plateau in more than half of its seeds."


def test_conclusions_ranks_no_arm_that_needs_no_code(tmp_path: Path) -> None:
    store = build(tmp_path, ["baseline", "tanh", "selu"], seeds=3, steps=50, depth=1)
    without_code(store, "selu")
    best, _, left, past = said(store)
    assert best.startswith("The largest gain is that of tanh")
    assert left.startswith("All seeds of 1 of 2 arms")
    assert past.startswith("Not counted and not ranked: selu, below the plateau without a code")
    # Nor does it stand on top of the table.
    assert list(read(store).summary["arm"])[2] == "selu"
    assert list(readable(read(store))["arm"]) == ["tanh", "baseline", "selu"]


def test_a_control_is_not_recommended_and_stands_apart(tmp_path: Path) -> None:
    store = build(tmp_path, ["baseline", "tanh", "selu"], seeds=3, steps=50, depth=1)
    best = readable(read(store))["arm"].iloc[0]
    plan = store.read_plan()
    store.write_plan(replace(plan, cells=tuple(replace(cell, control=cell.arm == best) for cell in plan.cells)))
    sentences = said(store)
    assert not sentences[0].startswith(f"The largest gain is that of {best}:")
    assert f"Not ranked, being controls: {best}." in sentences
    table = readable(read(store))
    assert table["arm"].iloc[-1] == best
    assert table["word"].iloc[-1].endswith("a control")


def test_arms_that_begin_with_other_weights_are_named_with_the_slot(tmp_path: Path) -> None:
    store = build(tmp_path, ["baseline", "tanh", "selu"], seeds=2, steps=50, depth=1)
    assert drawn_otherwise(read(store)) == "All arms begin with the same initial weights."
    plan = store.read_plan()
    slots = {"tanh": ("block",), "selu": ("block", "kernel_init")}
    store.write_plan(replace(plan, cells=tuple(replace(cell, drawn_by=slots.get(cell.arm, ())) for cell in plan.cells)))
    told = drawn_otherwise(read(store))
    assert told.endswith("by the slot that they change: block (tanh, selu); kernel_init (selu).")
    assert told in re.sub(r"</?\w+>", "", html.unescape(published(store)))


def test_only_arms_that_need_no_code_leave_a_conclusion(tmp_path: Path) -> None:
    store = build(tmp_path, ["selu"], seeds=1, steps=50, depth=1)
    without_code(store, "selu")
    (past,) = said(store)
    assert past.startswith("Not counted and not ranked: selu")


def test_one_seed_claims_nothing(tmp_path: Path) -> None:
    store = build(tmp_path, ["baseline", "tanh"], seeds=1, steps=50, depth=1)
    assert said(store)[0].endswith("which 1 of 1 seeds left; beside baseline: too few seeds.")
    assert "n&nbsp;=&nbsp;1</b> seed after" in published(store)


def test_a_page_holds_as_many_figures_as_there_is_room_for(store: Store) -> None:
    drawn = draw(read(store), PLOTS)[0]
    sizes = {each.plot.name: sum(len(piece.encode()) for piece in each.pieces) for each in drawn}
    assert [each.left_out for each in fitting(drawn, sum(sizes.values()))] == [0] * len(drawn)
    few = fitting(drawn, sum(sizes.values()) // 2)
    assert [each.plot.name for each in few] == list(sizes)
    assert sum(len(piece.encode()) for each in few for piece in each.pieces) <= sum(sizes.values()) // 2
    assert any(each.left_out for each in few)
    assert all(not each.pieces for each in fitting(drawn, -1))


def test_page_of_a_store_without_cells(tmp_path: Path) -> None:
    store = build(tmp_path, ["clip_by_global_norm", "beta[weight=1.0]"], seeds=2)
    text = published(store)
    assert "<svg" not in text
    assert "0 of 2 cells" not in Page(text).text.split("How it was measured")[0]
