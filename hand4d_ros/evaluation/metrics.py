"""The registry of all metrics: what tables, documents and JSON are made from."""

from __future__ import annotations

from collections.abc import Mapping

from hand4d_ros.evaluation.metrics_2d import IMAGE_METRICS
from hand4d_ros.evaluation.metrics_distribution import DISTRIBUTION_METRICS
from hand4d_ros.evaluation.metrics_forecast import FORECAST_METRICS
from hand4d_ros.evaluation.metrics_mesh import MESH_METRICS
from hand4d_ros.evaluation.metrics_motion import MOTION_METRICS
from hand4d_ros.evaluation.metrics_pose import POSE_METRICS
from hand4d_ros.evaluation.metrics_scale import SCALE_METRICS
from hand4d_ros.evaluation.metrics_track import TRACK_METRICS
from hand4d_ros.evaluation.metrics_uncertainty import UNCERTAINTY_METRICS
from hand4d_ros.evaluation.registry import MetricInfo

metrics_groups: Mapping[str, Mapping[str, MetricInfo]] = {
    "Pose": POSE_METRICS,
    "Motion": MOTION_METRICS,
    "Two hands": MESH_METRICS,
    "Tracking and self-consistency": TRACK_METRICS,
    "Scale": SCALE_METRICS,
    "Image": IMAGE_METRICS,
    "Forecasts": FORECAST_METRICS,
    "Distributions": DISTRIBUTION_METRICS,
    "Uncertainty": UNCERTAINTY_METRICS,
}
"""The same metrics under the headings of the document."""

metrics_registry: Mapping[str, MetricInfo] = {
    key: info for group in metrics_groups.values() for key, info in group.items()
}
"""Every metric by its key, in the order of tables."""
