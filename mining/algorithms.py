"""Writers of measurements that are no person. Pure.

A report says by itself that an algorithm drew (PS3.16 TID 4019, a device without a person as observer, a segment of
type AUTOMATIC): that is read where it stands. Many products say nothing of the kind; this table knows them by name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

NAMES = (
    "ai-rad companion", "aidoc", "aiforia", "annalise", "avicenna.ai", "boneview", "brainomix", "chestlink",
    "clearread", "contextflow", "deepnoid", "densitas", "enlitic", "gleamer", "icobrain", "imagechecker",
    "inferread", "infervision", "insight cxr", "insight mmg", "koios", "lung vcar auto", "lunit", "mammoscreen",
    "nn-unet", "nnunet", "oxipit", "profound ai", "qct-lung", "quantib", "qure.ai", "qxr", "r2 cenova", "rapidai",
    "riverain", "second look cad", "therapixel", "thirona", "totalsegmentator", "transpara", "veolity cad",
    "viz.ai", "volpara", "voxelcloud", "vuno", "zebra medical",
)  # fmt: skip
"""Makers and products whose output is a machine's, in lower case; a name counts where it stands as words of its own."""

_KNOWN = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, sorted(NAMES, key=len, reverse=True))) + r")(?!\w)")


def algorithm_named(writer: str, reader: str, site_names: Sequence[str] = ()) -> str:
    """The name of the algorithm that drew, as far as names tell; empty where a person did or nobody knows.

    writer: manufacturer, model and version of the document. reader: who is named as having drawn. A person who is named
    drew it, whatever the product is called; a reader that is itself an algorithm's name is none.
    site_names: further names, in any case.
    """
    for text in (reader, writer):
        folded = " ".join(text.replace("^", " ").casefold().split())
        if folded and (_KNOWN.search(folded) or _has(folded, site_names)):
            return " ".join(text.replace("^", " ").split())
        if text is reader and folded:
            return ""
    return ""


def _has(folded: str, names: Sequence[str]) -> bool:
    return any(re.search(rf"(?<!\w){re.escape(name.casefold())}(?!\w)", folded) for name in names if name)
