"""The self-test looks where the node listens, on either kind of address."""

import socket

import pytest

from dicom_node.check import Finding, _port


@pytest.mark.parametrize(
    ("listening", "configured"),
    [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "0.0.0.0"), ("::1", "::1"), ("::1", "::")],
)
def test_a_port_is_answered_while_somebody_listens_and_else_free(listening: str, configured: str) -> None:
    family = socket.AF_INET6 if ":" in listening else socket.AF_INET
    with socket.create_server((listening, 0), family=family) as server:
        port = server.getsockname()[1]
        found = _port("dicom.port", configured, port)
        assert found == Finding("dicom.port", None, f"{port} is answered: the node seems to run")
    assert _port("dicom.port", configured, port).message == f"{port} is free: the node does not run"


def test_a_host_without_an_address_fails_by_its_name() -> None:
    found = _port("dicom.port", "no.such.host.invalid", 11112)
    assert found.ok is False
    assert found.message.startswith("the host no.such.host.invalid has no address: ")
