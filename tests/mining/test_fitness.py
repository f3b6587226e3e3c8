"""What was measured on an image that shows no patient's lesion is no truth, unless a site lets it in."""

import pytest

from mining.fitness import ImageFacts
from mining.settings import HarvestSettings


@pytest.mark.parametrize(
    ("facts", "settings", "reason"),
    [
        (ImageFacts(), HarvestSettings(), None),
        (ImageFacts("localizer"), HarvestSettings(), "measured on an image of the kind 'localizer'"),
        (ImageFacts("localizer"), HarvestSettings(let_in=frozenset({"localizer"})), None),
        (ImageFacts("phantom"), HarvestSettings(let_in=frozenset({"localizer"})), "measured on an image of the kind"),
        (ImageFacts(series_description="Daily QA"), HarvestSettings(exclude=("*qa*",)), "excluded by the site: *qa*"),
        (ImageFacts(patient_id="PHANTOM7"), HarvestSettings(exclude=("phantom*",)), "excluded by the site: phantom*"),
        (ImageFacts(study_description="Thorax"), HarvestSettings(exclude=("qa",)), None),
        (ImageFacts(), HarvestSettings(exclude=("*",)), None),  # nothing is known, so nothing fits
    ],
)
def test_an_image_is_fit_unless_its_purpose_or_the_site_says_otherwise(
    facts: ImageFacts, settings: HarvestSettings, reason: str | None
) -> None:
    found = facts.unfit_because(settings)
    assert found is None if reason is None else found is not None and found.startswith(reason)
