"""Curves: every reading of every training of a cell as one tidy table."""

from typing import Any

import numpy as np
import pandas as pd

from bench.planning.protocol import Protocol

_ABOUT = ("phase", "seed", "learning_rate", "split", "instrument", "tower")
_NUMBERS = ("step", "layer", "value")


class CurveWriter:
    """Collects the readings of one cell's trainings."""

    def __init__(self):
        self._columns: dict[str, list[Any]] = {name: [] for name in (*_ABOUT, *_NUMBERS)}
        self._lengths: list[int] = []

    def add(
        self, protocol: Protocol, phase: str, seed: int, learning_rate: float, readings: dict[str, Any], validation: Any
    ) -> None:
        """Add one training.

        Args:
            protocol: Its length, and how far records and validations are apart.
            phase: `tuning`, `reporting`, or `prolonged` beyond that.
            seed: Its seed.
            learning_rate: Its rate.
            readings: For each instrument "records", or for each tower "records layers".
            validation: The score and its parts after each chunk of steps, each "chunks"; None for what is not there.
        """
        about = {"phase": phase, "seed": seed, "learning_rate": learning_rate}
        for instrument, reading in readings.items():
            towers = reading.items() if isinstance(reading, dict) else [("", reading)]
            for tower, values in towers:
                # The last record is of the state after the last step.
                step = np.minimum(np.arange(len(values)) * protocol.record_every, protocol.steps)
                self._append(about | {"split": "train", "instrument": instrument, "tower": tower}, step, values)
        for instrument, values in validation._asdict().items():
            if values is None:
                continue
            step = np.minimum((np.arange(len(values)) + 1) * protocol.validate_every, protocol.steps)
            self._append(about | {"split": "validation", "instrument": instrument, "tower": ""}, step, values)

    def frame(self) -> pd.DataFrame:
        """All rows so far."""
        # Column by column: a frame for each reading, and all of them together, take as long as a tenth of a training.
        about = {name: pd.Series(self._columns[name]).repeat(self._lengths) for name in _ABOUT}
        numbers = {name: np.concatenate(self._columns[name]) for name in _NUMBERS}
        return pd.DataFrame({name: column.array for name, column in about.items()} | numbers)

    def _append(self, about: dict[str, Any], step: np.ndarray, values: np.ndarray) -> None:
        layers = np.arange(values.shape[1]) if values.ndim == 2 else np.array([-1])
        row = {
            **about,
            "step": np.repeat(step, len(layers)).astype(np.int32),
            "layer": np.tile(layers, len(step)).astype(np.int16),
            "value": values.reshape(-1).astype(np.float32),
        }
        for name, column in self._columns.items():
            column.append(row[name])
        self._lengths.append(values.size)
