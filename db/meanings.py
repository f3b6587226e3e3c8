"""What the columns of the views mean: one sentence, the unit, the allowed words. Pure.

`db.dictionary` puts these beside the types, and docs/sql.md is made of both. A test holds the names here against the
views, so a column without a meaning does not come in, and a meaning without a column does not stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import CheckConstraint

from db.models import Patient, Study
from db.outcomes import Assessment, Delivery, Model
from db.tables import Base


@dataclass(frozen=True, slots=True)
class Meaning:
    """says: a phrase. unit: empty for what has none. words: all values that a text may have, where they are fixed."""

    says: str
    unit: str = ""
    words: tuple[str, ...] = ()


def words_of(model: type[Base], column: str) -> tuple[str, ...]:
    """The words that the database's own CHECK allows in a column."""
    for constraint in model.__table__.constraints:  # type: ignore[attr-defined]
        if isinstance(constraint, CheckConstraint) and str(constraint.sqltext).startswith(f"{column} IN"):
            return tuple(re.findall(r"'([^']*)'", str(constraint.sqltext)))
    return ()


PURPOSE = {
    "lesions": "one row for each drawing, truth or not; one that several documents show is one row, and what a later "
    "document replaced is none",
    "lesion_sources": "every document that shows a lesion of `lesions`: more than one where a drawing was saved again",
    "reader_spread": "lesions that were measured more than once on one image: how exactly people measure",
    "rejections": "what did not become a row of `lesions`, and why",
    "studies": "one row for each study",
    "analyses": "one row for each time a study was looked at, or was not, and why",
    "detections": "one row for each lesion that a model found",
    "deliveries": "the outbox: one row for each result and destination",
    "receipts": "one row for each study and destination: what arrived there, and what is promised to be kept",
    "models": "one row for each trained model",
    "categories": "one row for each category and label generation",
    "lesion_growth": "one row for each lesion of truth and date, with its length in mm; where several people measured, "
    "their mean",
    "assessments": "what radiologists said of a detection, in an answer of theirs or on our page",
    "override_rates": "one row for each model and category: how often people changed what it reported",
}
"""What one row of a view is, in the order of the page."""

_PX, _MM, _SHARE = "px", "mm", "share"

SHARED = {
    "study_instance_uid": Meaning("the study"),
    "series_instance_uid": Meaning("the series"),
    "sop_instance_uid": Meaning("the image"),
    "frame_number": Meaning("its frame, from 1"),
    "patient_id": Meaning("as in the header, of the patient that it was merged into if it was"),
    "issuer_of_patient_id": Meaning("who gave that id"),
    "accession_number": Meaning("as in the header"),
    "study_date": Meaning("as in the header"),
    "study_revision": Meaning("of the study when it was looked at"),
    "source_sop_instance_uid": Meaning("the document"),
    "source_item": Meaning("the place in it; of an SR the path of the content item, as dsrdump prints it"),
    "source_kind": Meaning("what kind of object it is: `SR`, `GSPS`, `KO`, …"),
    "source_writer": Meaning("the document's manufacturer, model and software"),
    "lesion_id": Meaning("of the row in `lesions`"),
    "lesion_identity": Meaning("the same for one lesion in several documents, readers and studies"),
    "long_axis_mm": Meaning("length of the long axis", _MM),
    "short_axis_mm": Meaning("length of the short axis", _MM),
    "box_y1": Meaning("upper edge", _PX),
    "box_x2": Meaning("right edge", _PX),
    "box_y2": Meaning("lower edge", _PX),
    "finding_code": Meaning("scheme and value, as coded"),
    "site_code": Meaning("scheme and value, as coded"),
    "tracking_uid": Meaning("Tracking Unique Identifier; empty if the document has none"),
    "reader": Meaning("who measured"),
    "model_id": Meaning("the model"),
    "label_generation": Meaning("the run of categorise; NULL before the first"),
    "result_sop_instance_uid": Meaning("the SR that reports it"),
    "superseded_by": Meaning("the result that replaced that; NULL for what stands"),
}
"""Of a column that means the same in several views."""

