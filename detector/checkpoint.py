"""Where a training stands, in one file that is replaced whole. Shell: one small promise, that a kill at any moment
leaves either the old file or the new one."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from db.local_files import LocalFiles

log = logging.getLogger(__name__)

Findings = list[list[tuple[int, tuple[float, float, float, float], int]]]
"""For each scan: slice, box and label of what a round found."""


@dataclass(slots=True)
class State:
    """What must be known to go on as if nothing had happened, besides weights and optimiser."""

    step: int = 0
    elapsed_s: float = 0.0
    rounds: int = 0
    found: Findings = field(default_factory=list)
    suspicious: Findings = field(default_factory=list)


def save(
    path: Path,
    fingerprint: str,
    state: State,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator,
) -> None:
    """Durable when it returns. fingerprint: of data and settings; another one does not fit this file."""
    on_gpu = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    content = {
        "fingerprint": fingerprint,
        "state": {name: getattr(state, name) for name in State.__slots__},
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "numpy": rng.bit_generator.state,
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if on_gpu else [],
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    LocalFiles(path.parent).write(path.name, buffer.getvalue())


def restore(
    path: Path,
    fingerprint: str,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator,
) -> State | None:
    """Bring weights, optimiser and all generators to where the file left them; None without a fitting file.

    The GPUs' generators stay as they are where there are not as many as there were.
    """
    if not path.exists():
        return None
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if content["fingerprint"] != fingerprint:
        log.warning("the checkpoint of %s is of other data or settings: the training begins anew", path.parent.name)
        return None
    model.load_state_dict(content["model"])
    optimizer.load_state_dict(content["optimizer"])
    rng.bit_generator.state = content["numpy"]
    torch.set_rng_state(content["torch"])
    cuda = content.get("cuda", [])
    if cuda and len(cuda) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(cuda)
    return State(**content["state"])
