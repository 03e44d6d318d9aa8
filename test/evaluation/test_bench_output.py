"""The document, tables and pictures of a benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation import bench_document, bench_figures, bench_markdown, bench_tables
from hand4d_ros.evaluation.scoring import ClipFigures, Figure
from hand4d_ros.evaluation.suites.base import ALL, Counts, MethodResult, SuiteOptions, SuiteResult
from hand4d_ros.evaluation.summary import bench_rows


def figures(name: str, value: float) -> ClipFigures:
    """Return a few figures of one clip."""
    found = {
        "pa_mpjpe_mm": Figure(value, 10),
        "auc_j": Figure(1.0 - value / 50.0, 10),
        "keypoint_coverage_90": Figure(0.5 + value / 20.0, 10),
    }
    return ClipFigures(name, 10, found, {"jerk_m_s3": "too short", "pa_mpjpe_mm": "not here"})


def result() -> SuiteResult:
    """Return a result of two methods and the truth, with a group and a forecaster."""
    made = []
    for name, value in (("keypoint_fit", 4.0), ("keypoint_fit+slerp", 6.0), ("truth", 0.0)):
        made.append(
            MethodResult(
                name,
                frames=20,
                milliseconds=[] if name == "truth" else [1.0, 2.0, 6.0],
                figures=[figures("a", value), figures("b", value + 2.0)],
                groups={"0-25%": [figures("a", value)], "75-100%": []},
                stage_ms={"estimate": [1.0, 3.0]},
                counts={ALL: Counts(40, 30), "0-25%": Counts(20, 20)},
            )
        )
    made.append(MethodResult("static", 3, [0.5], [], more_metrics={"diversity": 2.0}))
    return SuiteResult("occlusion", SuiteOptions(seed=11, clips=2), made, ["a note"])


def test_the_document_is_what_programs_read() -> None:
    """Suite, seed and rows are exactly the interface; the rest stands beside them."""
    document = bench_document.bench_document(result())
    text = bench_document.document_text(document)
    suite, seed, rows = bench_rows(text)
    assert (suite, seed) == ("occlusion", 11)
    assert [row.method for row in rows][:2] == ["keypoint_fit", "keypoint_fit+slerp"]
    assert rows[0].metrics["pa_mpjpe_mm"] == 5.0
    assert rows[0].ms_per_frame == 3.0
    assert set(json.loads(text)["rows"][0]) == {"method", "frames", "ms_per_frame", "metrics"}
    groups = document["groups"]["keypoint_fit"]
    assert groups["0-25%"]["pa_mpjpe_mm"] == 4.0
    assert groups["75-100%"] == {}
    assert document["counts"]["keypoint_fit"]["all"] == {"in_view": 40, "estimated": 30}
    assert document["skipped"]["keypoint_fit"] == {"jerk_m_s3": "too short"}
    assert document["intervals"]["keypoint_fit"]["pa_mpjpe_mm"] == [4.0, 6.0]
    assert document["timings"]["keypoint_fit"]["stage_ms"] == {"estimate": 2.0}
    assert document["rows"][3]["metrics"] == {"diversity": 2.0}


def test_times_are_kept_apart() -> None:
    """What differs from run to run can be taken away, and nothing else is."""
    document = bench_document.bench_document(result())
    kept = bench_document.without_timings(document)
    assert set(document) - set(kept) == {"timings"}
    assert all("ms_per_frame" not in row for row in kept["rows"])
    assert "ms_per_frame" in document["rows"][0]


def test_two_files_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Times do not count, any figure does."""
    document = bench_document.bench_document(result())
    other = json.loads(json.dumps(document))
    other["rows"][0]["ms_per_frame"] = 99.0
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, each in zip(paths, (document, other), strict=True):
        path.write_text(bench_document.document_text(each), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["bench_document", *map(str, paths)])
    assert bench_document.main() == 0
    other["rows"][0]["metrics"]["pa_mpjpe_mm"] += 1e-12
    paths[1].write_text(bench_document.document_text(other), encoding="utf-8")
    assert bench_document.main() == 1
    assert "differ in rows" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["bench_document"])
    assert bench_document.main() == 2


