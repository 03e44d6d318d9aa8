"""HMP's motion prior against its rivals on motions that none of them was trained on.

``python -m benchmarks.motion_prior RUN/data``: clips are completed in gaps, and repaired where
nothing is missing, by the most plausible latent: from exact frames, and from frames with the
errors that last (``training.motion_noise``). ``--fit FOLDER`` fits the rivals' weights first.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.nn.hand_chain import HandChain
from hand4d_ros.tracking.hmp.infill import infilled
from hand4d_ros.tracking.priors.base import FRAMES, RATE_HZ, MotionPrior
from hand4d_ros.tracking.priors.registry import load_prior
from hand4d_ros.training.motion_noise import SpoiltConfig, interpolated, spoilt
from hand4d_ros.training.motion_prior import FIELD, Clips, motion_figures
from hand4d_ros.training.motion_rivals import write_rivals
from hand4d_ros.training.shards import Shards

NAMES = ("slerp", "none", "pca", "gmm", "hmp")
GAPS_S = (0.0, 0.5, 1.0)
ERRORS = {"exact": 0.15, "spoilt": 0.3}
"""What is seen, and the deviation (rad) of a rotation that is asked of the latent then."""


@dataclass(frozen=True)
class Case:
    """Clips of which some frames are hidden."""

    truth: Tensor
    given: Tensor
    seen: Tensor
    std_rad: float
    exact: bool

    def line(self, prior: MotionPrior, chain: HandChain) -> str:
        """Figures of one prior: in the gap, or everywhere where there is none."""
        if prior.name == "slerp":
            made = prior.decode(prior.encode(self.given, self.seen), torch.arange(FRAMES) / FRAMES)
        else:
            pairs = zip(self.given, self.seen, strict=True)
            made = torch.stack(
                [infilled(prior, g, s, self.std_rad, keep=self.exact) for g, s in pairs]
            )
        hidden = ~self.seen
        where = hidden if bool(hidden.any()) else self.seen
        figures = motion_figures(chain, made, self.truth, where)
        return f"{figures['mm']:9.2f} {figures['mm_s2']:6.0f}"


def cases(angles: Tensor, chain: HandChain, kind: str, seed: int) -> list[Case]:
    """Hide a part of each clip, as long as each of ``GAPS_S``."""
    rng = torch.Generator().manual_seed(seed)
    exact = SpoiltConfig(gaps=0, clean_share=1.0)
    config = exact if kind == "exact" else SpoiltConfig(gaps=0, clean_share=0.0)
    estimate, everything = spoilt(angles, config, rng)
    starts = np.random.default_rng(seed).uniform(0.1, 0.9, len(angles))
    made = []
    for gap_s in GAPS_S:
        seen = everything.clone()
        length = round(gap_s * RATE_HZ)
        for row, share in enumerate(starts):
            first = int(share * (FRAMES - length))
            seen[row, first : first + length] = False
        given = chain.rotations_from_angles(interpolated(estimate, seen))
        made.append(
            Case(chain.rotations_from_angles(angles), given, seen, ERRORS[kind], kind == "exact")
        )
    return made


def main() -> None:
    """Print one line a prior: distances of keypoints (mm) and of accelerations (mm/s^2)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="data of a run of motion_prior")
    parser.add_argument("--fit", type=Path, default=None, help="folder for the rivals' weights")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--priors", default=",".join(NAMES))
    args = parser.parse_args()
    if args.fit is not None:
        for path in write_rivals(Shards(args.data / "train"), args.fit, 8000):
            print(f"wrote {path}")
    chain = HandChain(builtin_hand().with_shape())
    clips = Clips(Shards(args.data / "held_out", args.seed), args.seed)
    angles = torch.from_numpy(clips.batch(0, args.clips)[FIELD])
    for kind in ERRORS:
        made = cases(angles, chain, kind, args.seed)
        heads = "".join(f"   gap {gap_s:g} s: mm mm/s2" for gap_s in GAPS_S)
        print(f"{kind:8s}{heads}", flush=True)
        for name in args.priors.split(","):
            prior = load_prior(name)
            lines = "    ".join(case.line(prior, chain) for case in made)
            print(f"{name:8s}{lines}", flush=True)


if __name__ == "__main__":
    main()
