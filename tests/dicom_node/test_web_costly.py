"""What is counted at every look, and what is not."""

from datetime import UTC, datetime, timedelta

from dicom_node.web.costly import Costly


class Counter:
    """Counts how often it is asked, and takes its time on a clock of its own."""

    def __init__(self, takes: timedelta) -> None:
        self.now, self.takes, self.asked = datetime(2026, 11, 24, 8, 0, tzinfo=UTC), takes, 0

    def clock(self) -> datetime:
        return self.now

    def __call__(self) -> int:
        self.asked += 1
        self.now += self.takes
        return self.asked


def test_what_takes_two_seconds_is_kept_for_a_hundred() -> None:
    counter = Counter(timedelta(seconds=2))
    figure: Costly[int] = Costly(counter.clock)
    assert figure.get(counter) == 1
    counter.now += timedelta(seconds=99)
    assert figure.get(counter) == 1
    counter.now += timedelta(seconds=1)
    assert figure.get(counter) == 2


def test_what_takes_no_time_is_counted_at_every_look() -> None:
    counter = Counter(timedelta(0))
    figure: Costly[int] = Costly(counter.clock)
    assert [figure.get(counter) for _ in range(3)] == [1, 2, 3]
