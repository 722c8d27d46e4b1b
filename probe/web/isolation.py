"""The origin of the trace viewer: another name that leads here, where nobody is logged in and nothing else is answered.

A browser keeps cookies and storage by the name of the host. Beside `localhost` or `127.0.0.1` there is `trace.localhost`, which
browsers lead to this machine by themselves; elsewhere it is what the configuration says (`[web] trace_url`). The gate
(probe/web/access/gate.py) answers nothing else there, and nothing of the viewer anywhere else.
"""

from typing import Final
from urllib.parse import SplitResult, urlsplit

from probe.core.access import WebSettings

INSIDE: Final = "/trace/"
"""What the paths on that origin begin with."""
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
LOCAL: Final = "trace.localhost"
"""The viewer's name on this machine."""
PORTS: Final = {"http": 80, "https": 443}


def isolated_origin(host: str, settings: WebSettings) -> str | None:
    """Where the viewer is for whoever reached us as `host`; `None`: there is no such place, and one must be configured.

    >>> isolated_origin("127.0.0.1:9700", WebSettings())
    'http://trace.localhost:9700'
    >>> isolated_origin("ops.example", WebSettings(trace_url="https://traces.example/"))
    'https://traces.example'
    >>> isolated_origin("ops.example", WebSettings()) is None
    True
    """
    if settings.trace_url is not None:
        return settings.trace_url.rstrip("/")
    asked = _split(f"http://{host}")
    if asked is None or asked.hostname not in LOOPBACK:
        return None
    return f"http://{LOCAL}" + (f":{asked.port}" if asked.port is not None else "")


def is_isolated(host: str, settings: WebSettings) -> bool:
    """Whether a request for this `Host` is one to the viewer's origin.

    >>> is_isolated("trace.localhost:9700", WebSettings()), is_isolated("localhost:9700", WebSettings())
    (True, False)
    >>> is_isolated("Traces.example:443", WebSettings(trace_url="https://traces.example"))
    True
    """
    asked = _split(f"http://{host}")
    if asked is None:
        return False
    if settings.trace_url is None:
        return asked.hostname == LOCAL
    own = urlsplit(settings.trace_url)
    default = PORTS.get(own.scheme)
    return (asked.hostname, asked.port or default) == (own.hostname, own.port or default)


def _split(address: str) -> SplitResult | None:
    """An address taken apart; `None`: it is none."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    return parts
