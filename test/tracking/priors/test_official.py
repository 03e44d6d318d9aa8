"""The published layout of HMP's weights, built by hand, loads into the paper's size."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from hand4d_ros.errors import WeightsError
from hand4d_ros.nn.motion_field import MotionFieldConfig
from hand4d_ros.tracking.priors.hmp import load_official
from hand4d_ros.tracking.priors.hmp_config import MotionVaeConfig, paper_size
from hand4d_ros.tracking.priors.hmp_network import MotionVae

torch.set_num_threads(1)
EDGES = (16, 11, 6, 6)


def _field(hidden: int, latent: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of ``nemf.pth``, with its layers of global orientation."""
    given = 14 + latent
    widths = [given, *[hidden + given] * 7, *[hidden + given + 256] * 3]
    shapes: dict[str, tuple[int, ...]] = {"positional_encoding.frequencies": (7,)}
    for i, width in enumerate(widths):
        shapes[f"mlp.{i}.fc.weight"] = (hidden, width)
        for name in ("fc.bias", "norm_layer.weight", "norm_layer.bias"):
            shapes[f"mlp.{i}.{name}"] = (hidden,)
    for name, outputs in (("local", 144), ("global", 6)):
        shapes[f"{name}_linear.0.weight"] = (outputs, hidden)
        shapes[f"{name}_linear.0.bias"] = (outputs,)
    return shapes


def _encoder(channels: tuple[int, ...], latent: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of ``local_encoder.pth``."""
    shapes: dict[str, tuple[int, ...]] = {}
    for i, edges in enumerate(EDGES):
        inputs, outputs = edges * (15, *channels)[i], edges * channels[i]
        for part, kernel in (("residual.0", 4), ("shortcut", 1)):
            name = f"layers.{i}.0.{part}"
            shapes[f"{name}.weight"] = shapes[f"{name}.mask"] = (outputs, inputs, kernel)
            shapes[f"{name}.bias"] = (outputs,)
        shapes[f"layers.{i}.0.residual.1.weight"] = (outputs,)
        shapes[f"layers.{i}.0.residual.1.bias"] = (outputs,)
        if i < 2:
            shapes[f"layers.{i}.0.common.0.weight"] = (EDGES[i + 1] * channels[i], outputs)
    for name in ("mu", "logvar"):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (latent, 48 * channels[-1]), (latent,)
    return shapes


def _values(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    return {name: 0.1 * torch.randn(shape) for name, shape in shapes.items()}


def test_paper_size_has_the_published_names_and_shapes() -> None:
    """Every parameter of ours is in the files; what is left over is constant or global."""
    with torch.device("meta"):
        vae = MotionVae(paper_size())
    published = {f"local_encoder.{k}": v for k, v in _encoder((30, 60, 120, 240), 1024).items()}
    published |= {f"field.{k}": v for k, v in _field(1024, 1024).items()}
    ours = {name: tuple(value.shape) for name, value in vae.named_parameters()}
    assert {name: published[name] for name in ours} == ours
    left = {name for name in published.keys() - ours.keys() if not name.endswith("mask")}
    known = ("common.0.weight", "frequencies", "global_linear", "mlp.8", "mlp.9", "mlp.10")
    assert all(any(part in name for part in known) for name in left)
    # The published encoder has 31.75 million.
    assert sum(p.numel() for p in vae.local_encoder.parameters()) == 31_753_208


def _statistics(value: float) -> dict[str, Tensor]:
    sizes = {"pos": 3, "velocity": 3, "global_xform": 6, "angular": 3, "root_orient": 6}
    return {name: torch.full((1, 1, 16, size), value) for name, size in sizes.items()}


SMALL = MotionVaeConfig(
    latent=6, channels=(4, 8, 8, 4), knows_gaps=False, field=MotionFieldConfig(hidden=16)
)


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """A folder like the published one, of a small size."""
    torch.manual_seed(0)
    constants = dict(MotionVae(SMALL).local_encoder.named_buffers())
    encoder = _values(_encoder(SMALL.channels, 6))
    for name, value in constants.items():
        encoder[name] = value.expand(encoder[name].shape).clone()
    torch.save(encoder, tmp_path / "local_encoder.pth")
    torch.save(_values(_field(16, 6)), tmp_path / "nemf.pth")
    torch.save(_statistics(0.5), tmp_path / "mean-neutral-128-30fps.pt")
    torch.save(_statistics(2.0), tmp_path / "std-neutral-128-30fps.pt")
    return tmp_path


def test_official_layout_loads_and_runs(official: Path) -> None:
    """Values arrive where they belong, and clips go through and back."""
    prior = load_official(official, official, SMALL)
    torch.testing.assert_close(prior.vae.feature_std, torch.full((16, 15), 2.0))
    given = torch.load(official / "nemf.pth", weights_only=True)["mlp.7.fc.weight"]
    torch.testing.assert_close(dict(prior.vae.named_parameters())["field.mlp.7.fc.weight"], given)
    rotations = torch.eye(3).expand(1, 128, 15, 3, 3)
    latent = prior.encode(rotations, torch.ones(1, 128, dtype=torch.bool))
    made = prior.decode(latent, torch.tensor([0.0, 0.5]))
    assert made.shape == (1, 2, 15, 3, 3)
    torch.testing.assert_close(made @ made.mT, torch.eye(3).expand_as(made), atol=1e-5, rtol=0.0)


def test_weights_of_another_skeleton_are_refused(official: Path) -> None:
    """A mask that differs would fit by shape and mean something else."""
    state = torch.load(official / "local_encoder.pth", weights_only=True)
    state["layers.0.0.shortcut.mask"][0] = 1.0
    torch.save(state, official / "local_encoder.pth")
    with pytest.raises(WeightsError, match="another hand skeleton"):
        load_official(official, official, SMALL)


def test_foreign_statistics_are_refused(official: Path) -> None:
    """The message says what is expected."""
    torch.save({"pos": torch.zeros(16, 3)}, official / "std-neutral-128-30fps.pt")
    with pytest.raises(WeightsError, match="does not hold pos, velocity"):
        load_official(official, official, SMALL)
