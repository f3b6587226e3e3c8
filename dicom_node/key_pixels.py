"""The pixels of single slices, for encodings that show a picture: read and decoded when one asks for them. Shell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from db.errors import ContentError
from db.files import FileStore
from db.measurement import ImageReference
from db.studies import StoredInstance
from dicom_node.decoding import image_hu


def pixels_of(
    files: FileStore, images: Sequence[StoredInstance]
) -> Callable[[ImageReference], npt.NDArray[np.float32]]:
    """What gives a frame of one of these images as (H, W) HU.

    It raises ContentError, and nothing else, for what cannot be shown: no file any more, no Hounsfield units, pixels
    that no decoder survives.
    """
    stored = {each.sop_instance_uid: each for each in images}

    def pixels(image: ImageReference) -> npt.NDArray[np.float32]:
        instance = stored.get(image.sop_instance_uid)
        if instance is None:
            raise ContentError("there is no such image", sop_instance_uid=image.sop_instance_uid)
        try:
            path = files.path(instance.file_name)
            return image_hu(path, instance.transfer_syntax_uid, image.frame_number).astype(np.float32)
        except FileNotFoundError as error:
            raise ContentError("the file of an image is gone", sop_instance_uid=image.sop_instance_uid) from error

    return pixels
