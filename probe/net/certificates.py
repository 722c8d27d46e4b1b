"""Certificates as a person needs them, and the chains of a TLS session.

Python 3.11 and 3.12 give the chains only through the private `_sslobj`; 3.13 made it public
(https://docs.python.org/3/library/ssl.html#ssl.SSLSocket.get_verified_chain). A contract test holds both.
"""

import hashlib
import ssl
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from probe.core.exchange import Certificate, Tls

_DER: Final = 2
"""`_ssl.ENCODING_DER`."""


def session_of(connection: ssl.SSLObject, *, verified: bool) -> Tls:
    """What one TLS session is, with its chains; `verified` says whether the chain was checked at all."""
    cipher = connection.cipher()
    return _session(
        connection.version() or "?",
        cipher[0] if cipher else "?",
        chain_of(connection, verified=False),
        chain_of(connection, verified=True) if verified else (),
    )


@lru_cache(maxsize=512)  # the same few servers again and again: the chains are read from bytes once
def _session(version: str, cipher: str, presented: tuple[bytes, ...], verified: tuple[bytes, ...]) -> Tls:
    return Tls(
        version=version,
        cipher=cipher,
        presented=tuple(map(read_certificate, presented)),
        verified=tuple(map(read_certificate, verified)),
    )


def chain_of(connection: Any, *, verified: bool) -> tuple[bytes, ...]:
    """The presented or the verified chain of an `SSLObject` or `SSLSocket`, leaf first, as DER."""
    name = "get_verified_chain" if verified else "get_unverified_chain"
    if hasattr(connection, name):  # Python 3.13
        return tuple(getattr(connection, name)() or ())
    chain = getattr(connection._sslobj, name)()  # the only way before 3.13
    return tuple(certificate.public_bytes(_DER) for certificate in chain or ())


@lru_cache(maxsize=1024)
def read_certificate(der: bytes) -> Certificate:
    """One certificate, parsed. A certificate that cannot be parsed is given with empty names and the widest times."""
    # Not at the top: 40 ms that plain HTTP need not spend.
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    sha256 = hashlib.sha256(der).hexdigest()
    try:
        parsed = x509.load_der_x509_certificate(der)

        def short(name: x509.Name) -> str:
            common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
            return str(common[0].value) if common else name.rfc4514_string()

        try:
            alternative = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            names = (
                *alternative.get_values_for_type(x509.DNSName),
                *map(str, alternative.get_values_for_type(x509.IPAddress)),
            )
        except x509.ExtensionNotFound:
            names = ()
        return Certificate(
            subject=short(parsed.subject),
            issuer=short(parsed.issuer),
            names=names,
            not_before=parsed.not_valid_before_utc,
            not_after=parsed.not_valid_after_utc,
            sha256=sha256,
        )
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):  # OpenSSL is more lenient
        earliest, latest = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        return Certificate(
            subject="(unreadable)",
            issuer="(unreadable)",
            names=(),
            not_before=earliest,
            not_after=latest,
            sha256=sha256,
        )
