"""A rejection note: the Key Object Selection by which an archive takes back an object of ours. Pure.

IHE calls it Imaging Object Change Management (RAD TF-3 4.66.4.1.3): an archive that supports it hides what is named.
Others store it as a document.
"""

from __future__ import annotations

from pydicom import Dataset

from db.codes import Code
from dicom_node.report.context import Context, Identity, InstanceReference
from dicom_node.report.header import finish
from dicom_node.report.ko import content_item, selection

PROFILE = "rejection"
"""As in the ledger; no destination asks for it by name."""

KIND = "KO"
SERIES_NUMBER = 9990

SAFETY = Code("113037", "DCM", "Rejected for Patient Safety Reasons")
QUALITY = Code("113001", "DCM", "Rejected for Quality Reasons")

TITLES = {"superseded": QUALITY, "outdated": QUALITY, "rejected": QUALITY, "withdrawn": SAFETY}
"""Of CID 7011. Safety: an archive may show it to nobody any more, as a person wants who withdraws it. Quality: it may
keep it for those who ask, and what a reader saw when they decided can be found again.
"""

TEXTS = {
    "superseded": "A newer result of the same study has replaced this one.",
    "outdated": "This result no longer holds: nothing of it is reported any more.",
    "rejected": "A reader rejected every finding of this result.",
    "withdrawn": "A person withdrew this result; it must not be used.",
}

IMAGES = ("SEG", "SC")
"""The kinds in the ledger that are images; the others are composite objects without pixels (PS3.16 TID 2010)."""


def rejection_note(
    rejected: InstanceReference, kind: str, because: str, context: Context, identity: Identity
) -> Dataset:
    """The note that takes back one object.

    kind: of the ledger. because: a key of `TITLES`. context: its images are the rejected object's own header, which
    carries patient and study as the archive knows them. identity: of a series of its own.
    """
    reference = Dataset()
    reference.ReferencedSOPClassUID = rejected.sop_class_uid
    reference.ReferencedSOPInstanceUID = rejected.sop_instance_uid
    value_type = "IMAGE" if kind in IMAGES else "COMPOSITE"
    item = content_item("CONTAINS", value_type, None, ReferencedSOPSequence=[reference])
    ds = selection(TITLES[because], TEXTS[because], [item], [rejected], context, identity)
    return finish(ds, context, "rejection note")
