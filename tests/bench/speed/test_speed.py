import numpy as np
import pandas as pd
import pytest

from bench.speed.outcome import COLUMNS, completed, shown, write_outcome


def row(group, **about):
    figures = {
        "unit": "ratio",
        "value": 2.0,
        "low": 1.9,
        "high": 2.1,
        "over_seconds": 0.4,
        "under_seconds": 0.2,
        "rounds": 3,
    }
    return {"group": group, "question": f"a {group}", **figures, **about}


ROWS = [
    row("step", steps=100, goal_at_least=6.0),
    row("step", steps=100, goal_at_most=1.6),
    row("suite", rounds=1),
    row("shape", steps=25, depth=8, width=64, compile_seconds=5.0),
    row("lanes", steps=25, lanes=4),
    row("scan", depth=64, width=64),
    row("cold", unit="s", value=123.4, goal_at_most=200.0),
]


def test_the_table_has_every_column_with_its_unit():
    table = completed(pd.DataFrame(ROWS))
    assert tuple(table.columns) == COLUMNS
    assert table["over_milliseconds_per_step"].tolist()[:2] == pytest.approx([4.0, 4.0])
    assert np.isnan(table["over_milliseconds_per_step"].iloc[2])


def test_the_short_table_says_goal_and_spread():
    ratios, costs = shown(pd.DataFrame(ROWS)).split("\n\n")
    lines = ratios.splitlines()[2:]
    assert "2.00 [1.90, 2.10]" in lines[0]
    assert "at least 6" in lines[0]
    assert "at most 1.6" in lines[1]
    # One round has no spread.
    assert "[" not in lines[2]
    assert "123 s [1.9, 2.1]" in costs
    assert "at most 200" in costs


@pytest.mark.parametrize("rows", [ROWS, *([row] for row in ROWS)], ids=lambda rows: rows[0]["group"] + str(len(rows)))
def test_any_part_of_the_table_is_drawn(tmp_path, rows):
    write_outcome(pd.DataFrame(rows), {"cores": 2}, tmp_path / "speed")
    written = {path.name for path in (tmp_path / "speed").iterdir()}
    assert written == {"speed.csv", "speed.md", "speed.svg", "speed.png", "machine.json"}
