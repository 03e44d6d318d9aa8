"""Bags of ROS 2 without ROS: writing MCAP, reading MCAP and SQLite, through ``rosbags``.

Readers are generators: a bag of any length is read in bounded memory. Writers write aside and
rename, so an output bag is whole or not there.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, final

from rosbags.interfaces import (
    Connection,
    MessageDefinitionFormat,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import Reader, StoragePlugin, Writer

from hand4d_ros.errors import BagError
from hand4d_ros.replay.outputs import output_errors, staged
from hand4d_ros.replay.salvage import BagTopic, SalvagedMcap
from hand4d_ros.replay.typestore import MessageBuilder, default_typestore, typestore_of

Storage = Literal["mcap", "sqlite3"]

_MCAP_MAGIC = b"\x89MCAP0\r\n"
_STORAGES = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}
_METADATA = "metadata.yaml"
_LATCHED_TOPICS = ("/tf_static", "/robot_description")


class BagMessage(NamedTuple):
    """One message of a bag."""

    topic: str
    msgtype: str
    log_ns: int
    """When it was recorded; the time of capture is in the message's header."""
    message: Any


@final
class BagReader:
    """A bag that is open for reading: a ``.mcap`` or ``.db3`` file, or a folder of rosbag2.

    A truncated MCAP file is read as far as it goes; ``note`` then says so.
    """

    def __init__(self, path: Path | str) -> None:
        """Open a bag.

        Args:
            path: File or folder.

        Raises:
            BagError: It is missing, empty, no bag of ROS 2, or damaged beyond recovery.
        """
        self.path = Path(path)
        self.note = ""
        """What is wrong with the bag although it can be read; empty where nothing is."""
        self._stack = ExitStack()
        self._reader: Reader | None = None
        self._salvaged: SalvagedMcap | None = None
        self._files = _storage_files(self.path)
        self._open()
        self._store = typestore_of(self._definitions())

    def __enter__(self) -> BagReader:
        """Return the open bag."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the bag."""
        self.close()

    def close(self) -> None:
        """Close the bag; its messages can no longer be read."""
        self._stack.close()

    @property
    def topics(self) -> tuple[BagTopic, ...]:
        """Name, message type and number of messages of every topic, by name."""
        if self._salvaged is not None:
            return tuple(self._salvaged.topics)
        counts: dict[tuple[str, str], int] = {}
        for connection in self._connections():
            key = (connection.topic, connection.msgtype)
            counts[key] = counts.get(key, 0) + connection.msgcount
        return tuple(BagTopic(*key, count) for key, count in sorted(counts.items()))

    @property
    def duration_ns(self) -> int:
        """Time between the first and the last message (ns)."""
        if self._salvaged is not None:
            return self._salvaged.end_ns - self._salvaged.start_ns
        return self._reader.duration if self._reader is not None else 0

    def count(self, topic: str) -> int:
        """Return the number of messages on a topic, 0 where it is not in the bag."""
        return sum(each.message_count for each in self.topics if each.name == topic)

    def messages(self, topics: Collection[str] = ()) -> Iterator[BagMessage]:
        """Yield messages in the order of their recording.

        Args:
            topics: Names of the topics to read; all where empty.

        Raises:
            BagError: A topic is not in the bag, or the bag is damaged where it is read.
        """
        for topic, msgtype, log_ns, data in self.serialized(topics):
            try:
                message = self._store.deserialize_cdr(data, msgtype)
            except Exception as error:
                # Generated code reads bytes that may be anything; see ``_open``.
                msg = f"{self.path}: a message of {topic} ({msgtype}) cannot be read: {error}"
                raise BagError(msg) from error
            yield BagMessage(topic, msgtype, log_ns, message)

    def serialized(
        self, topics: Collection[str] = ()
    ) -> Iterator[tuple[str, str, int, bytes | memoryview]]:
        """Yield topic, type, log time (ns) and CDR bytes, to copy messages as they are.

        Raises:
            BagError: As ``messages``.
        """
        names = set(topics) or {topic.name for topic in self.topics}
        missing = names - {topic.name for topic in self.topics}
        if missing:
            msg = f"{self.path} has no topic {', '.join(sorted(missing))}; {self.listing()}"
            raise BagError(msg)
        if self._salvaged is not None:
            yield from self._salvaged.messages(names)
            return
        chosen = [c for c in self._connections() if c.topic in names]
        if self._reader is None or not chosen:
            return
        records = self._reader.messages(chosen)
        while True:
            try:
                connection, log_ns, data = next(records)
            except StopIteration:
                return
            except Exception as error:
                # As in ``_open``: damage in the middle of the file.
                msg = f"{self.path} is damaged: {error}"
                raise BagError(msg) from error
            yield connection.topic, connection.msgtype, log_ns, data

    def listing(self) -> str:
        """Return one line that names every topic with its type and count."""
        if not self.topics:
            return "it has no topics"
        each = [f"{t.name} ({t.msgtype}, {t.message_count})" for t in self.topics]
        return "it has " + ", ".join(each)

    def sha256(self) -> str:
        """Return the SHA-256 of the files that hold the messages, which identifies the bag."""
        digest = hashlib.sha256()
        for file in self._files:
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()

    def _open(self) -> None:
        try:
            whole_folder = (self.path / _METADATA).exists()
            reader = Reader(self.path if whole_folder else self._files[0])
            reader.open()
        except Exception as error:  # noqa: BLE001
            # A damaged or foreign file can fail anywhere inside of the reader and with any type
            # of error; whichever it is, the file is what the user has to hear about.
            self._salvage(error)
        else:
            self._stack.callback(reader.close)
            self._reader = reader

    def _salvage(self, error: Exception) -> None:
        if not any(_is_truncated_mcap(file) for file in self._files):
            msg = f"{self.path} cannot be read as a bag of ROS 2: {error}"
            raise BagError(msg) from error
        if len(self._files) > 1:
            msg = f"{self.path} holds a truncated file ({error}); read its .mcap files one by one"
            raise BagError(msg) from error
        self._salvaged = SalvagedMcap(self._files[0])
        total = sum(topic.message_count for topic in self._salvaged.topics)
        self.note = (
            f"{self.path} is truncated ({error}); recovered the first {total} messages, "
            f"{self.duration_ns / 1e9:.1f} s"
        )

    def _connections(self) -> list[Connection]:
        return self._reader.connections if self._reader is not None else []

    def _definitions(self) -> dict[str, str]:
        if self._salvaged is not None:
            return self._salvaged.definitions
        return {
            connection.msgtype: connection.msgdef.data
            for connection in self._connections()
            if connection.msgdef.format == MessageDefinitionFormat.MSG
        }


