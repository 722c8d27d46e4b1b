"""The few exceptions.

    ProbeError                 our own, with a message for a person
    ├── ConfigError            what the user wrote is wrong: carries every diagnostic
    ├── ProberUnavailable      a prober cannot run at all (no browser): the run is `errored`
    └── DemoError              the demo shop cannot be started or reached (probe/demo/)
    core.failure.CheckFailed   an expectation of a check does not hold: data, not trouble

Anything else that is raised is a bug and shows its traceback.
"""

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
