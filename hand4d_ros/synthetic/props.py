"""Things to hold: boxes, cylinders, spheres, mugs and bottles, as shape, mesh and look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hand4d_ros.errors import SceneError
from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic import mesh
from hand4d_ros.synthetic.surface import Look
from hand4d_ros.synthetic.textures import thing_colour

PropKind = Literal["box", "cylinder", "sphere", "mug", "bottle"]

_WALL_M = 0.004
_HANDLE_M = 0.005


@dataclass(frozen=True)
class Prop:
    """A rigid thing; its origin is its centre, z is up when it stands on a table."""

    name: str
    kind: PropKind
    size_m: tuple[float, float, float]
    """Extent along x, y, z; of a mug without its handle."""

    def __post_init__(self) -> None:
        """Reject impossible sizes."""
        if min(self.size_m) <= 0:
            raise SceneError(f"{self.name!r} has size {self.size_m} m; every extent must be > 0")
        if self.kind != "box" and self.size_m[0] != self.size_m[1]:
            raise SceneError(f"{self.name!r} is round but its size is {self.size_m} m; x must be y")

    @property
    def radius_m(self) -> float:
        """Half the smaller extent in the horizontal plane."""
        return 0.5 * min(self.size_m[:2])

    def distance_m(self, points_m: Float[Array, "*batch 3"]) -> Float[Array, "*batch"]:
        """Signed distance to the part that hands hold, negative inside.

        Boxes, spheres and upright cylinders have exact distances (Quilez, "Distance functions").
        Bottles count as cylinders of their belly, mugs as cylinders without the handle.
        """
        half = 0.5 * np.asarray(self.size_m)
        if self.kind == "sphere":
            return np.asarray(np.linalg.norm(points_m, axis=-1) - half[0])
        if self.kind == "box":
            beyond = np.abs(points_m) - half
        else:
            flat = np.linalg.norm(points_m[..., :2], axis=-1) - half[0]
            beyond = np.stack((flat, np.abs(points_m[..., 2]) - half[2]), -1)
        outside = np.linalg.norm(np.maximum(beyond, 0.0), axis=-1)
        return np.asarray(outside + np.minimum(beyond.max(-1), 0.0))

    def mesh(self) -> mesh.Mesh:
        """Return the surface to draw."""
        radius, height = self.radius_m, self.size_m[2]
        if self.kind == "box":
            return mesh.box(self.size_m)
        if self.kind == "sphere":
            return mesh.sphere(radius)
        if self.kind == "mug":
            return _mug(radius, height)
        low, high = -0.5 * height, 0.5 * height
        if self.kind == "bottle":
            neck = 0.42 * radius
            corners = [(0.0, low), (radius, low), (radius, low + 0.62 * height)]
            corners += [(neck, low + 0.80 * height), (neck, low + 0.93 * height)]
            corners += [(1.15 * neck, low + 0.93 * height), (1.15 * neck, high), (0.0, high)]
        else:
            corners = [(0.0, low), (radius, low), (radius, high), (0.0, high)]
        return mesh.revolved(mesh.refined_profile(corners))

    def occluders_m(self) -> Float[Array, "k 4"]:
        """Return spheres that fill it, for ambient occlusion."""
        half = 0.5 * np.asarray(self.size_m)
        radius = float(half.min() if self.kind != "sphere" else half[0])
        counts = np.maximum(1, np.round(half / radius)).astype(int)
        axes = [
            np.linspace(-(h - radius), h - radius, n) if n > 1 else np.zeros(1)
            for h, n in zip(half, counts, strict=True)
        ]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
        return np.concatenate((grid, np.full((len(grid), 1), radius)), -1)


def _mug(radius: float, height: float) -> mesh.Mesh:
    low, high, inside = -0.5 * height, 0.5 * height, radius - _WALL_M
    wall = [(0.0, low), (radius, low), (radius, high), (inside, high)]
    wall += [(inside, low + _WALL_M), (0.0, low + _WALL_M)]
    angle = np.linspace(-0.55 * np.pi, 0.55 * np.pi, 14)
    reach = 0.30 * height
    centres = np.stack(
        (radius - 0.002 + reach * (0.1 + 0.85 * np.cos(angle)), 0 * angle, reach * np.sin(angle)),
        -1,
    )
    along = np.gradient(centres, axis=0)
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    sideways = np.broadcast_to(np.array([0.0, 1.0, 0.0]), centres.shape)
    upwards = np.cross(along, sideways)
    handle = mesh.swept(
        centres, sideways, upwards, np.full((len(centres), 2), _HANDLE_M), segments=10
    )
    return mesh.joined((mesh.revolved(mesh.refined_profile(wall)), handle))


def prop_look(rng: np.random.Generator, prop: Prop, shape: mesh.Mesh) -> Look:
    """Paint a thing: one colour with bands, a label or a cap, matt or glossy."""
    points = shape.vertices_m
    base, other = thing_colour(rng), thing_colour(rng)
    height = points[:, 2] / prop.size_m[2] + 0.5
    style = rng.choice(["plain", "bands", "label", "cap"])
    edges = np.sort(rng.uniform(0.05, 0.95, 4))
    other_here = {
        "plain": np.zeros(len(points), bool),
        "bands": (np.searchsorted(edges, height) % 2) == 1,
        "label": (height > edges[0]) & (height < edges[-1]),
        "cap": height > max(0.75, edges[-1]),
    }[str(style)]
    albedo = np.where(other_here[:, None], other, base)
    glossy = bool(rng.random() < 0.6)
    return Look.plain(
        albedo,
        points / rng.uniform(0.04, 0.2) + rng.uniform(0, 1, 3),
        specular=0.045 if glossy else 0.02,
        gloss=float(rng.uniform(30, 150) if glossy else 8),
        mottle=float(rng.uniform(0.0, 0.35)),
    )


def sampled_prop(rng: np.random.Generator, name: str, kind: PropKind) -> Prop:
    """Draw a thing of a kind, of a size for one hand."""

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    if kind == "box":
        return Prop(name, kind, (between(0.03, 0.055), between(0.04, 0.09), between(0.03, 0.12)))
    diameter, height = {
        "cylinder": (between(0.035, 0.07), between(0.06, 0.14)),
        "sphere": (between(0.04, 0.08), 0.0),
        "mug": (between(0.075, 0.09), between(0.085, 0.105)),
        "bottle": (between(0.06, 0.075), between(0.18, 0.24)),
    }[kind]
    return Prop(name, kind, (diameter, diameter, height or diameter))
