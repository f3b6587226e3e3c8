"""The supervisor's decisions."""

from collections import deque

from dicom_node.supervise import DEATHS, keeps_dying, restart_delay_s


def test_a_role_starts_again_at_once_and_then_ever_later() -> None:
    delays = [restart_delay_s(deaths) for deaths in (1, 2, 3, 4, 20)]
    assert delays == [0.0, 0.5, 1.0, 2.0, 10.0]


def test_five_deaths_in_a_minute_are_too_many() -> None:
    assert keeps_dying(deque([0.0, 10.0, 20.0, 30.0, 59.0], maxlen=DEATHS), now=59.0)


def test_five_deaths_in_an_hour_are_not() -> None:
    assert not keeps_dying(deque([0.0, 900.0, 1800.0, 2700.0, 3600.0], maxlen=DEATHS), now=3600.0)
    assert not keeps_dying(deque([1.0, 2.0, 3.0], maxlen=DEATHS), now=3.0)
