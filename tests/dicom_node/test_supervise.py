"""The supervisor's decisions."""

import inspect
from collections import deque

from dicom_node import jobs, scp
from dicom_node.supervise import DEATHS, DRAIN_S, keeps_dying, restart_delay_s


def test_a_role_starts_again_at_once_and_then_ever_later() -> None:
    delays = [restart_delay_s(deaths) for deaths in (1, 2, 3, 4, 20)]
    assert delays == [0.0, 0.5, 1.0, 2.0, 10.0]


def test_five_deaths_in_a_minute_are_too_many() -> None:
    assert keeps_dying(deque([0.0, 10.0, 20.0, 30.0, 59.0], maxlen=DEATHS), now=59.0)


def test_five_deaths_in_an_hour_are_not() -> None:
    assert not keeps_dying(deque([0.0, 900.0, 1800.0, 2700.0, 3600.0], maxlen=DEATHS), now=3600.0)
    assert not keeps_dying(deque([1.0, 2.0, 3.0], maxlen=DEATHS), now=3.0)


def test_no_role_is_killed_before_it_has_given_up_waiting_itself() -> None:
    receiver_drains_s = inspect.signature(scp.serve).parameters["drain_s"].default
    assert 5 + max(receiver_drains_s, jobs.DRAIN_S) <= DRAIN_S
