"""No patient in a log, whatever a sender writes into a header."""

import json
import logging
import re
import signal
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from arriving import NOW, SITE_KEY, STUDY, associated, ct, new_store, received, with_meta
from node_process import NODE, SENDER, NodeProcess
from pydicom import Dataset, config
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from db.engine import Sessions
from db.errors import ContentError
from db.models import Patient
from dicom_node import logs
from dicom_node.settle import settle_study

SECRETS = ("Zacharias", "19540332", "SECRETID", "SECRETACC")


def bad_ct() -> Dataset:
    """A CT of which values break their VR: an ID of 80 characters, a date that is none, words for numbers."""
    ds = ct()
    for keyword, vr, value in (
        ("PatientID", "LO", "SECRETID" * 10),
        ("PatientBirthDate", "DA", "19540332"),
        ("PatientName", "PN", "Zacharias^Zoe"),
        ("PatientAge", "AS", "Zacharias"),
        ("PatientWeight", "DS", "Zacharias"),
        ("AccessionNumber", "SH", "SECRETACC" * 3),
        ("SeriesNumber", "IS", "Zacharias"),
    ):
        content = (value + " " * (len(value) % 2)).encode()
        ds[keyword] = RawDataElement(Tag(keyword), vr, len(content), content, 0, False, True)
    return ds


@pytest.fixture
def log_of_a_role() -> Iterator[StringIO]:
    """What a role sets up, put back behind the test; gives what is logged meanwhile."""
    root = logging.getLogger()
    names = ("", *logs.OURS, "pydicom", "py.warnings", "pynetdicom", "pynetdicom.service_class", "pynetdicom.events")
    levels = {name: logging.getLogger(name).level for name in names}
    handlers, mode = root.handlers[:], config.settings.reading_validation_mode
    logs.configure(level=logging.DEBUG)
    logs.read_without_complaint()
    said = StringIO()
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(said)
    yield said
    logging.captureWarnings(False)
    root.handlers[:], config.settings.reading_validation_mode = handlers, mode
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_the_bad_values_are_ones_that_pydicom_complains_about() -> None:
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        for keyword in ("PatientID", "SeriesNumber"):
            assert bad_ct()[keyword].value
    assert any(secret in str(complaint.message) for complaint in complaints for secret in SECRETS)


def test_storing_and_settling_bad_values_logs_none_of_them(
    sessions: Sessions, tmp_path: Path, log_of_a_role: StringIO
) -> None:
    store = new_store(sessions, tmp_path)
    store.keep(received(bad_ct()), NOW)
    with warnings.catch_warnings():
        warnings.simplefilter("always")  # as outside of the tests; here they are errors
        settled = settle_study(store.sessions, store.files, STUDY, NOW + timedelta(minutes=5), SITE_KEY)
    assert settled is not None
    assert (settled.instances, settled.unreadable) == (1, 0)
    said = log_of_a_role.getvalue()
    assert f"settled study={STUDY}" in said
    assert not [secret for secret in SECRETS if secret in said]


def test_what_libraries_warn_of_stays_out_and_a_bug_in_a_handler_does_not(log_of_a_role: StringIO) -> None:
    for name in ("pydicom", "py.warnings", "pynetdicom.dimse"):
        logging.getLogger(name).error("Zacharias")
    assert log_of_a_role.getvalue() == ""
    try:
        int("Zacharias")
    except ValueError as bug:
        logging.getLogger("pynetdicom.service_class").exception(bug)  # so pynetdicom tells it
    said = log_of_a_role.getvalue()
    assert "Zacharias" not in said
    assert said.endswith("in test_what_libraries_warn_of_stays_out_and_a_bug_in_a_handler_does_not\nValueError\n")


