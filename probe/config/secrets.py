"""`${env:NAME}` and `${file:PATH}` in the strings of a config, and which values must not be shown afterwards."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from probe.config.findings import Findings
from probe.config.lines import KeyPath
from probe.core.secret import SECRET_HEADERS, Secret, url_secrets

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{(?P<name>[^{}]*)\}|\$\{")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_NAME: Final = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|TOKEN|SECRET|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIAL", re.IGNORECASE
)
_SECRET_HEADER: Final = re.compile(r"auth|token|secret|password|api-?key|cookie|credential|session", re.IGNORECASE)
_SHORTEST_ENVIRONMENT: Final = 6
"""A variable named `…_TOKEN` that holds less is a flag or a number, and masking it would ruin the output."""

_SHORT_TOKEN: Final = 8
"""Characters from which a part of an address that holds a digit is taken for a key, not for a word."""
_LONG_TOKEN: Final = 20
"""Characters from which it is in any case."""

_FORMS: Final = "write ${env:NAME}, ${file:PATH}, or $${ for a plain ${"
_PLAIN: Final = {
    ("probe", "region"),
    ("probe", "data"),
    ("probe", "checks"),
    ("browser", "executable"),
    ("fleet", "role"),
    ("fleet", "node"),
    ("fleet", "evidence"),
}
"""Keys whose value from the environment names a place, and would ruin every output if it were masked."""


class Interpolator:
    """Replaces the references in the strings of a TOML document and remembers what it put there.

    `secrets` grows with every value that was put in. A file is always secret; a variable is, except where the key
    names a place (the region, a folder, the address of a target, of which only credentials and query are secret).
    """

    def __init__(self, environ: Mapping[str, str], folder: Path, findings: Findings) -> None:
        self.secrets: list[Secret] = []
        self._environ = environ
        self._folder = folder
        self._findings = findings

    def fill(self, value: Any, path: KeyPath = ()) -> Any:
        """`value` with the references of all strings inside it replaced; what cannot be is reported and left out."""
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, dict):
            return {key: self.fill(v, (*path, key)) for key, v in value.items()}
        if isinstance(value, list):
            return [self.fill(v, (*path, index)) for index, v in enumerate(value)]
        return value

    def _text(self, text: str, path: KeyPath) -> str:
        pieces: list[str] = []

        def put(found: re.Match[str]) -> str:
            if found[0] == "$${":
                return "${"
            if found["name"] is None:
                self._findings.error(path, "a ${ is not closed", _FORMS)
                return found[0]
            return self._value(found["name"], path, pieces)

        before = self._findings.count
        filled = _REFERENCE.sub(put, text)
        if self._findings.count > before:
            self._findings.unusable.add(path)
        self.secrets.extend(secret for piece in pieces for secret in _secret_parts(piece, filled, path))
        return filled

    def _value(self, reference: str, path: KeyPath, pieces: list[str]) -> str:
        """What a reference stands for. What may turn out to be a mere place goes to `pieces`."""
        source, _, name = reference.partition(":")
        value: str | None = None
        if source == "env" and _NAME.fullmatch(name):
            value = self._variable(name, path)
        elif source == "file" and name:
            value = self._file(name, path)
        else:
            self._findings.error(path, f"${{{reference}}} is not a reference", _FORMS)
        self._findings.tainted.add(path)
        if value is None:
            return ""
        if source == "env" and not _SECRET_NAME.search(name):
            pieces.append(value)
        else:
            self.secrets.append(Secret(value))
        return value

    def _variable(self, name: str, path: KeyPath) -> str | None:
        value = self._environ.get(name)
        if not value:
            word = "not set" if value is None else "empty"
            self._findings.error(path, f"the environment variable {name} is {word}", f"set it: export {name}=…")
            return None
        return value

    def _file(self, name: str, path: KeyPath) -> str | None:
        try:
            value = (
                (self._folder / Path(name).expanduser())
                .read_text(encoding="utf-8")
                .removesuffix("\n")
                .removesuffix("\r")
            )
        except (OSError, ValueError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            self._findings.error(
                path,
                f"cannot read the file {name!r}: {reason}",
                "a relative path starts at the folder of the config file",
            )
            return None
        if not value:
            self._findings.error(path, f"the file {name!r} is empty")
        return value


def _secret_parts(piece: str, filled: str, path: KeyPath) -> Iterator[Secret]:
    """What of a variable's value is secret: all of it, unless its key names a place."""
    if path[:2] in _PLAIN:
        return
    if is_target_url(path):
        if "://" in piece:
            yield from _address_secrets(piece)
            return
        if piece in _host_and_port(filled).rpartition("@")[2]:
            return
    yield Secret(piece)


def is_target_url(path: KeyPath) -> bool:
    """Whether the address of a target stands at `path`, for all regions or for one."""
    inner = path[2:] if path[:1] == ("regions",) else path
    return len(inner) == 3 and inner[0] == "targets" and inner[2] == "url"


