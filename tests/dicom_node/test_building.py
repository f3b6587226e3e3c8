"""What a node's configuration and rows bring into the results of an analysis."""

from dataclasses import replace
from pathlib import Path

import pytest
from report_sources import NOW, SERIES, STUDY, ct_headers, lesion, lesions
from whole_way import Site, configure

from db.outcomes import Analysis
from dicom_node.building import Material, subject_of
from dicom_node.config import Peer
from dicom_node.config_report import Report, WordCodes
from dicom_node.report.subject import Subject

TEMPLATE = "https://viewer.example/{study}/{series}/{instance}?patient={patient}&order={accession}"


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Site:
    return configure(tmp_path, database_url, 104)


def peer(number: int, viewer_url: str, deliver: tuple[str, ...] = ("ohif",)) -> Peer:
    return Peer(name=f"PACS {number}", ae_title=f"PACS{number}", viewer_url=viewer_url, deliver=list(deliver))


def subject(site: Site, **config: object) -> Subject:
    changed = site.config.model_copy(update=config)
    analysis = Analysis(state="found", model_id="0123456789ab", finished_at=NOW)
    material = Material(analysis, tuple(lesions()), (), {})
    return subject_of(replace(site.node, config=changed), material, ct_headers())


def test_each_finding_is_linked_into_the_one_viewer_of_all_destinations(site: Site) -> None:
    peers = [peer(1, TEMPLATE), peer(2, ""), peer(3, TEMPLATE), peer(4, "https://elsewhere/{study}", deliver=())]
    links = [each.link for each in subject(site, peers=peers).lesions]
    assert links == [
        f"https://viewer.example/{STUDY}/{SERIES}/{each.image.sop_instance_uid}?patient=P-17&order=A-4"
        for each in lesions()
    ]


@pytest.mark.parametrize("others", [[], [peer(2, "")], [peer(2, TEMPLATE), peer(3, "https://other.example/{study}")]])
def test_without_one_viewer_there_is_no_link(site: Site, others: list[Peer]) -> None:
    assert {each.link for each in subject(site, peers=others).lesions} == {""}


def test_the_words_of_the_site_give_the_codes(site: Site) -> None:
    words = Report(codes=[WordCodes(word="Liver cyst", finding="9-1|99SITE|House cyst")])
    first = subject(site, report=words).lesions[0]
    assert (lesion().category, first.codes.finding.meaning) == ("liver cyst", "House cyst")
    assert first.codes.site is not None and first.codes.site.meaning == "Liver", "the built-in words stay"
