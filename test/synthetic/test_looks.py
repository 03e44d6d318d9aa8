"""Colours and light: skin, textures, occlusion, sensor."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hand4d_ros.errors import ConfigError
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.synthetic import lighting, sensor, textures
from hand4d_ros.synthetic.sensor import SensorConfig, developed
from hand4d_ros.synthetic.skin import SkinTone, hand_look
from hand4d_ros.synthetic.skin_detail import LOW_M, SIZE_M, detail_maps
from hand4d_ros.types import Side

LUMA = np.array([0.2126, 0.7152, 0.0722])


def _tone(monk: float) -> SkinTone:
    return SkinTone(monk, 1.0, 0.08, 20.0, 0.03)


def test_tones_darken_along_the_scale() -> None:
    """Every step of the Monk scale reflects less, give or take a sister tone."""
    luma = np.array([_tone(float(m)).albedo @ LUMA for m in range(1, 11)])
    assert bool((np.diff(luma) < 0.03).all())
    assert luma[0] > 5 * luma[-1]


def test_palms_are_lighter_than_backs_of_dark_hands() -> None:
    """The darker the skin, the more the palm differs."""
    model = builtin_hand()
    look = hand_look(model, _tone(9.0))
    palm, back = look.facing > 0.9, look.facing < -0.9
    assert palm.sum() > 100
    assert back.sum() > 100
    assert np.median(look.albedo[palm] @ LUMA) > 2 * np.median(look.albedo[back] @ LUMA)


def test_nails_are_on_the_back_of_the_fingertips() -> None:
    """What is inside a nail's rim is near a tip and not on the palm's side."""
    model = builtin_hand()
    look = hand_look(model, _tone(3.0))
    nails = np.flatnonzero(look.nail_mm > 0)
    assert len(nails) >= 5
    tips = model.template_m[model.tip_vertices]
    off = np.linalg.norm(model.template_m[nails][:, None] - tips, axis=-1)
    assert off.min(-1).max() < 0.020
    assert set(off.argmin(-1)) == {0, 1, 2, 3, 4}
    assert look.facing[nails].max() < 0.3


def test_left_hands_are_painted_as_right_ones() -> None:
    """A mirrored model gets the same colours vertex by vertex."""
    right, left = (hand_look(builtin_hand(side), _tone(5.0)) for side in (Side.RIGHT, Side.LEFT))
    np.testing.assert_allclose(left.albedo, right.albedo, atol=1e-12)
    np.testing.assert_allclose(left.texture, right.texture, atol=1e-12)


def test_creases_lie_across_the_finger_joints() -> None:
    """The palm's picture is darkest about the joints and blank outside of the hand."""
    model = builtin_hand()
    palm, back = detail_maps(model)
    rows, columns = palm.shape

    def at(x_m: float, z_m: float) -> tuple[int, int]:
        row = round((z_m - LOW_M[1]) / SIZE_M[1] * rows)
        return row, round((x_m - LOW_M[0]) / SIZE_M[0] * columns)

    for joint in (2, 5, 8, 11):
        x, _, z = model.joints_m[joint] - model.joints_m[0]
        row, column = at(x, z)
        window = np.s_[row - 2 : row + 3, column - 5 : column + 6]
        assert palm[window].max() > 0.5
        assert back[window].max() > 0.3
    assert np.abs(palm[at(-0.20, 0.10)]) < 1e-3


def test_noise_has_zero_mean_and_unit_deviation_and_no_seam() -> None:
    """Shaped noise is periodic: the step over the seam is like any other."""
    field = textures.noise(np.random.default_rng(0), (96, 96), 1.5)
    assert field.mean() == pytest.approx(0.0, abs=1e-9)
    assert field.std() == pytest.approx(1.0)
    inner = np.abs(np.diff(field, axis=0)).mean()
    assert np.abs(field[0] - field[-1]).mean() == pytest.approx(inner, rel=0.3)


