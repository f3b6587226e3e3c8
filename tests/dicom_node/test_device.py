"""A device has one computation at a time, and who may go on beside a training."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from whole_way import configure

from dicom_node.config import Config
from dicom_node.device import device_of_its_own


@pytest.fixture
def config(tmp_path: Path, database_url: str) -> Config:
    site = configure(tmp_path, database_url, 104)
    site.node.sessions.kw["bind"].dispose()
    return site.config


def beside_training(config: Config) -> Config:
    return config.model_copy(update={"detector": config.detector.model_copy(update={"while_training": True})})


def waits(config: Config, detecting: bool) -> bool:
    """Whether another thread would have to wait for the device now; it has had it when this returns."""
    waited, had = threading.Event(), threading.Event()

    def compute() -> None:
        with device_of_its_own(config, detecting, on_wait=waited.set):
            had.set()

    other = threading.Thread(target=compute, daemon=True)
    other.start()
    while not (waited.wait(0.01) or had.is_set()):
        pass
    return waited.is_set()


def test_inference_waits_for_a_training_and_goes_on_after_it(config: Config) -> None:
    told: list[str] = []
    with device_of_its_own(config):
        waiting = threading.Thread(target=lambda: _note(config, told))
        waiting.start()
        while "waits" not in told:
            waiting.join(0.01)
        assert told == ["waits"]
    waiting.join(10)
    assert told == ["waits", "runs"]


def _note(config: Config, told: list[str]) -> None:
    with device_of_its_own(config, detecting=True, on_wait=lambda: told.append("waits")):
        told.append("runs")


def test_a_free_device_is_not_waited_for(config: Config) -> None:
    assert not waits(config, detecting=False)
    assert not waits(config, detecting=True)


def test_where_it_is_allowed_inference_goes_on_beside_a_training(config: Config) -> None:
    allowed = beside_training(config)
    with device_of_its_own(allowed):
        assert not waits(allowed, detecting=True)
        assert waits(allowed, detecting=False)
    with device_of_its_own(allowed, detecting=True):
        assert not waits(allowed, detecting=False)
        assert waits(allowed, detecting=True)


def test_a_device_is_free_again_when_its_holder_is_killed(config: Config, tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
import time
from dicom_node.config import load_config
from dicom_node.device import device_of_its_own
with device_of_its_own(load_config(Path({str(tmp_path / "node.toml")!r}), {{}})):
    print("held", flush=True)
    time.sleep(600)
"""
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    with holder:
        assert holder.stdout.readline() == "held\n"
        assert waits(config, detecting=False)
        os.kill(holder.pid, signal.SIGKILL)
    with device_of_its_own(config):
        pass
