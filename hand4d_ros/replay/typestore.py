"""Message types for bags without ROS: the Jazzy standard types and ours from ``msg/*.msg``.

The ``.msg`` files are the one definition of our messages, for colcon and for bags. They are
looked for, in this order, in ``msg/`` beside the package (source tree), in
``share/hand4d_ros/msg`` of the prefix that this package is installed in (colcon or a virtual
environment), and of the prefixes in ``AMENT_PREFIX_PATH``.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

import hand4d_ros
from hand4d_ros.errors import BagError

PACKAGE = "hand4d_ros"


def message_folder() -> Path:
    """Return the folder that holds ``HandState.msg`` and its siblings.

    Raises:
        BagError: It is in none of the places where an installation puts it.
    """
    places = list(_places())
    for place in places:
        if (place / "HandState.msg").is_file():
            return place
    msg = (
        f"the message definitions of {PACKAGE} are in none of {[str(p) for p in places]}; "
        "install the package again, or source its setup file so that AMENT_PREFIX_PATH names it"
    )
    raise BagError(msg)


def _places() -> Iterator[Path]:
    # The path as imported, not resolved: a colcon --symlink-install links single files, and the
    # prefix is above the link, not above its target.
    package = Path(hand4d_ros.__file__).parent
    yield package.parent / "msg"
    for above in package.parents:
        yield above / "share" / PACKAGE / "msg"
    for prefix in filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)):
        yield Path(prefix) / "share" / PACKAGE / "msg"


def own_definitions() -> dict[str, Any]:
    """Return the field definitions of this package's messages, by full type name."""
    types: dict[str, Any] = {}
    for path in sorted(message_folder().glob("*.msg")):
        text = path.read_text(encoding="utf-8")
        types.update(get_types_from_msg(text, f"{PACKAGE}/msg/{path.stem}"))
    return types


@functools.cache
def default_typestore() -> Typestore:
    """Return the standard types of ROS 2 Jazzy and this package's own."""
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(own_definitions())
    return store


def typestore_of(definitions: Mapping[str, str]) -> Typestore:
    """Return the default types, with those that a bag defines itself in its own words.

    Args:
        definitions: Message definition text, as bags carry it, by type name.

    Raises:
        BagError: A definition cannot be parsed.
    """
    defaults: dict[str, Any] = dict(default_typestore().fielddefs)
    types = dict(defaults)
    for name, text in definitions.items():
        types.update(_parsed(name, text))
    if types == defaults:
        return default_typestore()
    store = get_typestore(Stores.EMPTY)
    store.register(types)
    return store


@functools.cache
def _parsed(name: str, text: str) -> dict[str, Any]:
    try:
        return dict(get_types_from_msg(text, name))
    except Exception as error:
        # The parser is fed by a file that anyone may have made; whatever it trips over is the
        # file's fault, and its many error types say nothing more to the user.
        msg = f"the bag's definition of {name} cannot be read: {error}"
        raise BagError(msg) from error


Builder = Callable[[Any], Any]
"""Turns one field's value of a dict into a field of a message object."""


class MessageBuilder:
    """Makes message objects of a type store from nested dicts as ``hand4d_ros.wire`` has them."""

    def __init__(self, store: Typestore) -> None:
        """Build messages of the types in ``store``."""
        self._store = store
        self._builders: dict[str, Builder] = {}

    def build(self, msgtype: str, fields: Mapping[str, Any]) -> Any:
        """Return a message.

        Args:
            msgtype: Full name, such as ``std_msgs/msg/Header``.
            fields: Value of every field.

        Raises:
            BagError: The type is unknown, or fields are missing or unknown.
        """
        return self._of_type(msgtype)(fields)

    def _of_type(self, msgtype: str) -> Builder:
        if msgtype not in self._builders:
            if msgtype not in self._store.fielddefs:
                msg = f"the message type {msgtype!r} is not known; is the name complete?"
                raise BagError(msg)
            self._builders[msgtype] = self._compile(msgtype)
        return self._builders[msgtype]

    def _compile(self, msgtype: str) -> Builder:
        make = self._store.types[msgtype]
        parts = {name: self._of_field(desc) for name, desc in self._store.fielddefs[msgtype][1]}
        names = set(parts)

        def build(fields: Any) -> Any:
            if not isinstance(fields, Mapping) or set(fields) != names:
                given = sorted(fields) if isinstance(fields, Mapping) else type(fields).__name__
                msg = f"{msgtype} has the fields {sorted(names)}, got {given}"
                raise BagError(msg)
            return make(**{name: part(fields[name]) for name, part in parts.items()})

        return build

    def _of_field(self, desc: Any) -> Builder:
        kind, detail = desc
        if kind == Nodetype.NAME:
            return self._of_type(detail)
        if kind == Nodetype.BASE:
            return _same
        element, length = detail
        if element[0] == Nodetype.NAME:
            build = self._of_type(element[1])
            return lambda values: [build(value) for value in _checked(values, kind, length)]
        if element[1][0] == "string":
            return lambda values: list(_checked(values, kind, length))
        dtype = np.dtype({"byte": "uint8", "char": "uint8"}.get(element[1][0], element[1][0]))
        return lambda values: np.asarray(_checked(values, kind, length), dtype=dtype)


def _same(value: Any) -> Any:
    return value


def _checked(values: Any, kind: Nodetype, length: int) -> Any:
    """Return ``values`` after checking the length of a fixed-size array."""
    if kind == Nodetype.ARRAY and len(values) != length:
        msg = f"a field of {length} elements was given {len(values)}"
        raise BagError(msg)
    return values
