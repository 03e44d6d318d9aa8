"""Reading what is left of an MCAP file that ends too early, as after a crash or a full disk.

An MCAP file holds its index at the end, so a truncated one has none. Its data records are
still there: they are read one after the other up to the first that is not complete.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hand4d_ros.errors import BagError

_MAGIC = b"\x89MCAP0\r\n"
_RECORD_LIMIT = 512 * 2**20


class BagTopic(NamedTuple):
    """One topic of a bag."""

    name: str
    msgtype: str
    message_count: int


class SalvagedMcap:
    """The messages at the front of a truncated MCAP file, in the order in which they lie there."""

    def __init__(self, path: Path) -> None:
        """Scan the file once for its topics, message counts and time range.

        Raises:
            BagError: It is no MCAP file of ROS 2, or not one whole message is left in it.
        """
        self.path = path
        self.definitions: dict[str, str] = {}
        self.start_ns, self.end_ns = 2**63 - 1, 0
        counts: dict[tuple[str, str], int] = {}
        for topic, msgtype, stamp_ns, _ in self._records(self.definitions):
            counts[topic, msgtype] = counts.get((topic, msgtype), 0) + 1
            self.start_ns = min(self.start_ns, stamp_ns)
            self.end_ns = max(self.end_ns, stamp_ns)
        if not counts:
            msg = f"{path} is truncated before its first whole message; nothing can be recovered"
            raise BagError(msg)
        self.topics = [BagTopic(*key, count) for key, count in sorted(counts.items())]

    def messages(self, topics: Collection[str]) -> Iterator[tuple[str, str, int, bytes]]:
        """Yield topic, message type, log time (ns) and data of the messages of some topics."""
        for record in self._records({}):
            if record[0] in topics:
                yield record

    def _records(self, definitions: dict[str, str]) -> Iterator[tuple[str, str, int, bytes]]:
        """Yield messages until the file breaks off, and note message definitions."""
        try:
            from mcap.records import Channel, Message, Schema
            from mcap.stream_reader import StreamReader
        except ImportError:
            msg = f"{self.path} is truncated; `pip install mcap` to recover what it holds"
            raise BagError(msg) from None
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        with self.path.open("rb") as stream:
            if stream.read(len(_MAGIC)) != _MAGIC:
                msg = f"{self.path} is no MCAP file"
                raise BagError(msg)
            reader = StreamReader(stream, skip_magic=True, record_size_limit=_RECORD_LIMIT)
            for record in _until_broken(reader.records):
                if isinstance(record, Schema):
                    schemas[record.id] = record
                    if record.encoding == "ros2msg":
                        definitions[record.name] = record.data.decode("utf-8", "replace")
                elif isinstance(record, Channel):
                    channels[record.id] = record
                elif isinstance(record, Message) and record.channel_id in channels:
                    channel = channels[record.channel_id]
                    schema = schemas.get(channel.schema_id)
                    if schema is not None and channel.message_encoding == "cdr":
                        yield channel.topic, schema.name, record.log_time, record.data


def _until_broken(records: Iterator[Any]) -> Iterator[Any]:
    """Yield records up to the first that cannot be read."""
    while True:
        try:
            record = next(records)
        except StopIteration:
            return
        except Exception:  # noqa: BLE001
            # A file may break off anywhere, so any part of the parser may fail at that place.
            # The end of what can be read is what is looked for here, and the caller says so.
            return
        yield record
