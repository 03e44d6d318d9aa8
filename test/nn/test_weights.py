"""Weights go into the network that they are of, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hand4d_ros.errors import WeightsError
from hand4d_ros.nn.cards import (
    FOLDER_VARIABLE,
    Card,
    card_path,
    find_weights,
    listed_weights,
    read_card,
    weights_folders,
)
from hand4d_ros.nn.pose_prior import PosePriorConfig
from hand4d_ros.nn.tensor_files import sha256_of, write_tensors
from hand4d_ros.nn.weights import fill, load_weights, read_weights


def network() -> nn.Sequential:
    """Two layers, one with buffers."""
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def card_for(path: Path, **changes: Any) -> Card:
    """A card of a tensor file."""
    values: dict[str, Any] = {
        "name": "net",
        "version": "1",
        "config": {"latent": 4},
        "recipe": {"train": {"seed": 2}, "steps": 5},
        "seed": 2,
        "commit": "unknown",
        "figures": {"error_mm": 1.25},
        "licence": "Apache-2.0",
        "sha256": sha256_of(path),
    }
    return Card(**{**values, **changes})


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Weights of the network with their card."""
    torch.manual_seed(0)
    path = write_tensors(tmp_path / "net", network().state_dict())
    card_path(path).write_text(card_for(path).text())
    return path


def test_round_trip(weights: Path) -> None:
    """The card says what was written, and the network has the values."""
    model = network()
    card = load_weights(model, weights, "net")
    assert card == card_for(weights)
    assert card.network_config(PosePriorConfig) == PosePriorConfig(latent=4)
    torch.manual_seed(0)
    for name, value in network().state_dict().items():
        assert torch.equal(model.state_dict()[name], value)


def test_values_take_the_networks_precision(weights: Path) -> None:
    """A network in double precision stays so, and its parameters keep their place."""
    model = network().double()
    before = model[0].weight
    load_weights(model, weights)
    assert model[0].weight is before
    assert model[0].weight.dtype == torch.float64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", "does not fit Sequential: missing 0.bias; unknown none"),
        ("unknown", "does not fit Sequential: missing none; unknown extra"),
        ("shape", r"0.weight is \[2, 2\], expected \[2, 3\]"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_by_name(change: str, message: str) -> None:
    """And the network is left as it was."""
    model = network()
    tensors = {name: torch.zeros_like(value) for name, value in network().state_dict().items()}
    if change == "missing":
        del tensors["0.bias"]
    elif change == "unknown":
        tensors["extra"] = torch.zeros(1)
    else:
        tensors["0.weight"] = torch.zeros(2, 2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(WeightsError, match=message):
        fill(model, tensors, "a test")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_many_names_are_cut_short() -> None:
    """A message with a thousand names helps nobody."""
    tensors = {f"w{i:02}": torch.zeros(1) for i in range(20)}
    with pytest.raises(WeightsError, match=r"w05 and 14 more$"):
        fill(network(), {**tensors, **network().state_dict()}, "a test")


def test_another_networks_weights_are_refused(weights: Path) -> None:
    """By the card's name, and by settings that the network does not have."""
    with pytest.raises(WeightsError, match="has the weights of 'net', expected those of 'other'"):
        read_weights(weights, "other")
    card = card_for(weights, config={"heads": 3})
    with pytest.raises(WeightsError, match=r"'net' 1 are of another network: .*no setting heads"):
        card.network_config(PosePriorConfig)
    card = card_for(weights, config={"latent": 0})
    with pytest.raises(WeightsError, match="latent is 0; give a value between"):
        card.network_config(PosePriorConfig)


def test_a_changed_file_is_refused(weights: Path) -> None:
    """One bit is enough."""
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(WeightsError, match="the file is damaged or was exchanged"):
        read_weights(weights)


def test_values_that_are_not_finite_are_refused(weights: Path) -> None:
    """Even where the card fits."""
    tensors = dict(network().state_dict())
    tensors["0.bias"] = torch.tensor([1.0, float("nan")])
    write_tensors(weights.with_suffix(""), tensors)
    card_path(weights).write_text(card_for(weights).text())
    with pytest.raises(WeightsError, match=r"not finite in 0.bias"):
        read_weights(weights)


def test_paths_are_checked(weights: Path) -> None:
    """What is not there, what has no card, what is of another kind."""
    with pytest.raises(WeightsError, match=r"no file .*gone.safetensors"):
        read_weights(weights.with_name("gone.safetensors"))
    with pytest.raises(WeightsError, match=r"does not end in .safetensors"):
        read_weights(weights.with_suffix(".pt"))
    card_path(weights).unlink()
    with pytest.raises(WeightsError, match=r"has no card .*net.json"):
        read_weights(weights)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "holds a list, expected an object"),
        ({"seed": None}, "seed is None, no int"),
        ({"figures": {"x": "1"}}, "figure x is '1', no number"),
        ({"figures": {"x": float("nan")}}, "no finite numbers: x"),
        ({"sha256": "0"}, "expected 64 hexadecimal digits"),
        ({"name": "../x"}, "name is '../x'; give lower case"),
        ({"version": ""}, "version is empty; say 'unknown'"),
        ({"format": 2}, "the card has format 2; this version reads 1"),
        ({"surprise": 1}, r"lacks \[\] and has unknown \['surprise'\]"),
    ],
)
def test_cards_are_checked(weights: Path, change: str | dict[str, Any], message: str) -> None:
    """Every field, with the card's path in the message."""
    path = card_path(weights)
    if isinstance(change, dict):
        change = json.dumps({**json.loads(path.read_text()), **change})
    path.write_text(change)
    with pytest.raises(WeightsError, match=message) as caught:
        read_card(weights)
    assert str(path) in str(caught.value)


def test_cards_without_a_field_are_refused(weights: Path) -> None:
    """Nothing is assumed."""
    path = card_path(weights)
    values = json.loads(path.read_text())
    del values["licence"]
    path.write_text(json.dumps(values))
    with pytest.raises(WeightsError, match=r"lacks \['licence'\] and has unknown \[\]"):
        read_card(weights)


def test_cards_are_frozen(weights: Path) -> None:
    """Their dictionaries too."""
    card = read_card(weights)
    with pytest.raises(TypeError, match="does not support item assignment"):
        card.figures["x"] = 1.0  # type: ignore[index]


def test_weights_are_found_by_name(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The named folder comes first, then the user's, then the package's; paths work too."""
    user = tmp_path / "share" / "hand4d" / "weights"
    user.mkdir(parents=True)
    (user / "net.safetensors").write_bytes(b"")
    (user / "mine.safetensors").write_bytes(b"")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    assert find_weights("net") == user / "net.safetensors"
    monkeypatch.setenv(FOLDER_VARIABLE, str(weights.parent))
    assert weights_folders()[:2] == (weights.parent, user)
    assert find_weights("net") == weights
    assert find_weights(str(weights)) == weights
    assert listed_weights()["mine"] == user / "mine.safetensors"
    with pytest.raises(WeightsError, match=r"no weights 'zebra'; known: mine, .*net.*; looked in"):
        find_weights("zebra")
    with pytest.raises(WeightsError, match=r"no file .*zebra.safetensors"):
        find_weights("zebra.safetensors")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert weights_folders()[1] == Path.home() / ".local" / "share" / "hand4d" / "weights"