@pytest.mark.parametrize("kind", ["wood", "cloth", "laminate", "stone"])
def test_tables_reflect_some_light_and_not_all(kind: textures.TableKind) -> None:
    """Reflectances stay between nothing and all, and are not all the same."""
    picture = textures.table_texture(np.random.default_rng(2), kind, size=64)
    assert picture.min() >= 0.01
    assert picture.max() <= 0.95
    assert picture.std() > 1e-4


def test_srgb_is_undone() -> None:
    """Known values of the transfer curve."""
    linear = textures.linear_from_srgb(np.array([[0.0, 0.5, 1.0]]))
    np.testing.assert_allclose(linear, [[0.0, 0.21404114, 1.0]], atol=1e-7)
    np.testing.assert_allclose(textures.hex_colour("#ffffff"), 1.0)


def test_a_sphere_takes_the_light_of_the_formula() -> None:
    """Straight above at distance d, a sphere of radius r takes (r / d)^2 of a sky far away."""
    points, up = torch.zeros(1, 1, 3), torch.tensor([[[0.0, 0.0, 1.0]]])
    spheres = torch.tensor([[[0.0, 0.0, 0.4, 0.02]]])
    taken = 1.0 - lighting.sphere_openness(points, up, spheres).item()
    assert taken == pytest.approx(lighting._CROWDING * 0.05**2, rel=0.01)
    below = torch.tensor([[[0.0, 0.0, -0.4, 0.02], [0.0, 0.0, 0.3, 0.0]]])
    assert lighting.sphere_openness(points, up, below).item() == 1.0


def _grey(value: float) -> torch.Tensor:
    return torch.full((1, 32, 32, 3), value)


def test_more_light_gives_larger_numbers_up_to_white() -> None:
    """The tone curve rises and ends at 255."""
    quiet = SensorConfig(vignetting=0.0, read_noise=0.0, shot_noise=0.0)
    shades = [
        int(developed(_grey(v), [quiet], [0])[0, 0, 0, 0]) for v in (0.0, 0.05, 0.3, 1.0, 1.5, 9.0)
    ]
    assert shades == sorted(shades)
    assert len(set(shades)) == 6
    assert (shades[0], shades[-1]) == (0, 255)


def test_noise_grows_with_the_signal_and_repeats_with_the_seed() -> None:
    """Read noise in the dark, shot noise in the light, each picture with its own seed."""
    config = SensorConfig(vignetting=0.0, read_noise=0.01, shot_noise=0.03)
    pair = torch.cat((_grey(0.02), _grey(0.8)))
    dark, light = developed(pair, [config] * 2, [7, 8]).float().std((1, 2, 3)).tolist()
    assert light > 1.3 * dark
    alone = developed(_grey(0.8), [config], [8])
    assert torch.equal(alone[0], developed(pair, [config] * 2, [7, 8])[1])
    assert not torch.equal(alone, developed(_grey(0.8), [config], [9]))


def test_corners_and_colours_follow_the_gains() -> None:
    """Vignetting darkens corners; white balance tints."""
    config = SensorConfig(
        vignetting=0.5, read_noise=0.0, shot_noise=0.0, red_gain=1.3, blue_gain=0.8
    )
    picture = developed(_grey(0.4), [config], [0])[0].int()
    assert int(picture[0, 0, 1]) < int(picture[16, 16, 1]) - 20
    red, green, blue = picture[16, 16].tolist()
    assert red > green > blue


def test_block_loss_fades_with_quality() -> None:
    """At full quality almost nothing is lost, at low quality much."""
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 20, 27, 3, generator=generator)
    losses = [
        (sensor._block_loss(picture, quality) - picture).abs().mean().item()
        for quality in (100, 60, 10)
    ]
    assert losses[0] < 0.01
    assert losses[0] < losses[1] < losses[2]


@pytest.mark.parametrize(("field", "value"), [("exposure", 0.0), ("jpeg_quality", 101)])
def test_impossible_sensors_are_refused(field: str, value: float) -> None:
    """The message names the field."""
    with pytest.raises(ConfigError, match=field):
        SensorConfig(**{field: value})  # type: ignore[arg-type]
