import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from bench.report.conclusions import conclusions
from bench.report.plots import PLOTS
from bench.report.publish import publish
from bench.results.store import Store
from tests.bench.fake_store import WORKLOAD, build, read, without_code

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


def said(store: Store, rows: pd.DataFrame | None = None) -> list[str]:
    results = read(store)
    return conclusions(results.summary if rows is None else rows, results.plan.workloads[WORKLOAD])


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


def test_conclusions_counts_what_left_the_plateau(store: Store) -> None:
    first, best, absent = said(store)
    assert first.startswith(
        "1 of 2 arms with an interval left the plateau of 27.21 nats: with the whole 95% interval over 3"
    )
    assert first.endswith(" seeds -ELBO lies more than 0.2 nats below the plateau.")
    assert best.startswith("The lowest mean -ELBO is that of tanh: 24.")
    assert best.endswith("no other arm's interval reaches that one.")
    assert absent == "Without a mean: 1 diverged, 1 missing, 1 not applicable, 1 failed."


def test_conclusions_leaves_an_open_order_open(tmp_path: Path) -> None:
    store = build(tmp_path, ["baseline", "tanh", "selu"], seeds=3, steps=50, depth=1)
    rows = read(store).summary
    rows.loc[rows["arm"] == "tanh", ["score", "score_low", "score_high"]] = (23.9, 23.6, 24.2)
    assert "overlaps with that of tanh, so the order among them is open" in said(store, rows)[1]


def test_conclusions_ranks_no_arm_that_needs_no_code(tmp_path: Path) -> None:
    store = build(tmp_path, ["baseline", "tanh", "selu"], seeds=3, steps=50, depth=1)
    without_code(store, "selu")
    left, past, best = said(store)
    assert left.startswith("1 of 2 arms")
    assert past.startswith("Not counted and not ranked: selu, below the plateau without a code")
    assert best.startswith("The lowest mean -ELBO is that of tanh")


def test_only_arms_that_need_no_code_leave_a_conclusion(tmp_path: Path) -> None:
    # One seed: no interval.
    store = build(tmp_path, ["selu"], seeds=1, steps=50, depth=1)
    without_code(store, "selu")
    (past,) = said(store)
    assert past.startswith("Not counted and not ranked: selu")


def test_one_seed_claims_nothing(tmp_path: Path) -> None:
    store = build(tmp_path, ["baseline", "tanh"], seeds=1, steps=50, depth=1)
    sentences = said(store)
    assert sentences[0].startswith("No arm has an interval yet")
    assert sentences[1].endswith("nats, from one seed.")
    assert "n&nbsp;=&nbsp;1</b> seed after" in published(store)


def test_page_of_a_store_without_cells(tmp_path: Path) -> None:
    store = build(tmp_path, ["clip_by_global_norm", "beta[weight=1.0]"], seeds=2)
    text = published(store)
    assert "<svg" not in text
    assert "0 of 2 cells" not in Page(text).text.split("How it was measured")[0]
