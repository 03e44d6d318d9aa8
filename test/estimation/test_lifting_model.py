"""The lifting model's inputs and outputs: conditions, motion vector, network, sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hand4d_ros.errors import ConfigError, EstimationError
from hand4d_ros.estimation.lifting.conditions import (
    SIDES,
    conditions_from_keypoints,
    seen_keypoints,
)
from hand4d_ros.estimation.lifting.config import WIDTHS, LiftingConfig, paper_size
from hand4d_ros.estimation.lifting.motion_vector import (
    FEATURES,
    Hands,
    Scale,
    hands_from_two_row_vector,
    keypoints_from_hands,
    mirrored_rotations,
    two_row_vector_from_hands,
)
from hand4d_ros.estimation.lifting.network import LiftingNetwork
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3, so3
from hand4d_ros.geometry.camera import camera_from_fov
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.nn.diffusion import DiffusionConfig
from hand4d_ros.nn.diffusion_samplers import spaced_steps
from hand4d_ros.nn.hand_chain import HandChain
from hand4d_ros.nn.rotations import matrix_from_rotvec
from hand4d_ros.nn.transformer import TransformerConfig
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import HandDetection, Side

torch.set_num_threads(1)
CAMERA = camera_from_fov(640, 480, 1.3)
SCALE = Scale(torch.tensor([0.1, 0.0, 0.4]), torch.tensor([0.2, 0.1, 0.3]))
TINY = TransformerConfig(layers=1, width=16, heads=2, feed_forward=16)


def detection(side: Side, score: float, px: Float[Array, "21 2"]) -> HandDetection:
    """A hand of given keypoints."""
    return HandDetection(side, score, px, np.ones(21))


def some_hands(seed: int = 0) -> Hands:
    """Random hands in three frames."""
    rng = torch.Generator().manual_seed(seed)
    rotvec = torch.randn((3, 2, 16, 3), generator=rng)
    return Hands(matrix_from_rotvec(rotvec), torch.randn((3, 2, 3), generator=rng))


def network(layout: str = "sum", **values: object) -> LiftingNetwork:
    """A tiny one, the same every time."""
    torch.manual_seed(0)
    config = LiftingConfig(
        frames=6,
        layout=layout,  # type: ignore[arg-type]
        transformer=TINY,
        diffusion=DiffusionConfig(steps=20),
        **values,  # type: ignore[arg-type]
    )
    return LiftingNetwork(config).eval()


def told(frames: int = 6, seed: int = 1) -> dict[str, torch.Tensor]:
    """Random conditions of two windows."""
    rng = torch.Generator().manual_seed(seed)
    return {k: torch.randn((2, frames, width), generator=rng) for k, width in WIDTHS.items()}


def test_surest_detection_of_each_hand_is_taken() -> None:
    """Right first; a hand that is not there, and a point without a ray, are zero."""
    rng = np.random.default_rng(0)
    low, high, left = (rng.uniform(50.0, 400.0, (21, 2)) for _ in range(3))
    left[3] = np.nan
    frames = [
        [detection(Side.RIGHT, 0.9, high), detection(Side.RIGHT, 0.4, low)],
        [detection(Side.LEFT, 0.5, left)],
        [],
    ]
    seen = seen_keypoints(CAMERA, frames)
    assert SIDES == (Side.RIGHT, Side.LEFT)
    np.testing.assert_allclose((seen.uv[0, 0] + 1.0) * [320, 240] - 0.5, high)
    np.testing.assert_allclose(seen.bearings[0, 0], cameras.unproject(CAMERA, high))
    assert seen.valid.sum(-1).tolist() == [[21, 0], [0, 20], [0, 0]]
    assert not seen.uv[~seen.valid].any()
    assert not seen.bearings[~seen.valid].any()


def test_conditions_do_not_depend_on_the_world() -> None:
    """Only the cameras' motion counts; what is unknown is zero, and only that."""
    rng = np.random.default_rng(1)
    px = rng.uniform(50.0, 400.0, (4, 21, 2))
    seen = seen_keypoints(CAMERA, [[detection(Side.LEFT, 1.0, p)] for p in px])
    poses = se3.from_rotation_translation(so3.exp(rng.normal(size=(4, 3))), rng.normal(size=(4, 3)))
    found = conditions_from_keypoints(seen, poses)
    assert {name: value.shape[-1] for name, value in found.items()} == dict(WIDTHS)
    again = conditions_from_keypoints(seen, poses[2] @ poses)
    for name, value in found.items():
        np.testing.assert_allclose(value, again[name], atol=1e-5)
        right = value.reshape(4, 2, -1)[:, 0]
        assert name == "camera" or not right.any()
    np.testing.assert_allclose(found["camera"][0].reshape(4, 4), np.eye(4), atol=1e-6)
    poses[2] = np.nan
    holed = conditions_from_keypoints(seen, poses)
    for name in ("camera", "plucker"):
        assert not holed[name][2].any()
        np.testing.assert_array_equal(holed[name][3], found[name][3])
    for name in ("keypoints", "kpe"):
        np.testing.assert_array_equal(holed[name], found[name])


def test_motion_vector_there_and_back() -> None:
    """198 numbers: right rotations, left rotations, right and left place."""
    hands = some_hands()
    vector = two_row_vector_from_hands(hands, SCALE)
    assert vector.shape == (3, FEATURES) == (3, 198)
    torch.testing.assert_close(vector[1, 6:9], hands.rotations[1, 0, 1, 0])
    torch.testing.assert_close(vector[1, 99:102], hands.rotations[1, 1, 0, 1])
    place = vector[1, 195:] * SCALE.std_m + SCALE.mean_m
    torch.testing.assert_close(place, hands.wrist_m[1, 1])
    back = hands_from_two_row_vector(vector, SCALE)
    torch.testing.assert_close(back.rotations, hands.rotations, atol=1e-5, rtol=0.0)
    torch.testing.assert_close(back.wrist_m, hands.wrist_m)


