"""Messages to types and back, nothing else.

``hand4d_ros.wire`` says how a type becomes the fields of a message, as a dict; here a dict fills
an rclpy message of any class, and sensor messages become types.
"""

from __future__ import annotations

import array
import functools
import importlib
import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from hand4d_ros.errors import RosError
from hand4d_ros.types import CameraModel, HandTrack
from hand4d_ros.wire import tracked_hands_from_array
from hand4d_ros.wire_sensors import camera_from_info

_TYPECODES = {
    "boolean": "B",
    "octet": "B",
    "uint8": "B",
    "int8": "b",
    "uint16": "H",
    "int16": "h",
    "uint32": "I",
    "int32": "i",
    "uint64": "Q",
    "int64": "q",
    "float": "f",
    "double": "d",
}
_FIELD_TYPE = re.compile(
    r"^(?:sequence<(?P<sequence>[\w/]+)(?:, *\d+)?>|(?P<fixed>[\w/]+)\[\d+\]|(?P<plain>[\w/<=]+))$"
)

_Fill = Callable[[Any], Any]


def message_class(type_name: str) -> Any:
    """Import the Python class of a message type.

    Args:
        type_name: ``package/msg/Name``, or ``package/Name`` as messages spell their fields.

    Returns:
        The class.

    Raises:
        RosError: If the package is not installed or has no such message.
    """
    package, _, rest = type_name.partition("/")
    try:
        module = importlib.import_module(f"{package}.msg")
        return getattr(module, rest.rpartition("/")[2])
    except (ImportError, AttributeError, ValueError):
        raise RosError(
            f"message type {type_name!r} is not installed; install the package {package!r} or "
            "source the workspace that holds it"
        ) from None


def message_from_dict(cls: Any, fields: Mapping[str, Any]) -> Any:
    """Make a message out of nested dicts and sequences.

    Args:
        cls: The message class.
        fields: Values by field name; fields that are left out keep the message's default.
            Numeric arrays may be numpy arrays or sequences.

    Returns:
        A message of that class.

    Raises:
        RosError: If the message has no such field or a value does not fit it.
    """
    plan = _plan(cls)
    try:
        values = {name: plan[name](value) for name, value in fields.items()}
        # Constructors of rclpy copy an array element by element, assignment copies it as a whole:
        # for a small image that is 1 ms against 0.02 ms.
        arrays = {name: value for name, value in values.items() if isinstance(value, array.array)}
        message = cls(**{name: values[name] for name in values if name not in arrays})
        for name, value in arrays.items():
            setattr(message, name, value)
    except KeyError as error:
        raise RosError(f"{cls.__name__} has no field {error}; it has {sorted(plan)}") from None
    except (AssertionError, TypeError, ValueError, OverflowError) as error:
        raise RosError(f"{cls.__name__} cannot hold {fields!r:.200}: {error}") from None
    return message


@functools.cache
def _plan(cls: Any) -> dict[str, _Fill]:
    """How to fill each field of a message class, worked out once for each class."""
    return {
        name: _filler(field_type) for name, field_type in cls.get_fields_and_field_types().items()
    }


def _filler(field_type: str) -> _Fill:
    match = _FIELD_TYPE.match(field_type)
    if match is None:
        raise RosError(f"field type {field_type!r} is not supported")
    if match["sequence"] is not None:
        return _sequence_filler(match["sequence"])
    if match["fixed"] is not None:
        return _fixed_filler(match["fixed"])
    return _plain_filler(match["plain"])


def _plain_filler(element: str) -> _Fill:
    if "/" in element:
        return functools.partial(message_from_dict, message_class(element))
    if element == "octet":
        return lambda value: value if isinstance(value, bytes) else bytes((int(value),))
    if element == "boolean":
        return bool
    if element.startswith(("string", "wstring")):
        return str
    return float if element in ("float", "double") else int


def _sequence_filler(element: str) -> _Fill:
    typecode = _TYPECODES.get(element)
    if typecode is None or element in ("boolean", "octet"):
        return _list_filler(element)

    def fill(values: Any) -> Any:
        # Anything but an array.array is checked, or copied, element by element.
        if isinstance(values, array.array) and values.typecode == typecode:
            return values
        result = array.array(typecode)
        result.frombytes(np.ascontiguousarray(values, dtype=typecode).tobytes())
        return result

    return fill


def _fixed_filler(element: str) -> _Fill:
    typecode = _TYPECODES.get(element)
    if typecode is None or element in ("boolean", "octet"):
        return _list_filler(element)
    return lambda values: np.asarray(values, dtype=typecode)


def _list_filler(element: str) -> _Fill:
    plain = _plain_filler(element)
    if "/" in element:
        make = message_class(element)
        if set(make.get_fields_and_field_types().values()) == {"double"}:
            # Points and quaternions, of which a hand has 58 in every frame.
            return lambda values: [make(**value) for value in values]
    return lambda values: [plain(value) for value in values]


def camera_from_message(message: Any, *, rectified: bool = False) -> CameraModel:
    """Camera of a ``sensor_msgs/CameraInfo``, with its binning and region applied.

    Args:
        message: Of rclpy or rosbags.
        rectified: The images are rectified, so P holds without distortion; else K with it.

    Returns:
        The camera of the images as they are published.

    Raises:
        GeometryError: If the camera is uncalibrated (zeros), not finite or of an unknown model.
    """
    if not rectified:
        return camera_from_info(message)
    p = message.p
    return camera_from_info(
        SimpleNamespace(
            width=message.width,
            height=message.height,
            distortion_model="plumb_bob",
            d=(),
            k=(p[0], 0.0, p[2], 0.0, p[5], p[6], 0.0, 0.0, 1.0),
            binning_x=message.binning_x,
            binning_y=message.binning_y,
            roi=message.roi,
        )
    )


def tracks_from_hand_state_array(message: Any) -> tuple[HandTrack, ...]:
    """Tracks of a ``hand4d_ros/HandStateArray``, in the world frame that its header names.

    Args:
        message: Of rclpy or rosbags.

    Returns:
        One track for each hand.

    Raises:
        RosError: If a side or a tracking state is none of the message's constants.
    """
    return tracked_hands_from_array(message).tracks
