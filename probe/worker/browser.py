"""Which browser is started, and with which flags. `python -m probe.worker.browser` says which one would be."""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from probe.core.failure import Failure
from probe.core.target import BrowserKind, BrowserSettings
from probe.errors import ProberUnavailable

ENVIRONMENT: Final = "PROBE_CHROMIUM"
"""Environment variable that names the browser's executable."""

_SHELLS: Final = ("chromium-headless-shell", "/usr/lib/chromium/chromium-headless-shell", "chrome-headless-shell")
_CHROMIUMS: Final = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")

INSTALL: Final = (
    "run `make setup`, or `apt-get install chromium-headless-shell`, or "
    "`playwright install --with-deps --only-shell chromium`; or name an executable in the config ([browser] executable) "
    f"or in {ENVIRONMENT}"
)

# What Playwright itself switches off: the last --disable-features wins, so its own list is repeated here.
_PLAYWRIGHT_OFF: Final = (
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,"
    "LensOverlay,MediaRouter,PaintHolding,ThirdPartyStoragePartitioning,AvoidCorsURLLoaderRestartOnRedirect,"
    "OptimizationHints,NetworkTimeServiceQuerying,AimEnabled,PreconnectToSearch"
)

_FLAGS: Final = (
    "--disable-gpu",
    "--disable-quic",  # the journey is measured over what the HTTP checks use, too
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Full Chromium opens two hidden pages of its own for the address bar in every window: 38 % of its CPU time (perf.md B).
_FULL_FLAGS: Final = (f"--disable-features={_PLAYWRIGHT_OFF},WebUIOmniboxPopup,WebUIOmniboxAimPopup",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Executable:
    """A browser that can be started."""

    path: str
    shell: bool
    """Whether it is the headless shell rather than the full browser."""

    @property
    def flags(self) -> tuple[str, ...]:
        """The command line flags it is started with."""
        return _FLAGS if self.shell else _FLAGS + _FULL_FLAGS

    @property
    def sandbox(self) -> bool:
        """Whether Chromium's sandbox is on: for everybody but root, whom it refuses."""
        return os.geteuid() != 0


def find_browser(
    kind: BrowserKind, settings: BrowserSettings | None = None, environment: Mapping[str, str] = os.environ
) -> Executable:
    """The browser for journeys of `kind`: named in the config, else in `PROBE_CHROMIUM`, else found on this machine.

    Raises `ProberUnavailable` (`browser_missing`) with what to install.
    """
    named = (settings.executable if settings else None) or environment.get(ENVIRONMENT)
    if named:
        path = shutil.which(named)
        if path is None:
            raise _missing(f"{named!r}, which the config or {ENVIRONMENT} names, is not an executable file")
        return Executable(path=path, shell="headless-shell" in Path(path).name)
    names = (_SHELLS + _CHROMIUMS) if kind is BrowserKind.HEADLESS_SHELL else _CHROMIUMS
    for name in names:
        path = shutil.which(name, path=environment.get("PATH"))
        if path is not None:
            return Executable(path=path, shell=name in _SHELLS)
    own = _playwrights_own(kind, environment)
    if own is not None:
        return own
    raise _missing(f"no browser was found for {kind.value} journeys")


def _playwrights_own(kind: BrowserKind, environment: Mapping[str, str]) -> Executable | None:
    """What `playwright install` put into its cache: the newest revision."""
    home = environment.get("HOME") or str(Path.home())
    base = Path(environment.get("PLAYWRIGHT_BROWSERS_PATH") or Path(home) / ".cache" / "ms-playwright")
    patterns = [("chromium-*/chrome-linux*/chrome", False)]
    if kind is BrowserKind.HEADLESS_SHELL:
        patterns.insert(0, ("chromium_headless_shell-*/*/*headless*shell", True))
    for pattern, shell in patterns:
        found = sorted((p for p in base.glob(pattern) if os.access(p, os.X_OK)), key=lambda p: p.stat().st_mtime)
        if found:
            return Executable(path=str(found[-1]), shell=shell)
    return None


def _missing(why: str) -> ProberUnavailable:
    return ProberUnavailable(Failure.of("browser_missing", f"{why}: {INSTALL}"))


def main() -> int:
    """Print the executable that journeys get, or what to install; 1 when there is none."""
    try:
        print(find_browser(BrowserKind.HEADLESS_SHELL).path)  # noqa: T201  # its output is what it is for
    except ProberUnavailable as unavailable:
        print(unavailable, file=sys.stderr)  # noqa: T201  # see above
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
