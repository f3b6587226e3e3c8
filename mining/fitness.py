"""Whether an image is one to learn from: what it was made for, and a site's list. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mining.settings import HarvestSettings


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of an image beside its pixels; `purpose` is one of `mining.image_purpose`, empty for ordinary."""

    purpose: str = ""
    series_description: str = ""
    study_description: str = ""
    manufacturer: str = ""
    patient_id: str = ""

    @property
    def _named(self) -> Iterator[str]:
        yield from (self.series_description, self.study_description, self.manufacturer, self.patient_id)

    def unfit_because(self, settings: HarvestSettings) -> str | None:
        """Why what was measured on it is no truth, or None."""
        if self.purpose and self.purpose not in settings.let_in:
            return f"measured on an image of the kind '{self.purpose}'"
        for pattern in settings.exclude:
            if any(fnmatchcase(value.casefold(), pattern.casefold()) for value in self._named if value):
                return f"excluded by the site: {pattern}"
        return None
