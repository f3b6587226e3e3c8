"""`sql` on either database: the views answer, and nothing else can be seen or changed."""

import pytest

from db.errors import RequestError
from db.views import VIEWS
from dicom_node.sql import query


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_answers(any_url: str, view: str) -> None:
    columns, rows = query(any_url, f"SELECT * FROM {view}")
    assert columns
    assert rows == []
    assert query(any_url, f"SELECT count(*) AS n FROM {view}") == (["n"], [(0,)])


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM lesion",
        "SELECT patient_id FROM patient",
        "SELECT (SELECT max(patient_id) FROM patient)",
        "WITH lesions AS (SELECT * FROM patient) SELECT * FROM lesions",
        "WITH/**/studies AS (SELECT * FROM patient) SELECT * FROM studies",
        "SELECT * FROM main.lesions",
        "SELECT name FROM sqlite_master",
        "DELETE FROM lesions",
        "DROP VIEW lesions",
        "UPDATE study SET state = 'settled'",
        "CREATE TABLE mine (n INTEGER)",
        "ATTACH ':memory:' AS other",
        "PRAGMA user_version",
        "SELECT load_extension('x')",
        "SELECT pg_read_file('postgresql.conf')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "RESET ROLE",
        "COMMIT",
        "SELECT 1; SELECT 2",
        "RESET ROLE; SELECT patient_id FROM patient",
        "SELEC 1",
    ],
)
def test_nothing_else_can_be_done(any_url: str, statement: str) -> None:
    with pytest.raises(RequestError, match=r"the database refused: .*; the views are lesions, "):
        query(any_url, statement)


def test_a_query_may_use_what_sql_offers(any_url: str) -> None:
    statement = """
        WITH big AS (SELECT lesion_id, long_axis_mm FROM lesions WHERE long_axis_mm > 10)
        SELECT count(*) AS n, avg(long_axis_mm) AS mean FROM big
    """
    assert query(any_url, statement) == (["n", "mean"], [(0, None)])


def test_a_percent_sign_and_a_colon_are_the_statements_own(any_url: str) -> None:
    assert query(any_url, "SELECT '50 %s :x' AS share WHERE 'lung' LIKE 'l%'") == (["share"], [("50 %s :x",)])


def test_the_interface_is_kept(any_url: str) -> None:
    promised = {
        "rejections": "source_sop_instance_uid source_item reason_code reason at",
        "studies": """study_instance_uid patient_id state instances received_first_at received_last_at settled_at
            source_ae""",
        "deliveries": "result_sop_instance_uid kind destination state tries last_answer committed_at",
        "models": """model_id state trained_at label_generation training_set_id weights_sha256 git_commit froc_at_0_5
            froc_at_8""",
        "assessments": "detection_id tracking_uid verdict reader assessed_at source_sop_instance_uid shift_px",
        "lesion_growth": "lesion_identity patient_id study_date long_axis_mm change_from_baseline change_from_nadir",
        "categories": "category_id label_generation name members stability finding_code site_code",
        "detections": """detection_id study_instance_uid series_instance_uid sop_instance_uid frame_number box_x1 box_y1
            box_x2 box_y2 z_first z_last long_axis_mm short_axis_mm score category model_id tracking_uid
            result_sop_instance_uid assessment assessed_by created_at""",
        "lesions": """lesion_id patient_id study_instance_uid series_instance_uid sop_instance_uid frame_number modality
            study_date body_part row_spacing_mm col_spacing_mm slice_interval_mm long_x1 long_y1 long_x2 long_y2
            short_x1 short_y1 short_x2 short_y2 long_axis_px short_axis_px long_axis_mm short_axis_mm
            stated_long_axis_mm stated_short_axis_mm stated_disagrees box_x1 box_y1 box_x2 box_y2 finding_code finding
            site_code site tracking_id tracking_uid reader measured_at source_kind source_writer source_sop_instance_uid
            source_item derived image_present category_id category label_generation split accession_number
            issuer_of_patient_id series_description manufacturer possibly_noisy lesion_identity reader_version
            excluded_because""",
    }
    for view, columns in promised.items():
        found, _ = query(any_url, f"SELECT * FROM {view}")
        assert set(columns.split()) <= set(found), view
