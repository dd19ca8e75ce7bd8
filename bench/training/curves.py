"""Curves: every reading of every training of a cell as one tidy table."""

from typing import Any

import numpy as np
import pandas as pd

from bench.planning.protocol import Protocol


class CurveWriter:
    """Collects the readings of one cell's trainings."""

    def __init__(self, protocol: Protocol):
        self._protocol = protocol
        self._frames: list[pd.DataFrame] = []

    def add(self, phase: str, seed: int, learning_rate: float, readings: dict[str, Any], validation: Any) -> None:
        """Add one training.

        Args:
            phase: `tuning` or `reporting`.
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
                step = np.minimum(np.arange(len(values)) * self._protocol.record_every, self._protocol.steps)
                self._append(about | {"split": "train", "instrument": instrument, "tower": tower}, step, values)
        for instrument, values in validation._asdict().items():
            if values is None:
                continue
            step = np.minimum((np.arange(len(values)) + 1) * self._protocol.validate_every, self._protocol.steps)
            self._append(about | {"split": "validation", "instrument": instrument, "tower": ""}, step, values)

    def frame(self) -> pd.DataFrame:
        """All rows so far."""
        return pd.concat(self._frames, ignore_index=True)

    def _append(self, about: dict[str, Any], step: np.ndarray, values: np.ndarray) -> None:
        per_layer = values.ndim == 2
        layers = np.arange(values.shape[1]) if per_layer else np.array([-1])
        columns = {
            **about,
            "step": np.repeat(step, len(layers)).astype(np.int32),
            "layer": np.tile(layers, len(step)).astype(np.int16),
            "value": values.reshape(-1).astype(np.float32),
        }
        self._frames.append(pd.DataFrame(columns))
