"""Why a run did not pass."""

import pytest

from probe.core.failure import KINDS, CheckFailed, Failure, Layer
from probe.core.run import HostLoad, Outcome, deciding_failure, explain_by_host, outcome_of

WAYS_TO_END = [
    # kind, outcome, layer, words: every way in which a run can end badly
    ("name_not_found", "failed", "dns", "the name does not exist"),
    ("name_without_address", "failed", "dns", "the name has no address of the wanted family"),
    ("dns_failed", "failed", "dns", "the name servers of the name answered with an error"),
    ("dns_timeout", "failed", "dns", "the name was not resolved in time"),
    ("refused", "failed", "connect", "the connection was refused"),
    ("unreachable", "failed", "connect", "no route to the address"),
    ("connect_timeout", "failed", "connect", "no connection in time"),
    ("connection_reset", "failed", "connect", "the connection was reset"),
    ("certificate_expired", "failed", "tls", "the certificate has expired"),
    ("certificate_not_yet_valid", "failed", "tls", "the certificate is not valid yet"),
    ("certificate_wrong_host", "failed", "tls", "the certificate is for another host"),
    ("certificate_untrusted", "failed", "tls", "the certificate is not signed by a trusted authority"),
    ("certificate_revoked", "failed", "tls", "the certificate was revoked"),
    ("certificate_expires_soon", "failed", "tls", "the certificate expires soon"),
    ("client_certificate_refused", "failed", "tls", "the server refused our client certificate"),
    ("tls_handshake", "failed", "tls", "the TLS handshake failed"),
    ("tls_timeout", "failed", "tls", "the TLS handshake did not end in time"),
    ("status", "failed", "http", "the status is not as expected"),
    ("header", "failed", "http", "a header is not as expected"),
    ("too_many_redirects", "failed", "http", "redirected too often"),
    ("bad_redirect", "failed", "http", "redirected to something that cannot be followed"),
    ("http_protocol", "failed", "http", "the answer is not valid HTTP"),
    ("incomplete_body", "failed", "http", "the answer broke off"),
    ("closed_early", "failed", "http", "the server closed the connection without an answer"),
    ("body_too_large", "failed", "http", "the body is larger than the limit"),
    ("bad_encoding", "failed", "http", "the body cannot be decompressed"),
    ("no_response", "failed", "http", "no answer in time"),
    ("slow_body", "failed", "http", "the body did not end in time"),
    ("page_load", "failed", "http", "the page could not be loaded"),
    ("unexpected_download", "failed", "http", "a download came in place of a page"),
    ("request_failed", "failed", "http", "a request of the page failed"),
    ("body", "failed", "content", "the body is not as expected"),
    ("json", "failed", "content", "a value in the JSON is not as expected"),
    ("size", "failed", "content", "the size is not as expected"),
    ("element", "failed", "content", "an element of the page is not as expected"),
    ("assertion", "failed", "content", "what the check asserts does not hold"),
    ("page_error", "failed", "script", "the page's own script failed"),
    ("page_crashed", "failed", "script", "the page crashed"),
    ("page_unresponsive", "failed", "script", "the page does not respond: its script never yields"),
    ("page_memory", "failed", "script", "the page used more memory than a run may"),
    ("third_party_failed", "failed", "third_party", "a third party failed"),
    ("third_party_slow", "failed", "third_party", "a third party did not answer in time"),
    ("step_slow", "failed", "timing", "the step took too long"),
    ("slow", "failed", "timing", "the answer took too long"),
    ("deadline", "failed", "timing", "the run did not end before its timeout"),
    ("browser_missing", "errored", "probe", "no browser was found"),
    ("browser_start", "errored", "probe", "the browser did not start"),
    ("browser_died", "errored", "probe", "our browser was killed or crashed"),
    ("browser_unresponsive", "errored", "probe", "our browser or its driver does not respond"),
    ("worker_died", "errored", "probe", "the worker process ended during the run"),
    ("worker_memory", "errored", "probe", "the check used more memory than a run may"),
    ("check_bug", "errored", "probe", "the check's own code failed"),
    ("check_blocked", "errored", "probe", "the check's own code did not end in time"),
    ("check_exited", "errored", "probe", "the check's own code ended the process"),
    ("check_unloadable", "errored", "probe", "the check's file cannot be loaded"),
    ("host_starved", "errored", "probe", "this host was too busy to measure"),
    ("resolver_dead", "errored", "probe", "our own name server does not answer"),
    ("egress_failed", "errored", "probe", "our own way out (proxy or source address) does not work"),
    ("tls_setup", "errored", "probe", "our own CA or client certificate cannot be used"),
    ("no_network", "errored", "probe", "this host has no network"),
    ("internal", "errored", "probe", "a bug in probe"),
]


