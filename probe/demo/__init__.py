"""The demo shop: a small web shop of several processes and services on loopback, with faults to switch on and off.

It is what `probe demo` watches, and what the test-suite measures against. Import `probe.demo.shop` to run one,
`probe.demo.remote` to talk to one that runs (standard library only), `probe.demo.ports` for its default port.
"""

from pathlib import Path


def checks_folder() -> Path:
    """The folder of the example checks: the repository's `checks/`, or the copy that an installed wheel carries."""
    here = Path(__file__).parent
    repository = here.parent.parent / "checks"
    return repository if (repository / "shop.toml").is_file() else here / "checks"
