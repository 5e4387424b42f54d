"""Table: prints results as plain tables, each with a line of its columns."""

import sys

Table = dict[str, object]


def shown(tables: dict[str, Table]) -> dict[str, Table]:
    """Print tables, and return them."""
    for title, table in tables.items():
        sys.stdout.write(f"\n{title}\n{written(table)}")
        sys.stdout.flush()
    return tables


def written(table: Table) -> str:
    """Return a table as text: a column for each name that a line has, as wide as it needs."""
    lines = {name: line if isinstance(line, dict) else {"": line} for name, line in table.items()}
    columns = list(dict.fromkeys(column for line in lines.values() for column in line))
    cells = [["", *columns]]
    cells += [
        [name, *(_cell(line.get(column)) for column in columns)] for name, line in lines.items()
    ]
    if columns == [""]:
        del cells[0]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns) + 1)]
    return "".join(f"  {_line(row, widths)}\n" for row in cells)


def _line(row: list[str], widths: list[int]) -> str:
    name, *figures = row
    shown = [figure.rjust(width) for figure, width in zip(figures, widths[1:], strict=True)]
    return "  ".join([name.ljust(widths[0]), *shown]).rstrip()


def _cell(figure: object) -> str:
    match figure:
        case None:
            return ""
        case list():
            return " ".join(map(_cell, figure))
        case float() | int():
            return f"{figure:,}"
    return str(figure)