@pytest.mark.parametrize(("kind", "outcome", "layer", "words"), WAYS_TO_END)
def test_every_way_a_run_can_end(kind: str, outcome: str, layer: str, words: str) -> None:
    """Each kind has its outcome, its layer and its words."""
    failure = Failure.of(kind)
    assert (outcome_of((failure,)), failure.layer, failure.message) == (outcome, layer, words)
    assert failure.ours == (outcome == "errored")


def test_the_table_is_whole() -> None:
    """A kind that is added to the program is added to the table above."""
    assert [way[0] for way in WAYS_TO_END] == list(KINDS)


def test_every_layer_has_a_kind() -> None:
    """No layer is only a word."""
    assert {info.layer for info in KINDS.values()} == set(Layer)


def test_no_failure_is_passed() -> None:
    """Nothing wrong: passed, and nothing decides."""
    assert outcome_of(()) is Outcome.PASSED
    assert deciding_failure(()) is None


def test_our_trouble_outranks_the_targets() -> None:
    """What we could not measure is not blamed on the shop, whatever else was seen."""
    status, died, soft = Failure.of("status"), Failure.of("browser_died"), Failure.of("slow", soft=True)
    assert outcome_of((status, died)) is Outcome.ERRORED
    assert deciding_failure((soft, status)) is status
    assert deciding_failure((soft, status, died)) is died


def test_unknown_kind_is_a_bug() -> None:
    """A kind that is not in the table cannot be made."""
    with pytest.raises(KeyError):
        Failure.of("gremlins")


def test_a_failure_keeps_its_step() -> None:
    """Placing a failure in a step does not move one that has a step."""
    assert Failure.of("status").at("cart").step == "cart"
    assert Failure.of("status", step="product").at("cart").step == "product"
    assert Failure.of("status").at(None).step is None


def test_words_of_a_failure() -> None:
    """Expected and actual are said when both are known."""
    assert str(Failure.of("status", "GET / answered 500", expected="200", actual="500")) == (
        "http: GET / answered 500 (expected 200, got 500)"
    )
    assert str(Failure.of("refused")) == "connect: the connection was refused"


def test_check_failed_says_all() -> None:
    """The exception carries each failure."""
    error = CheckFailed(Failure.of("status"), Failure.of("slow"))
    assert [f.kind for f in error.failures] == ["status", "slow"]
    assert "http: " in str(error)
    assert "timing: " in str(error)


@pytest.mark.parametrize(
    ("kind", "host", "ends_as"),
    [
        ("slow", HostLoad(), "slow"),
        ("slow", HostLoad(cpu=0.99), "host_starved"),
        ("step_slow", HostLoad(loop_lag=3.0), "host_starved"),
        ("element", HostLoad(cpu=0.99), "element"),  # a busy host does not hide a missing button
        ("element", HostLoad(loop_lag=3.0), "host_starved"),  # one that stood still explains it
        ("status", HostLoad(cpu=1.0, loop_lag=9.0), "status"),  # a 500 is a 500
    ],
)
def test_a_starved_host_explains_only_what_it_can(kind: str, host: HostLoad, ends_as: str) -> None:
    """A slow answer on a starved host is ours; what a slow host cannot bring about stays the target's."""
    (failure,) = explain_by_host((Failure.of(kind, step="cart"),), host, took=3.0)
    assert (failure.kind, failure.step) == (ends_as, "cart")
