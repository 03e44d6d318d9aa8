"""``hand4d doctor`` finds what is there and what is not, and says what to do."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from hand4d_ros.cli import check_machine, check_models, check_ros, doctor, findings
from hand4d_ros.cli.findings import Finding

OK = Finding("ROS", "RMW", "ok", "rmw_fastrtps_cpp")
NOTE = Finding("ROS", "launch", "note", "not installed", "hand4d up does the same")
MISSING = Finding("Models", "detector", "missing", "mediapipe [none]", "pip install mediapipe")


def named(found: Iterator[Finding], name: str) -> Finding:
    """The finding of one name."""
    return next(finding for finding in found if finding.name == name)


def test_a_note_is_not_a_fault() -> None:
    """Only what is missing makes the machine unable."""
    assert doctor.is_able([OK, NOTE])
    assert not doctor.is_able([OK, NOTE, MISSING])


@pytest.mark.parametrize("has_rich", [True, False])
def test_text_holds_every_finding(has_rich: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With or without rich, each line has what was found and what to do, brackets included."""
    if not has_rich:
        for module in ("rich.console", "rich.table", "rich.text"):
            monkeypatch.setitem(sys.modules, module, None)
    text = doctor.as_text([OK, NOTE, MISSING])
    for finding in (OK, NOTE, MISSING):
        assert finding.name in text
        assert finding.value in text
        assert finding.advice in text


def test_json_is_complete() -> None:
    """The JSON has the verdict and every field of every finding."""
    report = json.loads(doctor.as_json([OK, MISSING]))
    assert report["able"] is False
    assert report["findings"][1] == {
        "group": "Models",
        "name": "detector",
        "status": "missing",
        "value": "mediapipe [none]",
        "advice": "pip install mediapipe",
    }


@pytest.mark.parametrize(("finding", "status"), [(NOTE, 0), (MISSING, 1)])
def test_exit_status(
    finding: Finding,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """1 where something is missing, else 0."""
    monkeypatch.setattr(doctor, "examine", lambda _out: [finding])
    assert doctor.run(doctor.Args(json=True)) == status
    assert json.loads(capsys.readouterr().out)["findings"][0]["name"] == finding.name


def test_this_machine_has_all_that_tests_need(tmp_path: Path) -> None:
    """Where these tests run, ROS and the messages are there, and every finding says something."""
    found = doctor.examine(tmp_path)
    groups = list(dict.fromkeys(finding.group for finding in found))
    assert groups == ["ROS", "Models", "Libraries", "Engines", "Machine"]
    assert all(finding.value for finding in found)
    assert all(finding.advice for finding in found if finding.status == "missing")
    able = {finding.name: finding.status for finding in found}
    assert able["distribution"] == able["RMW"] == able["hand4d_ros.msg"] == "ok"


def test_no_ros(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rclpy the distribution is missing and the middleware is not asked for."""
    monkeypatch.setitem(sys.modules, "rclpy", None)
    found = list(check_ros.check_ros())
    assert found[0].status == "missing"
    assert "setup.bash" in found[0].advice
    assert "RMW" not in [finding.name for finding in found]


def test_sourced_ros_beside_the_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two installations of ROS in one shell are pointed out."""
    monkeypatch.setenv("ROS_DISTRO", "humble")
    monkeypatch.setattr(check_ros, "version_of", lambda _name: "7.1.6")
    rclpy = ModuleType("rclpy")
    rclpy.__file__ = f"{sys.prefix}/lib/rclpy/__init__.py"
    monkeypatch.setitem(sys.modules, "rclpy", rclpy)
    finding = named(check_ros.check_ros(), "distribution")
    assert finding.status == "note"
    assert "Jazzy wheels" in finding.value
    assert "humble" in finding.value


def test_installed_ros(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a robot the sourced distribution and its place are named."""
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    rclpy = ModuleType("rclpy")
    rclpy.__file__ = "/opt/ros/jazzy/lib/python3.12/site-packages/rclpy/__init__.py"
    monkeypatch.setitem(sys.modules, "rclpy", rclpy)
    finding = named(check_ros.check_ros(), "distribution")
    assert finding.status == "ok"
    assert finding.value.startswith("jazzy at /opt/ros/jazzy")


def test_detector_without_the_old_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    """A MediaPipe that is too new is missing, with the version that works."""
    monkeypatch.setitem(sys.modules, "mediapipe", ModuleType("mediapipe"))
    finding = named(check_models.check_models(), "detector")
    assert finding.status == "missing"
    assert "mp.solutions" in finding.value
    assert check_models.MEDIAPIPE in finding.advice


def test_imported_mano_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A MANO that was imported to its default place is named, so that it can be given."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    finding = named(check_models.check_models(), "hand model")
    assert "hand4d mano-import" in finding.value
    model = tmp_path / "hand4d" / "mano_right.npz"
    model.parent.mkdir()
    model.touch()
    assert str(model) in named(check_models.check_models(), "hand model").value


def test_broken_library_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that raises while it loads does not stop the report."""
    (tmp_path / "hand4d_broken.py").write_text("raise OSError('libGL.so.1: cannot open')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    finding = findings.library_finding(
        "Libraries", "hand4d_broken", "needed", "apt-get install libgl1", required=True
    )
    assert finding.status == "missing"
    assert "libGL.so.1" in finding.value


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a compiler the nodes run, but messages cannot be built again."""
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    finding = named(check_machine.check_machine(Path.cwd()), "C++ compiler")
    assert finding.status == "note"
    assert "apt-get install g++" in finding.advice


@pytest.mark.parametrize(("synchronised", "status"), [(True, "ok"), (False, "note"), (None, "ok")])
def test_clock(synchronised: bool | None, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that nothing disciplines is noted; one that does not say is not."""
    monkeypatch.setattr(check_machine, "clock_is_synchronised", lambda: synchronised)
    assert named(check_machine.check_machine(Path.cwd()), "clock").status == status


def test_full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Little room is noted for a folder that is still to be made."""
    usage = shutil.disk_usage(tmp_path)._replace(free=10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    finding = named(check_machine.check_machine(tmp_path / "new" / "out"), "disk")
    assert finding.status == "note"
    assert str(tmp_path) in finding.value
