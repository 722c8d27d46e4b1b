"""Why a run did not pass: the layer, the kind, and the words for a person woken at 3 a.m.

`KINDS` is the one table of every way a run can end badly. A failure whose kind belongs to the target makes the run
`failed`; one that is our own trouble makes it `errored`, and is never reported as the customer's shop being down.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Layer(StrEnum):
    """Where the fault was seen, from the wire up. `PROBE` is us."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    HTTP = "http"
    CONTENT = "content"
    SCRIPT = "script"
    THIRD_PARTY = "third_party"
    TIMING = "timing"
    PROBE = "probe"


@dataclass(frozen=True, slots=True)
class KindInfo:
    """What one kind of failure means: its layer, and the words that say it."""

    layer: Layer
    words: str


KINDS: Final[dict[str, KindInfo]] = {
    # dns
    "name_not_found": KindInfo(Layer.DNS, "the name does not exist"),
    "name_without_address": KindInfo(Layer.DNS, "the name has no address of the wanted family"),
    "dns_failed": KindInfo(Layer.DNS, "the name servers of the name answered with an error"),
    "dns_timeout": KindInfo(Layer.DNS, "the name was not resolved in time"),
    # connect
    "refused": KindInfo(Layer.CONNECT, "the connection was refused"),
    "unreachable": KindInfo(Layer.CONNECT, "no route to the address"),
    "connect_timeout": KindInfo(Layer.CONNECT, "no connection in time"),
    "connection_reset": KindInfo(Layer.CONNECT, "the connection was reset"),
    # tls
    "certificate_expired": KindInfo(Layer.TLS, "the certificate has expired"),
    "certificate_not_yet_valid": KindInfo(Layer.TLS, "the certificate is not valid yet"),
    "certificate_wrong_host": KindInfo(Layer.TLS, "the certificate is for another host"),
    "certificate_untrusted": KindInfo(Layer.TLS, "the certificate is not signed by a trusted authority"),
    "certificate_revoked": KindInfo(Layer.TLS, "the certificate was revoked"),
    "certificate_expires_soon": KindInfo(Layer.TLS, "the certificate expires soon"),
    "client_certificate_refused": KindInfo(Layer.TLS, "the server refused our client certificate"),
    "tls_handshake": KindInfo(Layer.TLS, "the TLS handshake failed"),
    "tls_timeout": KindInfo(Layer.TLS, "the TLS handshake did not end in time"),
    # http
    "status": KindInfo(Layer.HTTP, "the status is not as expected"),
    "header": KindInfo(Layer.HTTP, "a header is not as expected"),
    "too_many_redirects": KindInfo(Layer.HTTP, "redirected too often"),
    "bad_redirect": KindInfo(Layer.HTTP, "redirected to something that cannot be followed"),
    "http_protocol": KindInfo(Layer.HTTP, "the answer is not valid HTTP"),
    "incomplete_body": KindInfo(Layer.HTTP, "the answer broke off"),
    "closed_early": KindInfo(Layer.HTTP, "the server closed the connection without an answer"),
    "body_too_large": KindInfo(Layer.HTTP, "the body is larger than the limit"),
    "bad_encoding": KindInfo(Layer.HTTP, "the body cannot be decompressed"),
    "no_response": KindInfo(Layer.HTTP, "no answer in time"),
    "slow_body": KindInfo(Layer.HTTP, "the body did not end in time"),
    "page_load": KindInfo(Layer.HTTP, "the page could not be loaded"),
    "unexpected_download": KindInfo(Layer.HTTP, "a download came in place of a page"),
    "request_failed": KindInfo(Layer.HTTP, "a request of the page failed"),
    # content
    "body": KindInfo(Layer.CONTENT, "the body is not as expected"),
    "json": KindInfo(Layer.CONTENT, "a value in the JSON is not as expected"),
    "size": KindInfo(Layer.CONTENT, "the size is not as expected"),
    "element": KindInfo(Layer.CONTENT, "an element of the page is not as expected"),
    "assertion": KindInfo(Layer.CONTENT, "what the check asserts does not hold"),
    # script (the page's)
    "page_error": KindInfo(Layer.SCRIPT, "the page's own script failed"),
    "page_crashed": KindInfo(Layer.SCRIPT, "the page crashed"),
    "page_unresponsive": KindInfo(Layer.SCRIPT, "the page does not respond: its script never yields"),
    "page_memory": KindInfo(Layer.SCRIPT, "the page used more memory than a run may"),
    # third party
    "third_party_failed": KindInfo(Layer.THIRD_PARTY, "a third party failed"),
    "third_party_slow": KindInfo(Layer.THIRD_PARTY, "a third party did not answer in time"),
    # timing
    "step_slow": KindInfo(Layer.TIMING, "the step took too long"),
    "slow": KindInfo(Layer.TIMING, "the answer took too long"),
    "deadline": KindInfo(Layer.TIMING, "the run did not end before its timeout"),
    # probe: ours, errored
    "browser_missing": KindInfo(Layer.PROBE, "no browser was found"),
    "browser_start": KindInfo(Layer.PROBE, "the browser did not start"),
    "browser_died": KindInfo(Layer.PROBE, "our browser was killed or crashed"),
    "browser_unresponsive": KindInfo(Layer.PROBE, "our browser or its driver does not respond"),
    "worker_died": KindInfo(Layer.PROBE, "the worker process ended during the run"),
    "worker_memory": KindInfo(Layer.PROBE, "the check used more memory than a run may"),
    "check_bug": KindInfo(Layer.PROBE, "the check's own code failed"),
    "check_blocked": KindInfo(Layer.PROBE, "the check's own code did not end in time"),
    "check_exited": KindInfo(Layer.PROBE, "the check's own code ended the process"),
    "check_unloadable": KindInfo(Layer.PROBE, "the check's file cannot be loaded"),
    "host_starved": KindInfo(Layer.PROBE, "this host was too busy to measure"),
    "resolver_dead": KindInfo(Layer.PROBE, "our own name server does not answer"),
    "egress_failed": KindInfo(Layer.PROBE, "our own way out (proxy or source address) does not work"),
    "tls_setup": KindInfo(Layer.PROBE, "our own CA or client certificate cannot be used"),
    "no_network": KindInfo(Layer.PROBE, "this host has no network"),
    "internal": KindInfo(Layer.PROBE, "a bug in probe"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One reason why a run did not pass.

    `kind` is a key of `KINDS`. `expected` and `actual` are texts made for people. `step` is the journey's step, if
    any. `url` is the address concerned, without credentials. `soft` failures do not end the journey.

    >>> f = Failure.of("status", "GET /cart answered 500", expected="200", actual="500")
    >>> (f.layer.value, f.ours, str(f))
    ('http', False, 'http: GET /cart answered 500 (expected 200, got 500)')
    """

    layer: Layer
    kind: str
    message: str
    step: str | None = None
    expected: str | None = None
    actual: str | None = None
    url: str | None = None
    soft: bool = False

    @classmethod
    def of(
        cls,
        kind: str,
        message: str = "",
        *,
        step: str | None = None,
        expected: str | None = None,
        actual: str | None = None,
        url: str | None = None,
        soft: bool = False,
    ) -> "Failure":
        """A failure of a known kind; its words are the message when none is given. `KeyError` for an unknown kind."""
        info = KINDS[kind]
        return cls(
            layer=info.layer,
            kind=kind,
            message=message or info.words,
            step=step,
            expected=expected,
            actual=actual,
            url=url,
            soft=soft,
        )

    @property
    def ours(self) -> bool:
        """Whether it is the probe's own trouble."""
        return self.layer is Layer.PROBE

    def at(self, step: str | None) -> "Failure":
        """The same failure, placed in a step, unless it has one."""
        return self if self.step is not None or step is None else replace(self, step=step)

    def __str__(self) -> str:
        seen = f" (expected {self.expected}, got {self.actual})" if self.expected and self.actual else ""
        return f"{self.layer}: {self.message}{seen}"


class CheckFailed(AssertionError):  # noqa: N818  # reads as what happened; it is an assertion that did not hold
    """Raised inside a check when what was expected does not hold. Carries every failure seen, not only the first."""

    def __init__(self, *failures: Failure) -> None:
        super().__init__("; ".join(str(f) for f in failures))
        self.failures = failures
