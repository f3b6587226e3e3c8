"""What a person runs at the terminal."""

import threading
from pathlib import Path

import pytest
from whole_way import Site, register, study

from dicom_node.device import device_of_its_own
from dicom_node.foreground import detect_now


@pytest.mark.slow
def test_detect_waits_for_the_device_says_so_and_then_writes_its_results(site: Site, tmp_path: Path) -> None:
    register(site)
    scan = tmp_path / "scan"
    scan.mkdir()
    for number, image in enumerate(study(0).images):
        image.save_as(scan / f"{number}.dcm", enforce_file_format=True)
    steps: list[str] = []
    written: list[Path] = []

    def detect() -> None:
        written.extend(detect_now(site.node, scan, tmp_path / "out", lambda step, *_, **__: steps.append(step)))

    detecting = threading.Thread(target=detect)
    with device_of_its_own(site.config):
        detecting.start()
        while "wait for the device" not in steps:
            detecting.join(0.05)
            assert detecting.is_alive()
        assert not written
    detecting.join()
    assert sorted(path.name for path in written) == ["ohif.dcm", "seg.dcm"]
    assert all(path.stat().st_size > 1000 for path in written)