def test_pydicom_stays_unheard_when_it_is_imported_after_the_logs_are_set_up() -> None:
    said = ended("""
        from dicom_node import logs
        logs.configure()
        import sys
        assert "pydicom" not in sys.modules
        from pydicom.charset import decode_bytes
        decode_bytes(b"x", ["DOE^JANE X"], set())
        import logging
        logging.getLogger("dicom_node.work").info("worked")
    """)
    assert "DOE" not in said
    assert said.endswith("INFO dicom_node.work: worked\n")


def test_the_error_that_ends_a_process_or_a_thread_is_told_without_its_text() -> None:
    said = ended("""
        import threading
        from dicom_node import logs
        def read(name):
            raise ValueError(name)
        logs.configure()
        logs.catch_the_last_errors()
        thread = threading.Thread(target=read, args=("Doe^John",))
        thread.start()
        thread.join()
        read("Doe^John")
    """)
    assert "Doe" not in said
    assert "a thread ends by an error" in said and "this process ends by an error" in said
    assert said.count(", in read\nValueError\n") == 2


def ended(program: str) -> str:
    """What a process leaves on stderr."""
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stderr


def test_of_a_database_error_the_class_is_told_and_no_value_of_the_row(
    any_sessions: Sessions, log_of_a_role: StringIO
) -> None:
    row = {"patient_id": "SECRETID", "issuer_of_patient_id": "", "split": "no split"}
    with pytest.raises(IntegrityError) as caught, any_sessions.begin() as session:
        session.execute(insert(Patient).values(row))
    logging.getLogger("dicom_node.store").error("cannot write", exc_info=caught.value)
    said = log_of_a_role.getvalue()
    assert "SECRETID" not in said and "INSERT" not in said
    assert "test_logs.py" in said
    assert re.search(r"CheckViolation 23514|IntegrityError SQLITE_CONSTRAINT_CHECK", said)


@pytest.mark.parametrize("as_json", [False, True])
def test_frames_and_classes_of_a_foreign_error_are_told_and_our_own_words(as_json: bool) -> None:
    def read() -> None:
        try:
            int("Zacharias")
        except ValueError as error:
            raise ContentError("no number", series="1.2.3") from error

    with pytest.raises(ContentError) as caught:
        read()
    record = logging.LogRecord("db.x", logging.ERROR, __file__, 1, "failed", None, (None, caught.value, None))
    record.exc_text = "as another handler keeps it: Zacharias"
    formatter = logs._JsonLines() if as_json else logs._Lines()
    said = formatter.format(record)
    assert "Zacharias" not in said
    assert "in read" in said
    assert said.index("ValueError") < said.index("ContentError: no number (series=1.2.3)")


def test_of_a_library_only_the_place_is_told_where_it_spoke(log_of_a_role: StringIO) -> None:
    logging.getLogger("uvicorn.error").error("Exception in %s", "Zacharias")
    assert re.fullmatch(r".* ERROR uvicorn.error: said something at test_logs.py:\d+\n", log_of_a_role.getvalue())


def test_json_lines_hold_level_logger_and_message() -> None:
    record = logging.LogRecord("dicom_node.scp", logging.INFO, __file__, 1, "stored %d", (3,), None)
    line = json.loads(logs._JsonLines().format(record))
    assert (line["level"], line["logger"], line["message"]) == ("INFO", "dicom_node.scp", "stored 3")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The value length:UserWarning")  # of the sender here
def test_the_receiving_role_logs_no_value_of_a_bad_object(tmp_path: Path, database_url: str) -> None:
    node = NodeProcess(tmp_path, database_url)
    node.start()
    try:
        with associated(node.port, [(CTImageStorage, [ExplicitVRLittleEndian])], SENDER, NODE) as assoc:
            assert assoc.send_c_store(with_meta(bad_ct())).Status == 0x0000
    finally:
        node.send(signal.SIGTERM)
        assert node.wait(30) == 0
    assert "association of PACS ended: instances=1" in node.log
    assert not [secret for secret in SECRETS if secret in node.log]
