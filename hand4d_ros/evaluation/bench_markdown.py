"""Tables of ``docs/benchmark.md`` from the JSON of ``hand4d bench``.

``python -m hand4d_ros.evaluation.bench_markdown FILE.json ...`` prints them; with
``--into docs/benchmark.md`` first, they replace what stands between the page's two marks.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.bench_document import Document, read_document
from hand4d_ros.evaluation.bench_tables import GROUP_KEYS, NO_FIGURE, cell_text
from hand4d_ros.evaluation.metrics import metrics_registry


def markdown(document: Document) -> str:
    """Figures of all methods, then those of the groups.

    Args:
        document: From ``bench_document`` or its file.
    """
    rows = document["rows"]
    names = [row["method"] for row in rows]
    lines = _header(["figure", "unit"], names)
    lines.append(_line(["frames", "", *(str(row["frames"]) for row in rows)]))
    for key, info in metrics_registry.items():
        values = [row["metrics"].get(key) for row in rows]
        if any(value is not None for value in values):
            unit = "" if info.unit == "1" else info.unit
            cells = [_with_interval(document, name, key) for name in names]
            lines.append(_line([f"`{key}`", unit, *cells]))
    title = f"### `{document['suite']}`, seed {document['seed']}, {_options(document)}"
    return "\n".join([title, "", *lines, "", *_groups(document)])


def _groups(document: Document) -> list[str]:
    """The chosen figures of every group, one line each."""
    groups: Document = document.get("groups", {})
    keys = GROUP_KEYS.get(document["suite"], ())
    if not groups or not keys:
        return []
    lines = _header(["group", "hands", "figure"], list(groups))
    for part in dict.fromkeys(part for each in groups.values() for part in each):
        counts = [document["counts"].get(name, {}).get(part) for name in groups]
        most = max((count["in_view"] for count in counts if count), default=0)
        for key in keys:
            values = [each.get(part, {}).get(key) for each in groups.values()]
            if any(value is not None for value in values):
                lines.append(_line([part, str(most), f"`{key}`", *map(cell_text, values)]))
    return [*lines, ""]


def _with_interval(document: Document, name: str, key: str) -> str:
    """A figure and its 95% interval over clips."""
    row = next(row for row in document["rows"] if row["method"] == name)
    if key not in row["metrics"]:
        return NO_FIGURE
    text = cell_text(row["metrics"][key])
    low, high = document["intervals"].get(name, {}).get(key, (None, None))
    return text if low is None or low == high else f"{text} ({cell_text(low)}..{cell_text(high)})"


def _options(document: Document) -> str:
    options = document["options"]
    return f"{options['clips']} clips, {options['difficulty']}"


def _header(first: Sequence[str], names: Sequence[str]) -> list[str]:
    return [_line([*first, *names]), _line(["---"] * (len(first) + len(names)))]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
"""Marks in the page around the tables."""


def with_tables(page: str, tables: str) -> str:
    """Return a page with other tables between its marks.

    Args:
        page: Markdown with both marks.
        tables: What to put there.

    Raises:
        MetricError: A mark is missing.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        msg = f"the page has no place for tables; put lines {BEGIN} and {END} where they belong"
        raise MetricError(msg)
    return f"{head}{BEGIN}\n\n{tables.strip()}\n\n{END}{tail}"


def main(arguments: Sequence[str]) -> int:
    """Print the tables of the files given, or put them into a page.

    Args:
        arguments: Names of files, after ``--into PAGE`` if wanted.

    Returns:
        0, or 2 without a file.
    """
    page, names = None, list(arguments)
    if names[:1] == ["--into"] and len(names) > 1:
        page, names = Path(names[1]), names[2:]
    if not names:
        sys.stderr.write("usage: ... bench_markdown [--into docs/benchmark.md] FILE.json ...\n")
        return 2
    tables = "\n".join(markdown(read_document(Path(name))) for name in names)
    if page is None:
        sys.stdout.write(tables + "\n")
    else:
        text = with_tables(page.read_text(encoding="utf-8"), tables)
        page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
