"""What the commands that use a trained model have in common: which it is, and where its outputs go."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from bench.cli.plugins import with_plugins
from bench.language.errors import InputError

if TYPE_CHECKING:
    # It imports jax, and --help does not.
    from bench.training.trained_model import TrainedModel

From = Annotated[str, arg(name="from")]
"""The folder of a run, as it is typed: --from, a word that Python keeps for itself."""


@dataclass(frozen=True)
class Examples:
    """Examples as a workload stores them, and what they are called."""

    rows: Any
    name: str

    @property
    def count(self) -> int:
        """How many there are."""
        from vae_jax.models.batch import examples

        return examples(self.rows)


class Opened:
    """A model of a run, opened for one command."""

    def __init__(self, directory: str, arm: str, plugin: tuple[str, ...]):
        """Make the model anew.

        Raises:
            InputError: If there is none, or none that can be used.
        """
        from bench.results.stored.store import Store
        from bench.training.restoring import restore

        self.directory, self.arm = Path(directory), arm
        _, self._catalogue = with_plugins(plugin)
        self.model, self._record = restore(Store(directory), arm, self._catalogue)

    model: "TrainedModel"

    def examples(self, data: str | None) -> Examples:
        """The examples of a file, or those that the model was judged by where none is named."""
        from bench.training.restoring import held_out

        if data is None:
            return Examples(held_out(self._catalogue, self._record), f"test examples of {self._record.workload}")
        low, high = getattr(self.model.workload.architecture.likelihood, "support", (None, None))
        rows = self.model.medium.read(Path(data).expanduser(), unit_interval=(low, high) == (0.0, 1.0))
        return Examples(rows, f"examples of {data}")

    def place(self, what: str, out: str | None, endings: Sequence[str], force: bool) -> Path:
        """Where a command's output goes, before anything is computed.

        Args:
            what: What it is, for its name where nobody gives one.
            out: As it was typed.
            endings: What can be written; the first where nobody says.
            force: Whether a file that is there is written over.

        Raises:
            InputError: If it cannot go there.
        """
        path = self.default(what, endings[0]) if out is None else Path(out)
        if path.suffix not in endings:
            raise InputError(f"--out {path} ends in {path.suffix!r}, and what can be written is {' or '.join(endings)}")
        if path.exists() and not force:
            raise InputError(f"{path} is there already: name another file with --out, or write over it with --force")
        if not path.parent.is_dir():
            raise InputError(f"there is no folder {path.parent} to write {path.name} into: make it, or name another")
        return path

    def default(self, what: str, ending: str) -> Path:
        """The file of an output that nobody has named."""
        return self.directory / f"{what}-{re.sub(r'[^A-Za-z0-9_.=+-]+', '_', self.arm)}{ending}"


def write(path: Path, content: bytes, said: str) -> int:
    """Write an output, and say what it is; the exit code."""
    from bench.results.stored.store import write_atomically

    write_atomically(path, content)
    print(f"{path} holds {said}")
    return 0
