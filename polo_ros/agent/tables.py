"""Aligned tables for a terminal."""

from collections.abc import Iterable, Sequence


def table_lines(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> list[str]:
    """Rows as lines whose columns are aligned; nothing where there are no rows."""
    body = [list(row) for row in rows]
    if not body:
        return []
    cells = [list(head), *body] if head else body
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return [line.rstrip() for line in lines]
