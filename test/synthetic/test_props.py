"""Things: their meshes lie on their distance's zero, and nonsense is refused."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.errors import SceneError
from hand4d_ros.synthetic.mesh import volume_m3
from hand4d_ros.synthetic.props import Prop, PropKind, prop_look, sampled_prop

PLAIN: tuple[Prop, ...] = (
    Prop("b", "box", (0.04, 0.07, 0.10)),
    Prop("c", "cylinder", (0.05, 0.05, 0.12)),
    Prop("s", "sphere", (0.06, 0.06, 0.06)),
)


@pytest.mark.parametrize("prop", PLAIN, ids=lambda p: p.kind)
def test_mesh_is_where_the_distance_is_zero(prop: Prop) -> None:
    """Every vertex is on the surface, inside is negative, outside is the distance."""
    np.testing.assert_allclose(prop.distance_m(prop.mesh().vertices_m), 0.0, atol=1e-9)
    assert prop.distance_m(np.zeros(3)) == pytest.approx(-0.5 * min(prop.size_m))
    far = np.array([0.0, 0.0, 1.0])
    assert prop.distance_m(far) == pytest.approx(1.0 - 0.5 * prop.size_m[2])


@pytest.mark.parametrize("prop", PLAIN, ids=lambda p: p.kind)
def test_distance_has_unit_slope(prop: Prop) -> None:
    """Outside, the distance grows by one metre per metre."""
    rng, h = np.random.default_rng(0), 1e-6
    points = rng.normal(size=(50, 3))
    points = 0.2 * points / np.linalg.norm(points, axis=-1, keepdims=True)
    slope = [
        (prop.distance_m(points + h * e) - prop.distance_m(points - h * e)) / (2 * h)
        for e in np.eye(3)
    ]
    np.testing.assert_allclose(np.linalg.norm(slope, axis=0), 1.0, atol=1e-5)


@pytest.mark.parametrize("kind", ["box", "cylinder", "sphere", "mug", "bottle"])
def test_drawn_things_are_solid_and_of_their_size(kind: PropKind) -> None:
    """Meshes look outwards, stand as high as they say, and have a colour at every vertex."""
    rng = np.random.default_rng(1)
    prop = sampled_prop(rng, kind, kind)
    shape = prop.mesh()
    assert volume_m3(shape) > 0
    z = shape.vertices_m[:, 2]
    assert z.max() - z.min() == pytest.approx(prop.size_m[2], rel=1e-6)
    look = prop_look(rng, prop, shape)
    assert look.albedo.shape == shape.vertices_m.shape
    assert look.albedo.min() > 0.0
    assert look.albedo.max() < 1.0


@pytest.mark.parametrize("kind", ["box", "cylinder", "sphere", "mug", "bottle"])
def test_occluders_stay_inside(kind: PropKind) -> None:
    """The spheres that stand for a thing do not stick out of it."""
    prop = sampled_prop(np.random.default_rng(2), kind, kind)
    spheres = prop.occluders_m()
    assert bool((prop.distance_m(spheres[:, :3]) + spheres[:, 3] < 1e-9).all())


def test_impossible_sizes_are_refused() -> None:
    """Flat things and round things of two diameters do not exist."""
    with pytest.raises(SceneError, match="every extent must be > 0"):
        Prop("flat", "box", (0.1, 0.0, 0.1))
    with pytest.raises(SceneError, match="x must be y"):
        Prop("oval", "mug", (0.1, 0.08, 0.1))
