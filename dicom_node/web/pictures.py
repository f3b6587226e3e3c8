"""The pixels beneath a lesion's drawing, from the stored instance. Shell: reads rows and files."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO

from PIL import Image as Picture
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.errors import RequestError
from db.files import FileStore
from db.geometry import PixelSpacing
from db.models import Image, Instance, LesionRow
from db.outcomes import DetectionRow
from dicom_node.decoding import image_hu
from dicom_node.web.figures import Crop, Drawn, Figure, crop_around, drawn_detection, drawn_lesion, window_hu
from mining.pixels import window


def figures(session: Session, drawings: Iterable[Drawn], view_width: float) -> dict[str, Figure]:
    """A figure for each drawing whose image is stored, by its key: one query."""
    wanted = list(drawings)
    uids = {drawn.image.sop_instance_uid for drawn in wanted}
    images = {
        image.sop_instance_uid: image
        for image in session.scalars(select(Image).where(Image.sop_instance_uid.in_(uids)))
    }
    return {
        drawn.key: _figure(drawn, image, view_width)
        for drawn in wanted
        if (image := images.get(drawn.image.sop_instance_uid)) is not None
    }


def find_drawn(session: Session, kind: str, key: str) -> Drawn:
    """The drawing of a lesion or a detection by its id; RequestError if there is none."""
    if kind == "lesion" and (lesion := session.get(LesionRow, key)):
        return drawn_lesion(lesion)
    if kind == "detection" and (detection := session.get(DetectionRow, key)):
        return drawn_detection(detection)
    raise RequestError("there is no such lesion", kind=kind, id=key)


def picture(session: Session, files: FileStore, kind: str, key: str, whole: bool) -> bytes:
    """PNG, grey, one pixel of it for one of the image: the crop of the figure, or the whole image.

    Raises RequestError if lesion or image is not stored, ContentError if the image cannot be shown in HU.
    """
    drawn = find_drawn(session, kind, key)
    figure = figures(session, [drawn], view_width=1.0).get(key)
    content = _content(session, drawn.image.sop_instance_uid)
    if figure is None or content is None:
        raise RequestError("the image is not stored", sop_instance_uid=drawn.image.sop_instance_uid)
    try:
        hu = image_hu(files.path(content.file_name), content.transfer_syntax_uid, drawn.image.frame_number)
    except FileNotFoundError as error:
        raise RequestError("the image's file is gone", sop_instance_uid=drawn.image.sop_instance_uid) from error
    crop = figure.crop
    part = hu[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
    png = BytesIO()
    Picture.fromarray(window(hu if whole else part, *window_hu(part))).save(png, "PNG")
    return png.getvalue()


def whole_figure(session: Session, drawn: Drawn, view_width: float) -> Figure | None:
    """The figure of the whole image; None if it is not stored."""
    image = session.get(Image, drawn.image.sop_instance_uid)
    if image is None:
        return None
    return Figure(drawn, Crop(0, 0, image.columns, image.rows), _spacing(image), view_width)


def _figure(drawn: Drawn, image: Image, view_width: float) -> Figure:
    return Figure(
        drawn, crop_around(drawn.box, image.rows, image.columns, _spacing(image)), _spacing(image), view_width
    )


def _spacing(image: Image) -> PixelSpacing:
    """Of the image; square pixels of 1 mm where it tells none, which keeps the picture's shape."""
    if image.row_spacing_mm and image.col_spacing_mm:
        return PixelSpacing(image.row_spacing_mm, image.col_spacing_mm)
    return PixelSpacing(1.0, 1.0)


def _content(session: Session, sop_instance_uid: str) -> Instance | None:
    """The current content; in a conflict the one that came first."""
    return session.scalar(
        select(Instance)
        .where(Instance.sop_instance_uid == sop_instance_uid, Instance.state != "superseded")
        .order_by(Instance.state.desc(), Instance.instance_pk)
        .limit(1)
    )
