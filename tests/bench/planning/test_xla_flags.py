"""What a person sets by XLA_FLAGS stands, and everything else is the suite's own."""

import pytest

from bench.planning.xla_flags import CPU_FLAGS, ONE_THREAD, flags


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ("", set(CPU_FLAGS)),
        ("--xla_a=1", {*CPU_FLAGS, "--xla_a=1"}),
        ("--xla_backend_optimization_level=0", {"--xla_backend_optimization_level=0", *CPU_FLAGS[1:]}),
        ("--xla_a=1 --xla_a=2", {*CPU_FLAGS, "--xla_a=2"}),
        (ONE_THREAD, set(CPU_FLAGS)),
    ],
)
def test_a_person_s_own_flags_stand(theirs: str, expected: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", theirs)
    assert set(flags("cpu")) == expected


def test_another_device_is_given_a_person_s_flags_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_b=2 --xla_a=1")
    assert flags("gpu") == ["--xla_a=1", "--xla_b=2"]
