"""The checks of ``hand4d doctor`` on libraries, engines, the detector and the hand model."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from importlib import resources

from hand4d_ros.cli.findings import Finding, import_problem, library_finding, version_of
from hand4d_ros.nn.cards import listed_weights

MEDIAPIPE = "0.10.14"
"""The newest release that both brings its models and works with numpy 2."""


def check_libraries() -> Iterator[Finding]:
    """Import what the nodes need and what commands need."""
    group = "Libraries"
    advice = "rosdep install --from-paths . -y, or in the source tree scripts/setup"
    for module in ("numpy", "scipy", "cv2", "yaml"):
        yield library_finding(group, module, "needed by the nodes", advice, required=True)
    for module, purpose in (
        ("rosbags", "bags cannot be read or written"),
        ("rich", "tables and progress bars"),
        ("matplotlib", "figures of reports"),
        ("jinja2", "pages of reports"),
    ):
        yield library_finding(group, module, purpose, advice)
    for module, purpose in (
        ("av", "videos cannot be read or written"),
        ("tyro", "options of commands cannot be read"),
        ("smplx", "only for evaluating an imported MANO model's mesh"),
        ("safetensors", "only for networks' weights"),
    ):
        yield library_finding(group, module, purpose, f"pip install {module}")


def check_engines() -> Iterator[Finding]:
    """Look for what can run a network."""
    group = "Engines"
    torch = library_finding(group, "torch", "only for networks", "pip install torch")
    yield torch
    if torch.status == "ok":
        cuda = importlib.import_module("torch").cuda
        found = cuda.get_device_name(0) if cuda.is_available() else "none: networks run on the CPU"
        yield Finding(group, "CUDA", "ok", found)
    yield library_finding(
        group, "openvino", "optional, networks on the CPU", "pip install openvino"
    )
    yield library_finding(
        group, "onnxruntime", "optional, networks on the CPU", "pip install onnxruntime"
    )
    tensorrt = version_of("tensorrt")
    yield Finding(group, "tensorrt", "ok", tensorrt or "none; optional, for NVIDIA GPUs")


def check_models() -> Iterator[Finding]:
    """Look for the detector, the hand model and weights."""
    yield _detector()
    yield _hand_model()
    yield _weights()


def _detector() -> Finding:
    """Tell whether MediaPipe has the interface and the models that the detector uses."""
    group, name = "Models", "detector"
    problem = import_problem("mediapipe")
    advice = f"pip install mediapipe=={MEDIAPIPE}, or feed an external detections topic"
    if sys.version_info >= (3, 13):
        advice = (
            f"mediapipe {MEDIAPIPE} exists up to Python 3.12; feed an external detections topic"
        )
    if problem is not None:
        return Finding(group, name, "missing", problem, advice)
    version = version_of("mediapipe") or "of unknown version"
    module = importlib.import_module("mediapipe")
    if not hasattr(module, "solutions"):
        found = f"mediapipe {version} has no mp.solutions.hands"
        return Finding(group, name, "missing", found, advice)
    modules = resources.files("mediapipe") / "modules"
    model = modules / "hand_landmark" / "hand_landmark_full.tflite"
    if not model.is_file():
        return Finding(group, name, "missing", f"mediapipe {version} lacks its models", advice)
    return Finding(group, name, "ok", f"mediapipe {version} with its models")


def _hand_model() -> Finding:
    """Tell whether the built-in hand is there; MANO is the user's to bring."""
    group, name = "Models", "hand model"
    asset = resources.files("hand4d_ros") / "assets" / "builtin_hand.npz"
    if not asset.is_file():
        return Finding(
            group, name, "missing", "the built-in hand is not there", "install hand4d_ros again"
        )
    imported = _imported_mano()
    if imported:
        return Finding(group, name, "ok", f"built-in by default; MANO: {', '.join(imported)}")
    return Finding(
        group, name, "ok", "built-in; with your own MANO_RIGHT.pkl also MANO: hand4d mano-import"
    )


def _imported_mano() -> list[str]:
    """List what ``hand4d mano-import`` wrote to its default place."""
    if import_problem("hand4d_ros.cli.mano_import") is not None:
        # Without tyro that command cannot be loaded, and nobody has run it.
        return []
    from hand4d_ros.cli.mano_import import data_folder

    return sorted(str(path) for path in data_folder().glob("mano_*.npz"))


def _weights() -> Finding:
    """List the networks' weights that are at hand."""
    value = ", ".join(listed_weights()) or "none, and none needed: the estimator fits keypoints"
    return Finding("Models", "weights", "ok", value)
