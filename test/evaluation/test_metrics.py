"""The registry: every key that users rely on, with all facts, and functions that match."""

from __future__ import annotations

import functools
import inspect

import pytest

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation.metrics import metrics_groups, metrics_registry
from hand4d_ros.evaluation.registry import MetricInfo, metric_info

PROMISED = (
    *("pa_mpjpe_mm", "ra_mpjpe_mm", "mpjpe_mm", "mpvpe_mm", "ga_mpjpe_mm", "fa_mpjpe_mm"),
    *("g_mpjpe_mm", "acc_err_mm_s2", "acc_norm", "jerk_m_s3", "trans_err_pct", "penetration_cm3"),
    *("auc_j", "f_at_5mm", "f_at_15mm", "pck_0_05", "pck_0_1", "pck_0_15", "m_cm", "m_g_cm"),
    *("m_f_cm", "mr_cm", "ade_cm", "fde_cm", "diversity", "multimodality", "coverage_90"),
)
HIGHER = {
    *("auc_j", "f_at_5mm", "f_at_15mm", "pck_0_05", "pck_0_1", "pck_0_15", "observed_fraction"),
    "multimodality",
}
NEITHER = {"diversity", "coverage_90", "keypoint_coverage_50", "keypoint_coverage_90"}


def test_every_promised_key_is_there_once() -> None:
    """The keys of the interface, and no key in two groups."""
    assert set(PROMISED) <= set(metrics_registry)
    assert sum(len(group) for group in metrics_groups.values()) == len(metrics_registry)


@pytest.mark.parametrize("key", metrics_registry)
def test_every_metric_states_all_facts(key: str) -> None:
    """Facts are there, thresholds are filled in, and the direction is the right one."""
    info = metrics_registry[key]
    for text in (info.description, info.formula, info.unit, info.alignment, info.source):
        assert text
        assert "{" not in text
    expected = None if key in NEITHER else key not in HIGHER
    assert info.lower_is_better is expected


@pytest.mark.parametrize(
    ("ending", "unit"),
    [("_mm", "mm"), ("_cm", "cm"), ("_pct", "%"), ("_s", "s"), ("_px", "px"), ("_cm3", "cm^3")],
)
def test_units_are_those_of_the_keys(ending: str, unit: str) -> None:
    """A key that ends in a unit has that unit."""
    found = {info.unit for key, info in metrics_registry.items() if key.endswith(ending)}
    assert unit in found
    assert found <= {unit, "mm/s"}


def test_every_metric_documents_its_errors() -> None:
    """Each function has a Raises section and returns a float."""
    for info in metrics_registry.values():
        function = info.function
        if isinstance(function, functools.partial):
            function = function.func
        assert "Raises:" in (inspect.getdoc(function) or "")
        assert inspect.signature(function).return_annotation == "float"


def _half(limit: float) -> float:
    """Half of the limit, {limit} here.

    A reason, over
    two lines.

    Formula:
        {limit} / 2
    Unit:
        1
    Alignment:
        none
    Better:
        closer to 0.5
    Source:
        this test
    """
    return limit / 2.0


def test_info_is_read_from_the_docstring() -> None:
    """Sections, paragraphs and fixed arguments."""
    info = metric_info(_half, limit=3.0)
    assert isinstance(info, MetricInfo)
    assert info.function() == 1.5
    assert info.description == "Half of the limit, 3 here"
    assert info.notes == ("A reason, over two lines.",)
    assert info.formula == "3 / 2"
    assert info.lower_is_better is None


def _without_source() -> float:
    """One.

    Formula:
        1
    """
    return 1.0


def _without_direction() -> float:
    """One.

    Formula:
        1
    Unit:
        1
    Alignment:
        none
    Better:
        bigger
    Source:
        this test
    """
    return 1.0


def test_documented_raises() -> None:
    """A docstring that lacks a section or has an unknown direction."""
    with pytest.raises(MetricError, match=r"lacks the section\(s\) \['Unit', 'Alignment', "):
        metric_info(_without_source)
    with pytest.raises(MetricError, match="Better is 'bigger'"):
        metric_info(_without_direction)
    assert _without_source() == _without_direction()
