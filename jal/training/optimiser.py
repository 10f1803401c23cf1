"""The optimiser of a recipe: what the L1 penalty adds to the gradient, the bound of its norm, and the step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from jal.training import speed
from jal.training.recipe import Recipe


class Optimiser:
    """torch's SGD or Adam as a recipe has it; nothing in it waits for the device.

    Parameters
    ----------
    parameters
        of the network, on their device.
    """

    def __init__(self, parameters: list[nn.Parameter], recipe: Recipe) -> None:
        self._parameters, self._l1, self._clip_norm = parameters, recipe.l1, recipe.clip_norm
        device = parameters[0].device
        captured = device.type in speed.CAPTURING
        self._torch = _build(parameters, recipe, captured)
        if captured:
            # A captured step reads its learning rate from the device; a Python number would be frozen into it. Only
            # now: torch would wait for the device to see whether it is negative.
            for group in self._torch.param_groups:
                group["lr"] = torch.tensor(recipe.learning_rate, device=device)

    def set_rate(self, rate: float) -> None:
        """The learning rate from now on."""
        for group in self._torch.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self._torch.zero_grad(set_to_none=True)

    def step(self) -> None:
        """One step along the gradients that the parameters hold."""
        if self._l1:
            # The gradient of l1 x sum |w|, inside what is clipped.
            gradients = [parameter.grad for parameter in self._parameters]
            torch._foreach_add_(gradients, torch._foreach_sign(self._parameters), alpha=self._l1)  # type: ignore[arg-type]
        if self._clip_norm is not None:
            self.bound(self._clip_norm)
        self._torch.step()

    def bound(self, norm: float) -> Tensor:
        """Scale the gradients down to this norm if theirs is greater; returns what it was."""
        return nn.utils.clip_grad_norm_(self._parameters, norm, foreach=True)

    def state(self) -> dict[str, Tensor]:
        """What it remembers from step to step, in place, by name."""
        return {
            f"{i}.{name}": value
            for i, parameter in enumerate(self._parameters)
            for name, value in self._torch.state[parameter].items()
        }


def _build(parameters: list[nn.Parameter], recipe: Recipe, captured: bool) -> torch.optim.Optimizer:
    device = parameters[0].device
    options: dict[str, Any] = {
        "lr": recipe.learning_rate,
        "weight_decay": recipe.l2,
        "fused": captured or device.type == "cpu",
    }
    # What it remembers has a place from the start, at the zeros from which its first step would make it.
    if recipe.optimiser == "adam":
        adam = torch.optim.Adam(parameters, capturable=captured, **options)
        for parameter in parameters:
            adam.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        return adam
    sgd = torch.optim.SGD(parameters, momentum=recipe.momentum, nesterov=recipe.nesterov, **options)
    for parameter in parameters:
        if recipe.momentum:
            sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return sgd
