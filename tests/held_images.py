"""Images as a reader may ask for them, straight from data sets."""

from collections.abc import Mapping, Sequence

from pydicom.dataset import Dataset

from db.measurement import ImageReference
from mining.headers import read_header
from mining.known_images import KnownImage
from mining.plane_stack import PlaneStack


class HeldImages:
    """Every object that has pixels, in the order given; and every object as a document that others refer to."""

    def __init__(self, objects: Sequence[Dataset]) -> None:
        self._objects = {str(ds.SOPInstanceUID): ds for ds in objects}
        self._headers = {uid: read_header(ds) for uid, ds in self._objects.items()}

    def find(self, image: ImageReference) -> KnownImage | None:
        header = self._headers.get(image.sop_instance_uid)
        if header is None or header.image is None or not 1 <= image.frame_number <= header.image.frames:
            return None
        of = header.image
        plane = of.planes[0 if len(of.planes) == 1 else image.frame_number - 1] if of.planes else None
        return KnownImage(of.rows, of.columns, of.spacing, plane)

    def in_frame_of_reference(self, frame_of_reference_uid: str) -> PlaneStack:
        frames = []
        for uid, header in self._headers.items():
            if header.image is None or header.series.frame_of_reference_uid != frame_of_reference_uid:
                continue
            if header.series.modality in ("SEG", "RTDOSE"):
                continue
            for number in range(1, header.image.frames + 1):
                known = self.find(ImageReference(uid, number))
                if known is not None and known.plane is not None:
                    frames.append((ImageReference(uid, number), known.plane))
        return PlaneStack(frames)

    def in_series(self, series_instance_uid: str) -> Mapping[int, ImageReference]:
        return {
            int(ds.InstanceNumber): ImageReference(uid)
            for uid, ds in self._objects.items()
            if str(ds.SeriesInstanceUID) == series_instance_uid and "InstanceNumber" in ds
        }

    def document(self, sop_instance_uid: str) -> Dataset | None:
        return self._objects.get(sop_instance_uid)
