"""The few names of PyTorch that the tutorial uses, in NumPy, for where PyTorch is not installed."""

import contextlib
import functools
import types

import numpy as np

no_grad = contextlib.nullcontext


class Tensor(np.ndarray):
    detach = cpu = lambda self: self


class Module:
    def __init__(self):
        self.hooks = []

    def register_forward_hook(self, hook):
        self.hooks.append(hook)
        return types.SimpleNamespace(remove=lambda: self.hooks.remove(hook))

    eval = lambda self: self

    def __call__(self, inputs):
        output = self.forward(inputs)
        for hook in self.hooks:
            hook(self, (inputs,), output)
        return output


class Linear(Module):
    def __init__(self, num_inputs, num_outputs):
        super().__init__()
        rng = np.random.default_rng(num_inputs)
        self.weight = rng.normal(0, num_inputs**-0.5, (num_inputs, num_outputs)).astype(np.float32)

    def forward(self, inputs):
        return inputs @ self.weight


class ReLU(Module):
    def forward(self, inputs):
        return np.maximum(inputs, 0)


class Sequential(Module):
    def __init__(self, *parts):
        super().__init__()
        self.parts = parts

    def forward(self, inputs):
        return functools.reduce(lambda value, part: part(value), self.parts, inputs)


nn = types.SimpleNamespace(Linear=Linear, ReLU=ReLU, Sequential=Sequential)
manual_seed = lambda seed: None
from_numpy = lambda values: values.view(Tensor)
