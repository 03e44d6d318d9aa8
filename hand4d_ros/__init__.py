"""Both hands of a person from one moving camera, in metres in the world, on ROS 2.

``HandPipeline`` in ``hand4d_ros.pipeline`` is the place to start reading.
"""

from __future__ import annotations

from pkgutil import extend_path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hand4d_ros.pipeline import HandPipeline

__version__ = "0.1.0"
__all__ = ["HandPipeline", "__version__"]

# The generated ``hand4d_ros.msg`` is installed elsewhere than the source tree while developing;
# the extended path makes the two one package.
__path__ = extend_path(__path__, __name__)


def __getattr__(name: str) -> object:
    """Import ``HandPipeline`` when it is first asked for (PEP 562), so this package stays light."""
    if name == "HandPipeline":
        from hand4d_ros.pipeline import HandPipeline

        return HandPipeline
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
