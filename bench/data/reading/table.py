"""Numbers in a .csv file, an example a line."""

import csv
import io

import numpy as np

from bench.data.reading.lines import decode
from bench.language.errors import InputError


def read_table(content: bytes, name: str = "the table") -> tuple[np.ndarray, list[int]]:
    """Numbers, (examples, columns) in float64, and the line that each example stands in.

    Args:
        content: Lines of numbers between commas, in UTF-8; a first line without any number is a header.
        name: How the file is called in what is said of it.

    Raises:
        InputError: If a line is empty or has another number of columns than the first, or a word stands for a number.
    """
    rows, lines, columns = [], [], 0
    reader = csv.reader(io.StringIO(decode(content, name), newline=""), strict=True)
    try:
        for cells in reader:
            line = reader.line_num
            if line == 1 and cells and not any(map(_is_number, cells)):
                columns = len(cells)
                continue
            if not any(cell.strip() for cell in cells):
                raise InputError(f"{name}, line {line} is empty: each line must be an example, so delete it")
            columns = columns or len(cells)
            if len(cells) != columns:
                raise InputError(
                    f"{name}, line {line} has {len(cells)} columns, the first line has {columns}: give every line as "
                    "many"
                )
            rows.append(_numbers(cells, name, line))
            lines.append(line)
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num} is no row of a table ({error}): mend its quotes") from error
    return np.array(rows, dtype=np.float64).reshape(len(rows), columns), lines


def _numbers(cells: list[str], name: str, line: int) -> np.ndarray:
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError:
        column = next(column for column, cell in enumerate(cells, 1) if not _is_number(cell))
        header = " (a header, which may be the first line, has no number in it)" if line == 1 else ""
        raise InputError(
            f"{name}, line {line}, column {column} holds {cells[column - 1]!r:.40}, which is no number: give a number, "
            f"with a point for the decimals and a comma between columns{header}"
        ) from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
