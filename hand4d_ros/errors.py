"""One error class a layer. A message says what was given, what was expected and what to do."""


class Hand4DError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigError(Hand4DError):
    """A configuration value is unknown, of the wrong type or out of range."""


class GeometryError(Hand4DError):
    """A camera model, pose or trajectory is unusable."""


class HandModelError(Hand4DError):
    """A hand model file is missing, foreign or inconsistent."""


class DetectionError(Hand4DError):
    """The detector could not run."""


class EstimationError(Hand4DError):
    """A hand could not be estimated from its detection."""


class TrackingError(Hand4DError):
    """A track was fed something that breaks its order or identity."""


class ForecastError(Hand4DError):
    """A forecast was asked for a time that it does not reach."""


class SceneError(Hand4DError):
    """A synthetic scene cannot be made as described."""


class DatasetError(Hand4DError):
    """A dataset is missing, foreign or in another version."""


class MetricError(Hand4DError):
    """A metric was asked for data that it is not defined on."""


class MediaError(Hand4DError):
    """A video, image folder or image file cannot be read or written."""


class WeightsError(Hand4DError):
    """Weights are missing, foreign or do not fit the network."""


class TrainingError(Hand4DError):
    """A training run cannot go on: its loss, its data or its checkpoints are unusable."""


class BagError(Hand4DError):
    """A bag is missing, truncated, foreign or lacks a topic."""


class RosError(Hand4DError):
    """The ROS environment or a message is unusable."""