def test_any_vector_gives_rotations() -> None:
    """Orthonormal and right-handed."""
    vector = torch.randn((20, FEATURES), generator=torch.Generator().manual_seed(2))
    R = hands_from_two_row_vector(vector, SCALE).rotations
    torch.testing.assert_close(
        R @ R.transpose(-1, -2), torch.eye(3).expand_as(R), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(R.shape[:-2]))


def test_keypoints_are_those_of_the_hand_model() -> None:
    """Of the right model and of the left one, each posed by its own parameters."""
    rng = np.random.default_rng(3)
    rotvec = 0.4 * rng.normal(size=(2, 16, 3))
    wrist = rng.normal(size=(2, 3))
    hands = Hands(torch.tensor(so3.exp(rotvec), dtype=torch.float32), torch.tensor(wrist).float())
    found = keypoints_from_hands(HandChain(builtin_hand().with_shape()), hands)
    for index, side in enumerate(SIDES):
        hand = builtin_hand(side).with_shape()
        T = se3.from_rotation_translation(so3.exp(rotvec[index, 0]), wrist[index])
        expected = hand.keypoints(T, rotvec[index, 1:])
        np.testing.assert_allclose(found[index].numpy(), expected, atol=1e-5)


def test_mirrored_rotation_turns_the_mirror_image() -> None:
    """M R M, and twice is nothing."""
    R = some_hands().rotations[0, 0]
    M = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
    torch.testing.assert_close(mirrored_rotations(R), M @ R @ M)
    torch.testing.assert_close(mirrored_rotations(mirrored_rotations(R)), R)


@pytest.mark.parametrize("layout", ["sum", "tokens"])
def test_both_layouts_give_motion_and_mask_frames(layout: str) -> None:
    """Shapes agree, and frames that are not there change nothing in those that are."""
    net, conditions = network(layout), told()
    x = torch.randn((2, 6, FEATURES), generator=torch.Generator().manual_seed(4))
    mask = torch.arange(6).expand(2, 6) < 4
    other = {name: value.clone() for name, value in conditions.items()}
    for value in other.values():
        value[:, 4:] = 9.0
    spoilt = x.clone()
    spoilt[:, 4:] = -9.0
    step = torch.tensor([1, 15])
    tokens = net.embed(conditions)
    assert tokens.shape == (2, 4 * 6, 16)
    first = net(x, step, tokens, mask)
    again = net(spoilt, step, net.embed(other), mask)
    assert first.shape == x.shape
    torch.testing.assert_close(first[:, :4], again[:, :4])
    unmasked = net(spoilt, step, net.embed(other))
    assert not torch.allclose(first[:, :4], unmasked[:, :4], atol=1e-3)


@pytest.mark.parametrize("layout", ["sum", "tokens"])
def test_every_condition_counts(layout: str) -> None:
    """And a window shorter than the network's is taken as well."""
    net, conditions = network(layout), told(frames=4)
    x, step = torch.zeros((2, 4, FEATURES)), torch.tensor([5, 5])
    plain = net(x, step, net.embed(conditions))
    for name in WIDTHS:
        changed = {**conditions, name: conditions[name] + 1.0}
        assert not torch.allclose(plain, net(x, step, net.embed(changed)), atol=1e-4), name


def test_samples_repeat_and_warm_starts_stay_near() -> None:
    """The same generator, the same motion; little noise on a start keeps more of it than much."""
    net, conditions = network(), told()

    def sampled(steps: tuple[int, ...], warm: torch.Tensor | None = None) -> torch.Tensor:
        rng = torch.Generator().manual_seed(0)
        with torch.no_grad():
            return net.sample(conditions, steps, rng, warm=warm)

    first = sampled(spaced_steps(19, 4))
    assert first.shape == (2, 6, FEATURES)
    assert torch.equal(first, sampled(spaced_steps(19, 4)))
    seen: list[torch.Tensor] = []
    net.denoiser.register_forward_pre_hook(lambda _net, given: seen.append(given[0]))
    for start in (2, 19):
        sampled((start,), warm=first)
    off = [float((x - first).square().mean()) for x in seen]
    assert off[0] < 0.3 * off[1]


def test_what_does_not_fit_is_refused() -> None:
    """Windows that are too long, conditions that are missing, unknown or out of order."""
    with pytest.raises(EstimationError, match="7 frames; this network takes 6"):
        network().embed(told(frames=7))
    with pytest.raises(EstimationError, match="lack plucker"):
        network().embed({k: v for k, v in told().items() if k != "plucker"})
    for wrong in ((), ("kpe", "keypoints"), ("kpe", "kpe")):
        with pytest.raises(ConfigError, match="in this order"):
            LiftingConfig(conditions=wrong)


def test_ablations_need_what_they_use() -> None:
    """Rays alone, as in a row of the paper's Table 2."""
    net = network(conditions=("plucker",))
    assert net.embed({"plucker": told()["plucker"]}).shape == (2, 6, 16)


def test_sizes() -> None:
    """Small has five million parameters; the paper's has 16 layers and 1281 tokens."""
    small = LiftingNetwork(LiftingConfig())
    assert 4.5e6 < sum(p.numel() for p in small.parameters()) < 5.5e6
    config = paper_size()
    with torch.device("meta"):
        paper = LiftingNetwork(config)
    size = config.transformer
    assert (size.layers, size.width, size.heads, size.feed_forward) == (16, 1024, 4, 1024)
    assert len(paper.denoiser.positions) == 1 + 5 * 256
    assert 100e6 < sum(p.numel() for p in paper.denoiser.parameters()) < 110e6
