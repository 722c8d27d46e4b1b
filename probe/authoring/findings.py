"""What a check saw that it should not have: collected, and raised together."""

from probe.core.failure import CheckFailed, Failure


class Findings:
    """Failures of one run that have been seen and not yet raised.

    Expectations on responses add to it; the next request, the end of a step and the end of the check raise what is
    there, all at once: one run tells everything that is wrong with an answer, not only the first thing.

    >>> findings = Findings()
    >>> findings.step = "checkout"
    >>> findings.add(Failure.of("status", "GET / answered 500"))
    >>> try:
    ...     findings.raise_if_any()
    ... except CheckFailed as failed:
    ...     print(failed.failures[0].step, findings.pending)
    checkout ()
    """

    __slots__ = ("_failures", "step")

    def __init__(self) -> None:
        self._failures: list[Failure] = []
        self.step: str | None = None
        """The step the check is in, stamped on every failure that has none."""

    def add(self, *failures: Failure) -> None:
        """Keep failures for later."""
        self._failures += (failure.at(self.step) for failure in failures)

    def raise_if_any(self) -> None:
        """Raise one `CheckFailed` with all there is, and begin anew."""
        failures = self.take()
        if failures:
            raise CheckFailed(*failures)

    def take(self) -> tuple[Failure, ...]:
        """All there is, without raising; begin anew."""
        failures = tuple(self._failures)
        self._failures.clear()
        return failures

    @property
    def pending(self) -> tuple[Failure, ...]:
        """All there is, left where it is."""
        return tuple(self._failures)