MEANINGS: dict[str, dict[str, Meaning]] = {
    "lesions": {
        "lesion_id": Meaning("for ever the same: made of the document and the place in it"),
        "study_instance_uid": Meaning("of the image; where that is not here, of the document"),
        "series_instance_uid": Meaning("of the image; NULL where that is not here"),
        "sop_instance_uid": Meaning("the image that was measured"),
        "modality": Meaning("of the image's series"),
        "body_part": Meaning("Body Part Examined of the series, as the scanner says"),
        "series_description": Meaning("of the image's series"),
        "manufacturer": Meaning("of the scanner"),
        "row_spacing_mm": Meaning("between rows; NULL where the image does not say or is not here", _MM),
        "col_spacing_mm": Meaning("between columns", _MM),
        "slice_interval_mm": Meaning("between the slices of the series", _MM),
        "long_x1": Meaning("first end of the long axis; NULL for what was only pointed at", _PX),
        "long_y1": Meaning("first end of the long axis", _PX),
        "long_x2": Meaning("second end of the long axis", _PX),
        "long_y2": Meaning("second end of the long axis", _PX),
        "short_x1": Meaning("first end of the short axis; NULL if there is none", _PX),
        "short_y1": Meaning("first end of the short axis", _PX),
        "short_x2": Meaning("second end of the short axis", _PX),
        "short_y2": Meaning("second end of the short axis", _PX),
        "long_axis_px": Meaning("from the points", _PX),
        "short_axis_px": Meaning("from the points", _PX),
        "long_axis_mm": Meaning("from the points and the image's own spacing", _MM),
        "short_axis_mm": Meaning("from the points and the image's own spacing", _MM),
        "stated_long_axis_mm": Meaning("what the document says", _MM),
        "stated_short_axis_mm": Meaning("what the document says", _MM),
        "stated_disagrees": Meaning("whether a statement is more than 2 % off; NULL if that cannot be told"),
        "box_x1": Meaning(
            "left edge: extent of the points (of a region: of its outline) and 5 px more, unclipped, as in DeepLesion",
            _PX,
        ),
        "point_x": Meaning(
            "the place of what was only pointed at; NULL where axes were drawn, and for a key image", _PX
        ),
        "point_y": Meaning("the same", _PX),
        "finding": Meaning("what the reader says it is"),
        "site": Meaning("where the reader says it is"),
        "tracking_id": Meaning("Tracking Identifier: the reader's or the viewer's name for it"),
        "measured_at": Meaning("when, as the document says"),
        "comment": Meaning("the reader's words"),
        "by_algorithm": Meaning("name of the algorithm that drew it; empty for a person"),
        "image_purpose": Meaning(
            "what the image was made for; empty for an ordinary one: `localizer`, `quality control`, …"
        ),
        "reader_version": Meaning("of our readers when this was read"),
        "derived": Meaning("whether the axes were computed from a region"),
        "image_present": Meaning("whether the image is here"),
        "possibly_noisy": Meaning("doubtful: it is learned neither as a lesion nor as background"),
        "noisy_because": Meaning("why; NULL where there is no doubt"),
        "excluded_because": Meaning(
            "why it is no truth, NULL for truth: `drawn by an algorithm`, `copy of our own result`, `superseded by a "
            "later document`, `a place without an extent`, `a key image: no place on it`, `measured on an image of the "
            "kind '…'`, `excluded by the site: …`"
        ),
        "category_id": Meaning("the category in the newest label generation"),
        "category": Meaning("its name"),
        "split": Meaning("by patient, for ever; NULL for what is no truth", words=words_of(Patient, "split")),
    },
    "lesion_sources": {
        "content_at": Meaning("when the document's content was made, as it says"),
    },
    "reader_spread": {
        "measurements": Meaning("how many there are, all of them truth"),
        "readers": Meaning("by how many people"),
        "shortest_mm": Meaning("the shortest long axis", _MM),
        "longest_mm": Meaning("the longest long axis", _MM),
        "mean_mm": Meaning("their mean", _MM),
        "spread": Meaning("longest less shortest, by the mean: 0.1 is 10 %", _SHARE),
    },
    "rejections": {
        "source_item": Meaning("the place in it; empty for the whole object"),
        "reason_code": Meaning(
            "a word; `own_result` is a result of this node that came back, `superseded` a row that a later document "
            "replaced"
        ),
        "reason": Meaning("a sentence: what was wrong, and what can be done"),
        "at": Meaning("when it was read"),
    },
    "studies": {
        "state": Meaning("how far it has come", words=words_of(Study, "state")),
        "instances": Meaning("how many are here, SRs too; one for each SOP Instance UID"),
        "received_first_at": Meaning("when its first instance came"),
        "received_last_at": Meaning("when its last instance came"),
        "settled_at": Meaning("when it was quiet for long enough"),
        "source_ae": Meaning("calling AE title of its first instance; empty for an import"),
        "description": Meaning("Study Description"),
        "revision": Meaning("counts up each time it settles"),
        "expected_instances": Meaning("what the sender's PACS counts; NULL where it was not asked"),
        "conflicts": Meaning("contents that a person must choose from"),
        "analyse": Meaning("whether lesions are looked for"),
    },
    "analyses": {
        "analysis_id": Meaning("one study in one revision by one model"),
        "series_instance_uid": Meaning("the series that was looked at; NULL if none was"),
        "outcome": Meaning("what came of it", words=("findings", "none", "not analysed", "failed")),
        "reason": Meaning("a sentence for the last two; for the others, why no result could be written"),
        "started_at": Meaning("when it began"),
        "finished_at": Meaning("when it ended"),
    },
    "detections": {
        "detection_id": Meaning("of this lesion in this analysis"),
        "sop_instance_uid": Meaning("its key slice"),
        "box_x1": Meaning("left edge on the key slice, clipped to the image", _PX),
        "z_first": Meaning("position of the first slice along the series' normal", _MM),
        "z_last": Meaning("position of the last slice along the series' normal", _MM),
        "score": Meaning("how sure the model is, 0 to 1"),
        "category": Meaning("the category's name when the model was trained"),
        "tracking_uid": Meaning("of the box in the SR; kept when the study is analysed again"),
        "tracking_uid_axes": Meaning("of the axes in the SR; kept likewise"),
        "assessment": Meaning("the newest answer; NULL if nobody answered", words=words_of(Assessment, "verdict")),
        "assessed_by": Meaning("who answered"),
        "created_at": Meaning("when it was found"),
        "reported": Meaning("above the operating point; all above `detector.keep_score` are kept"),
        "discarded_by": Meaning("who took it out of the results on our page; empty if nobody did"),
        "discarded_at": Meaning("when"),
        "prior_detection_id": Meaning("the same lesion in an earlier study; NULL if none is known"),
        "prior_study_date": Meaning("of that study"),
        "prior_long_axis_mm": Meaning("its long axis there", _MM),
        "change_from_prior": Meaning("of the long axis, as a share of what it was there", _SHARE),
    },
    "receipts": {
        "destination": Meaning("the peer's name"),
        "objects": Meaning("how many results are for it, without those that newer ones replaced"),
        "arrived": Meaning("how many it has taken"),
        "committed": Meaning("how many it has promised to keep"),
        "delivered_at": Meaning("when the last of them arrived"),
        "committed_at": Meaning("when the last promise came"),
        "complete": Meaning("whether all are promised"),
    },
    "override_rates": {
        "category": Meaning("the category's name when the model was trained"),
        "reported": Meaning("detections above the operating point"),
        "answered": Meaning("of how many a reader or a person on our page said something; the newest word counts"),
        "accepted": Meaning("kept as they were"),
        "modified": Meaning("kept and moved"),
        "rejected": Meaning("taken out"),
        "override_rate": Meaning("modified and rejected, of what was answered; NULL if nothing was", _SHARE),
    },
    "deliveries": {
        "result_sop_instance_uid": Meaning("the object"),
        "kind": Meaning("`SR`, `SEG`, `PR`, `SC`, `KO` or `RTSTRUCT`"),
        "profile": Meaning("its encoding"),
        "destination": Meaning("the peer's name"),
        "state": Meaning("how far it has come", words=words_of(Delivery, "state")),
        "tries": Meaning("how often it was sent"),
        "last_answer": Meaning(
            "what came of the last try; also says where a delivered object no longer holds and nothing that the "
            "destination takes replaces it: an old SEG, where a later analysis finds nothing"
        ),
        "committed_at": Meaning("when the destination promised to keep it; NULL until then, and where it never does"),
        "edition": Meaning("counts the times that a person changed what the analysis reports"),
        "rejects": Meaning("of a rejection note: the result that it takes back; NULL for all else"),
        "next_try_at": Meaning("when it is sent again"),
        "delivered_at": Meaning("when it had arrived"),
    },
    "models": {
        "model_id": Meaning("the beginning of the weights' hash"),
        "state": Meaning("`shadow` is kept for later", words=words_of(Model, "state")),
        "trained_at": Meaning("when its training ended"),
        "promoted_at": Meaning("when it became the one in use"),
        "label_generation": Meaning("whose categories it learned"),
        "training_set_id": Meaning("hash of what it learned from"),
        "weights_sha256": Meaning("hash of the weights"),
        "git_commit": Meaning("of the program that trained it"),
        "froc_at_0_5": Meaning("sensitivity on the frozen set at 0.5 false positives a scan", _SHARE),
        "froc_at_1": Meaning("at 1", _SHARE),
        "froc_at_2": Meaning("at 2", _SHARE),
        "froc_at_4": Meaning("at 4", _SHARE),
        "froc_at_8": Meaning("at 8", _SHARE),
    },
    "categories": {
        "category_id": Meaning("kept from one generation to the next"),
        "name": Meaning("given by a person, or made of what the members share"),
        "members": Meaning("how many lesions are in it in this generation"),
        "stability": Meaning("how much of it comes back in groupings of other samples; 1 is wholly stable", _SHARE),
        "finding_code": Meaning("where most members agree"),
        "site_code": Meaning("where most members agree"),
    },
    "lesion_growth": {
        "change_from_baseline": Meaning("as a share of the first length: 0.2 is 20 % more", _SHARE),
        "change_from_nadir": Meaning("as a share of the smallest so far (RECIST 1.1, 4.3)", _SHARE),
    },
    "assessments": {
        "detection_id": Meaning("of what was answered"),
        "tracking_uid": Meaning("of what was answered, as the document has it"),
        "verdict": Meaning("the answer", words=words_of(Assessment, "verdict")),
        "reader": Meaning("who answered"),
        "assessed_at": Meaning("when"),
        "shift_px": Meaning("how far the drawing was moved", _PX),
        "lesion_id": Meaning("the reader's own drawing, of `modified` and `added`"),
        "analysis_id": Meaning("the analysis that was answered"),
    },
}
"""View → column → meaning, of what SHARED does not say or says otherwise."""
