"""MANO's files in and out: the official layout, damage, sides and the npz of this package."""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand.mano_samples import mano_content, write_official

from hand4d_ros.errors import HandModelError
from hand4d_ros.hand import mano_file
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.hand.mano_file import (
    corrected,
    import_mano,
    left_shape_is_mirrored,
    load_hand_model,
    read_mano,
    save_hand_model,
)
from hand4d_ros.hand.model import HandModel
from hand4d_ros.types import Side


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    """Return the numbers of a made-up right hand."""
    return mano_content()


@pytest.fixture(scope="module")
def official(content: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the made-up right hand as the official file is written."""
    return write_official(tmp_path_factory.mktemp("mano") / "MANO_RIGHT.pkl", content)


def _assert_same(a: HandModel, b: HandModel) -> None:
    for field in fields(HandModel):
        np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name))


def test_official_layout_is_read(official: Path, content: dict[str, Any]) -> None:
    """Chumpy's selection, the sparse regressor and Python 2's strings give the same numbers."""
    arrays = read_mano(official)
    assert arrays.side is Side.RIGHT
    for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "hands_mean"):
        np.testing.assert_array_equal(getattr(arrays, name), content[name])
    np.testing.assert_array_equal(arrays.faces, content["f"])


def test_joints_follow_the_regressor(official: Path, content: dict[str, Any]) -> None:
    """Joints of a shaped hand are those that the regressor finds on the shaped mesh."""
    model = import_mano(official, Side.RIGHT)
    betas = np.random.default_rng(3).normal(size=10)
    hand = model.with_shape(betas)
    np.testing.assert_allclose(hand.joints_m, content["J_regressor"] @ hand.template_m, atol=1e-12)


def test_left_hand_gets_the_sign_of_its_side(tmp_path: Path, content: dict[str, Any]) -> None:
    """The published left hand, whose shape directions are the right one's, is repaired once."""
    path = write_official(tmp_path / "MANO_LEFT.pkl", mano_content(side=Side.LEFT))
    arrays = read_mano(path)
    assert arrays.side is Side.LEFT
    assert not left_shape_is_mirrored(arrays)
    mirrored = content["shapedirs"] * np.array([-1.0, 1.0, 1.0])[:, None]
    np.testing.assert_array_equal(import_mano(path).shape_dirs_m, mirrored)
    np.testing.assert_array_equal(
        import_mano(path, correct_left=False).shape_dirs_m, content["shapedirs"]
    )
    assert left_shape_is_mirrored(corrected(arrays))
    assert corrected(corrected(arrays)) is not arrays
    np.testing.assert_array_equal(corrected(corrected(arrays)).shapedirs, mirrored)


def test_right_hand_is_left_alone(official: Path) -> None:
    """Only left hands are repaired."""
    arrays = read_mano(official)
    wrong = replace(arrays, shapedirs=arrays.shapedirs * np.array([-1.0, 1.0, 1.0])[:, None])
    assert corrected(wrong) is wrong


def test_the_other_side_is_refused(official: Path) -> None:
    """A file whose hand is not of the wanted side is not taken."""
    with pytest.raises(HandModelError, match="is a right hand, a left one was asked for"):
        import_mano(official, Side.LEFT)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"v_template": np.zeros((6890, 3))}, "another body model"),
        ({"weights": np.zeros((778, 16))}, "weights do not sum to one"),
        ({"hands_mean": np.full(45, np.nan)}, "not finite"),
        ({"shapedirs": "text"}, "shapedirs is .* not numbers"),
        ({"f": np.full((1538, 3), 778, dtype=np.uint32)}, "faces name vertices"),
        ({"kintree_table": np.zeros((2, 16), dtype=np.uint32)}, "is not the tree of MANO"),
    ],
)
def test_foreign_content_is_refused(
    tmp_path: Path, content: dict[str, Any], change: dict[str, Any], match: str
) -> None:
    """Arrays that are not those of a MANO hand are named."""
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps({**content, **change}))
    with pytest.raises(HandModelError, match=match):
        read_mano(path)


