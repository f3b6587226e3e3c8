"""One computation at a time on a device of this host. Shell."""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dicom_node.config import Config


@contextmanager
def device_of_its_own(
    config: Config, detecting: bool = False, on_wait: Callable[[], None] | None = None
) -> Iterator[None]:
    """Wait until nothing else computes on the configured device of this host.

    Training and inference wait for each other; where `detector.while_training` is set, inference waits for inference
    alone. on_wait: called once, before a wait begins.
    """
    kind = "inference" if detecting and config.detector.while_training else "device"
    device = "cuda" if config.detector.device == "cuda" else "cpu"
    path = config.data_dir / "locks" / f"{kind}-{socket.gethostname()}-{device}.lock"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait is not None:
                on_wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