def test_the_table_has_every_figure_and_marks_the_best() -> None:
    """The best is bold, the truth never is, and what is missing is a dash."""
    document = bench_document.bench_document(result())
    console = Console(width=200, record=True, force_terminal=True)
    for table in bench_tables.tables(document):
        console.print(table)
    text = console.export_text(styles=True)
    plain = Console(width=200, record=True)
    for table in bench_tables.tables(document):
        plain.print(table)
    lines = plain.export_text().splitlines()
    line = next(line for line in lines if "pa_mpjpe_mm" in line)
    assert [cell.strip() for cell in line.split("│")[2:6]] == ["mm", "5.000", "7.000", "1.000"]
    assert "\x1b[1m5.000" in text
    assert "\x1b[1m1.000" not in text
    # Neither lower nor higher is better: 0.75 is nearer to 0.9 than 0.85 is not.
    assert "\x1b[1m0.8500" in text
    assert any("0-25% (20)" in line for line in lines)
    assert any("75.0" in line for line in lines if "with an estimate" in line)
    assert any("stage estimate" in line for line in lines)


def test_pictures(tmp_path: Path) -> None:
    """One picture of clips and one of groups, small enough for a page."""
    document = bench_document.bench_document(result())
    paths = bench_figures.write_figures(document, tmp_path / "figures")
    assert [path.name for path in paths] == ["occlusion_clips.png", "occlusion_groups.png"]
    assert all(1000 < path.stat().st_size < 200_000 for path in paths)
    document["suite"] = "runtime"
    (times,) = bench_figures.write_figures(document, tmp_path)
    assert times.name == "runtime_times.png"


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    """A file in the way is a clear error."""
    (tmp_path / "file").write_text("")
    document = bench_document.bench_document(result())
    with pytest.raises(MetricError, match="cannot be written"):
        bench_figures.write_figures(document, tmp_path / "file" / "figures")


def test_the_pages_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every figure with its interval, then the groups, as Markdown."""
    path = tmp_path / "a.json"
    path.write_text(bench_document.document_text(bench_document.bench_document(result())))
    assert bench_markdown.main([str(path)]) == 0
    said = capsys.readouterr().out
    assert "`occlusion`, seed 11, 2 clips, normal" in said
    assert "| `pa_mpjpe_mm` | mm | 5.000 (4.000..6.000) | 7.000 (6.000..8.000)" in said
    assert "| 0-25% | 20 | `pa_mpjpe_mm` | 4.000 | 6.000 | 0 |" in said
    assert bench_markdown.main([]) == 2


def test_tables_go_into_a_page(tmp_path: Path) -> None:
    """What is between the marks is replaced, also twice; a page without marks is refused."""
    path, page = tmp_path / "a.json", tmp_path / "page.md"
    path.write_text(bench_document.document_text(bench_document.bench_document(result())))
    page.write_text(f"before\n{bench_markdown.BEGIN}\nold\n{bench_markdown.END}\nafter\n")
    for _ in range(2):
        assert bench_markdown.main(["--into", str(page), str(path)]) == 0
        text = page.read_text(encoding="utf-8")
        assert text.startswith("before\n")
        assert text.endswith("after\n")
        assert text.count("### `occlusion`") == 1
        assert "old" not in text
    with pytest.raises(MetricError, match="no place for tables"):
        bench_markdown.with_tables("nothing", "tables")


@pytest.mark.parametrize("content", ["", "[]", '{"suite": "world"}'])
def test_a_file_of_something_else(tmp_path: Path, content: str) -> None:
    """Only what ``hand4d bench`` wrote is read."""
    path = tmp_path / "a.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(MetricError):
        bench_document.read_document(path)
    with pytest.raises(MetricError, match="cannot be read"):
        bench_document.read_document(tmp_path / "none.json")
