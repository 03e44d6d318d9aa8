"""One step: the losses of its micro-batches, their gradients, and the optimisers' moves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hand4d_ros.errors import TrainingError
from hand4d_ros.training.config import TrainConfig
from hand4d_ros.training.processes import Processes
from hand4d_ros.training.schedule import rate_share
from hand4d_ros.training.seeds import NOISE, torch_rng
from hand4d_ros.training.state import TrainState
from hand4d_ros.training.task import Batch, Moment, Phase, Term

_TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Numbered:
    """A micro-batch and its number in the run."""

    number: int
    batch: Batch


class Stepper:
    """Makes steps, one phase after the other."""

    def __init__(
        self, state: TrainState, config: TrainConfig, device: torch.device, processes: Processes
    ) -> None:
        """Keep what a step needs.

        Args:
            state: Is moved on by every step.
            config: Of the run.
            device: Of the network.
            processes: That share the micro-batches.
        """
        self._state = state
        self._config = config
        self._device = device
        self._processes = processes

    def step(self, micro_batches: Sequence[Numbered]) -> dict[str, float]:
        """Make one step.

        Args:
            micro_batches: Those of this process, on the device.

        Returns:
            Means over this process's micro-batches: ``loss``, the terms, ``grad_norm`` and
            ``rate``; with several phases each preceded by the phase's name and a slash.

        Raises:
            TrainingError: A loss or a gradient is not finite; the weights are as they were
                before the phase.
        """
        state = self._state
        metrics: dict[str, float] = {}
        state.model.train()
        for index, phase in enumerate(state.phases):
            if state.step % phase.every == 0:
                before = f"{phase.name}/" if len(state.phases) > 1 else ""
                found = self._phase(index, phase, micro_batches)
                metrics.update({before + name: value for name, value in found.items()})
        if state.mean is not None:
            state.mean.update(state.model)
        state.step += 1
        return metrics

    def _phase(
        self, index: int, phase: Phase, micro_batches: Sequence[Numbered]
    ) -> dict[str, float]:
        """Add up the gradients of one phase and move its parameters."""
        optimiser = self._state.optimisers[phase.name]
        scaler = self._state.scalers[phase.name]
        rate = self._config.learning_rate * phase.rate
        rate *= rate_share(self._state.step, self._config)
        for group in optimiser.param_groups:
            group["lr"] = rate
        sums: dict[str, Tensor] = {}
        with _only(self._state.model, phase.parameters):
            self._state.model.zero_grad(set_to_none=True)
            for micro in micro_batches:
                terms = self._terms(index, phase, micro)
                total = _total(terms, self._device)
                scaler.scale(total / self._config.micro_batches).backward()  # type: ignore[no-untyped-call]
                parts = {"loss": total, **{name: term.value for name, term in terms.items()}}
                self._check_loss(parts, micro, phase)
                for name, part in parts.items():
                    sums[name] = sums[name] + part.detach() if name in sums else part.detach()
        scaler.unscale_(optimiser)
        norm = self._gradient_norm(phase)
        if not scaler.is_enabled() and not math.isfinite(norm):
            raise TrainingError(
                f"step {self._state.step}: the gradient of phase {phase.name!r} has the norm "
                f"{norm}, though its loss is finite; lower learning_rate, or look for roots and "
                f"quotients of zero in the loss of micro-batches {_numbers(micro_batches)}"
            )
        # With float16 a gradient that overflowed is skipped, and the scale halves.
        scaler.step(optimiser)
        scaler.update()
        count = len(micro_batches)
        values = torch.stack([value.double() for value in sums.values()]).tolist()
        means = {name: value / count for name, value in zip(sums, values, strict=True)}
        return {**means, "grad_norm": norm, "rate": rate}

    def _terms(self, index: int, phase: Phase, micro: Numbered) -> Mapping[str, Term]:
        rng = torch_rng(self._device, self._config.seed, NOISE, micro.number, index)
        moment = Moment(self._state.step, self._config.max_steps, rng)
        with self._autocast():
            terms = phase.loss(self._state.model, micro.batch, moment)
        if not terms:
            raise TrainingError(f"phase {phase.name!r} has no terms; return at least one")
        return terms

    def _autocast(self) -> AbstractContextManager[None]:
        if self._config.precision == "float32":
            return nullcontext()
        return torch.autocast(self._device.type, dtype=_TYPES[self._config.precision])

    def _check_loss(self, values: Mapping[str, Tensor], micro: Numbered, phase: Phase) -> None:
        # Looked at before the optimiser moves, so that a bad batch cannot spoil the weights.
        if math.isfinite(values["loss"].item()):
            return
        shown = ", ".join(f"{name} {value.item():g}" for name, value in values.items())
        raise TrainingError(
            f"step {self._state.step}, micro-batch {micro.number}, phase {phase.name!r}: the loss "
            f"is not finite ({shown}); the task's source().batch({micro.number}, "
            f"{self._config.batch_size}) gives this batch again. Lower learning_rate or clip_norm, "
            "or look for a bad sample; the last checkpoint is untouched"
        )

    def _gradient_norm(self, phase: Phase) -> float:
        """Join the gradients of all processes, clip them and return their norm before."""
        for parameter in phase.parameters:
            if parameter.grad is None and self._processes.size > 1:
                # Every process must bring the same list to the sum.
                parameter.grad = torch.zeros_like(parameter)
        self._processes.add([p.grad for p in phase.parameters if p.grad is not None])
        limit = self._config.clip_norm or math.inf
        return float(torch.nn.utils.clip_grad_norm_(phase.parameters, limit))


def _total(terms: Mapping[str, Term], device: torch.device) -> Tensor:
    total = torch.zeros((), device=device)
    for term in terms.values():
        total = total + term.weight * term.value
    return total


@contextmanager
def _only(model: nn.Module, parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Let only some parameters have gradients, as an adversarial step needs."""
    chosen = {id(parameter) for parameter in parameters}
    others = [p for p in model.parameters() if p.requires_grad and id(p) not in chosen]
    for parameter in others:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in others:
            parameter.requires_grad_(True)


def _numbers(micro_batches: Sequence[Numbered]) -> str:
    return ", ".join(str(micro.number) for micro in micro_batches)