@final
class BagWriter:
    """A bag that is open for writing; it appears under its name when it is closed without error.

    A path that ends in ``.mcap`` becomes one file, which ``ros2 bag``, Foxglove and Rerun open
    as it is; any other path becomes a folder of rosbag2 with its ``metadata.yaml``.
    """

    def __init__(self, path: Path | str, storage: Storage = "mcap") -> None:
        """Name the bag; a bag that is there already is replaced at the end.

        Args:
            path: File (``.mcap``) or folder.
            storage: MCAP, or SQLite for old tools; a ``.mcap`` file is MCAP.
        """
        self.path = Path(path)
        self._one_file = self.path.suffix == ".mcap"
        self._storage = _STORAGES["mcap" if self._one_file else storage]
        self._stack = ExitStack()
        self._writer: Writer | None = None
        self._connections: dict[str, Connection] = {}
        self._store = default_typestore()
        self._builder = MessageBuilder(self._store)

    def __enter__(self) -> BagWriter:
        """Open the bag for writing.

        Raises:
            BagError: The folder cannot be written.
        """
        with ExitStack() as stack:
            aside = stack.enter_context(staged(self.path, BagError))
            # rosbags names the file inside after its folder, so a folder with the file's stem
            # makes the file that is wanted.
            folder = aside.parent / "bag" / self.path.stem if self._one_file else aside
            writer = Writer(folder, version=9, storage_plugin=self._storage)
            with output_errors(self.path, BagError):
                writer.open()
            stack.push(functools.partial(self._finish, writer))
            self._stack, self._writer = stack.pop_all(), writer
        return self

    def write(self, topic: str, msgtype: str, message: Mapping[str, Any], log_ns: int) -> None:
        """Write one message given as a nested dict (see ``hand4d_ros.wire``).

        Args:
            topic: Where it belongs.
            msgtype: Full name, such as ``hand4d_ros/msg/HandStateArray``.
            message: Value of every field.
            log_ns: When it was recorded.

        Raises:
            BagError: The type is unknown, the fields are not its own, or nothing can be written.
        """
        built = self._builder.build(msgtype, message)
        self.write_serialized(topic, msgtype, self._store.serialize_cdr(built, msgtype), log_ns)

    def write_serialized(
        self, topic: str, msgtype: str, data: bytes | memoryview, log_ns: int
    ) -> None:
        """Write one message that is serialised (CDR) already, as a raw subscription gives it.

        Raises:
            BagError: The type is unknown or differs from the topic's, or nothing can be written.
        """
        if self._writer is None:
            msg = f"{self.path} is not open; use the writer in a with statement"
            raise BagError(msg)
        with output_errors(self.path, BagError):
            self._writer.write(self._connection(self._writer, topic, msgtype), log_ns, data)

    def _connection(self, writer: Writer, topic: str, msgtype: str) -> Connection:
        known = self._connections.get(topic)
        if known is not None:
            if known.msgtype != msgtype:
                msg = f"{topic} holds {known.msgtype}, so {msgtype} cannot be written to it"
                raise BagError(msg)
            return known
        if msgtype not in self._store.fielddefs:
            msg = f"the message type {msgtype!r} is not known; is the name complete?"
            raise BagError(msg)
        added = writer.add_connection(
            topic, msgtype, typestore=self._store, offered_qos_profiles=[_qos(topic)]
        )
        self._connections[topic] = added
        return added

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the bag and move it to its place, or remove it after an error."""
        self._stack.__exit__(kind, error, trace)

    def _finish(
        self,
        writer: Writer,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Write the index, or give up the file; runs before the bag is moved to its place."""
        self._writer = None
        if error is not None:
            with suppress(OSError):
                writer.abort()
            return
        with output_errors(self.path, BagError):
            writer.close()
            if self._one_file:
                inner = writer.path / f"{writer.path.name}.mcap"
                inner.replace(writer.path.parent.parent / self.path.name)


