"""Everything of a run that changes from step to step, and its way into a checkpoint and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hand4d_ros.errors import TrainingError, WeightsError
from hand4d_ros.nn.weights import fill
from hand4d_ros.training.checkpoints import Checkpoint
from hand4d_ros.training.config import TrainConfig
from hand4d_ros.training.ema import MeanWeights
from hand4d_ros.training.task import Phase

Scaler = torch.amp.GradScaler


@dataclass
class TrainState:
    """What a checkpoint restores. Randomness has no state: it follows from seed and step."""

    model: nn.Module
    mean: MeanWeights | None
    phases: Sequence[Phase]
    optimisers: Mapping[str, torch.optim.AdamW]
    """By phase."""
    scalers: Mapping[str, Scaler]
    """By phase; they do nothing unless the precision is float16."""
    step: int = 0
    """Steps done, which is also the place in the data."""
    seconds: float = 0.0
    """Spent training, over all sessions."""

    @property
    def best_model(self) -> nn.Module:
        """The network to evaluate and to pack."""
        return self.model if self.mean is None else self.mean.model

    def captured(self, recipe: Mapping[str, Any], figures: Mapping[str, float]) -> Checkpoint:
        """Return the content of a checkpoint.

        Args:
            recipe: Settings by which a resumed run is recognised.
            figures: Of the last evaluation, if it was at this very step.
        """
        tensors = {"model": dict(self.model.state_dict()), "optimiser": {}}
        for name, optimiser in self.optimisers.items():
            for index, values in optimiser.state_dict()["state"].items():
                for key, value in values.items():
                    tensors["optimiser"][f"{name}.{index}.{key}"] = torch.as_tensor(value)
        if self.mean is not None:
            tensors["ema"] = dict(self.mean.model.state_dict())
        values = {
            "step": self.step,
            "seconds": self.seconds,
            "ema_updates": None if self.mean is None else self.mean.updates,
            "scalers": {name: scaler.state_dict() for name, scaler in self.scalers.items()},
            "recipe": dict(recipe),
            "figures": dict(figures),
        }
        return Checkpoint(self.step, tensors, values)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue where a checkpoint was made.

        Raises:
            TrainingError: It is of another network or of other phases.
        """
        tensors, values = checkpoint.tensors, checkpoint.values
        try:
            fill(self.model, tensors["model"], "the checkpoint")
            if self.mean is not None:
                # A run may be resumed with a running mean that it began without.
                fill(self.mean.model, tensors.get("ema", tensors["model"]), "the checkpoint")
                self.mean.updates = values["ema_updates"] or 0
            for name, optimiser in self.optimisers.items():
                # Rates and decays are those of the config of now, so only the state is read.
                groups = optimiser.state_dict()["param_groups"]
                held = _unflattened(tensors["optimiser"], name)
                _check_moments(optimiser, held, name)
                optimiser.load_state_dict({"state": held, "param_groups": groups})
                if values["scalers"].get(name):
                    self.scalers[name].load_state_dict(values["scalers"][name])
        except (WeightsError, KeyError, ValueError) as error:
            raise TrainingError(
                f"the checkpoint of step {checkpoint.step} does not fit this task: {error}; "
                "give another output folder"
            ) from error
        self.step, self.seconds = values["step"], values["seconds"]


def _unflattened(tensors: Mapping[str, Tensor], phase: str) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        owner, index, key = name.rsplit(".", 2)
        if owner == phase:
            state.setdefault(int(index), {})[key] = tensor
    return state


def _check_moments(
    optimiser: torch.optim.AdamW, state: Mapping[int, Mapping[str, Tensor]], phase: str
) -> None:
    """Compare the shapes of an optimiser's state with those of the parameters, in order.

    Raises:
        ValueError: Naming the first that differs.
    """
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for index, values in state.items():
        if index >= len(parameters) or values["exp_avg"].shape != parameters[index].shape:
            raise ValueError(f"phase {phase!r} has another parameter {index}")


def new_state(
    model: nn.Module, phases: Sequence[Phase], config: TrainConfig, device: torch.device
) -> TrainState:
    """Return the state of a run at its start.

    Args:
        model: On its device.
        phases: Of the task.
        config: Of the run.
        device: Where the model is.
    """
    half = config.precision == "float16"
    return TrainState(
        model,
        MeanWeights(model, config.ema_decay) if config.ema_decay > 0.0 else None,
        tuple(phases),
        {phase.name: _optimiser(phase, config) for phase in phases},
        {phase.name: Scaler(device.type, enabled=half) for phase in phases},
    )


def _optimiser(phase: Phase, config: TrainConfig) -> torch.optim.AdamW:
    matrices = [p for p in phase.parameters if p.ndim >= 2]
    vectors = [p for p in phase.parameters if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
    )
