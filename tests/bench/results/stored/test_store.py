import json
import stat
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bench.results.stored.store
from bench.language.errors import InputError
from bench.results.stored.records import (
    SCHEMA,
    BlameRecord,
    CellRecord,
    DeviceRecord,
    PlannedCell,
    PlanRecord,
    ProtocolRecord,
    TheoryRecord,
    TimingRecord,
)
from bench.results.stored.saved_model import (
    EXAMPLES,
    TENSORS,
    ArrayRecord,
    ModelRecord,
    SavedModel,
    checksum,
    pack,
    unpack,
)
from bench.results.stored.store import CURVE_COLUMNS, DamagedError, OtherSchemaError, Store
from tests.bench.fake_store import change

ID = "a" * 64
RECORD = CellRecord(
    identity=ID, workload="digits-dense", arm="gelu", base="baseline", family="activation", status="ok", reason="",
    plateau=27.2, gradient_evaluations=60, commit=None, finished="2026-11-21",
    changes={"activation": ("tanh", {"a": 1})},
    blame=BlameRecord("", "matrix", None), theory={"encoder": TheoryRecord(gradient_ratio=(0.5, 0.25))}, memory_bytes=7,
)  # fmt: skip
TIMING = TimingRecord((1.0, 2.0), (1.0, 2.0), 3.0, 1.2, 1.1, 1.3, 6e7, 128, DeviceRecord("cpu", "c", 2))
PLAN = PlanRecord(
    "quick", "run", (), {}, ProtocolRecord((), 1, 1, 1, {}, (), ()), (), (PlannedCell("w", "a", "b", "f", ID, 0),)
)


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
    store.write(RECORD, curves())
    found = store.load(ID)
    assert found.record == store.read(ID) == RECORD
    assert store.read("b" * 64) is None
    np.testing.assert_array_equal(found.curves()["value"], [1.5, np.nan])


def test_instruments_are_chosen_while_reading(store):
    store.write(RECORD, curves())
    assert len(store.load(ID).curves(["kl_nats"])) == 2
    assert len(store.load(ID).curves(["reconstruction"])) == 0


def test_half_a_record_is_none(store):
    store.write(RECORD, curves())
    parquet = store.cells / f"{ID}.parquet"
    whole = parquet.read_bytes()
    parquet.write_bytes(whole[:-1] + b"x")
    assert store.read(ID) is None
    parquet.unlink()
    assert store.read(ID) is None
    parquet.write_bytes(whole)
    assert store.read(ID) is not None
    (store.cells / f"{ID}.json").write_text('{"identity": ')
    assert store.read(ID) is None


def test_a_record_is_replaced_whole(store):
    store.write(RECORD, curves(1.0))
    store.write(RECORD, curves(2.0))
    assert store.load(ID).curves()["value"].iloc[0] == 2.0
    assert len(list(store.cells.iterdir())) == 2


def test_a_failing_write_leaves_what_was_there(store, monkeypatch):
    store.write(RECORD, curves(1.0))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.write(RECORD, curves(2.0))
    monkeypatch.undo()
    assert store.load(ID).curves()["value"].iloc[0] == 1.0
    assert not [path for path in store.cells.iterdir() if path.suffix == ".tmp"]


