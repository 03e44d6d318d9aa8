"""`hand4d calibrate`: write a file with the measured lengths of one person's hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hand4d_ros.errors import HandModelError


@dataclass(frozen=True)
class Args:
    """Write the lengths of a person's hand for `keypoint_fit.calibration`.

    One camera cannot see how large a hand is, and its size sets its depth: without a
    calibration the population's mean is used and its spread published. Measure with a ruler,
    from the crease of the wrist to the tip of the straight middle finger, or give any distance
    between two keypoints, which another tracker may know.

    Example: hand4d calibrate --hand-length-m 0.187 --out me.json
    """

    out: Path
    """File to write (JSON)."""
    hand_length_m: float = 0.0
    """Wrist to tip of the straight middle finger (m); 0 if not measured."""
    length: dict[str, float] = field(default_factory=dict)
    """Other lengths: two OpenPose keypoints joined by a dash, and metres, such as
    `--length wrist-middle_mcp 0.0865`."""
    note: str = ""
    """Whose hand, and how it was measured."""
    hand_model: str = ""
    """Hand model to report the resulting shape for; empty is the built-in hand."""


def run(args: Args) -> int:
    """Check the lengths, write the file and say what they make of the hand.

    Raises:
        HandModelError: No length is given, or one is unknown or implausible.
    """
    from hand4d_ros.hand import sizing
    from hand4d_ros.hand.load import load_hand

    lengths = dict(args.length)
    if args.hand_length_m:
        lengths[sizing.HAND_LENGTH] = args.hand_length_m
    if not lengths:
        msg = "no length is given; measure one and give --hand-length-m, or --length NAME METRES"
        raise HandModelError(msg)
    model = load_hand(args.hand_model)
    size = sizing.hand_size(model, lengths)
    try:
        sizing.save_calibration(args.out, lengths, args.note)
    except OSError as error:
        msg = f"cannot write {args.out}: {error.strerror}; give a writable --out"
        raise HandModelError(msg) from error
    population = sizing.hand_size(model)
    length_mm = model.with_shape(size.betas).hand_length_m * 1e3
    mean_mm = model.with_shape(population.betas).hand_length_m * 1e3
    print(f"wrote {args.out}: {', '.join(f'{k} = {v * 1e3:.1f} mm' for k, v in lengths.items())}")
    print(
        f"hand length {length_mm:.1f} mm (population mean {mean_mm:.1f} mm), known to "
        f"{100 * size.relative_std(model):.1f}% "
        f"(population {100 * population.relative_std(model):.1f}%): "
        "so much of the distance to the camera is uncertain"
    )
    return 0
