"""Where a fleet's database is: the URL taken apart, as libpq would read it, and the TLS that it asks for."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from probe.core.secret import Redactor, Secret
from probe.errors import StoreUnavailable

SCHEMES: Final = frozenset({"postgresql", "postgres"})
MODES: Final = ("disable", "prefer", "require", "verify-ca", "verify-full")
"""What `sslmode` may be, from no TLS at all to a certificate that is checked with its name."""
FILES: Final = ("sslrootcert", "sslcert", "sslkey")
WRITABLE: Final = frozenset({"any", "read-write", "primary"})
"""What `target_session_attrs` may be: all mean the same here, since a fleet can only use a server that takes writes."""
SYSTEM: Final = "system"
"""The value of `sslrootcert` that means the authorities that the system trusts."""
PORT: Final = 5432


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One database, on whichever of its hosts takes writes.

    A host that begins with `/` is the folder of a Unix socket. Paths of certificates are as they were written.
    """

    hosts: tuple[tuple[str, int], ...]
    user: str
    password: Secret
    database: str
    sslmode: str = "prefer"
    sslrootcert: str | None = None
    sslcert: str | None = None
    sslkey: str | None = None

    def __str__(self) -> str:
        """The database for messages: without user and password.

        >>> str(parse_address(Secret("postgresql://ann:secret@db1,db2:5433/probe")))
        'db1:5432,db2:5433/probe'
        """
        return ",".join(_spoken(host, port) for host, port in self.hosts) + f"/{self.database}"

    def hide(self, words: str) -> str:
        """What somebody else said, without the password."""
        return Redactor([self.password]).text(words)

    @property
    def is_verified(self) -> bool:
        """Whether it is made sure, by certificate and name, that it is the database that answers."""
        return self.sslmode == "verify-full" or all(host.startswith("/") for host, _ in self.hosts)

    def tls(self) -> ssl.SSLContext | None:
        """What to speak TLS with; `None`: not at all. Reads files: blocks. `StoreUnavailable`, lasting, when it cannot.

        As with libpq, `require` with `sslrootcert` verifies the certificate. Without `sslrootcert` those who the system
        trusts may vouch for it.
        """
        if self.sslmode == "disable":
            return None
        verifies = self.sslmode.startswith("verify") or (self.sslmode == "require" and self.sslrootcert is not None)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = self.sslmode == "verify-full"
        try:
            if not verifies:
                context.verify_mode = ssl.CERT_NONE
            elif self.sslrootcert in {None, SYSTEM}:
                context.load_default_certs()
            else:
                context.load_verify_locations(cafile=self.sslrootcert)
            if self.sslcert:
                context.load_cert_chain(self.sslcert, self.sslkey, password="")
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            files = ", ".join(file for file in (self.sslrootcert, self.sslcert, self.sslkey) if file)
            said = getattr(error, "strerror", None) or error
            raise StoreUnavailable(
                f"the certificates of the database cannot be read ({files}): {said}", lasting=True
            ) from None
        return context


def _spoken(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_address(url: Secret) -> Address:
    """Take a URL apart. `StoreUnavailable`, lasting, says what is wrong with it, and never what the password is.

    `postgresql://user:password@host:port,host:port/database?sslmode=verify-full&sslrootcert=/etc/probe/ca.pem`
    """
    text = url.reveal()
    try:
        parts = urlsplit(text)
        asked = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise _wrong("it cannot be read: are special characters in the password written as %XX?") from None
    if parts.scheme not in SCHEMES:
        raise _wrong("it must begin with postgresql://")
    credentials, _, places = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    hosts = _hosts(asked.pop("host", "") or unquote(places))
    database = unquote(parts.path.removeprefix("/")) or unquote(user)
    mode = asked.pop("sslmode", "prefer")
    target = asked.pop("target_session_attrs", "read-write")
    asked.pop("application_name", None)  # ours says which node it is
    asked.pop("connect_timeout", None)  # ours is shorter
    files = {name: asked.pop(name) for name in FILES if name in asked}
    if not user:
        raise _wrong("it names no user: postgresql://USER:PASSWORD@HOST/DATABASE")
    if parts.fragment or "/" in database:
        raise _wrong("it cannot be read: are special characters in the password written as %XX?")
    if mode not in MODES:
        raise _wrong(f"sslmode must be one of {', '.join(MODES)}")
    if target not in WRITABLE:
        raise _wrong("target_session_attrs must be read-write: a fleet writes")
    if asked:
        known = ", ".join(("sslmode", *FILES, "target_session_attrs", "host"))
        raise _wrong(f"{', '.join(sorted(asked))} is not known; known are {known}")
    missing = [name for name, file in files.items() if not file]
    if missing or ("sslkey" in files and "sslcert" not in files):
        raise _wrong(f"{(missing or ['sslcert'])[0]} names no file")
    if mode == "verify-full" and any(host.startswith("/") for host, _ in hosts):
        raise _wrong("a Unix socket has no certificate to verify")
    return Address(
        hosts=hosts,
        user=unquote(user),
        password=Secret(unquote(password)),
        database=database,
        sslmode=mode,
        sslrootcert=_path(files.get("sslrootcert")),
        sslcert=_path(files.get("sslcert")),
        sslkey=_path(files.get("sslkey")),
    )


def _path(written: str | None) -> str | None:
    return str(Path(written).expanduser()) if written and written != SYSTEM else written


def _hosts(text: str) -> tuple[tuple[str, int], ...]:
    found = []
    for one in text.split(","):
        if one.startswith("/"):
            host, port = one, ""
        elif one.startswith("["):
            host, _, port = one[1:].partition("]")
            port = port.removeprefix(":")
        else:
            host, _, port = one.partition(":")
        if not host:
            raise _wrong("it names no host: postgresql://USER:PASSWORD@HOST/DATABASE")
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise _wrong("a port must be a number up to 65535; are special characters in the password written as %XX?")
        found.append((host, int(port) if port else PORT))
    return tuple(found)


def _wrong(words: str) -> StoreUnavailable:
    return StoreUnavailable(f"the URL of the database cannot be used: {words}", lasting=True)


def url_for(url: Secret, user: str, password: Secret | None) -> Secret:
    """The same database for another role; without a password where none is known.

    >>> url_for(Secret("postgresql://ann:old@db1,db2/probe?sslmode=verify-full"), "bob", Secret("n/w")).reveal()
    'postgresql://bob:n%2Fw@db1,db2/probe?sslmode=verify-full'
    """
    scheme, _, rest = url.reveal().partition("://")
    authority, slash, path = rest.partition("/")
    hosts = authority.rpartition("@")[2]
    word = "" if password is None else f":{quote(password.reveal(), safe='')}"
    return Secret(f"{scheme}://{quote(user, safe='')}{word}@{hosts}{slash}{path}")
