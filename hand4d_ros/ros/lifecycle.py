"""What every lifecycle node does about its transitions: steps, faults with a reason, autostart."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.lifecycle import TransitionCallbackReturn

from hand4d_ros.errors import RosError
from hand4d_ros.ros import compat

_SUCCESS = TransitionCallbackReturn.SUCCESS


class ManagedNode(compat.LifecycleNode):  # type: ignore[misc]
    """A lifecycle node whose class says what to build, to start, to stop and to free."""

    state_label = "unconfigured"
    """Of the lifecycle: unconfigured, inactive, active or finalized."""

    def build(self) -> None:
        """Make everything that is needed; nothing runs yet."""
        raise NotImplementedError

    def begin(self) -> None:
        """Subscribe and work; the publishers publish from now on."""
        raise NotImplementedError

    def rest(self) -> None:
        """Unsubscribe and stop, from any state."""
        raise NotImplementedError

    def free(self) -> None:
        """Stop and free everything, from any state."""
        raise NotImplementedError

    def bring_up(self) -> None:
        """Configure and activate.

        Raises:
            RosError: If a transition fails; the reason was logged.
        """
        for transition in (self.trigger_configure, self.trigger_activate):
            if transition() != _SUCCESS:
                raise RosError(f"{self.get_name()} could not start; the reason is above")

    def close(self) -> None:
        """Shut down from any state."""
        if self.state_label != "finalized":
            self.trigger_shutdown()

    def on_configure(self, state: Any) -> TransitionCallbackReturn:
        """Build."""
        return self._transition("inactive", self.build, partial(super().on_configure, state))

    def on_activate(self, state: Any) -> TransitionCallbackReturn:
        """Let the publishers publish, then begin."""
        return self._transition("active", partial(super().on_activate, state), self.begin)

    def on_deactivate(self, state: Any) -> TransitionCallbackReturn:
        """Rest, then silence the publishers."""
        return self._transition("inactive", self.rest, partial(super().on_deactivate, state))

    def on_cleanup(self, state: Any) -> TransitionCallbackReturn:
        """Free everything."""
        return self._transition("unconfigured", self.free, partial(super().on_cleanup, state))

    def on_shutdown(self, state: Any) -> TransitionCallbackReturn:
        """Free everything, from whichever state."""
        return self._transition("finalized", self.free, partial(super().on_shutdown, state))

    def on_error(self, state: Any) -> TransitionCallbackReturn:
        """Free everything after a transition that failed, to be configured again."""
        return self._transition("unconfigured", self.free, partial(super().on_error, state))

    def _transition(self, label: str, *steps: Callable[[], Any]) -> TransitionCallbackReturn:
        """Take the steps of a transition; rclpy would drop an exception without a word."""
        try:
            for step in steps:
                step()
        except Exception as error:  # noqa: BLE001 - becomes a failed transition, with the reason.
            self.get_logger().error(f"{label} could not be reached: {error}")
            self.get_logger().debug(traceback.format_exc())
            self.free()
            return TransitionCallbackReturn.ERROR
        self.state_label = label
        return _SUCCESS
