"""The report is one page that needs nothing else, says what the figures say, and draws true."""

from __future__ import annotations

import html.parser
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from replay_samples import InputOptions, write_input, write_output

from hand4d_ros.errors import MediaError
from hand4d_ros.replay import charts, svg
from hand4d_ros.replay.identity import RunIdentity, commit, identify, machine
from hand4d_ros.replay.report import (
    ReportInput,
    number,
    picture_rows,
    report_html,
    summary_sentence,
    write_report,
)
from hand4d_ros.replay.run_data import Run, load_run
from hand4d_ros.replay.run_metrics import run_metrics
from hand4d_ros.types import Side


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A live run with truth."""
    folder = tmp_path_factory.mktemp("run")
    source = write_input(folder / "in.mcap", InputOptions(truth=True))
    return load_run(source, write_output(folder / "out.mcap", shift_m=0.02, drop=(3, 7)))


def content(run: Run, title: str = "A run", processing_ms: float = 0.0) -> ReportInput:
    """Return all that a report shows."""
    words = {name: name for name in RunIdentity.__dataclass_fields__}
    identity = RunIdentity(**{**words, "mode": "live"})
    picture = np.full((48, 64, 3), 90, dtype=np.uint8)
    times = [processing_ms] * 30 if processing_ms else []
    metrics = run_metrics(run, times)
    pictures = {0: picture, 12: picture}
    return ReportInput(title, run, metrics, identity, pictures, np.array(times))


class Page(html.parser.HTMLParser):
    """Collects tags, and checks that they are closed in order."""

    def __init__(self) -> None:
        """Start before the page."""
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that the last open tag is closed."""
        assert self._open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that closes itself."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Gather the text."""
        self.text += data

    def close(self) -> None:
        """Check that everything was closed."""
        super().close()
        assert self._open == []


def page_of(text: str) -> Page:
    """Parse a page."""
    page = Page()
    page.feed(text)
    page.close()
    return page


def test_page_is_whole_and_self_contained(run: Run) -> None:
    """Well-formed, without scripts, links or anything from outside."""
    text = report_html(content(run))
    page = page_of(text)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "video", "audio"}
    sources = [attrs["src"] for _, attrs in page.tags if "src" in attrs]
    assert len(sources) == 2
    assert all(source is not None and source.startswith("data:image/jpeg") for source in sources)
    assert not re.search(r"https?://|url\(|@import", text)
    assert "nan" not in re.findall(r"<svg.*?</svg>", text, re.DOTALL)[0].lower()


def test_page_shows_what_the_figures_say(run: Run) -> None:
    """Headline, shares, errors, latency, drops and identity are on the page."""
    text = page_of(report_html(content(run))).text
    for words in (
        "A run",
        "93.3",
        "50.0",
        "20.0",
        "capture to publication",
        "superseded",
        "not received",
        "observed_fraction",
        "input_sha256",
        "2 of 30 images gave no result",
    ):
        assert words in text, words


def test_text_from_outside_is_escaped(run: Run) -> None:
    """Names in a bag cannot become tags."""
    evil = replace(run, drops={"<b>x</b>": 2}, world_frame="<i>w</i>", notes=("<u>n</u>",))
    text = report_html(content(evil, "<script>alert(1)</script>"))
    assert "<script" not in text
    for tag in ("<b>x", "<i>w", "<u>n"):
        assert tag not in text
    page_of(text)


def test_offline_run_without_truth(run: Run) -> None:
    """A page without truth, latency or one of the hands has no empty charts."""
    bare = replace(run, truth={}, in_view={}, latency_ms=np.full(30, np.nan), drops={})
    left = bare.hands[Side.LEFT]
    gone = replace(left, state=np.full(30, -1), keypoints_m=np.full((30, 21, 3), np.nan))
    bare = replace(bare, hands={**bare.hands, Side.LEFT: gone}, world_frame="camera")
    given = content(bare, processing_ms=4.0)
    text = page_of(report_html(given)).text
    assert "no left hand found" in text
    assert "not a latency" in text
    assert "How far the wrists" not in text
    assert "As the camera sees them" in text
    assert "No left hand was found." in summary_sentence(bare, given.metrics)


def test_pictures_are_spread_and_show_hands(run: Run) -> None:
    """Chosen images rise in time and have hands where there are any."""
    rows = picture_rows(run, 6)
    assert rows == sorted(set(rows))
    assert len(rows) == 6
    assert 3 not in rows
    assert all(run.hands[Side.RIGHT].tracked[row] for row in rows)


