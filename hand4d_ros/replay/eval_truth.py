"""The truth about a user's recording: from a topic, TUM files or a dataset, to one record a hand.

A source is written in one of these ways::

    /truth/hands              a HandStateArray topic of the recording
    OTHER.mcap:/truth/hands   a topic of another bag; without a topic its only one
    right:wrist.tum           a TUM file with the path of one wrist
    dexycb:FOLDER:SEQUENCE    a sequence of a dataset, see docs/datasets.md
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hand4d_ros.datasets.base import HandTrackTruth, SequenceRecord
from hand4d_ros.datasets.registry import DATASETS, open_dataset
from hand4d_ros.errors import BagError, MetricError
from hand4d_ros.evaluation.bag_eval import TruthTrack
from hand4d_ros.evaluation.model_fit import fitted
from hand4d_ros.evaluation.tum import read_tum
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.replay.bags import BagReader
from hand4d_ros.replay.inputs import HANDS_TYPE, TRUTH_TOPIC
from hand4d_ros.replay.run_data import IN_VIEW_PRESENCE
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import HandTrack, Side, TrackingState
from hand4d_ros.wire import tracked_hands_from_array

BAG_SUFFIXES = (".mcap", ".db3", ".bag")
NO_TRUTH = "none"
_WAYS = (
    "give a topic (/truth/hands), another bag (OTHER.mcap or OTHER.mcap:/topic), the wrist of a "
    "hand (left:FILE.tum), a dataset (NAME:FOLDER:SEQUENCE), or none"
)


def read_truth(sources: Sequence[str], bag: Path) -> list[TruthTrack]:
    """Read the truth about a recording.

    Args:
        sources: Each in one of the ways above; empty takes /truth/hands where the recording has
            it, and ``none`` takes no truth at all.
        bag: The recording.

    Returns:
        Tracks, at most one a side and source.

    Raises:
        BagError: A bag or topic is not there.
        MetricError: A TUM file is unusable, or a source is none of these.
        DatasetError: The dataset or sequence is not there.
    """
    if not sources:
        with BagReader(bag) as reader:
            there = any(t.name == TRUTH_TOPIC and t.msgtype == HANDS_TYPE for t in reader.topics)
        return _from_topic(bag, TRUTH_TOPIC) if there else []
    if tuple(sources) == (NO_TRUTH,):
        return []
    return [track for source in sources for track in _from_source(source, bag)]


def _from_source(source: str, bag: Path) -> list[TruthTrack]:
    head, _, rest = source.partition(":")
    if head in DATASETS and rest:
        return _from_dataset(head, rest)
    if head in [side.label for side in Side] and rest:
        return [_from_tum(Side[head.upper()], Path(rest).expanduser())]
    if Path(head).suffix in BAG_SUFFIXES or Path(head, "metadata.yaml").is_file():
        return _from_topic(Path(head).expanduser(), rest)
    if source.endswith(".tum"):
        msg = f"truth: whose wrist is {source}? Write left:{source} or right:{source}"
        raise MetricError(msg)
    if source.startswith("/"):
        return _from_topic(bag, source)
    msg = f"truth: {source!r} is no source; {_WAYS}"
    raise MetricError(msg)


def _from_topic(bag: Path, topic: str) -> list[TruthTrack]:
    """Read the hands of a topic; hands that are lost are not known."""
    with BagReader(bag) as reader:
        found = [t.name for t in reader.topics if t.msgtype == HANDS_TYPE and t.message_count]
        name = topic or (TRUTH_TOPIC if TRUTH_TOPIC in found else found[0] if found else "")
        if name not in found or (not topic and len(found) > 1 and name != TRUTH_TOPIC):
            msg = f"{bag} has no topic {topic or 'of hands'} to take as truth; {reader.listing()}"
            raise BagError(msg)
        rows: dict[Side, dict[int, HandTrack]] = {side: {} for side in Side}
        for read in reader.messages([name]):
            hands = tracked_hands_from_array(read.message)
            for track in hands.tracks:
                if track.tracking_state is not TrackingState.LOST:
                    rows[track.hand.side][hands.stamp_ns] = track
    source = f"{bag.name}:{name}"
    return [_from_rows(side, each, source) for side, each in rows.items() if each]


def _from_rows(side: Side, rows: dict[int, HandTrack], source: str) -> TruthTrack:
    stamps = sorted(rows)
    hands = [rows[stamp].hand for stamp in stamps]
    return TruthTrack(
        side,
        np.array(stamps, dtype=np.int64),
        source,
        np.stack([hand.keypoints_m for hand in hands]),
        np.stack([hand.T_frame_wrist for hand in hands]),
        np.array([rows[stamp].presence > IN_VIEW_PRESENCE for stamp in stamps]),
    )


def _from_tum(side: Side, path: Path) -> TruthTrack:
    stamps_ns, T = read_tum(path)
    return TruthTrack(side, stamps_ns, path.name, None, T)


def _from_dataset(name: str, rest: str) -> list[TruthTrack]:
    folder, _, sequence = rest.rpartition(":")
    loader = open_dataset(name, folder or rest)
    if not folder:
        there = ", ".join(loader.sequence_names()[:20])
        msg = f"truth: which sequence of {name}? Write {name}:{rest}:SEQUENCE, such as {there}"
        raise MetricError(msg)
    record = loader.sequence(sequence)
    return [_from_record(record, hand) for hand in record.hands if hand.valid.any()]


def _from_record(record: SequenceRecord, hand: HandTrackTruth) -> TruthTrack:
    """One hand of a dataset; keypoints that it lacks are those of the fitted model."""
    keypoints_m, T = hand.keypoints_m, None
    if hand.R_world_wrist is not None and hand.wrist_m is not None:
        T = hand.T_world_wrist
    if keypoints_m is not None:
        keypoints_m = _completed(keypoints_m, hand.side)
    return TruthTrack(
        hand.side, record.stamps_ns, f"{record.dataset}:{record.name}", keypoints_m, T
    )


def _completed(keypoints_m: Float[Array, "n 21 3"], side: Side) -> Float[Array, "n 21 3"]:
    """Fill in keypoints that a dataset never labels; frames without any stay empty."""
    known = np.isfinite(keypoints_m).all(axis=-1)
    some = known.any(axis=1)
    if known[some].all():
        return keypoints_m
    return fitted(keypoints_m, side, builtin_hand()).completed(keypoints_m)
