"""ResNet-50 is torchvision's, weights and all."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch import nn

from jal import models, vision
from jal.errors import InputError

WEIGHTS = "resnet50-11ad3fa6.pth"


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch hub's own folder, empty, and nothing to download from."""

    def unreachable(*args: object, **kwargs: object) -> None:
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", unreachable)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("initial", ["random", "zero-residual"])
def test_it_is_torchvisions_draw_for_draw(initial: str) -> None:
    torch.manual_seed(5)
    ours = models.build("resnet50", 50, 3, 224, initial=initial).eval()
    torch.manual_seed(5)
    theirs = vision.torchvision().models.resnet50(
        num_classes=50, zero_init_residual=initial == "zero-residual"
    )
    state = theirs.eval().state_dict()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(ours(images), theirs(images))
        features = ours.features(images)
        assert features.shape == (2, 2048) and ours.num_features == 2048
        assert torch.equal(ours.head(features), theirs(images))
    assert len(list(ours.parameters())) == len(list(theirs.parameters()))
    assert all(
        torch.equal(value, state[name.replace("body.", "").replace("head.", "fc.")])
        for name, value in ours.state_dict().items()
    )
    last = [value for name, value in state.items() if "layer" in name and name.endswith("bn3.weight")]
    assert len(last) == 16
    assert all(bool(value.any()) == (initial == "random") for value in last)


def test_imagenet_weights_come_under_a_new_head(checkpoints: Path) -> None:
    torch.manual_seed(1)
    network = vision.torchvision().models.resnet50()
    torch.save(network.state_dict(), checkpoints / WEIGHTS)
    torch.manual_seed(6)
    model = models.resnet50(14, initial="imagenet1k-v2")
    assert torch.equal(model.body.layer4[2].conv3.weight, network.layer4[2].conv3.weight)
    assert torch.equal(model.body.conv1.weight, network.conv1.weight)
    assert isinstance(model.head, nn.Linear) and model.head.weight.shape == (14, 2048)
    # nn.Linear's default is uniform within 1/sqrt(2048) = 0.0221; xavier_uniform would reach 0.0539.
    assert 0.021 < model.head.weight.abs().max() <= 2048**-0.5
    assert model.head.bias.any()


def test_weights_that_cannot_be_had_say_where_they_belong(
    checkpoints: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=r"no network.*: put https://\S+ at \S+") as caught:
        models.resnet50(14, initial="imagenet1k-v2")
    assert str(caught.value).endswith(str(checkpoints / WEIGHTS))
    assert capsys.readouterr().out == ""
    (checkpoints / WEIGHTS).write_bytes(b"half a download")
    with pytest.raises(InputError, match="cannot be loaded"):
        models.resnet50(14, initial="imagenet1k-v2")
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, checkpoints / WEIGHTS)
    with pytest.raises(InputError, match="cannot be loaded"):
        models.resnet50(14, initial="imagenet1k-v2")


def test_refusals() -> None:
    with pytest.raises(InputError, match="1 channels and width 1: take resnet34"):
        models.build("resnet50", 10, 1, 28)
    with pytest.raises(InputError, match=r"width 0\.5"):
        models.build("resnet50", 10, 3, 224, 0.5)
    with pytest.raises(
        InputError, match="unknown initial weights of resnet50 'zero-residuals': did you mean"
    ):
        models.build("resnet50", 10, 3, 224, initial="zero-residuals")
    with pytest.raises(InputError, match="unknown initial weights of cnn8 'zero-residual'"):
        models.build("cnn8", 10, 3, 32, initial="zero-residual")
