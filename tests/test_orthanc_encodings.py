"""A real Orthanc takes every encoding, keeps it as it is, and decodes its pixels as we meant them.

Its version, 1.10, is older than the class of label maps: it refuses them by C-STORE, unless it is told to take unknown
classes, and takes them over the web.
"""

from __future__ import annotations

import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from ohif_studies import reported, with_lesions
from orthanc import AE_TITLE, Orthanc, running_orthanc
from PIL import Image
from pydicom import Dataset, dcmread

from dicom_node.config import Peer
from dicom_node.demo import free_port
from dicom_node.report.profiles import PROFILES
from dicom_node.scu import ClassRefused, store

pytestmark = pytest.mark.slow


def test_orthanc_takes_every_encoding_and_reads_its_pixels(tmp_path: Path) -> None:
    results = reported(with_lesions(), *PROFILES).results
    assert set(results) == set(PROFILES)
    with running_orthanc(tmp_path / "orthanc", "NODE", free_port()) as orthanc:
        peer = Peer(name="pacs", ae_title=AE_TITLE, port=orthanc.dicom_port)
        for name, ds in results.items():
            path = tmp_path / f"{name}.dcm"
            ds.save_as(path, enforce_file_format=True)
            syntax = str(ds.file_meta.TransferSyntaxUID)
            if name == "seg-labelmap":
                with pytest.raises(ClassRefused):
                    store(peer, "NODE", path, str(ds.SOPClassUID), syntax)
                orthanc.add(path.read_bytes())
            else:
                assert store(peer, "NODE", path, str(ds.SOPClassUID), syntax).answer == "Success", name
            back = dcmread(BytesIO(orthanc.file(str(ds.SOPInstanceUID))))
            assert back.file_meta.TransferSyntaxUID == syntax
            assert back == dcmread(path), name
        for name in ("sc", "seg-labelmap"):
            pixels = results[name].pixel_array
            expected = pixels if name == "sc" else pixels[0]
            np.testing.assert_array_equal(frame_of(orthanc, results[name]), expected)


def frame_of(orthanc: Orthanc, ds: Dataset) -> np.ndarray:
    """The first frame, as Orthanc decodes it."""
    query = {"Level": "Instance", "Query": {"SOPInstanceUID": str(ds.SOPInstanceUID)}}
    (found,) = orthanc.tell("/tools/find", query)
    what = "preview" if ds.SamplesPerPixel == 3 else "image-uint8"
    return np.asarray(Image.open(BytesIO(orthanc.ask(f"/instances/{found}/frames/0/{what}"))))


def test_dcmtk_unpacks_the_label_map(tmp_path: Path) -> None:
    ds = reported(with_lesions(), "seg-labelmap").results["seg-labelmap"]
    packed, plain = tmp_path / "packed.dcm", tmp_path / "plain.dcm"
    ds.save_as(packed, enforce_file_format=True)
    subprocess.run(["dcmdrle", packed, plain], check=True, capture_output=True)
    np.testing.assert_array_equal(dcmread(plain).pixel_array, ds.pixel_array)