def test_writing(run: Run, tmp_path: Path) -> None:
    """The page is written whole, or there is an error."""
    write_report(tmp_path / "report.html", content(run))
    assert (tmp_path / "report.html").read_text(encoding="utf-8").endswith("</html>")
    (tmp_path / "file").touch()
    with pytest.raises(MediaError, match="cannot be written"):
        write_report(tmp_path / "file" / "report.html", content(run))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((None, "-"), (0.0, "0"), (0.00892, "0.00892"), (1.0, "1")),
        *((12.3456, "12.35"), (5341.8, "5,342"), (0.000012, "1.20e-05"), (2e12, "2e+12")),
    ],
)
def test_numbers(value: float | None, text: str) -> None:
    """Figures are readable at every size."""
    assert number(value) == text


def points_of(picture: str, stroke: str) -> np.ndarray:
    """Return the corners of the paths of a colour in an SVG."""
    paths = re.findall(rf'<path d="([^"]*)"[^>]*stroke="{stroke}"', picture)
    numbers = [float(n) for path in paths for n in re.findall(r"-?\d+\.?\d*", path)]
    return np.array(numbers).reshape(-1, 2)


def test_paths_have_equal_axes(run: Run) -> None:
    """A metre is as long across as up: shapes in the picture are those in the world."""
    for view in charts.views(run):
        drawn = points_of(charts.wrist_paths(run, view), svg.SIDE_HEX[Side.RIGHT])
        world = run.hands[Side.RIGHT].wrist_m[run.processed][:, [view.across, view.up]]
        spans, sizes = np.ptp(drawn, axis=0), np.ptp(world, axis=0)
        scale = spans.max() / sizes.max()
        np.testing.assert_allclose(spans, sizes * scale, atol=0.2)


def test_view_of_a_static_camera_is_the_camera_s(run: Run) -> None:
    """With the world in the camera, down in the image is down in the picture."""
    still = replace(run, world_frame="camera")
    front = charts.views(still)[0]
    drawn = points_of(charts.wrist_paths(still, front), svg.SIDE_HEX[Side.RIGHT])
    world = still.hands[Side.RIGHT].wrist_m[run.processed]
    # The y axis of SVG points down, as the camera's does.
    assert np.corrcoef(drawn[:, 0], world[:, 0])[0, 1] > 0.99 or np.ptp(world[:, 0]) < 1e-6


def test_timeline_has_the_stretches(run: Run) -> None:
    """Predicted stretches are there once, dropped images as ticks."""
    picture = charts.state_timeline(run)
    blue = svg.SIDE_HEX[Side.LEFT]
    assert picture.count(f'fill="{blue}" fill-opacity="0.3"') == 1
    assert picture.count(f'fill="{blue}" fill-opacity="1"') == 2
    assert picture.count(f'fill="{svg.INK}"') == 2


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-0.31, 0.29, [-0.2, 0.0, 0.2]),
        (3.0, 3.0, [3.0]),
        (0.0, 12.0, [0.0, 5.0, 10.0]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    """Ticks are multiples of 1, 2 or 5 times a power of ten, inside of the range."""
    assert svg.ticks(low, high) == pytest.approx(expected)


def test_thinning_keeps_peaks_and_gaps() -> None:
    """A long line loses points but neither its extremes nor its breaks."""
    x = np.arange(20_000.0)
    y = np.sin(x / 500.0)
    y[7_003], y[12_000:12_400] = 9.0, np.nan
    thin_x, thin_y = svg.thinned(x, y)
    assert len(thin_x) < 2_500
    assert np.nanmax(thin_y) == 9.0
    assert np.isnan(thin_y).any()
    assert (np.diff(thin_x) > 0.0).all()


def test_latency_charts_of_nothing() -> None:
    """Without a number there is an empty picture, not an error."""
    assert "<rect" not in charts.latency_histogram(np.full(4, np.nan))
    picture = charts.latency_timeline(np.arange(4.0), np.full(4, np.nan), 33.0, "t")
    assert "<circle" not in picture


def test_identity(tmp_path: Path) -> None:
    """A run is known by its bags' hashes, the commit and the machine."""
    source = write_input(tmp_path / "in.mcap", InputOptions(images=2))
    one = identify(source, source, mode="offline", detector="mediapipe", estimator="fit")
    assert one.input_sha256 == one.output_sha256
    assert len(one.input_sha256) == 64
    assert one.input_bag == "in.mcap"
    assert "cores" in machine()
    assert re.fullmatch(r"unknown|[0-9a-f]{12}(\+changes)?", commit())
    assert set(one.as_dict()) == set(RunIdentity.__dataclass_fields__)
