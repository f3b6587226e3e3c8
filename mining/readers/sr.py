"""Any SR document → measurements and places, and a reason for all that is neither. Pure.

One walk finds drawings and numbers by concept, wherever they stand; nothing depends on a template. Then:
- a number belongs to the drawing below it, else to the drawing with which it shares the nearest common ancestor;
- two lines of one lesion and image, named long and short or crossing near their middles, are one measurement;
- a region gives derived axes, unless the axes of the same lesion are drawn too;
- a point is a place without an extent, unless its lesion is drawn on that image too;
- a region that only samples the image's values is a place, too;
- what its own group calls anatomy is no lesion;
- everything left over is rejected with a reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from pydicom.dataset import Dataset

from db.measurement import Found, Rejected
from mining.content_tree import read_tree
from mining.elements import text_of
from mining.known_images import NO_IMAGES, KnownImages
from mining.readers.sr_attributes import Attributes
from mining.readers.sr_context import Surroundings
from mining.readers.sr_drawings import read_drawings
from mining.readers.sr_lesions import AXES_ARE_DRAWN, lesions_of, spots_alone
from mining.readers.sr_numbers import leftovers
from mining.readers.sr_purpose import about_no_lesions, take_out_anatomy
from mining.readers.sr_samples import leave_samples_as_places


def read_sr(ds: Dataset, images: KnownImages = NO_IMAGES) -> Iterator[Found]:
    """All measurements of a document in document order, then its places, then the rejections.

    images: what is known of the images it refers to. Their spacing decides which axis is the longer one; without a
    plane, coordinates in mm (SCOORD3D) are rejected.
    """
    uid = text_of(ds, "SOPInstanceUID")
    tree = read_tree(ds)
    purpose = about_no_lesions(tree.root)
    if purpose is not None:
        yield Rejected(uid, tree.root.path, purpose.reason_code, purpose.reason)
        return
    around = Surroundings(tree.root)
    drawings = read_drawings(tree, around, images)
    drawn = drawings.drawn
    anatomy = take_out_anatomy(drawings, around)
    leave_samples_as_places(drawings, around)
    lesions, merged = lesions_of(drawings.graphics, around)
    spots, attached = spots_alone(drawings.spots, drawings.graphics, around)
    attributes = Attributes(uid, "SR", around, lesions, spots)
    for lesion in lesions:
        yield attributes.measurement(lesion)
    for spot in spots:
        yield attributes.weak_label(spot)
    for cut in tree.cuts:
        yield Rejected(uid, cut.path, cut.reason_code, cut.reason)
    regions = {one.item.path: one for one in drawings.graphics if not one.shape.is_line} if merged else {}
    for item, reason in chain(drawings.unusable, anatomy, merged, attached, leftovers(tree, drawn)):
        region = regions.get(item.path) if reason.reason_code == AXES_ARE_DRAWN else None
        beside = None if region is None else attributes.measurement((region,))
        yield Rejected(uid, item.path, reason.reason_code, reason.reason, drawn=beside)
