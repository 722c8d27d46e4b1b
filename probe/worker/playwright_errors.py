"""What Playwright's exceptions say, read from their text: they carry their facts nowhere else. Pure."""

import re
from dataclasses import dataclass
from typing import Final

from probe.core.duration import format_duration
from probe.core.explain import host_and_path
from probe.core.failure import Failure

_NET: Final = re.compile(r"net::(ERR_[A-Z0-9_]+)(?: at (\S+))?")
_TIMEOUT: Final = re.compile(r"Timeout (\d+(?:\.\d+)?)ms exceeded")
_API: Final = re.compile(r"^([A-Z]\w+\.\w+): ")
_WAITING: Final = re.compile(r"^\s*- waiting for (.+?)(?: to be (\w+))?$", re.MULTILINE)
_EXPECT: Final = re.compile(r'- Expect "(\w+)"(?: (.+?))? with timeout (\d+(?:\.\d+)?)ms')
_STRICT: Final = re.compile(r"strict mode violation: (.+?) resolved to (\d+) elements")
_CALL: Final = re.compile(r"(get_by_\w+|locator)\(((?:[^()\"']|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\([^()]*\))*)\)")
_TEXT: Final = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'")
_COVERED: Final = re.compile(r"- (<.+>) (?:from .+ )?intercepts pointer events")

