"""A step and a test, where no number is known: what would wait for the device, or lies elsewhere, raises.

torch's meta device has shapes and no values. What asks for a value there (`.item()`, `bool(tensor)`, a branch on a
tensor, indexing by a mask) raises, and so does a tensor that was left on the processor: both are what a CUDA graph
cannot capture.
"""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.optim import optimizer as torch_optimizer
from torch.overrides import TorchFunctionMode
from torch.utils import _foreach_utils

from jal import losses, models
from jal.training import lt_apl, speed
from jal.training.data import DeviceData
from jal.training.loop import Training
from jal.training.recipe import recipe

AUGMENTED = ("crop4", "flip", "rotate20")
ADAM = {"optimiser": "adam", "momentum": 0.0, "nesterov": False}
WITHOUT_VALUES = {"m": 1e4, "alpha": 1.0, "beta": 1.0}
"""What losses take to which no table gives values for CIFAR-10."""


class Mixed(TorchFunctionMode):
    """`torch.autocast` for the meta device, which has none: products are of bfloat16."""

    PRODUCTS = (F.conv2d, F.linear, torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__)
    enabled = (False,)

    def __init__(self, device, dtype=None, enabled=True):
        super().__init__()
        self.mine = enabled

    def __enter__(self):
        Mixed.enabled += (self.mine,)
        return super().__enter__()

    def __exit__(self, *error):
        Mixed.enabled = Mixed.enabled[:-1]
        return super().__exit__(*error)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if self.enabled[-1] and function in self.PRODUCTS:
            args = [x.bfloat16() if isinstance(x, torch.Tensor) else x for x in args]
        return function(*args, **(kwargs or {}))


@pytest.fixture(scope="module", autouse=True)
def meta_as_cuda():
    """What is captured on a GPU is what runs here: its optimiser's kernels too, which meta does not offer by itself."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        # It registers kernels where torch has some of its own, and says so.
        warnings.simplefilter("ignore")
        library = torch.library.Library("aten", "IMPL", "Meta")
        for name in ("_fused_sgd_.tensor_lr", "_fused_adam_.tensor_lr"):
            # They change values alone, in place, and there are none.
            library.impl(name, lambda *args, **options: None)
        patch.setattr(speed, "CAPTURING", ("meta",))
        patch.setattr(torch, "autocast", Mixed)
        for module, name in (
            (_foreach_utils, "_get_foreach_kernels_supported_devices"),
            (torch_optimizer, "_get_fused_kernels_supported_devices"),
        ):
            devices = [*getattr(module, name)(), "meta"]
            patch.setattr(module, name, lambda devices=devices: devices)
        yield
        library._destroy()


def take_steps(loss, **change):
    """A step and a test."""
    small = {"model": "cnn2", "width": 0.1, "batch_size": 3, "augmentation": ()}
    r = replace(recipe("cifar10", "CE"), **{**small, **change})
    model = models.build(r.model, 10, 3, 8, r.width)
    if loss == lt_apl.NAME:
        loss = lt_apl.install(model, 10, lt_apl.parameters("cifar10", "symmetric", 0.4, {}))
    elif isinstance(loss, str):
        known = {parameter.name for parameter in losses.CATALOG[loss].parameters}
        given = (
            {name: value for name, value in WITHOUT_VALUES.items() if name in known} if "m" in known else {}
        )
        loss = losses.build(loss, "cifar10", reduction="none", **given)

    def images(count):
        return torch.zeros(count, 8, 8, 3, dtype=torch.uint8, device="meta")

    labels = torch.zeros(5, dtype=torch.int64, device="meta")
    data = DeviceData(images(5), labels, images(5), labels, 10)
    with pytest.MonkeyPatch.context() as patch:
        # How many labels are right is asked once, before there is a step.
        patch.setattr(torch.Tensor, "__int__", lambda tensor: 3)
        training = Training(
            model, loss, data, np.zeros(5, np.int64), r, seed=1, validation=np.zeros(5, np.int64)
        )
    training.optimiser.set_rate(0.01)
    training.model.train()
    training._step(3)
    training._evaluate()
    training._totals()
    return training


@pytest.mark.parametrize("name", [*losses.names(), lt_apl.NAME])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_no_loss_waits(name, precision):
    take_steps(name, precision=precision)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("augmentation", [(), AUGMENTED])
@pytest.mark.parametrize(
    "optimiser", [{}, {"nesterov": True}, {"l1": 1e-4}, {"clip_norm": None}, ADAM, ADAM | {"l1": 1e-4}]
)
def test_no_recipe_waits(optimiser, augmentation, precision):
    training = take_steps("JAL-CE", augmentation=augmentation, precision=precision, **optimiser)
    training._step(2)
    (group,) = training.optimiser._torch.param_groups
    assert group["lr"].device.type == "meta", "a captured step would have its learning rate frozen"
    assert group["fused"]


@pytest.mark.parametrize("name", ["cnn8", "resnet34"])
def test_no_network_waits(name):
    take_steps("CE", model=name, width=0.02)


def test_products_are_of_bfloat16():
    """Or the half of these tests that says so would be the other half again."""
    seen = {}
    for precision in ("float32", "bfloat16"):
        training = take_steps("CE", precision=precision)
        with training._mixed():
            seen[precision] = training.model.features(torch.zeros(2, 3, 8, 8, device="meta")).dtype
    assert seen == {"float32": torch.float32, "bfloat16": torch.bfloat16}


def asks(values):
    return values * values.detach().mean().item()


def branches(values):
    return values if values.sum() > 0 else -values


def masks(values):
    return values + values[values > 0].sum()


def left_behind(values):
    return values + torch.ones(len(values))


@pytest.mark.parametrize("fault", [asks, branches, masks, left_behind])
def test_what_would_wait_is_found(fault):
    class Waiting(losses.Loss):
        def forward(self, logits, targets):
            return fault(super().forward(logits, targets))

    with pytest.raises((RuntimeError, NotImplementedError), match=r"(?i)meta"):
        take_steps(Waiting(*losses.build("CE", None).terms, name="waiting", reduction="none"))
