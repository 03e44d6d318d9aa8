"""What every test gets: checked shapes, a ROS domain of its own, real data where there is some."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_DOMAINS = range(1, 100)
"""Domains whose ports lie below the ephemeral ones of Linux, without 0, which robots use."""

# Before anything imports matplotlib or rclpy, in this process and in those it starts.
os.environ["MPLBACKEND"] = "Agg"
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


def _check_annotations() -> None:
    """Check every annotated argument and result of this package while tests call it.

    The generated messages are left out: they are not ours and check their fields themselves.
    """
    try:
        import beartype  # noqa: F401  The hook names it in a string.
        from jaxtyping import install_import_hook
    except ModuleNotFoundError:
        # A robot has neither; colcon test runs there all the same.
        return
    package = ROOT / "hand4d_ros"
    rooms = [path.stem for path in package.iterdir() if path.name[0] not in "._"]
    install_import_hook([f"hand4d_ros.{room}" for room in rooms], "beartype.beartype")


_check_annotations()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that talk over DDS as live, before markers are selected."""
    for item in items:
        if "ros_domain" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="session", autouse=True)
def _own_ros_domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Hold a ROS domain that no other test process on this machine uses.

    Workers of pytest-xdist and sessions in other checkouts compete for it, so a lock on a file
    holds it; the kernel frees the lock with the process, however that ends.
    """
    os.environ["ROS_LOG_DIR"] = str(tmp_path_factory.mktemp("ros_log"))
    folder = Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108  Shared on purpose.
    for domain in _DOMAINS:
        path = folder / f"hand4d_ros-domain-{domain}.lock"
        try:
            lock = path.open("a")
        except PermissionError:
            # Another user's lock file; that user's tests may hold the domain.
            continue
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            os.environ["ROS_DOMAIN_ID"] = str(domain)
            yield domain
            return
    pytest.exit(f"all ROS domains {_DOMAINS} are in use; look for stuck test processes")


@pytest.fixture
def ros_domain(_own_ros_domain: int) -> int:
    """The ROS domain of this test process; asking for it marks a test as live."""
    return _own_ros_domain


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings; a test that asks for it is skipped where there is none."""
    folder = Path(os.environ.get("HAND4D_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder}; HAND4D_REAL_DATA names their folder")
    return folder
