"""Where the shop listens: a block of ports beginning at one number. Light, so that the command line may import it."""

from typing import Final

DEFAULT_PORT: Final = 8900
PANEL_OFFSET: Final = 6

LOOPBACK: Final = "127.0.0.1"

BLOCK: Final[dict[str, int]] = {
    "http": 0,
    "https": 1,
    "cdn": 2,
    "payment": 3,
    "third-party": 4,
    "dns": 5,
    "panel": PANEL_OFFSET,
}
"""Service → offset from the first port. Every other service takes any free port."""


def shop_url(port: int = DEFAULT_PORT) -> str:
    """The shop that was started at `port`."""
    return f"http://{LOOPBACK}:{port}"


def panel_url(port: int = DEFAULT_PORT) -> str:
    """The fault panel of the shop that was started at `port`."""
    return f"http://{LOOPBACK}:{port + PANEL_OFFSET}"
