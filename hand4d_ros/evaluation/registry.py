"""What a metric is: its function and, read from its docstring, everything a reader must know.

Each metric is written down once, as a function whose docstring has the sections ``Formula:``,
``Unit:``, ``Alignment:``, ``Better:`` and ``Source:``. Tables, documents and JSON read them from
here, so none can say something else than the code.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass

from hand4d_ros.errors import MetricError

SECTIONS = ("Formula", "Unit", "Alignment", "Better", "Source")


@dataclass(frozen=True)
class MetricInfo:
    """One row of the registry."""

    function: Callable[..., float]
    """Computes it; ``functools.partial`` where one definition serves several thresholds."""
    description: str
    """One line."""
    notes: tuple[str, ...]
    """Further paragraphs: reasons and readings."""
    formula: str
    unit: str
    """``1`` where it has none."""
    alignment: str
    """What is brought into line before the comparison."""
    better: str
    """``lower``, ``higher`` or, where neither is better, what to be close to."""
    source: str
    """Paper with its table or section, or the standard."""

    @property
    def lower_is_better(self) -> bool | None:
        """None where neither is, such as for a coverage, which should be what it claims."""
        return {"lower": True, "higher": False}.get(self.better)


def metric_info(function: Callable[..., float], **fixed: float) -> MetricInfo:
    """Read a metric's facts from its docstring.

    Args:
        function: A metric, documented as the module's docstring says.
        **fixed: Arguments that this entry fixes, such as a threshold. Where the docstring says
            ``{name}`` the value takes its place.

    Raises:
        MetricError: The docstring lacks a section or says something unknown under ``Better:``.
    """
    text = inspect.getdoc(function) or ""
    for name, value in fixed.items():
        text = text.replace("{" + name + "}", f"{value:g}")
    found = _sections(text)
    missing = [name for name in SECTIONS if not found.get(name)]
    if missing:
        msg = f"metric {function.__name__}: the docstring lacks the section(s) {missing}"
        raise MetricError(msg)
    paragraphs = _paragraphs(text)
    better = found["Better"].rstrip(".")
    if better not in {"lower", "higher"} and not better.startswith("closer to "):
        msg = (
            f"metric {function.__name__}: Better is {better!r}, expected 'lower', 'higher' or "
            "'closer to ...'"
        )
        raise MetricError(msg)
    return MetricInfo(
        function=functools.partial(function, **fixed) if fixed else function,
        description=paragraphs[0].rstrip("."),
        notes=tuple(paragraphs[1:]),
        formula=found["Formula"],
        unit=found["Unit"].rstrip("."),
        alignment=found["Alignment"].rstrip("."),
        better=better,
        source=found["Source"].rstrip("."),
    )


def _paragraphs(text: str) -> list[str]:
    """The text above the first section, one string a paragraph."""
    prose: list[str] = []
    for block in text.split("\n\n"):
        lines = block.splitlines()
        if any(line.startswith(" ") for line in lines):
            break
        prose.append(" ".join(lines))
    return prose


def _sections(text: str) -> dict[str, str]:
    """The indented blocks of a Google-style docstring by heading, each joined to one line."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in text.splitlines():
        if line and not line.startswith(" "):
            heading = line.rstrip(":") if line.endswith(":") else ""
        elif heading and line.strip():
            found.setdefault(heading, []).append(line.strip())
    return {name: " ".join(lines) for name, lines in found.items()}
