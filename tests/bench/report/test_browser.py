"""The page in a browser: it sorts and filters, asks for nothing, and has nothing to complain about."""

import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.report.plots import PLOTS
from bench.report.publish import publish
from bench.results.stored.store import Store
from tests.bench.fake_store import build, read

ARMS = ["baseline", "tanh", "pre_activation_residual", "clip_by_global_norm", "beta[weight=1.0]", "momentum"]
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed: apt-get install chromium")

# What a person does, and what is then seen: told in the page's title, which the browser prints.
_ACTIONS = """
<script>
const arms = (body) => [...body.rows].filter((row) => !row.hidden).map((row) => row.cells[0].textContent);
const seen = () => [...document.querySelectorAll("tbody.arms")].map(arms);
const heads = [...document.querySelectorAll(".summary thead button")];
const head = (title) => heads.find((button) => button.textContent.startsWith(title));
const told = {first: seen()};
head("slowdown").click(); told.slowdown = seen(); told.sort = head("slowdown").closest("th").ariaSort;
head("slowdown").click(); told.down = seen();
head("arm").click(); told.arm = seen();
const word = document.querySelector("select[data-column=word]");
word.value = "better"; word.dispatchEvent(new Event("change", {bubbles: true}));
told.better = seen(); told.count = document.querySelector("form.filters output").textContent;
told.requests = performance.getEntriesByType("resource").length;
told.wide = document.documentElement.scrollWidth - innerWidth;
told.width = innerWidth;
document.title = JSON.stringify(told);
</script></body>"""

# No window is narrower than 500 pixels, but a frame is.
_FRAME = """<title></title><iframe style="width: {width}px; height: 900px; border: 0" srcdoc="{page}"
onload="document.title = this.contentDocument.title"></iframe>"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A run one arm of which is a control."""
    store = build(tmp_path_factory.mktemp("store"), ARMS, seeds=5, steps=100, depth=1)
    plan = store.read_plan()
    cells = tuple(replace(cell, control=cell.arm == "momentum") for cell in plan.cells)
    store.write_plan(replace(plan, cells=cells))
    assert publish(read(store), PLOTS) == []
    return store


@pytest.fixture(scope="module", params=[1280, 400])
def seen(request: pytest.FixtureRequest, store: Store, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    """What is seen on a screen of so many pixels, and what the browser complained about."""
    page = (store.directory / "report.html").read_text().replace("</body>", _ACTIONS)
    told, complaints = told_by_browser(page, request.param, tmp_path_factory.mktemp("page"))
    assert told["width"] == request.param
    return told, complaints


def told_by_browser(page: str, width: int, folder: Path) -> tuple[Any, str]:
    assert BROWSER is not None
    file = folder / "page.html"
    file.write_text(_FRAME.format(width=width, page=html.escape(page)))
    options = (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom",
        f"--user-data-dir={folder / 'home'}", "--host-resolver-rules=MAP * ~NOTFOUND",
    )  # fmt: skip
    done = subprocess.run(
        [BROWSER, *options, file.as_uri()], capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title is not None
    told = json.loads(html.unescape(title[1]))
    return told, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def test_a_page_asks_for_nothing_and_complains_of_nothing(seen: tuple[Any, str]) -> None:
    told, complaints = seen
    assert complaints == ""
    assert told["requests"] == 0
    # At most the table scrolls sideways, never the page.
    assert told["wide"] <= 0


def test_what_is_complained_of_would_be_seen(tmp_path: Path) -> None:
    page = "<title>{}</title><script>console.error('heard')</script>"
    assert "heard" in told_by_browser(page, 400, tmp_path)[1]


def test_arms_are_sorted_and_filtered(seen: tuple[Any, str], store: Store) -> None:
    told, _ = seen
    summary = read(store).summary
    ranked = summary.loc[summary["arm"] != "momentum"]
    first, apart = told["first"]
    assert apart == ["momentum"]
    assert set(first) == set(ranked["arm"])
    cost = ranked.set_index("arm")["slowdown"].dropna()
    up, down = told["slowdown"][0], told["down"][0]
    assert told["sort"] == "ascending"
    assert [cost[arm] for arm in up[: len(cost)]] == sorted(cost)
    assert [cost[arm] for arm in down[: len(cost)]] == sorted(cost, reverse=True)
    # What has no figure is last either way.
    assert set(up[len(cost) :]) == set(down[len(cost) :]) == set(ranked["arm"]) - set(cost.index) != set()
    assert told["arm"][0] == sorted(ranked["arm"])
    better = set(ranked.loc[ranked["word"] == "better", "arm"])
    assert better
    assert set(told["better"][0]) == better
    assert told["better"][1] == []
    assert told["count"] == f"{len(better)} of {len(summary)} arms"
