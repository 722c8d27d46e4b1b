"""How often somebody may try: in virtual time, against the plainest count."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from probe.web.access.limit import OF_ADDRESS, OF_NAME, WINDOW, LoginLimit
from tests.web.access.door import NOW

TRIES = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.sampled_from(["ada", "grace", "x"]),
        st.sampled_from(["192.0.2.1", "192.0.2.2"]),
        st.booleans(),
    ),
    max_size=120,
)


@given(TRIES)
@settings(max_examples=200, deadline=None)
def test_never_more_failures_than_are_allowed(tries: list[tuple[int, str, str, bool]]) -> None:
    """As whoever kept every failure would decide; and who waits as long as is said is let through."""
    limit, now = LoginLimit(), NOW
    failed: list[tuple[object, str, str]] = []
    for seconds, name, address, right in tries:
        now += timedelta(seconds=seconds)
        recent = [one for one in failed if one[0] > now - WINDOW]  # type: ignore[operator]  # moments
        of_name = [one[0] for one in recent if one[1:] == (name, address)]
        of_address = [one[0] for one in recent if one[2] == address]
        wait = limit.attempt(name, address, now)
        assert (wait is not None) == (len(of_name) >= OF_NAME or len(of_address) >= OF_ADDRESS)
        if wait is not None:
            assert timedelta(0) < wait <= WINDOW
        elif right:
            limit.succeeded(name, address)
            # The names' own count begins anew; that of the address keeps what failed.
            failed = [(at, "" if (n, a) == (name, address) else n, a) for at, n, a in failed]
        else:
            failed.append((now, name, address))


def test_who_waits_as_long_as_is_said_may_try() -> None:
    limit = LoginLimit()
    for second in range(OF_NAME):
        assert limit.attempt("ada", "192.0.2.1", NOW + timedelta(seconds=second)) is None
    wait = limit.attempt("ada", "192.0.2.1", NOW + timedelta(seconds=10))
    assert wait == WINDOW - timedelta(seconds=10)
    assert limit.attempt("ada", "192.0.2.1", NOW + timedelta(seconds=10) + wait - timedelta(microseconds=1)) is not None
    assert limit.attempt("ada", "192.0.2.1", NOW + timedelta(seconds=10) + wait) is None
    assert limit.attempt("ada", "192.0.2.1", NOW + timedelta(seconds=10) + wait) is not None


def test_a_network_of_version_6_is_one_address() -> None:
    limit = LoginLimit()
    for number in range(OF_NAME):
        assert limit.attempt("ada", f"2001:db8:0:1::{number:x}", NOW) is None
    assert limit.attempt("ada", "2001:db8:0:1:ffff::1", NOW) is not None
    assert limit.attempt("ada", "2001:db8:0:2::1", NOW) is None
    for _ in range(OF_NAME):
        assert limit.attempt("ada", "::ffff:192.0.2.1", NOW) is None
    assert limit.attempt("ada", "192.0.2.1", NOW) is not None
    assert limit.attempt("ada", "", NOW) is None


def test_remembers_no_more_than_it_should() -> None:
    limit = LoginLimit(most=100)
    for number in range(500):
        limit.attempt("ada", f"10.0.{number // 250}.{number % 250}", NOW)
    assert len(limit._failed) == 100
    assert ("ada", "10.0.1.249") in limit._failed
    assert ("ada", "10.0.0.1") not in limit._failed


def test_a_name_without_an_end_is_remembered_by_its_beginning() -> None:
    """Or the memory of those who failed would be as large as they like."""
    limit = LoginLimit()
    for number in range(OF_NAME):
        assert limit.attempt("n" * 60_000 + str(number), "192.0.2.1", NOW) is None
    assert limit.attempt("n" * 60_000, "192.0.2.1", NOW) is not None
    limit.succeeded("n" * 60_000, "192.0.2.1")
    assert limit.attempt("n" * 60_000, "192.0.2.1", NOW) is None


def test_one_right_password_does_not_free_an_address_to_guess_others() -> None:
    limit = LoginLimit()
    for number in range(OF_ADDRESS - 1):
        assert limit.attempt(f"name-{number}", "192.0.2.1", NOW) is None
    for _ in range(3):
        assert limit.attempt("eve", "192.0.2.1", NOW) is None
        limit.succeeded("eve", "192.0.2.1")
    assert limit.attempt("ada", "192.0.2.1", NOW) is None
    assert limit.attempt("grace", "192.0.2.1", NOW) == WINDOW
