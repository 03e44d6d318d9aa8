"""The page ``docs/metrics.md``, made from the registry.

``python -m hand4d_ros.evaluation.document docs/metrics.md`` writes it anew; a test fails while
the page says something else than the code.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hand4d_ros.evaluation.metrics import metrics_groups
from hand4d_ros.evaluation.registry import MetricInfo

INTRODUCTION = """# Metrics

This page is made from the docstrings of `hand4d_ros/evaluation` by
`python -m hand4d_ros.evaluation.document docs/metrics.md`; do not edit it.

x is the truth and y the estimate, in metres, t the frame, j the keypoint (21 in OpenPose order,
the wrist first), h the hand. Means run over all keypoints, the root included, and over the frames
that have both a truth and an estimate, so read `observed_fraction` beside every error: a method
that gives up early looks good. An alignment is the closed form of Umeyama (IEEE PAMI 1991), never
a reflection. Derivatives are divided differences over the true frame times and never span a
missing frame. In `hand4d bench` and `hand4d eval`, GA-, FA- and G-MPJPE are taken over segments of
128 frames, clips are averaged with their frames as weight, and the 95% interval is a percentile
bootstrap over clips.
"""


def metrics_markdown() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for heading, metrics in metrics_groups.items():
        parts.append(f"## {heading}\n")
        parts.extend(_entry(key, info) for key, info in metrics.items())
    return "\n".join(parts)


def _entry(key: str, info: MetricInfo) -> str:
    lines = [f"### `{key}`\n", f"{info.description}.\n"]
    lines.extend(f"{paragraph}\n" for paragraph in info.notes)
    lines += [
        # As code, so that underscores and bars stay as they are; code cannot hold code.
        f"- Formula: `{info.formula.replace('`', '')}`",
        f"- Unit: {'none' if info.unit == '1' else info.unit}",
        f"- Alignment: {info.alignment}",
        f"- Better: {info.better}",
        f"- Source: {info.source}\n",
    ]
    return "\n".join(lines)


def main() -> int:
    """Write the page to the path given.

    Returns:
        The exit code.
    """
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m hand4d_ros.evaluation.document PAGE\n")
        return 2
    Path(sys.argv[1]).write_text(metrics_markdown(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
