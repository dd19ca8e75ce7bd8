"""The line of a person's file that an operation of their traced function came from."""

import sysconfig
from pathlib import Path
from typing import Any, NamedTuple

_HERE = Path(__file__).resolve().parents[2]
_TRACER = str(Path(__file__).with_name("graph.py"))
_LIBRARIES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))


class Line(NamedTuple):
    """A line of a person's own code.

    Attributes:
        file: The file's path.
        number: Which line, from 1.
        function: The function that it stands in.
    """

    file: str
    number: int
    function: str

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.number}"


def line_of(equation: Any, enclosing: Line | None) -> Line | None:
    """Where an equation was written: the innermost frame in a file of nobody's library, else the enclosing call's.

    What a jitted function of a library holds was traced for whoever called it first, and carries no frame of anyone's.

    Args:
        equation: Of a jaxpr.
        enclosing: The line of the call that holds it.
    """
    traceback = equation.source_info.traceback
    for frame in traceback.frames if traceback is not None else ():
        if frame.file_name == _TRACER:
            # Beyond it lies whoever asked for the diagnosis.
            break
        if own_file(frame.file_name):
            return Line(frame.file_name, frame.line_num, frame.function_name)
    return enclosing


def own_file(name: str) -> bool:
    """Whether a file is a person's own: neither Python's, nor installed, nor of this package."""
    library = name.startswith("<") or "site-packages" in name or name.startswith(_LIBRARIES)
    return not library and not Path(name).resolve().is_relative_to(_HERE)