NET_ERRORS: Final[dict[str, tuple[str, str]]] = {
    "ERR_NAME_NOT_RESOLVED": ("name_not_found", "the name does not exist"),
    "ERR_NAME_RESOLUTION_FAILED": ("dns_failed", "the name servers gave no usable answer"),
    "ERR_DNS_TIMED_OUT": ("dns_timeout", "the name was not resolved in time"),
    "ERR_DNS_SERVER_FAILED": ("dns_failed", "the name server answered with an error"),
    "ERR_DNS_MALFORMED_RESPONSE": ("dns_failed", "the name server's answer is malformed"),
    "ERR_CONNECTION_REFUSED": ("refused", "the connection was refused"),
    "ERR_CONNECTION_RESET": ("connection_reset", "the connection was reset"),
    "ERR_CONNECTION_ABORTED": ("connection_reset", "the connection was aborted"),
    "ERR_CONNECTION_CLOSED": ("closed_early", "the connection was closed without an answer"),
    "ERR_CONNECTION_FAILED": ("unreachable", "no connection could be made"),
    "ERR_CONNECTION_TIMED_OUT": ("connect_timeout", "no connection in time"),
    "ERR_TIMED_OUT": ("connect_timeout", "no connection in time"),
    "ERR_ADDRESS_UNREACHABLE": ("unreachable", "no route to the address"),
    "ERR_ADDRESS_INVALID": ("unreachable", "the address is invalid"),
    "ERR_INTERNET_DISCONNECTED": ("no_network", "this host has no network"),
    "ERR_NETWORK_CHANGED": ("no_network", "this host's network changed during the run"),
    "ERR_NETWORK_IO_SUSPENDED": ("no_network", "this host's network is suspended"),
    "ERR_CERT_DATE_INVALID": ("certificate_expired", "the certificate has expired or is not valid yet"),
    "ERR_CERT_COMMON_NAME_INVALID": ("certificate_wrong_host", "the certificate is for another host"),
    "ERR_CERT_AUTHORITY_INVALID": ("certificate_untrusted", "the certificate is not signed by a trusted authority"),
    "ERR_CERT_INVALID": ("certificate_untrusted", "the certificate is invalid"),
    "ERR_CERT_REVOKED": ("certificate_revoked", "the certificate was revoked"),
    "ERR_CERT_WEAK_SIGNATURE_ALGORITHM": ("certificate_untrusted", "the certificate's signature is too weak"),
    "ERR_CERTIFICATE_TRANSPARENCY_REQUIRED": ("certificate_untrusted", "the certificate is in no public log"),
    "ERR_BAD_SSL_CLIENT_AUTH_CERT": ("client_certificate_refused", "the server refused our client certificate"),
    "ERR_SSL_CLIENT_AUTH_CERT_NEEDED": ("client_certificate_refused", "the server wants a client certificate"),
    "ERR_TOO_MANY_REDIRECTS": ("too_many_redirects", "redirected too often"),
    "ERR_INVALID_REDIRECT": ("bad_redirect", "redirected to something that cannot be followed"),
    "ERR_UNSAFE_REDIRECT": ("bad_redirect", "redirected to something that may not be followed"),
    "ERR_EMPTY_RESPONSE": ("closed_early", "the server closed the connection without an answer"),
    "ERR_INVALID_HTTP_RESPONSE": ("http_protocol", "the answer is not valid HTTP"),
    "ERR_INVALID_RESPONSE": ("http_protocol", "the answer is not valid HTTP"),
    "ERR_RESPONSE_HEADERS_TRUNCATED": ("incomplete_body", "the head of the answer broke off"),
    "ERR_RESPONSE_HEADERS_TOO_BIG": ("http_protocol", "the headers of the answer are too large"),
    "ERR_CONTENT_LENGTH_MISMATCH": ("incomplete_body", "the answer broke off"),
    "ERR_INCOMPLETE_CHUNKED_ENCODING": ("incomplete_body", "the answer broke off"),
    "ERR_INVALID_CHUNKED_ENCODING": ("http_protocol", "the answer's chunks are not valid"),
    "ERR_CONTENT_DECODING_FAILED": ("bad_encoding", "the body cannot be decompressed"),
    "ERR_HTTP_RESPONSE_CODE_FAILURE": ("status", "the answer was an error without a body"),
    "ERR_PROXY_CONNECTION_FAILED": ("egress_failed", "our proxy does not answer"),
    "ERR_TUNNEL_CONNECTION_FAILED": ("egress_failed", "our proxy made no connection"),
    "ERR_SOCKS_CONNECTION_FAILED": ("egress_failed", "our SOCKS proxy made no connection"),
    "ERR_SOCKS_CONNECTION_HOST_UNREACHABLE": ("unreachable", "no route to the address"),
    "ERR_PROXY_AUTH_REQUESTED": ("egress_failed", "our proxy wants a password"),
    "ERR_PROXY_AUTH_UNSUPPORTED": ("egress_failed", "our proxy wants a password of a kind nobody knows"),
    "ERR_PROXY_CERTIFICATE_INVALID": ("egress_failed", "our proxy's certificate is invalid"),
    "ERR_OUT_OF_MEMORY": ("browser_died", "our browser ran out of memory"),
    "ERR_INSUFFICIENT_RESOURCES": ("page_memory", "the page asked for more than the browser has"),
    "ERR_INVALID_URL": ("check_bug", "the check went to something that is no address"),
    "ERR_UNKNOWN_URL_SCHEME": ("check_bug", "the check went to an address that no browser understands"),
    "ERR_DISALLOWED_URL_SCHEME": ("check_bug", "the check went to an address that no browser understands"),
    "ERR_UNSAFE_PORT": ("check_bug", "browsers refuse to use this port"),
    "ERR_FILE_NOT_FOUND": ("check_bug", "the check went to a local file"),
    "ERR_ACCESS_DENIED": ("check_bug", "the check went to a local file"),
    "ERR_ABORTED": ("page_load", "the load of the page was broken off"),
    "ERR_FAILED": ("page_load", "the page could not be loaded"),
    "ERR_BLOCKED_BY_CLIENT": ("check_bug", "local files are not for checks"),
    "ERR_BLOCKED_BY_RESPONSE": ("page_load", "the answer forbids to be shown"),
}
"""Chromium's network errors: our kind and words. What is not here is `page_load`, or TLS when its name says SSL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout:
    """An action or a navigation that Playwright gave up: `api` such as `Page.goto`, `seconds` its limit."""

    api: str
    seconds: float
    log: str


def net_error(text: str) -> str | None:
    """The name of the network error in a message, such as `ERR_CONNECTION_REFUSED`."""
    found = _NET.search(text)
    return found[1] if found else None


def net_failure(text: str) -> Failure | None:
    """The failure that a `net::ERR_...` in a message means; `None` when there is none."""
    found = _NET.search(text)
    if found is None:
        return None
    code, url = found[1], found[2]
    kind, words = NET_ERRORS.get(code) or (
        ("tls_handshake", "the TLS handshake failed")
        if "SSL" in code or "TLS" in code or "CERT" in code
        else ("http_protocol", "the answer is not valid HTTP/2 or QUIC")
        if "HTTP2" in code or "QUIC" in code
        else ("page_load", "the page could not be loaded")
    )
    where = f" ({host_and_path(url)})" if url else ""
    return Failure.of(kind, f"{words}{where}: {code}", url=url)


def timeout_of(text: str) -> Timeout | None:
    """What was given up, when the message is that of a timeout."""
    found = _TIMEOUT.search(text)
    if found is None:
        return None
    api = _API.match(text)
    return Timeout(api=api[1] if api else "", seconds=float(found[1]) / 1000, log=text)


def element_words(locator: str) -> str:
    """A locator as Playwright writes it, in words.

    >>> element_words('get_by_role("button", name="Pay")')
    "button 'Pay'"
    >>> element_words('locator("#cart").get_by_text("3 items").first')
    "text '3 items' in #cart (first)"
    """
    calls = list(_CALL.finditer(locator))
    if not calls:
        return locator
    words = " in ".join(_one(c[1], c[2]) for c in reversed(calls))
    rest = locator[calls[-1].end() :]
    which = re.match(r"\.(first|last|nth\((-?\d+)\))", rest)
    if which is None:
        return words
    return f"{words} ({which[1] if which[2] is None else f'number {int(which[2]) + 1}'})"


def _one(call: str, arguments: str) -> str:
    texts = [(m[1] if m[1] is not None else m[2]).replace('\\"', '"') for m in _TEXT.finditer(arguments)]
    first = texts[0] if texts else arguments
    match call.removeprefix("get_by_"):
        case "role":
            return f"{first} {texts[1]!r}" if len(texts) > 1 else first
        case "label" | "placeholder":
            return f"field {first!r}"
        case "alt_text":
            return f"image {first!r}"
        case "test_id":
            return f"test id {first!r}"
        case "text" | "title":
            return f"{call.removeprefix('get_by_')} {first!r}"
        case _:
            return first


def action_failure(timeout: Timeout) -> Failure:
    """The failure of an action whose element did not become ready: which one, what for, and why not."""
    waiting = _WAITING.search(timeout.log)
    after = format_duration(timeout.seconds)
    verb = timeout.api.partition(".")[2].replace("_", " ")
    if waiting is None:
        event = re.search(r'waiting for (?:event )?"?([^"\n]+)', timeout.log)
        what = f"{timeout.api}: {event[1].strip()}" if event else timeout.api
        return Failure.of("element", f"{what} did not come about within {after}", actual="nothing")
    words = element_words(waiting[1])
    state = obstacle(timeout.log)
    wanted = waiting[2] or ("ready" if verb in ("", "wait for", "wait for selector") else f"ready to {verb}")
    return Failure.of("element", f"{words} was not {wanted} within {after}: {state}", expected=wanted, actual=state)


def obstacle(log: str) -> str:
    """Why an element was not ready, from the call log of the action: the last thing that kept it."""
    if "resolved to" not in log:
        return "not found"
    covered = _COVERED.findall(log)
    states = {
        "element is not visible": "hidden",
        "element is not enabled": "disabled",
        "element is not stable": "moving",
        "element is outside of the viewport": "outside of the visible page",
        "element is not editable": "read-only",
        "element was detached from the DOM": "replaced all the time",
    }
    last = max(((log.rfind(said), words) for said, words in states.items()), default=(-1, ""))
    if covered and log.rfind("intercepts pointer events") > last[0]:
        return f"covered by {covered[-1]}"
    return last[1] if last[0] >= 0 else "found, but not ready"


def expect_failure(text: str) -> Failure | None:
    """The failure of Playwright's `expect`, from its message; `None` when the message is not of that shape."""
    call = _EXPECT.search(text)
    if call is None or "Call log:" not in text:
        return None
    method = call[1].replace("_", " ")
    headline, _, rest = text.partition("\n")
    actual = re.search(r"^Actual value: ?(.*)$", rest, re.MULTILINE)
    got = actual[1].strip() if actual else ""
    waiting = _WAITING.search(text)
    locator = call[2] or (waiting[1] if waiting else "")
    words = element_words(locator) if locator else "page"
    missing = "element(s) not found" in text or (got == "None" and waiting is not None and "resolved to" not in text)
    strict = _STRICT.search(text)
    shown = f"{strict[2]} elements match" if strict else "not found" if missing else got or "(empty)"
    quoted = re.search(r"expected (?:not )?to (?:[a-z ]+?) ('.*')$", headline)
    own_words = not re.match(r"(Locator|Page \w+|APIResponse|Response) expected ", headline)
    expected = f"{method.removeprefix('to ')} {quoted[1]}" if quoted else method.removeprefix("to ")
    said = headline if own_words else f"{words} is expected {method}{f' {quoted[1]}' if quoted else ''}"
    after = format_duration(float(call[3]) / 1000)
    return Failure.of("element", f"{said}; after {after}: {shown}", expected=expected, actual=shown)


def strict_failure(text: str) -> Failure | None:
    """The failure of a locator that matches several elements."""
    strict = _STRICT.search(text)
    if strict is None:
        return None
    words = element_words(strict[1])
    return Failure.of(
        "element",
        f"{words} is ambiguous: {strict[2]} elements match",
        expected="1 element",
        actual=f"{strict[2]} elements",
    )
