"""TLS contexts, one per set of files, and what a failed handshake means.

Loading the system's roots costs 31 ms of processor time (perf.md A), so a context is built once and kept; the files
are looked at again after a minute, so that a renewed client certificate is picked up.
"""

import asyncio
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from probe.core.exchange import Certificate
from probe.core.failure import CheckFailed, Failure
from probe.net.certificates import chain_of, read_certificate
from probe.net.threads import threads

RECHECK: Final = 60.0
"""Seconds after which the files of a context are looked at again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """What a TLS client is made from: paths of PEM files. A `ca` stands instead of the system's roots, not beside."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    verify: bool = True


class _Handshake(ssl.SSLObject):
    """An SSL object that keeps, in the error, the certificates that a failed verification saw."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            error.seen = self._seen()  # type: ignore[attr-defined]  # read by `tls_failure`
            raise

    def _seen(self) -> tuple[bytes, ...]:
        try:
            return chain_of(self, verified=True) or chain_of(self, verified=False)
        except (AttributeError, ssl.SSLError, ValueError):  # facts for a message are not worth a second error
            return ()


@dataclass(slots=True)
class _Kept:
    context: ssl.SSLContext
    stamp: tuple[int, ...]
    checked: float


_kept: dict[TlsFiles, _Kept] = {}


async def context_for(files: TlsFiles) -> ssl.SSLContext:
    """The context for these files, shared. `CheckFailed` of kind `tls_setup` (ours) when they cannot be used."""
    kept = _kept.get(files)
    if kept is not None and time.monotonic() - kept.checked < RECHECK:
        return kept.context
    return await threads.run(_renew, files, kept)


def _renew(files: TlsFiles, kept: _Kept | None) -> ssl.SSLContext:
    try:
        stamp = tuple(Path(f).stat().st_mtime_ns for f in (files.ca, files.certificate, files.key) if f)
        if kept is None or kept.stamp != stamp:
            kept = _Kept(_build(files), stamp, 0.0)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        used = ", ".join(f for f in (files.ca, files.certificate, files.key) if f)
        why = error.strerror if not isinstance(error, ssl.SSLError) and isinstance(error, OSError) else str(error)
        raise CheckFailed(
            Failure.of("tls_setup", f"our own CA or client certificate cannot be used: {used}: {why}")
        ) from error
    kept.checked = time.monotonic()
    _kept[files] = kept
    return kept.context


def _build(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files.ca)
    context.sslobject_class = _Handshake
    context.set_alpn_protocols(["http/1.1"])
    # The same answer from every Python: 3.13 turned the first on, which refuses many a private CA that browsers take.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if files.ca is not None:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a `ca` may be an intermediate
        if "-----BEGIN X509 CRL-----" in Path(files.ca).read_text(errors="replace"):
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    if not files.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if files.certificate is not None:
        # Without a password callback OpenSSL would ask for one on the terminal, and wait.
        context.load_cert_chain(files.certificate, files.key, password=lambda: "")
    return context


class HandshakeGate:
    """Lets only a few handshakes compete for our one processor, so that they do not measure each other.

    A handshake that waits for its peer for longer than `hold` seconds does not compete any more and gives its place
    away: servers that never answer cannot hold up the others.
    """

    def __init__(self, places: int = 4, hold: float = 0.05) -> None:
        self._places = asyncio.Semaphore(places)
        self._hold = hold

    async def enter(self) -> "_Place":
        """Wait for a place; leave it with `leave()`."""
        await self._places.acquire()
        return _Place(self._places, self._hold)


class _Place:
    __slots__ = ("_places", "_timer")

    def __init__(self, places: asyncio.Semaphore, hold: float) -> None:
        self._places: asyncio.Semaphore | None = places
        self._timer = asyncio.get_running_loop().call_later(hold, self.leave)

    def leave(self) -> None:
        """Give the place to the next; a second call does nothing."""
        if self._places is not None:
            self._places.release()
            self._places = None
            self._timer.cancel()


# OpenSSL's X509_V_ERR_* (include/openssl/x509_vfy.h) that have a kind of their own; every other is `untrusted`.
_NOT_YET_VALID, _EXPIRED, _REVOKED = 9, 10, 23
_WRONG_HOST: Final = frozenset({62, 63, 64})
_UNTRUSTED: Final = {
    18: "it is self-signed",
    19: "its root is not one we trust",
    20: "no trusted authority signed it, or the server does not send the intermediate certificate",
    21: "the chain is incomplete: the server does not send the intermediate certificate",
}
# Alerts with which a server speaks about *our* certificate (RFC 8446 section 6.2), in OpenSSL's spelling.
_CLIENT_ALERTS: Final = (
    "CERTIFICATE_REQUIRED",
    "BAD_CERTIFICATE",
    "UNSUPPORTED_CERTIFICATE",
    "ALERT_CERTIFICATE",
    "UNKNOWN_CA",
    "ACCESS_DENIED",
)
_NOT_TLS: Final = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")


def tls_failure(error: OSError, peer: str, now: datetime | None = None) -> Failure:
    """What a failed handshake with `peer` (`host:port`), or a TLS alert after it, means. Pure but for the default now."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_failure(error, peer, now or datetime.now(UTC))
    if isinstance(error, ssl.SSLError):
        reason = (getattr(error, "reason", None) or "").upper().replace(" ", "_")
        words = reason.lower().replace("_", " ") or str(error)
        if "ALERT" in reason and any(alert in reason for alert in _CLIENT_ALERTS):
            return Failure.of(
                "client_certificate_refused", f"{peer} refused our client certificate, or wants one: {words}"
            )
        if any(sign in reason for sign in _NOT_TLS):
            return Failure.of("tls_handshake", f"{peer} does not speak TLS on this port ({words})")
        if isinstance(error, ssl.SSLEOFError) or "EOF" in reason:
            return Failure.of("tls_handshake", f"{peer} broke off the TLS handshake")
        return Failure.of("tls_handshake", f"the TLS handshake with {peer} failed: {words}")
    if isinstance(error, ConnectionAbortedError | TimeoutError):
        return Failure.of("tls_timeout", f"the TLS handshake with {peer} did not end in time")
    return Failure.of("tls_handshake", f"{peer} broke off the TLS handshake ({error.strerror or 'closed'})")