def test_missing_keys_and_other_objects_are_refused(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    """Each lacking array is named, and a pickle of something else is no model."""
    path = tmp_path / "MANO_RIGHT.pkl"
    for name in ("v_template", "shapedirs", "hands_components"):
        path.write_bytes(pickle.dumps({k: v for k, v in content.items() if k != name}))
        with pytest.raises(HandModelError, match=f"lacks '{name}'"):
            read_mano(path)
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(HandModelError, match="holds a list"):
        read_mano(path)


def test_the_zip_of_the_download_is_explained(tmp_path: Path) -> None:
    """The archive itself is a frequent mistake."""
    path = tmp_path / "mano_v1_2.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("models/MANO_RIGHT.pkl", b"")
    with pytest.raises(HandModelError, match="unpack it"):
        read_mano(path)


def test_npz_round_trip(tmp_path: Path, official: Path) -> None:
    """A model comes back bit by bit, with and without pose correctives, and replaces a file."""
    path = tmp_path / "folder" / "hand.npz"
    for model in (import_mano(official), builtin_hand(Side.LEFT)):
        save_hand_model(model, path)
        _assert_same(load_hand_model(path), model)
    assert [p.name for p in path.parent.iterdir()] == ["hand.npz"]


def test_unwritable_output_is_an_error(tmp_path: Path) -> None:
    """A path that cannot be written is named, and no half file stays behind."""
    (tmp_path / "file").write_text("")
    with pytest.raises(HandModelError, match="cannot write"):
        save_hand_model(builtin_hand(), tmp_path / "file" / "hand.npz")
    (tmp_path / "taken.npz").mkdir()
    with pytest.raises(HandModelError, match="cannot write"):
        save_hand_model(builtin_hand(), tmp_path / "taken.npz")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken.npz"]


def _rewrite(path: Path, **changes: Any) -> None:
    with np.load(path) as data:
        arrays = {name: data[name] for name in data.files}
    arrays.update(changes)
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"format": np.array("other")}, "is no hand model"),
        ({"version": np.array(99)}, "has version 99, this program reads 1"),
        ({"weights": None}, "weights is missing"),
        ({"weights": np.zeros((3, 16))}, "weights has shape"),
        ({"joints_m": np.full((16, 3), np.inf)}, "joints_m holds numbers that are not finite"),
        ({"faces": np.zeros((4, 3))}, "faces is missing or of the wrong kind"),
        ({"tip_vertices": np.full(5, 10**6)}, "tip_vertices names vertices beyond"),
    ],
)
def test_inconsistent_npz_is_refused(tmp_path: Path, changes: dict[str, Any], match: str) -> None:
    """Other formats, versions, shapes and numbers are named."""
    path = tmp_path / "hand.npz"
    save_hand_model(builtin_hand(), path)
    _rewrite(path, **changes)
    with pytest.raises(HandModelError, match=match):
        load_hand_model(path)


def test_damaged_npz_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, truncated, foreign, oversized files and pickled arrays are refused."""
    path = tmp_path / "hand.npz"
    with pytest.raises(HandModelError, match="cannot read hand model"):
        load_hand_model(path)
    path.write_text("no archive")
    with pytest.raises(HandModelError, match="damaged"):
        load_hand_model(path)
    save_hand_model(builtin_hand(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(HandModelError, match="damaged"):
        load_hand_model(path)
    path.write_bytes(whole)
    _rewrite(path, weights=np.array([{}], dtype=object))
    with pytest.raises(HandModelError, match="damaged"):
        load_hand_model(path)
    path.write_bytes(whole)
    monkeypatch.setattr(mano_file, "MAX_BYTES", 1000)
    with pytest.raises(HandModelError, match="more than any hand model"):
        load_hand_model(path)