def _host_and_port(url: str) -> str:
    """The network location of a URL; "" when it is none."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _address_secrets(url: str) -> Iterator[Secret]:
    """The parts of a URL that are not for showing: the password, or a user that stands alone, and query values."""
    try:
        yield from url_secrets(url)
        parts = urlsplit(url)
    except ValueError:
        yield Secret(url)
        return
    if parts.username and parts.password is None:
        yield Secret(parts.username)
    for _, value in parse_qsl(parts.query):
        yield Secret(value)


def environment_secrets(environ: Mapping[str, str]) -> Iterator[Secret]:
    """Values of variables whose name says that they are secret, whether the config names them or not."""
    for name, value in environ.items():
        if len(value) >= _SHORTEST_ENVIRONMENT and _SECRET_NAME.search(name):
            yield Secret(value)


def literal_secrets(document: Mapping[str, Any]) -> Iterator[Secret]:
    """Values written into the config itself that are secret by their place: passwords of URLs, sensitive headers,
    values named like a secret in what a check sends, everything under `targets.*.secrets`, where alerts go, what people
    log in with. Looks at the raw document, which may be wrong in every other way.
    """
    for path, text in _strings(document, ()):
        yield from _secrets_at(path, text)


def _secrets_at(path: KeyPath, text: str) -> Iterator[Secret]:
    match path:
        case ("targets", _, "secrets", *_):
            yield Secret(text)
        case ("web", "users", _, "password") | ("web", "tokens", _, "secret") | ("web", "oidc", "client_secret"):
            yield Secret(text)
        case ("channels", _, "url" | "urls" | "key", *_) | ("probe", "heartbeat_url"):
            yield Secret(text)
            yield from _tokens(text)
        case ("targets" | "check" | "regions", _, "headers", str(name), *_) | (
            "regions",
            _,
            "targets",
            _,
            "headers",
            str(name),
            *_,
        ):
            if is_secret_header(name):
                yield Secret(text)
                yield from _credentials(text)
        case ("check", _, "json" | "form", *_) if _SECRET_NAME.search(str(path[-1])):
            yield Secret(text)
        case ("check", _, "path"):
            yield from (Secret(value) for name, value in parse_qsl(text.partition("?")[2]) if _SECRET_NAME.search(name))
        case _ if "://" in text:
            try:
                yield from url_secrets(text)
            except ValueError:  # not a URL after all
                return


_FILLED: Final = "\ue000"
"""Stands for a reference: a private character that nobody writes."""


def written_secrets(document: Mapping[str, Any]) -> Iterator[KeyPath]:
    """The keys at which a secret itself is written, not where it is to be had. An alert's address is one if it holds a key.

    `Bearer ${env:TOKEN}` is none.
    """
    for path, text in _strings(document, ()):
        marked = _REFERENCE.sub(lambda found: "$${" if found["name"] is None else _FILLED, text)
        places = {"", *((marked, _host(marked)) if path[:1] == ("channels",) and path[2:3] != ("key",) else ())}
        found = (secret.reveal() for secret in _secrets_at(path, marked))
        if any(_FILLED not in value and value not in places for value in found):
            yield path


def _host(url: str) -> str:
    """The host that an address leads to, when it is one for sure: in `slack://TOKEN/…` a token stands there."""
    place = _host_and_port(url).rpartition("@")[2].partition(":")[0]
    return place if "." in place else ""


def files_from(text: str, folder: Path) -> str:
    """`text` with the relative paths in it that `${file:PATH}` names beginning at `folder`."""

    def put(found: re.Match[str]) -> str:
        source, _, name = (found["name"] or "").partition(":")
        return f"${{file:{folder / Path(name).expanduser()}}}" if source == "file" and name else found[0]

    return _REFERENCE.sub(put, text)


def hidden_keys(document: Mapping[str, Any]) -> Iterator[KeyPath]:
    """The keys whose whole value no message may quote: where alerts go, what signs them, and what people log in with."""
    channels = document.get("channels")
    for name in channels if isinstance(channels, dict) else ():
        yield from (("channels", name, key) for key in ("url", "urls", "key"))
    yield ("probe", "heartbeat_url")
    web = document.get("web")
    for kind, key in (("users", "password"), ("tokens", "secret")):
        named = web.get(kind) if isinstance(web, dict) else None
        yield from (("web", kind, name, key) for name in (named if isinstance(named, dict) else ()))
    yield ("web", "oidc", "client_secret")
    store = document.get("store")
    if isinstance(store, dict) and "://" in str(store.get("url")):
        yield ("store", "url")


def _tokens(url: str) -> Iterator[Secret]:
    """The parts of a channel's address that look like keys: a service may repeat them alone in what it answers.

    Hosts of the web are left alone; in `slack://TOKEN/…` the token stands where a host would.
    """
    try:
        yield from url_secrets(url)
    except ValueError:
        return
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    parts = re.split(r"[/?#&=:@,;]", path if scheme in ("http", "https") and "@" not in place else place + slash + path)
    for part in parts:
        if len(part) >= _LONG_TOKEN or (len(part) >= _SHORT_TOKEN and re.search(r"\d", part)):
            yield from (Secret(form) for form in dict.fromkeys((part, unquote(part))))


def is_secret_header(name: str) -> bool:
    """Whether a header of that name carries a secret.

    >>> is_secret_header("X-Session-Token"), is_secret_header("Accept")
    (True, False)
    """
    return name.lower() in SECRET_HEADERS or _SECRET_HEADER.search(name) is not None


def _credentials(header: str) -> Iterator[Secret]:
    """`Bearer abc` is secret for its `abc`, which may turn up alone."""
    scheme, _, rest = header.partition(" ")
    if rest and scheme.isalpha():
        yield Secret(rest.strip())


def _strings(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _strings(inner, (*path, index))
