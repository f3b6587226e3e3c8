"""The network is built with and without the extra, and learns."""

import sys

import pytest
import torch
from small_node import small_network

from detector.model import LesionDetector, NetworkSettings, build, widened
from mining.body import lite0_weights

TARGET = {"boxes": torch.tensor([[20.0, 30, 44, 58]]), "labels": torch.tensor([1])}


def image(channels: int = 3) -> torch.Tensor:
    return torch.rand(channels, 64, 96, generator=torch.Generator().manual_seed(2))


def test_without_timm_the_fallback_is_built_and_takes_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)  # an import of it now raises ImportError
    torch.manual_seed(3)
    network = build(NetworkSettings(body="resnet18", classes=3, pyramid=16, head=16, freeze_norm=False)).train()
    before = network.backbone.trunk.stem[0].weight.detach().clone()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    loss = sum(network([image(9), image(9)], [TARGET, TARGET]).values())
    loss.backward()
    optimizer.step()
    assert torch.isfinite(loss) and not torch.equal(before, network.backbone.trunk.stem[0].weight)
    with pytest.raises(ImportError):
        build(NetworkSettings(body="lite0"))


@pytest.mark.slow
def test_the_pretrained_body_keeps_its_statistics_and_first_blocks_and_learns_the_rest() -> None:
    weights = lite0_weights()
    if weights is None:
        pytest.skip("the extra 'weights' is not installed")
    network = build(NetworkSettings(body="lite0", pyramid=16, head=16), weights).train()
    norms = [module for module in network.backbone.trunk.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert norms and not any(norm.training for norm in norms) and network.rpn.training
    statistics = norms[0].running_mean.clone()
    sum(network([image(9)], [TARGET]).values()).backward()
    assert torch.equal(statistics, norms[0].running_mean)
    net = network.backbone.trunk.net
    assert not any(p.requires_grad for part in (net.conv_stem, net.bn1, *net.blocks[:2]) for p in part.parameters())
    assert all(p.grad is not None for block in net.blocks[2:5] for p in block.parameters())  # to stride 16


def test_a_widened_convolution_gives_the_same_for_a_repeated_image() -> None:
    torch.manual_seed(4)
    conv = torch.nn.Conv2d(3, 5, 3, bias=False)
    x = image()[None]
    before = conv(x)
    assert torch.allclose(widened(conv, 9)(x.repeat(1, 3, 1, 1)), before, atol=1e-5)


def test_an_image_without_a_lesion_teaches_too() -> None:
    network: LesionDetector = small_network().train()
    empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    losses = network([image()], [empty])
    assert torch.isfinite(sum(losses.values())) and losses["loss_box_reg"].item() == 0
