"""The demo's report: one page that needs nothing else, says what is missing, and keeps foreign text as text."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from web_seed import MARKUP

from db.geometry import Axis, BoxPx, PixelSpacing, PointPx
from dicom_node.showcase import report_html, write_report
from dicom_node.showcase_facts import DemoFacts, FrocCurve, Scene, Shape, Step, TreeItem

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
EMPTY = DemoFacts(NOW, (Step("receive", 3, "studies"),))
AXIS = Axis(PointPx(60, 40), PointPx(99, 40))
SCENE = Scene(
    np.full((90, 140), 40, np.int16),
    PixelSpacing(1.25, 0.75),
    (Shape("missed", BoxPx(55, 26, 104, 54), (AXIS,), MARKUP),),
    MARKUP,
    BoxPx(55, 26, 104, 54),
)
FULL = replace(
    EMPTY,
    compared=(SCENE,),
    present=1,
    losses=((10, 1.5), (20, 1.1)),
    froc=(FrocCurve("all", (0.5, 1.0), (0.2, 0.4), lesions=5, scans=2),),
    tree=TreeItem("Imaging Measurement Report", "", (TreeItem("Finding", MARKUP),)),
)


def test_an_empty_run_says_of_each_part_that_it_is_missing() -> None:
    assert report_html(EMPTY).count('class="empty"') == 6


def test_the_notice_stands_at_the_top_and_at_the_end() -> None:
    text = report_html(EMPTY)
    assert text.count("not a medical device") == 2
    assert "No clinical evidence" in text


def test_the_page_needs_nothing_but_itself() -> None:
    text = report_html(FULL)
    assert "<script" not in text
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', text)
    assert len(sources) == 3
    assert all(source.startswith("data:image/") for source in sources)


def test_foreign_text_stays_text() -> None:
    text = report_html(FULL)
    assert MARKUP not in text
    assert text.count("&lt;script&gt;") == 4  # label, caption twice, value in the tree


def test_a_scene_is_drawn_at_pixel_centres_in_the_colour_of_its_kind() -> None:
    text = report_html(FULL)
    assert 'viewBox="26 8 108 65"' in text
    assert '<g class="missed" stroke="#e5544b">' in text
    assert '<line x1="60.5" y1="40.5" x2="99.5" y2="40.5"/>' in text


def test_the_same_facts_give_the_same_page(tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", FULL)
    assert (tmp_path / "report.html").read_text("utf-8") == report_html(FULL)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
