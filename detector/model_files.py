"""A trained model ↔ its two files: safetensors and a JSON card, named by the hash of the weights. Shell."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from db.errors import ContentError
from db.files import FileStore
from detector.merge import MergeSettings
from detector.model import LesionDetector, NetworkSettings, build
from detector.prepare import InputSettings

FORMAT = 1


def weights_bytes(model: LesionDetector) -> bytes:
    """The weights as safetensors; the same weights give the same bytes."""
    return save_tensors({name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()})


def names_of(weights_sha256: str) -> tuple[str, str]:
    """Names of the weights and of the card in the file store."""
    return f"models/{weights_sha256}.safetensors", f"models/{weights_sha256}.json"


def card_of(
    model: LesionDetector,
    inputs: InputSettings,
    merging: MergeSettings,
    class_names: Sequence[str],
    operating_curve: Sequence[Sequence[float]],
) -> dict[str, Any]:
    """What must be known to use the model; what it was made from and what it can do is added to it."""
    return {
        "format": FORMAT,
        "network": asdict(model.settings),
        "inputs": asdict(inputs),
        "merging": asdict(merging),
        "classes": list(class_names),
        "operating_curve": [list(point) for point in operating_curve],
    }


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A model ready for use: `network` in eval mode on `device`."""

    network: LesionDetector
    inputs: InputSettings
    merging: MergeSettings
    class_names: tuple[str, ...]
    """Of the labels 1, 2, …"""
    operating_curve: tuple[tuple[float, float], ...]
    """Thresholds and what they cost in false positives a scan, measured on the validation split; may be empty."""
    device: str

    def category(self, label: int) -> str:
        return self.class_names[label - 1]


def load_model(card: dict[str, Any], weights_sha256: str, files: FileStore, device: str = "cpu") -> LoadedModel:
    """A registered model.

    Raises ContentError if the file is missing, is not what its name says, or does not fit the card.
    """
    path = files.path(names_of(weights_sha256)[0])
    if not path.is_file():
        raise ContentError("the model's weights are not in the file store", weights_sha256=weights_sha256)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != weights_sha256:
        raise ContentError("the model's weights are not those that were registered", weights_sha256=weights_sha256)
    if card.get("format") != FORMAT:
        raise ContentError("the model's card is of another version", format=card.get("format"))
    model = build(network_of(card["network"]))
    try:
        model.load_state_dict(load_tensors(content))
    except RuntimeError as error:  # torch's answer to other names or shapes
        raise ContentError("the model's weights do not fit its card", weights_sha256=weights_sha256) from error
    return LoadedModel(
        network=model.to(torch.device(device)).eval(),
        inputs=inputs_of(card["inputs"]),
        merging=MergeSettings(**card["merging"]),
        class_names=tuple(card["classes"]),
        operating_curve=tuple((threshold, false) for threshold, false in card["operating_curve"]),
        device=device,
    )


def network_of(values: dict[str, Any]) -> NetworkSettings:
    return NetworkSettings(**values | {"anchors_px": tuple(tuple(sizes) for sizes in values["anchors_px"])})


def inputs_of(values: dict[str, Any]) -> InputSettings:
    return InputSettings(**values | {"windows_hu": tuple((low, high) for low, high in values["windows_hu"])})


def card_bytes(card: dict[str, Any]) -> bytes:
    return json.dumps(card, indent=1, sort_keys=True).encode()
