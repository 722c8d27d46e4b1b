"""How often visitors count: by the clock, by network, and without an address kept."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from probe.web import limits
from probe.web.limits import HOUR, OF_ALL, OF_ONE, SAME, Allowed, VisitorLimits


def test_once_for_each_part_in_ten_minutes() -> None:
    """Thanked again and again, counted once; another part, and later, is another report."""
    visitors = VisitorLimits()
    said = [
        visitors.judge("192.0.2.1", part, now)
        for part, now in (("pay", 0), ("pay", SAME - 1), ("find", 5), ("pay", SAME))
    ]
    assert said == [Allowed.COUNT, Allowed.KNOWN, Allowed.COUNT, Allowed.COUNT]
    assert visitors.judge("192.0.2.2", "pay", SAME) is Allowed.COUNT


def test_ten_in_an_hour() -> None:
    """Then no more of that address until the first is an hour old; others are not held up by it."""
    visitors = VisitorLimits()
    said = [visitors.judge("192.0.2.1", f"part-{n}", float(n)) for n in range(OF_ONE + 1)]
    assert said == [Allowed.COUNT] * OF_ONE + [Allowed.REFUSED]
    assert visitors.judge("192.0.2.2", "part-0", 11) is Allowed.COUNT
    assert visitors.judge("192.0.2.1", "part-x", HOUR - 1) is Allowed.REFUSED
    assert visitors.judge("192.0.2.1", "part-x", HOUR) is Allowed.COUNT


def test_who_has_one_address_has_the_network() -> None:
    """A /64 of IPv6 is one visitor, its neighbour another; IPv4 in IPv6's clothes is IPv4."""
    visitors = VisitorLimits()
    addresses = ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9%eth0", "2001:db8:1:3::1", "::ffff:192.0.2.1", "192.0.2.1", "")
    said = [visitors.judge(address, "pay", 0) for address in addresses]
    count, known = Allowed.COUNT, Allowed.KNOWN
    assert said == [count, known, count, count, known, count]


def test_all_together() -> None:
    """A flood from everywhere is thanked, and counted no further: the store has other work."""
    visitors = VisitorLimits()
    flood = [visitors.judge(str(ipaddress.ip_address(n)), "pay", n / 100) for n in range(OF_ALL + 50)]
    assert (flood.count(Allowed.COUNT), flood.count(Allowed.KNOWN)) == (OF_ALL, 50)
    assert visitors.judge("192.0.2.1", "pay", SAME + 0.05) is Allowed.COUNT


def test_nothing_is_kept_for_longer() -> None:
    """No address in the memory of it, and never more than were counted in an hour; after that nothing at all."""
    visitors = VisitorLimits()
    for n in range(30):
        for m in range(OF_ALL):
            visitors.judge(f"10.{n}.{m // 256}.{m % 256}", "pay", n * SAME + m * 0.001)
    assert len(visitors._heard) == OF_ALL * HOUR / SAME
    assert b"10.29.0.1" not in b"".join(visitors._heard)
    visitors.judge("192.0.2.1", "pay", 30 * SAME + HOUR)
    assert len(visitors._heard) == 1
    assert len(visitors._counted) == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12), st.floats(0, 900)), max_size=120))
def test_no_order_of_events_counts_too_much(events: list[tuple[int, int, float]]) -> None:
    """Whatever is sent and when: no address counts twice for a part in ten minutes, nor more than ten times in an hour."""
    visitors, now = VisitorLimits(), 0.0
    counted: list[tuple[int, int, float]] = []
    for who, part, pause in events:
        now += pause
        if visitors.judge(f"192.0.2.{who}", str(part), now) is Allowed.COUNT:
            assert all(now - at >= SAME for a, b, at in counted if (a, b) == (who, part))
            assert sum(now - at < HOUR for a, _, at in counted if a == who) < limits.OF_ONE
            counted.append((who, part, now))