def _certificate_failure(error: ssl.SSLCertVerificationError, peer: str, now: datetime) -> Failure:
    chain = tuple(map(read_certificate, getattr(error, "seen", ())))
    leaf = chain[0] if chain else None
    code = error.verify_code
    said = error.verify_message.rstrip(".")
    if code == _EXPIRED:
        bad = next((c for c in chain if c.not_after < now), leaf)
        if bad is None:
            return Failure.of("certificate_expired", f"the certificate of {peer} has expired")
        return Failure.of(
            "certificate_expired",
            f"{_whose(bad, leaf, peer)} expired on {_day(bad.not_after)} ({(now - bad.not_after).days} days ago)",
            expected="a valid certificate",
            actual=f"expired on {_day(bad.not_after)}",
        )
    if code == _NOT_YET_VALID:
        bad = next((c for c in chain if c.not_before > now), leaf)
        since = f" before {_day(bad.not_before)}" if bad else " yet"
        return Failure.of("certificate_not_yet_valid", f"{_whose(bad, leaf, peer)} is not valid{since}")
    if code in _WRONG_HOST:
        names = ", ".join(leaf.names[:5]) or leaf.subject if leaf else "another name"
        return Failure.of(
            "certificate_wrong_host",
            f"the certificate of {peer} is for {names}",
            expected=peer.rpartition(":")[0].strip("[]"),
            actual=names,
        )
    if code == _REVOKED:
        return Failure.of("certificate_revoked", f"{_whose(leaf, leaf, peer)} was revoked")
    issuer = f", issued by {leaf.issuer}" if leaf else ""
    return Failure.of(
        "certificate_untrusted", f"{_whose(leaf, leaf, peer)}{issuer} is not trusted: {_UNTRUSTED.get(code, said)}"
    )


def _whose(certificate: Certificate | None, leaf: Certificate | None, peer: str) -> str:
    if certificate is None:
        return f"the certificate of {peer}"
    if certificate is leaf:
        return f"the certificate of {peer} ({certificate.subject})"
    return f"a certificate in the chain of {peer} ({certificate.subject})"


def _day(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"


def ssl_error_in(error: BaseException | None) -> ssl.SSLError | None:
    """The TLS error inside an exception or its causes, if any: aiohttp wraps them."""
    seen: Any = error
    for _ in range(8):
        if seen is None or isinstance(seen, ssl.SSLError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None
