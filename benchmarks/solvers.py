"""The solvers against each other on 128 frames of two hands: time, energy, iterations.

``python -m benchmarks.solvers`` starts Levenberg-Marquardt on the bordered band and L-BFGS with
strong Wolfe conditions from the same Stage I of one clip of the suite ``world``, on the energy of
Stage III without a motion prior; both see the same residuals. ``--adam`` adds Adam. ``--limits``
instead says how many poses of the worlds lie within the biomechanical regions. Times are those of
the process's own CPU, on one core.
"""

from __future__ import annotations

import argparse
import os
import time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402

from hand4d_ros.evaluation.clips import Clip  # noqa: E402
from hand4d_ros.evaluation.suites import world  # noqa: E402
from hand4d_ros.evaluation.suites.base import SuiteOptions  # noqa: E402
from hand4d_ros.hand.load import load_hand  # noqa: E402
from hand4d_ros.tracking.costs.biomechanical_limits import joint_regions  # noqa: E402
from hand4d_ros.tracking.costs.biomechanics import region_excess  # noqa: E402
from hand4d_ros.tracking.dynhamr import interaction  # noqa: E402
from hand4d_ros.tracking.dynhamr.config import DynHamrConfig  # noqa: E402
from hand4d_ros.tracking.dynhamr.process import DynHamr  # noqa: E402
from hand4d_ros.tracking.dynhamr.variables import Unknowns  # noqa: E402
from hand4d_ros.tracking.solvers import gauss_newton, reference  # noqa: E402
from hand4d_ros.tracking.solvers.gauss_newton import GaussNewtonConfig  # noqa: E402

_BRANCH = "{:<32} {:>9.2f} s {:>14.2f} {:>6d} {:>12d}"


def problem_of(clip: Clip) -> tuple[interaction.InteractionProblem, Unknowns]:
    """Stage III's problem of a clip and Stage I's answer, where all solvers start.

    Args:
        clip: Of any suite.
    """
    config = DynHamrConfig(stages=1, chunk_frames=len(clip))
    system = DynHamr(config, load_hand(), odometry_is_metric=clip.odometry_is_metric)
    for index in range(len(clip)):
        system.push(clip.frame(index, with_image=False), clip.detections[index])
    system.finish()
    (solution,) = system.solutions
    problem = interaction.stage_three(solution.problem, config, None)
    return problem, solution.unknowns


def compare(clip: Clip, iterations: int, *, adam: bool) -> None:
    """Run all solvers on one clip and print a line each.

    Args:
        clip: Of 128 frames.
        iterations: Of L-BFGS, 20 evaluations each.
        adam: Run Adam too, with as many gradients as L-BFGS may take.
    """
    problem, start = problem_of(clip)
    print(
        f"{clip.name}: {len(clip)} frames, {start.hands} hands, "
        f"{len(clip) * start.block + start.border} unknowns"
    )
    print(f"{'':<32} {'CPU':>11} {'energy':>14} {'steps':>6} {'evaluations':>12}")
    print(_BRANCH.format("start", 0.0, problem.energy(start), 0, 0))
    settings = (GaussNewtonConfig(), GaussNewtonConfig(iterations=100, tolerance=1e-6))
    for name, config in zip(("banded, as it runs", "banded, to 1e-6"), settings, strict=True):
        began_s = time.process_time()
        _, _, report = gauss_newton.solve(problem, start, config)
        row = (report.energies[-1], report.iterations, report.evaluations)
        took_s = time.process_time() - began_s
        print(_BRANCH.format(f"Gauss-Newton, {name}", took_s, *row))
    best = report.energies[-1]
    began_s = time.process_time()
    reached: list[str] = []

    def watch(step: int, energy: float) -> None:
        if energy <= best * 1.01 and not reached:
            took_s = time.process_time() - began_s
            reached.append(f"L-BFGS is within 1% of that energy after {took_s:.1f} s")
        del step

    _, report = reference.minimise(problem, start, "lbfgs", iterations, on_step=watch)
    row = (report.energies[-1], report.iterations, report.evaluations)
    print(_BRANCH.format("L-BFGS, strong Wolfe", time.process_time() - began_s, *row))
    print(reached[0] if reached else "L-BFGS does not come within 1% of that energy")
    if adam:
        began_s = time.process_time()
        _, report = reference.minimise(problem, start, "adam", 20 * iterations)
        row = (report.energies[-1], report.iterations, report.evaluations)
        print(_BRANCH.format("Adam", time.process_time() - began_s, *row))


def limits(seed: int, clips: int) -> None:
    """Print the share of the worlds' poses that lie within each joint's region.

    Args:
        seed: Of the worlds.
        clips: Number of clips.
    """
    from hand4d_ros.geometry import so3
    from hand4d_ros.hand.biomechanics import DEGREES_OF_FREEDOM, Anatomy
    from hand4d_ros.types import Side

    angles = []
    for sample in world.samples(SuiteOptions(seed=seed, clips=clips)):
        for side, hand in sample.truth.hands.items():
            assert hand.hand is not None
            assert hand.joint_rotvec is not None
            # A left hand's anatomy is that of the mirrored pose.
            signs = [1.0, -1.0, -1.0] if side is Side.LEFT else [1.0, 1.0, 1.0]
            right = load_hand().with_shape(hand.hand.betas)
            angles.append(Anatomy(right).angles(so3.exp(hand.joint_rotvec * signs)))
    excess, _ = region_excess(np.concatenate(angles), joint_regions())
    for place, region in enumerate(joint_regions()):
        name = DEGREES_OF_FREEDOM[region.flexion].joint
        share = float((excess[:, place] <= 1e-6).mean())
        worst = float(np.rad2deg(excess[:, place].max()))
        print(f"{name:<8} {100 * share:6.2f}% inside, {worst:5.1f} deg outside at most")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=201, help="of the suite world")
    parser.add_argument("--clips", type=int, default=2, help="number of clips")
    parser.add_argument("--iterations", type=int, default=60, help="of L-BFGS")
    parser.add_argument("--adam", action="store_true", help="run Adam too")
    parser.add_argument("--limits", action="store_true", help="check the biomechanical regions")
    args = parser.parse_args()
    if args.limits:
        limits(args.seed, args.clips)
        return
    for sample in world.samples(SuiteOptions(seed=args.seed, clips=args.clips)):
        compare(sample.clip, args.iterations, adam=args.adam)


if __name__ == "__main__":
    main()
