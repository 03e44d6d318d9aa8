"""MediaPipe's two hand networks as callables: palms in a square image, keypoints in a view.

``mp.solutions.hands`` runs both in one closed graph. Here each has a small graph of its own,
made of the same bundled parts and models, because the closed one decides by itself where to
look, keeps the probability that a hand is there for itself, and works on one core. Its own
documentation says that it takes images for mirrored; the probability given here is that of the
image as it is.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hand4d_ros.errors import DetectionError
from hand4d_ros.shapes import Array, Float, UInt8

PALM_SIZE_PX = 192
"""Side of the images that the palm network takes."""
VIEW_SIZE_PX = 224
"""Side of the images that the keypoint network takes."""

_INSTALL = "install it with: pip install 'mediapipe==0.10.14'"
_CHATTER = re.compile(rb"^([WIE]\d{4} |(INFO|WARNING): (Created TensorFlow|All log messages))")
_PALM_GRAPH = """
input_stream: "image"
input_side_packet: "complexity"
output_stream: "palms"
node {
  calculator: "PalmDetectionCpu"
  input_stream: "IMAGE:image"
  input_side_packet: "MODEL_COMPLEXITY:complexity"
  output_stream: "DETECTIONS:palms"
}
"""
_KEYPOINT_GRAPH = """
input_stream: "image"
input_stream: "whole"
input_side_packet: "complexity"
output_stream: "keypoints"
output_stream: "keypoints_3d"
output_stream: "handedness"
node {
  calculator: "HandLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:whole"
  input_side_packet: "MODEL_COMPLEXITY:complexity"
  output_stream: "LANDMARKS:keypoints"
  output_stream: "WORLD_LANDMARKS:keypoints_3d"
  output_stream: "HANDEDNESS:handedness"
}
"""


@dataclass(frozen=True)
class Palm:
    """One palm; places are fractions of the sides of the image that was given."""

    score: float
    box: Float[Array, "2 2"]
    """Upper left and lower right corner."""
    wrist: Float[Array, "2"]
    middle_mcp: Float[Array, "2"]


@dataclass(frozen=True)
class Keypoints:
    """What the keypoint network says about one view."""

    presence: float
    """Probability that the view shows a hand, 0..1."""
    right: float
    """Probability that it is a right hand in an image that is not mirrored, 0..1."""
    fraction: Float[Array, "21 2"]
    """Keypoints as fractions of the sides of the view; may lie outside of it."""
    keypoints_3d_m: Float[Array, "21 3"]
    """In the axes of the view: x right, y down, z away; the origin is the hand's middle."""


class PalmNetwork:
    """Finds palms in a square image."""

    def __init__(self, complexity: int, min_score: float) -> None:
        """Load the network.

        Args:
            complexity: 0 for the light network, 1 for the full one.
            min_score: Palms below it are not reported, 0..1.

        Raises:
            DetectionError: If mediapipe is missing, too new or cannot load the network.
        """
        threshold = "palmdetectioncpu__TensorsToDetectionsCalculator.min_score_thresh"
        self._graph = _start(_PALM_GRAPH, complexity, {threshold: min_score}, [])

    def __call__(self, image: UInt8[Array, "n n 3"]) -> list[Palm]:
        """Palms in an image, the surest first."""
        found = self._graph.process({"image": image}).palms or []
        palms = [_palm(detection) for detection in found]
        return sorted(palms, key=lambda palm: -palm.score)

    def close(self) -> None:
        """Release the network."""
        self._graph.close()


