"""What a data set is, told from its first bytes, without being overwhelmed by them."""

import zlib

import pytest
from builders import tid1500
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from db.errors import ContentError
from dicom_node.part10 import identify

DEFLATED = "1.2.840.10008.1.2.1.99"


def deflated(more: bytes) -> bytes:
    """A report in the deflated transfer syntax, with an OB element of its own behind it."""
    ds = tid1500(sop_instance_uid="1.2.3")
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, ds)
    explicit = stream.getvalue() + b"\xe0\x7f\x10\x00OB\x00\x00" + len(more).to_bytes(4, "little") + more
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflater.compress(explicit) + deflater.flush()


def test_a_deflated_data_set_is_identified() -> None:
    assert identify(deflated(bytes(1 << 20)), DEFLATED).sop_instance_uid == "1.2.3"


@pytest.mark.slow
def test_a_deflated_data_set_that_would_fill_the_memory_is_refused() -> None:
    bomb = deflated(bytes(300 << 20))
    assert len(bomb) < 1 << 20
    with pytest.raises(ContentError, match="over a hundred times its size"):
        identify(bomb, DEFLATED)
