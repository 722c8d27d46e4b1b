"""The few exceptions.

    ProbeError                 our own, with a message for a person
    ├── ConfigError            what the user wrote is wrong: carries every diagnostic
    ├── ProberUnavailable      a prober cannot run at all (no browser): the run is `errored`
    ├── StoreUnavailable       the store cannot be read or written now (locked, full, broken)
    ├── NotifyError            a notification was not delivered; says whether to try again
    └── DemoError              the demo shop cannot be started or reached (probe/demo/)
    core.failure.CheckFailed   an expectation of a check does not hold: data, not trouble

Anything else that is raised is a bug and shows its traceback.
"""

from datetime import timedelta

from probe.core.diagnostic import Diagnostic
from probe.core.failure import Failure


class ProbeError(Exception):
    """Our own trouble, with a message that says what to do."""


class ConfigError(ProbeError):
    """What the user wrote cannot be used. `diagnostics` holds everything that is wrong, not only the first."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("\n".join(map(str, diagnostics)))
        self.diagnostics = diagnostics


class ProberUnavailable(ProbeError):  # noqa: N818  # a state, named as one
    """A prober cannot run: `failure` says why, and makes the run `errored`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class StoreUnavailable(ProbeError):  # noqa: N818  # a state, named as one
    """The store cannot be used now. `lasting`: not before somebody mends it (corrupt, newer schema, no permission)."""

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting


class NotifyError(ProbeError):
    """A notification was not delivered. `permanent`: it never will be, the channel is misconfigured or gone.

    `retry_after` is what the service asked us to wait.
    """

    def __init__(self, message: str, *, permanent: bool = False, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after
