# SPDX-License-Identifier: BSD-2-Clause
"""The figures that docs/limits.md promises, for what holds machines to them.

    limits.of("budget")["null_hypercall"]

Such a figure is a row of a table that has columns called "figure", with the name in backticks, and
for example "budget", with a number; a "-" there means that the figure is only reported.
"""

import re

from machine import ROOT

LIMITS = ROOT / "docs/limits.md"


def cells(row):
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def number(cell):
    found = re.match(r"\d[\d,]*(\.\d+)?", cell)
    if not found:
        return None
    return (float if found[1] else int)(found[0].replace(",", ""))


def of(column):
    """Figure -> its limit in the tables with that column, or None when it is only reported; in the
    order of the tables."""
    found, columns = {}, None
    for line in LIMITS.read_text().splitlines():
        if not line.startswith("|"):
            columns = None
            continue
        row = cells(line)
        heads = [cell.lower() for cell in row]
        if columns is None and "figure" in heads and column in heads:
            columns = heads.index("figure"), heads.index(column)
        elif columns and max(columns) < len(row):
            name = re.fullmatch(r"`(\w+)`", row[columns[0]])
            if name:
                found[name[1]] = number(row[columns[1]])
    return found