def test_a_kill_between_the_two_files_of_a_record_is_no_damage(store, monkeypatch):
    store.write(replace(RECORD, status="failed"), curves(1.0))
    whole = bench.results.stored.store.write_atomically

    def killed(path, data, **options):
        if path.suffix == ".json":
            raise KeyboardInterrupt
        whole(path, data, **options)

    monkeypatch.setattr(bench.results.stored.store, "write_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        store.write(RECORD, curves(2.0))
    assert store.identities() == set()
    assert store.read(ID) is None


def test_nan_is_no_json(store):
    with pytest.raises(ValueError, match="JSON"):
        store.write(replace(RECORD, plateau=float("nan")), curves())


def test_records_can_be_read_by_others(store):
    store.write(RECORD, curves())
    for path in store.cells.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_the_plan(store):
    with pytest.raises(InputError, match="holds no plan"):
        store.read_plan()
    store.write_plan(PLAN)
    assert store.read_plan() == PLAN
    assert store.has_plan(PLAN)
    assert not store.has_plan(replace(PLAN, suite="smoke"))
    (store.directory / "plan.json").write_text("{")
    with pytest.raises(InputError, match="is no JSON"):
        store.read_plan()


ARRAYS = {"parameters.bias": np.arange(3, dtype=np.float32), "statistics.bound": np.array(2.0)}


def model(identity=ID, seed=1):
    files = {TENSORS: pack(ARRAYS), EXAMPLES: b"examples"}
    record = ModelRecord(
        identity, "digits-dense", "gelu", seed, 0.1, 60, "d", {"unit": "Unit"}, "Bernoulli()", "Binarised()", "o", (),
        {"kind": "images", "shape": [8, 8]}, {"jax": "0.1"}, {"parameters.bias": ArrayRecord((3,), "float32")},
        {ending: checksum(content) for ending, content in files.items()},
    )  # fmt: skip
    return SavedModel(record, files)


def test_a_model_is_kept_beside_its_cell(store):
    with pytest.raises(FileNotFoundError):
        store.load_model(ID)
    store.write_model(model())
    assert store.load_model(ID) == model()
    found = unpack(store.load_model(ID, (TENSORS,)).files[TENSORS])
    assert {name: (array.shape, array.dtype) for name, array in found.items()} == {
        name: (array.shape, array.dtype) for name, array in ARRAYS.items()
    }
    np.testing.assert_array_equal(found["parameters.bias"], ARRAYS["parameters.bias"])
    store.write_model(model(seed=2))
    assert store.load_model(ID).record.seed == 2
    assert not (store.directory / "set_aside").exists()


def test_a_kill_while_a_model_is_replaced_leaves_none(store, monkeypatch):
    store.write_model(model())
    whole = bench.results.stored.store.write_atomically

    def killed(path, data, **options):
        if path.suffix == ".json":
            raise KeyboardInterrupt
        whole(path, data, **options)

    monkeypatch.setattr(bench.results.stored.store, "write_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        store.write_model(model(seed=2))
    with pytest.raises(FileNotFoundError):
        store.load_model(ID)


def test_a_model_of_another_cell_is_set_aside_and_not_written_over(store):
    store.write_model(model())
    path = store.directory / "models" / f"{ID}.json"
    change(path, identity="other")
    with pytest.raises(DamagedError, match=r"holds the model of another cell, arm 'gelu'"):
        store.load_model(ID)
    store.write_model(model(seed=2))
    assert store.load_model(ID).record.seed == 2
    aside = sorted(path.name for path in (store.directory / "set_aside").iterdir())
    assert aside == [f"{ID}.0.{ending}" for ending in ("json", "npz", "safetensors")]
    assert json.loads((store.directory / "set_aside" / aside[0]).read_text())["identity"] == "other"


def test_a_cell_that_answers_for_another_brings_its_model(store):
    store.write(RECORD, curves())
    store.write_model(model())
    store.adopt(ID, "b" * 64, {})
    assert store.load_model("b" * 64) == model("b" * 64)
    assert store.load_model(ID) == model()


FILES = {"plan.json": "plan", f"cells/{ID}.json": "cell", f"timings/{ID}.json": "timing"}


@pytest.fixture
def full(store):
    store.write(RECORD, curves())
    store.write_timing(ID, TIMING)
    store.write_plan(PLAN)
    return store


def write_again(store):
    store.write(RECORD, curves(2.0))
    store.write_timing(ID, TIMING)
    store.write_plan(replace(PLAN, suite="smoke"))


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(
    ("schema", "said"), [(2, "is of schema 2"), (99, "is of schema 99"), (None, "names no schema")]
)
def test_what_another_version_wrote_is_said_and_kept(full, file, schema, said):
    path = full.directory / file
    change(path, schema=schema, another_versions="field")
    before = path.read_bytes()
    read = {"plan": full.load_plan, "cell": lambda: full.load(ID), "timing": lambda: full.load_timing(ID)}[FILES[file]]
    with pytest.raises(OtherSchemaError, match=rf"{path.name} {said}, and this version reads schema {SCHEMA}"):
        read()
    write_again(full)
    read()
    (kept,) = (full.directory / "set_aside").glob("*.json")
    assert kept.read_bytes() == before
    # A cell takes its curves with it.
    assert len(list((full.directory / "set_aside").glob("*.parquet"))) == (FILES[file] == "cell")


def test_what_can_be_read_is_replaced_and_not_kept(full):
    write_again(full)
    assert not (full.directory / "set_aside").exists()


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("values", [{"plugins": None, "arm": None, "batch": None}, {"unheard": "of"}])
def test_a_field_too_few_or_too_many_is_damage(full, file, values):
    change(full.directory / file, **values)
    read = {"plan": full.load_plan, "cell": lambda: full.load(ID), "timing": lambda: full.load_timing(ID)}[FILES[file]]
    with pytest.raises(DamagedError, match="lacks, or does not know"):
        read()


def test_two_runs_do_not_share_a_folder(store):
    with store.locked(), pytest.raises(InputError, match="another run is writing"), Store(store.directory).locked():
        pass
    with Store(store.directory).locked():
        pass


def test_timings(store):
    assert store.read_timing(ID) is None
    store.write_timing(ID, TIMING)
    assert store.read_timing(ID) == TIMING
    assert json.loads((store.directory / "timings" / f"{ID}.json").read_text())["slowdown"] == 1.2


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to"):
        Store(tmp_path / "file" / "run").require_writable()
