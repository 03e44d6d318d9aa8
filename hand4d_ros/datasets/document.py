"""The page ``docs/datasets.md``, made from the registry.

``python -m hand4d_ros.datasets.document docs/datasets.md`` writes it anew; a test fails while the
page says something else than the code.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hand4d_ros.datasets.info import DatasetInfo
from hand4d_ros.datasets.registry import DATASETS

INTRODUCTION = """# Datasets

This page is made from `hand4d_ros/datasets` by
`python -m hand4d_ros.datasets.document docs/datasets.md`; do not edit it.

None of these datasets comes with this package. You get them from their makers, under their
licences, and give the folder that holds what is listed under "layout":

```python
from pathlib import Path

from hand4d_ros.datasets.mano import mano_hands
from hand4d_ros.datasets.registry import open_dataset

mano = mano_hands("MANO_RIGHT.pkl")  # from https://mano.is.tue.mpg.de; optional
dataset = open_dataset("dexycb", Path("/data/dexycb"), mano=mano)
for record in dataset.sequences():
    print(record.name, len(record), [hand.side.label for hand in record.hands])
```

Every loader yields the same frozen `SequenceRecord` (`hand4d_ros/datasets/base.py`): one world, in
metres; keypoints in OpenPose order; MANO rotations absolute from the flat hand; the wrist pose in
place of MANO's translation; camera frames optical; stamps in nanoseconds. What is not labelled is
NaN, what a dataset cannot give is None and says why. Sequences, frames and pictures are read when
asked for: `sequence(name, frames=range(0, 64))` opens nothing else, and pictures are read one by
one through `record.frames(camera)`. Pickles are restored without running their code.

Left hands: this package's left hand is the mirror image of the right one. Some datasets were made
with `MANO_LEFT.pkl` as published, whose shape directions have a wrong sign in x
(https://github.com/vchoutas/smplx/issues/48). Their wrists and keypoints are computed with that
very hand, and their `betas` belong to it; each dataset below says which it is.

The layouts were read off the makers' own code and documentation, as named under "sources"; the
loaders are tested on files that the tests write in these layouts, not on the datasets themselves.
"""


def datasets_markdown() -> str:
    """The whole page."""
    infos = [entry.info for entry in DATASETS.values()]
    table = ["| name | dataset | licence |", "| --- | --- | --- |"]
    table += [f"| [`{i.key}`](#{i.key}) | {i.title} | {i.licence} |" for i in infos]
    return "\n".join([INTRODUCTION, *table, "", *(_section(info) for info in infos)])


def _section(info: DatasetInfo) -> str:
    lines = [f"## {info.key}", "", f"{info.title}. {info.description}.", ""]
    lines += [
        f"- Where: {info.where}",
        f"- Access: {info.access}",
        f"- Licence: {info.licence}",
        f"- World: {info.world}",
    ]
    for title, name in (
        ("Conventions", "conventions"),
        ("Not derivable", "not_derivable"),
        ("Sources", "sources"),
    ):
        lines.append(f"- {title}:")
        lines += [f"  - {point}" for point in info.points(name)]
    lines += ["", "Layout:", "", "```text", info.layout, "```", ""]
    return "\n".join(lines)


def main() -> int:
    """Write the page to the path given.

    Returns:
        The exit code.
    """
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m hand4d_ros.datasets.document PAGE\n")
        return 2
    Path(sys.argv[1]).write_text(datasets_markdown(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
