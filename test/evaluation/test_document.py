"""The page of metrics says what the code says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hand4d_ros.evaluation import document
from hand4d_ros.evaluation.metrics import metrics_registry

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_is_up_to_date() -> None:
    """When this fails: python -m hand4d_ros.evaluation.document docs/metrics.md."""
    assert PAGE.read_text(encoding="utf-8") == document.metrics_markdown()


def test_every_metric_has_a_heading() -> None:
    """One each."""
    lines = document.metrics_markdown().splitlines()
    headings = [line[5:-1] for line in lines if line.startswith("### ")]
    assert headings == list(metrics_registry)


def test_the_module_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says how it is called."""
    page = tmp_path / "metrics.md"
    monkeypatch.setattr(sys, "argv", ["document", str(page)])
    assert document.main() == 0
    assert page.read_text(encoding="utf-8") == document.metrics_markdown()
    monkeypatch.setattr(sys, "argv", ["document"])
    assert document.main() == 2
