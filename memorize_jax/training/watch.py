"""Stops training as soon as the loss is NaN or infinite."""

import collections

import jax
import numpy as np

# Steps in flight before the oldest loss is looked at: an accelerator never waits for the check.
LAG = 32


class NotFiniteLossError(ArithmeticError):
    """The loss became NaN or infinite, in step `step` (counted from 1) of epoch `epoch`."""

    def __init__(self, loss: float, epoch: int, step: int, learning_rate: float):
        super().__init__(f"the loss is {loss} at step {step} of epoch {epoch}, learning rate {learning_rate:g}")
        self.epoch, self.step, self.learning_rate = epoch, step, learning_rate

    def advise(self, text: str) -> None:
        """Adds to the message what can be done."""
        self.args = (f"{self.args[0]}; {text}",)


class LossWatch:
    """Looks at the loss of every step of an epoch, a few steps late; the rate is for the message."""

    def __init__(self, epoch: int, learning_rate: float):
        self._epoch, self._learning_rate = epoch, learning_rate
        self._waiting, self._step = collections.deque(), 0

    def add(self, loss: jax.Array) -> None:
        """Takes the loss of the next step, or [steps] of several; raises NotFiniteLossError for an earlier one."""
        self._waiting.append(loss)
        if len(self._waiting) > LAG:
            self._check()

    def finish(self, loss: float) -> None:
        """Looks at the remaining steps, and at the loss over all examples after the last; raises as `add` does."""
        while self._waiting:
            self._check()
        if not np.isfinite(loss):
            raise NotFiniteLossError(loss, self._epoch, self._step, self._learning_rate)

    def _check(self):
        for loss in np.atleast_1d(self._waiting.popleft()):
            self._step += 1
            if not np.isfinite(loss):
                raise NotFiniteLossError(float(loss), self._epoch, self._step, self._learning_rate)
