"""Procedural colours: periodic noise, table tops, blurred rooms.

All pictures are linear RGB, made once per scene by numpy from a generator, and repeat without
a seam. Noise is white noise shaped in the frequency domain.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from hand4d_ros.shapes import Array, Float

TableKind = Literal["wood", "cloth", "laminate", "stone"]

_LUMA = np.array([0.2126, 0.7152, 0.0722])


def linear_from_srgb(colour: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
    """Undo the sRGB transfer curve (IEC 61966-2-1)."""
    low = colour / 12.92
    return np.asarray(np.where(colour <= 0.04045, low, ((colour + 0.055) / 1.055) ** 2.4))


def hex_colour(code: str) -> Float[Array, "3"]:
    """Turn ``"#rrggbb"`` (sRGB) into linear RGB."""
    return linear_from_srgb(np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0)


def noise(
    rng: np.random.Generator, shape: tuple[int, ...], slope: float, stretch: tuple[float, ...] = ()
) -> Array:
    """Make periodic noise of zero mean and unit deviation.

    Args:
        rng: Source of randomness.
        shape: Grid of any dimension.
        slope: Amplitude falls as frequency to this negative power: 0 is white, 2 is cloudy.
        stretch: Factor on the frequency along each axis; above one it shortens features there.
    """
    factors = stretch or (1.0,) * len(shape)
    axes = [np.fft.fftfreq(n) * n * s for n, s in zip(shape, factors, strict=True)]
    radius = np.sqrt(sum(a**2 for a in np.meshgrid(*axes, indexing="ij")))
    radius.flat[0] = np.inf
    spectrum = np.fft.fftn(rng.standard_normal(shape)) * radius**-slope
    field = np.fft.ifftn(spectrum).real
    return np.asarray(field / field.std())


def noise_volume(rng: np.random.Generator, size: int = 48) -> Float[Array, "n n n"]:
    """Make the periodic volume that mottles skin and textures objects, about -1..1."""
    return np.clip(noise(rng, (size, size, size), 1.2) / 2.0, -1.0, 1.0)


def table_texture(
    rng: np.random.Generator, kind: TableKind, size: int = 512
) -> Float[Array, "n n 3"]:
    """Paint a table top.

    Args:
        rng: Source of randomness.
        kind: What it is made of.
        size: Edge of the picture (px).
    """
    if kind == "wood":
        return _wood(rng, size)
    if kind == "cloth":
        return _cloth(rng, size)
    base = _muted_colour(rng, 0.08, 0.75)
    grain = noise(rng, (size, size), 1.1 if kind == "stone" else 0.3)
    speckle = noise(rng, (size, size), 0.2)
    amount = (0.08, 0.06) if kind == "stone" else (0.03, 0.015)
    tone = 1.0 + amount[0] * grain + amount[1] * speckle
    return np.clip(base * tone[..., None], 0.01, 0.95)


def _wood(rng: np.random.Generator, size: int) -> Float[Array, "n n 3"]:
    light = hex_colour("#c99b66") * rng.uniform(0.35, 1.25)
    dark = light * np.array([0.55, 0.46, 0.38])
    u = np.arange(size)[None, :] / size
    warp = noise(rng, (size, size), 2.0, (6.0, 1.0))
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (rng.integers(5, 11) * u + 0.35 * warp).T)
    fibre = noise(rng, (size, size), 0.7, (1.0, 14.0))
    share = np.clip(0.55 * rings + 0.16 * fibre + 0.15, 0.0, 1.0)[..., None]
    picture = light * (1 - share) + dark * share
    boards = np.arange(size) * rng.integers(3, 6) // size
    tone = rng.uniform(0.85, 1.12, boards.max() + 1)[boards]
    tone[np.flatnonzero(np.diff(boards))] *= 0.5
    return np.asarray(np.clip(picture * tone[:, None, None], 0.01, 0.95))


def _cloth(rng: np.random.Generator, size: int) -> Float[Array, "n n 3"]:
    base, other = _muted_colour(rng, 0.05, 0.7), _muted_colour(rng, 0.05, 0.7)
    y, x = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    weave = 0.5 + 0.25 * (np.sin(x * np.pi / 2) + np.sin(y * np.pi / 2))
    bands = int(rng.integers(0, 12))
    stripe = (0.5 + 0.5 * np.sign(np.sin(2 * np.pi * bands * x / size))) * rng.uniform(0.0, 0.8)
    folds = 1.0 + 0.08 * noise(rng, (size, size), 2.2)
    picture = base + (other - base) * stripe[..., None]
    return np.asarray(
        np.clip(picture * (0.85 + 0.2 * weave)[..., None] * folds[..., None], 0.01, 0.95)
    )


def _muted_colour(rng: np.random.Generator, darkest: float, lightest: float) -> Float[Array, "3"]:
    """Draw the colour of a thing in a room: more grey than not."""
    hue = rng.uniform(0.2, 1.0, 3)
    grey = hue @ _LUMA
    colour = grey + (hue - grey) * rng.uniform(0.0, 0.6)
    return np.asarray(colour / (colour @ _LUMA) * rng.uniform(darkest, lightest)).clip(0.01, 0.95)


def thing_colour(rng: np.random.Generator) -> Float[Array, "3"]:
    """Draw the colour of a man-made thing: any brightness, seldom as loud as paint."""
    hue = rng.uniform(0.05, 1.0, 3)
    grey = hue @ _LUMA
    loudness = rng.beta(1.2, 1.6)
    colour = grey + (hue - grey) * loudness
    return np.asarray(colour / colour.max() * rng.uniform(0.06, 0.8)).clip(0.015, 0.9)


def room_panorama(
    rng: np.random.Generator, height: int = 128, width: int = 256
) -> Float[Array, "h w 3"]:
    """Paint a room seen out of focus, as a panorama: up at row 0, heading along columns.

    Floor and ceiling, walls with shelves, pictures and furniture as blurred boxes, windows and
    lamps brighter than white.
    """
    wall, floor = _muted_colour(rng, 0.1, 0.7), _muted_colour(rng, 0.03, 0.4)
    pitch = np.linspace(1.0, -1.0, height)[:, None, None]
    picture = np.where(pitch > 0.55, 0.8, np.where(pitch > -0.25, wall, floor))
    picture = np.broadcast_to(picture, (height, width, 3)).copy()
    # Towards the poles a panorama is squeezed into a point, where detail would show as a star.
    picture *= 1.0 + 0.08 * (1.0 - pitch**4) * noise(rng, (height, width), 1.2)[..., None]
    for _ in range(int(rng.integers(25, 60))):
        h, w = int(rng.integers(2, height // 3)), int(rng.integers(2, width // 7))
        top, left = (
            int(rng.integers(height // 5, (7 * height) // 8 - h)),
            int(rng.integers(0, width)),
        )
        columns = np.arange(left, left + w) % width
        picture[top : top + h, columns] = _muted_colour(rng, 0.02, 0.8)
    for _ in range(int(rng.integers(1, 4))):
        top, left = int(rng.integers(0, height // 3)), int(rng.integers(0, width))
        columns = np.arange(left, left + int(rng.integers(6, 24))) % width
        picture[top : top + int(rng.integers(4, 24)), columns] = rng.uniform(1.2, 3.0)
    return _blurred(picture, rng.uniform(0.6, 2.5))


def _blurred(picture: Float[Array, "h w 3"], sigma_px: float) -> Float[Array, "h w 3"]:
    """Blur by a Gaussian, periodic in both directions."""
    fy = np.fft.fftfreq(picture.shape[0])[:, None]
    fx = np.fft.fftfreq(picture.shape[1])[None, :]
    gain = np.exp(-2.0 * (np.pi * sigma_px) ** 2 * (fx**2 + fy**2))[..., None]
    smooth = np.fft.ifft2(np.fft.fft2(picture, axes=(0, 1)) * gain, axes=(0, 1))
    return np.asarray(smooth.real.clip(0.005))
