import json
import stat

import numpy as np
import pandas as pd
import pytest

import bench.results.store
from bench.language.errors import InputError
from bench.results.store import CURVE_COLUMNS, Store


def manifest(identity="a" * 64, arm="gelu"):
    return {"identity": identity, "arm": arm, "workload": "digits-dense", "status": "ok"}


def curves(value=1.5):
    row = dict(
        zip(CURVE_COLUMNS, ("digits-dense", "gelu", "tuning", "train", 0, 0.1, 5, "kl_nats", "", -1), strict=False)
    )
    return pd.DataFrame([row | {"value": value}, row | {"value": float("nan")}])


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "run")
    made.require_writable()
    return made


def test_what_is_written_is_read(store):
    store.write(manifest(), curves())
    found = store.read("a" * 64)
    assert found["arm"] == "gelu"
    assert store.read("b" * 64) is None
    frame = store.read_curves([found])
    np.testing.assert_array_equal(frame["value"], [1.5, np.nan])
    assert list(frame["arm"]) == ["gelu", "gelu"]


def test_a_cell_is_one_whatever_its_arm_is_called(store):
    store.write(manifest(), curves())
    frame = store.read_curves([{"identity": "a" * 64, "arm": "another name", "workload": "w"}])
    assert set(frame["arm"]) == {"another name"}


def test_instruments_are_chosen_while_reading(store):
    store.write(manifest(), curves())
    assert len(store.read_curves([manifest()], ["kl_nats"])) == 2
    assert len(store.read_curves([manifest()], ["reconstruction"])) == 0


def test_half_a_record_is_none(store):
    store.write(manifest(), curves())
    parquet = store.cells / f"{'a' * 64}.parquet"
    whole = parquet.read_bytes()
    parquet.write_bytes(whole[:-1] + b"x")
    assert store.read("a" * 64) is None
    parquet.unlink()
    assert store.read("a" * 64) is None
    parquet.write_bytes(whole)
    assert store.read("a" * 64) is not None
    (store.cells / f"{'a' * 64}.json").write_text('{"identity": ')
    assert store.read("a" * 64) is None


def test_a_record_is_replaced_whole(store):
    store.write(manifest(), curves(1.0))
    store.write(manifest(), curves(2.0))
    assert store.read_curves([store.read("a" * 64)])["value"].iloc[0] == 2.0
    assert len(list(store.cells.iterdir())) == 2


def test_a_failing_write_leaves_what_was_there(store, monkeypatch):
    store.write(manifest(), curves(1.0))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.write(manifest(), curves(2.0))
    monkeypatch.undo()
    assert store.read_curves([store.read("a" * 64)])["value"].iloc[0] == 1.0
    assert not [path for path in store.cells.iterdir() if path.suffix == ".tmp"]


def test_a_kill_between_the_two_files_of_a_record_is_no_damage(store, monkeypatch):
    store.write(manifest() | {"status": "failed"}, curves(1.0))
    whole = bench.results.store.write_atomically

    def killed(path, data, **options):
        if path.suffix == ".json":
            raise KeyboardInterrupt
        whole(path, data, **options)

    monkeypatch.setattr(bench.results.store, "write_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        store.write(manifest(), curves(2.0))
    assert store.identities() == set()
    assert store.read("a" * 64) is None


def test_nan_is_no_json(store):
    with pytest.raises(ValueError, match="JSON"):
        store.write(manifest() | {"plateau": float("nan")}, curves())


def test_records_can_be_read_by_others(store):
    store.write(manifest(), curves())
    for path in store.cells.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_the_plan(store):
    with pytest.raises(InputError, match="holds no plan"):
        store.read_plan()
    store.write_plan({"schema": 1, "cells": []})
    assert store.read_plan() == {"schema": 1, "cells": []}
    (store.directory / "plan.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        store.read_plan()


def test_two_runs_do_not_share_a_folder(store):
    with store.locked(), pytest.raises(InputError, match="another run is writing"), Store(store.directory).locked():
        pass
    with Store(store.directory).locked():
        pass


def test_timings(store):
    assert store.read_timing("a" * 64) is None
    store.write_timing("a" * 64, {"slowdown": 1.2})
    assert store.read_timing("a" * 64) == {"slowdown": 1.2}
    assert json.loads((store.directory / "timings" / f"{'a' * 64}.json").read_text()) == {"slowdown": 1.2}


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to"):
        Store(tmp_path / "file" / "run").require_writable()
