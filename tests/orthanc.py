"""A real Orthanc as the PACS of the tests: its own folder, free ports, and a few REST calls."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from dicom_node.demo import free_port

AE_TITLE = "ORTHANC"
DICOM_WEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@dataclass(frozen=True, slots=True)
class Orthanc:
    dicom_port: int
    http_port: int

    def ask(self, path: str, body: bytes | None = None) -> bytes:
        """GET, or POST where there is a body. Raises URLError."""
        request = Request(f"http://127.0.0.1:{self.http_port}{path}", data=body)
        with urlopen(request, timeout=60) as answer:
            content: bytes = answer.read()
        return content

    def tell(self, path: str, body: object = None) -> Any:
        return json.loads(self.ask(path, None if body is None else json.dumps(body).encode()))

    def add(self, content: bytes) -> None:
        """Store one DICOM file."""
        self.ask("/instances", content)

    def study(self, study_instance_uid: str) -> str:
        """Orthanc's own id of a study."""
        query = {"Level": "Study", "Query": {"StudyInstanceUID": study_instance_uid}}
        (found,) = self.tell("/tools/find", query)
        return str(found)

    def instances(self, study_instance_uid: str) -> dict[str, list[str]]:
        """Modality → SOP Instance UIDs of what it holds of a study."""
        held: dict[str, list[str]] = {}
        for series in self.tell(f"/studies/{self.study(study_instance_uid)}/series"):
            for instance in series["Instances"]:
                tags = self.tell(f"/instances/{instance}/simplified-tags")
                held.setdefault(tags["Modality"], []).append(tags["SOPInstanceUID"])
        return held

    def instance(self, sop_instance_uid: str) -> str:
        """Orthanc's own id of an instance."""
        query = {"Level": "Instance", "Query": {"SOPInstanceUID": sop_instance_uid}}
        (found,) = self.tell("/tools/find", query)
        return str(found)

    def file(self, sop_instance_uid: str) -> bytes:
        return self.ask(f"/instances/{self.instance(sop_instance_uid)}/file")


def missing(what: str) -> NoReturn:
    """A peer that cannot be had: the test skips, or fails where nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@contextmanager
def running_orthanc(folder: Path, node_ae_title: str, node_port: int, dicom_web: bool = False) -> Iterator[Orthanc]:
    """Orthanc, which knows us as its modality `node`; skips where it is missing, which under CI=true is a failure.

    dicom_web: with its plugin, under /dicom-web/.
    """
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    if program is None:
        missing("no Orthanc is installed")
    if dicom_web and not DICOM_WEB_PLUGIN.exists():
        missing("Orthanc's plugin for DICOMweb is not installed")
    orthanc = Orthanc(free_port(), free_port())
    folder.mkdir()
    settings = {
        "Name": "tests", "StorageDirectory": str(folder / "storage"), "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(DICOM_WEB_PLUGIN)] if dicom_web else [],
        "DicomAet": AE_TITLE, "DicomPort": orthanc.dicom_port, "HttpPort": orthanc.http_port,
        "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "DicomAlwaysAllowStore": True,
        "DicomCheckCalledAet": False, "HttpServerEnabled": True, "StableAge": 2,
        "DicomModalities": {"node": {"AET": node_ae_title, "Host": "127.0.0.1", "Port": node_port}},
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, folder / "orthanc.json"], stdout=log, stderr=log, cwd=folder)
    try:
        _wait_until_it_answers(orthanc, process, folder / "log")
        yield orthanc
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(orthanc: Orthanc, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            orthanc.tell("/system")
            return
        except URLError:
            if process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"Orthanc does not answer:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.2)