def _storage_files(path: Path) -> list[Path]:
    """Return the files of a bag that hold its messages, in their order."""
    if not path.exists():
        msg = f"there is no bag at {path}"
        raise BagError(msg)
    files = [path]
    if path.is_dir():
        patterns = ("*.mcap", "*.db3", "*.mcap.zstd", "*.db3.zstd")
        files = sorted(file for pattern in patterns for file in path.glob(pattern))
        if not files or (len(files) > 1 and not (path / _METADATA).exists()):
            found = ", ".join(sorted(p.name for p in path.iterdir())[:8]) or "nothing"
            msg = (
                f"{path} is no bag: expected a folder with metadata.yaml and .mcap or .db3 "
                f"files, found {found}"
            )
            raise BagError(msg)
    elif path.suffix not in (".mcap", ".db3"):
        hint = "; convert ROS 1 bags with rosbags-convert" if path.suffix == ".bag" else ""
        msg = f"{path} is no bag of ROS 2: expected .mcap, .db3 or a folder of rosbag2{hint}"
        raise BagError(msg)
    if files[0].stat().st_size == 0:
        msg = f"{files[0]} is empty (0 bytes)"
        raise BagError(msg)
    return files


def _is_truncated_mcap(path: Path) -> bool:
    """Tell whether a file starts as MCAP but does not end as MCAP."""
    magic = len(_MCAP_MAGIC)
    with path.open("rb") as stream:
        starts = stream.read(magic) == _MCAP_MAGIC
        size = stream.seek(0, 2)
        stream.seek(max(size - magic, 0))
        return starts and (size < 2 * magic or stream.read() != _MCAP_MAGIC)


def _qos(topic: str) -> Qos:
    """Return the quality of service that a player offers this topic with."""
    forever = QosTime(2147483647, 4294967295)
    latched = topic in _LATCHED_TOPICS
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=1 if latched else 10,
        reliability=QosReliability.RELIABLE,
        durability=QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        deadline=forever,
        lifespan=forever,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=forever,
        avoid_ros_namespace_conventions=False,
    )
