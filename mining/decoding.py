"""Files whose pixels are decoded in a process of their own (`python -m mining.decoding`). Shell.

A decoder may abort its whole process, or fail in a way that no `except` of ours should know, on pixels that somebody
sent. So processes that must live decode nothing compressed themselves; `dicom_node.decoding` starts this one.
"""

from __future__ import annotations

import signal
import zlib
from base64 import b64encode
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from mining import child
from mining.elements import UNREADABLE
from mining.sameness import content_digest
from mining.volume import load_image

LONGEST_S = 300
"""For one file. What takes a decoder longer ends it, or it would hold up who waits for it for ever."""


def work(order: dict[str, Any]) -> dict[str, Any]:
    return _image(order) if "frame_number" in order else _digests(order["contents"])


def _digests(contents: list[tuple[str, str]]) -> dict[str, Any]:
    """One event for each content, (path, content_sha256), in their order, and one before the first."""
    child.report("compare", 0, len(contents))
    for done, (path, content_sha256) in enumerate(contents, start=1):
        signal.alarm(LONGEST_S)  # nothing handles it, so it ends the process even inside a decoder's own code
        try:
            child.report("compare", done, len(contents), digest=file_digest(Path(path), content_sha256))
        except OSError as error:
            return {"errno": error.errno}
    return {}


def file_digest(path: Path, content_sha256: str) -> str:
    """What a file shows (`content_digest`); content_sha256 where it cannot be read far enough to be compared.

    Raises OSError, always with an errno, where not the content but the disk is to blame.
    """
    try:
        ds = dcmread(path)
    except OSError as error:
        if error.errno is not None:
            raise
        return content_sha256  # pydicom's own, for bytes that it cannot follow
    except (InvalidDicomError, zlib.error, *UNREADABLE):
        return content_sha256
    return content_digest(ds, content_sha256)


def _image(order: dict[str, Any]) -> dict[str, Any]:
    signal.alarm(LONGEST_S)
    hu = load_image(Path(order["path"]), order["frame_number"])
    return {"shape": hu.shape, "hu": b64encode(hu.astype("<i2").tobytes()).decode("ascii")}


def main() -> None:
    # Who stops the node signals every process of it. This one ends with its parent's pipe, for a comparison that was
    # broken off would look like a content that no decoder survives.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child.run(work)


if __name__ == "__main__":
    main()
