"""Shape annotations: jaxtyping where it is installed, plain arrays where it is not.

jaxtyping has no rosdep key, and only tests check the shapes, so a robot does without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, UInt8
else:
    try:
        from jaxtyping import Bool, Float, Int, UInt8
    except ImportError:

        class _Annotation:
            def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
                return item[0]

        Bool = Float = Int = UInt8 = _Annotation

Array = np.ndarray

__all__ = ["Array", "Bool", "Float", "Int", "UInt8"]