class KeypointNetwork:
    """Finds the 21 keypoints of the one hand that a view is turned to."""

    def __init__(self, complexity: int) -> None:
        """Load the network.

        Args:
            complexity: 0 for the light network, 1 for the full one.

        Raises:
            DetectionError: If mediapipe is missing, too new or cannot load the network.
        """
        # The graph hides hands below a threshold. It is set to nothing, for the caller decides
        # with the probability itself, which is an inner stream of the graph.
        threshold = "handlandmarkcpu__ThresholdingCalculator.threshold"
        self._presence = "handlandmarkcpu__hand_presence_score"
        outputs = ["keypoints", "keypoints_3d", "handedness", self._presence]
        self._graph = _start(_KEYPOINT_GRAPH, complexity, {threshold: 1e-9}, outputs)
        from mediapipe.framework.formats import rect_pb2

        self._whole = rect_pb2.NormalizedRect(x_center=0.5, y_center=0.5, width=1.0, height=1.0)

    def __call__(self, image: UInt8[Array, "n n 3"]) -> Keypoints | None:
        """Keypoints of a view; None where the network sees nothing at all."""
        found = self._graph.process({"image": image, "whole": self._whole})
        if found.keypoints is None:
            return None
        guess = found.handedness.classification[0]
        # A right hand that is taken for mirrored is called left.
        right = guess.score if guess.label == "Left" else 1.0 - guess.score
        fraction = np.array([(p.x, p.y) for p in found.keypoints.landmark])
        keypoints_3d_m = np.array([(p.x, p.y, p.z) for p in found.keypoints_3d.landmark])
        presence = min(max(float(getattr(found, self._presence)), 0.0), 1.0)
        return Keypoints(presence, float(right), fraction, keypoints_3d_m)

    def close(self) -> None:
        """Release the network."""
        self._graph.close()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep MediaPipe's start-up chatter from standard error while the block runs.

    It writes there from C++, past Python, so the file descriptor is redirected. What others
    write meanwhile is passed on afterwards, as is everything when the block fails.
    """
    with tempfile.TemporaryFile() as captured:
        sys.stderr.flush()
        standard_error = os.dup(2)
        os.dup2(captured.fileno(), 2)
        chatter = _CHATTER
        try:
            yield
        except BaseException:
            chatter = re.compile(rb"(?!)")  # Matches nothing: the log may say why it failed.
            raise
        finally:
            sys.stderr.flush()
            os.dup2(standard_error, 2)
            os.close(standard_error)
            captured.seek(0)
            for line in captured:
                if not chatter.match(line):
                    os.write(2, line)


def _start(graph: str, complexity: int, parameters: dict[str, float], outputs: list[str]) -> Any:
    """Run one of the graphs with MediaPipe's own wrapper."""
    try:
        import mediapipe
        from mediapipe.framework import calculator_pb2
    except ImportError as error:
        raise DetectionError(f"the mediapipe detector needs mediapipe; {_INSTALL}") from error
    try:
        from mediapipe.python.solution_base import SolutionBase
    except ImportError as error:
        msg = (
            f"mediapipe {mediapipe.__version__} has no mp.solutions, which the detector is made "
            f"of: it needs 0.10.9 to 0.10.21; {_INSTALL}"
        )
        raise DetectionError(msg) from error
    from google.protobuf import text_format

    # MediaPipe calls a deprecated function of protobuf on every frame; nobody here can help it.
    warnings.filterwarnings("ignore", message=r"SymbolDatabase\.GetPrototype")
    try:
        return SolutionBase(
            graph_config=text_format.Parse(graph, calculator_pb2.CalculatorGraphConfig()),
            side_inputs={"complexity": complexity},
            calculator_params=parameters,
            outputs=outputs or None,
        )
    except (RuntimeError, ValueError, OSError, KeyError) as error:
        msg = (
            f"mediapipe {mediapipe.__version__} cannot load its hand networks: {error}; {_INSTALL}"
        )
        raise DetectionError(msg) from error


def _palm(detection: Any) -> Palm:
    """Our record from MediaPipe's."""
    location = detection.location_data
    box = location.relative_bounding_box
    wrist, middle_mcp = (location.relative_keypoints[i] for i in (0, 2))
    return Palm(
        score=float(detection.score[0]),
        box=np.array([(box.xmin, box.ymin), (box.xmin + box.width, box.ymin + box.height)]),
        wrist=np.array((wrist.x, wrist.y)),
        middle_mcp=np.array((middle_mcp.x, middle_mcp.y)),
    )
