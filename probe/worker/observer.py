"""Listens to a browser context: requests, console, page errors, crashes. Cheap: no routing, nothing asked per event."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from probe.core.explain import Party, Wire, party_of
from probe.core.run import ConsoleLine, PageRequest, ThirdParty, Vitals
from probe.core.secret import without_credentials
from probe.core.sensitive import without_sensitive
from probe.core.target import Target

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, ConsoleMessage, Page, Request, Response, WebError

MOST_REQUESTS: Final = 2000
"""Requests of one run that are kept; a page that polls for ever shall not fill our memory."""
MOST_LINES: Final = 500
LONGEST_LINE: Final = 2000

VITALS_PREFIX: Final = "\u2063probe-vitals:"
"""How our script in the page says what it measured: a console line that nobody else writes."""


@dataclass(slots=True, eq=False)
class Seen:
    """One request, and what became of it. Times are `time.monotonic()`."""

    request: "Request"
    method: str
    url: str
    resource: str
    main: bool
    party: Party
    began: float
    step: str | None
    wall: float
    ended: float | None = None
    status: int | None = None
    error: str | None = None
    response: "Response | None" = None

    def wire(self, now: float) -> Wire:
        """The facts for an explanation."""
        return Wire(
            method=self.method,
            url=without_credentials(self.url),
            party=self.party,
            resource=self.resource,
            main=self.main,
            status=self.status,
            error=self.error,
            seconds=(self.ended or now) - self.began,
            done=self.ended is not None,
        )


Report: TypeAlias = Callable[[ConsoleLine | PageRequest], None]


@dataclass  # without slots: Playwright notes its handlers on the object they belong to
class Observer:
    """What the pages of one context did. `step` gives the name of the present step."""

    target: Target
    step: Callable[[], str | None]
    report: Report
    clean: Callable[[str], str] = str
    """Takes secrets out of a text before it is cut: half a secret would not be found later."""
    lean: bool = False
    """Whether nothing but failures is of interest: neither console nor vitals, and requests until their answer begins."""
    requests: dict["Request", Seen] = field(default_factory=dict)
    console: list[ConsoleLine] = field(default_factory=list)
    errors: list[tuple[float, str]] = field(default_factory=list)
    vitals: dict[str, Vitals] = field(default_factory=dict)
    crashed: list["Page"] = field(default_factory=list)
    failed: list[PageRequest] = field(default_factory=list)
    dropped: int = 0
    _parties: dict[str, Party] = field(default_factory=dict)

    def attach(self, context: "BrowserContext") -> None:
        """Listen from now on, also to pages that open later. `lean`: only to what explains failures."""
        context.on("request", self._on_request)
        context.on("response", self._on_response)
        context.on("requestfailed", self._on_failed)
        context.on("weberror", self._on_error)
        context.on("page", self._on_page)
        if not self.lean:
            context.on("requestfinished", self._on_finished)
            context.on("console", self._on_console)

    def _on_page(self, page: "Page") -> None:
        page.on("crash", self._on_crash)

    def _on_crash(self, page: "Page") -> None:
        self.crashed.append(page)

    def _on_request(self, request: "Request") -> None:
        if len(self.requests) >= MOST_REQUESTS:
            self.dropped += 1
            return
        url = request.url
        if url.startswith(("data:", "blob:")):
            return
        resource = request.resource_type
        self.requests[request] = Seen(
            request=request,
            method=request.method,
            url=url,
            resource=resource,
            main=resource == "document" and _is_main(request),
            party=self._party(url),
            began=time.monotonic(),
            wall=time.time(),
            step=self.step(),
        )

    def _party(self, url: str) -> Party:
        origin = "/".join(url.split("/", 3)[:3])
        party = self._parties.get(origin)
        if party is None:
            party = self._parties[origin] = party_of(url, self.target)
        return party

    def _on_response(self, response: "Response") -> None:
        seen = self.requests.get(response.request)
        if seen is not None:
            seen.response = response
            seen.status = response.status
            if self.lean:
                seen.ended = time.monotonic()
            if seen.status >= 400:
                self._note_failed(seen)

    def _on_finished(self, request: "Request") -> None:
        seen = self.requests.get(request)
        if seen is not None:
            seen.ended = time.monotonic()

    def _on_failed(self, request: "Request") -> None:
        seen = self.requests.get(request)
        if seen is not None:
            seen.ended = time.monotonic()
            seen.error = request.failure or "failed"
            if seen.wire(seen.ended).bad and (seen.status or 0) < 400:
                self._note_failed(seen)

    def _note_failed(self, seen: Seen) -> None:
        request = PageRequest(
            method=seen.method,
            url=without_sensitive(without_credentials(seen.url)),
            status=seen.status,
            error=seen.error,
            third_party=seen.party is not Party.OWN,
            step=seen.step,
        )
        self.failed.append(request)
        self.report(request)

    def _on_console(self, message: "ConsoleMessage") -> None:
        text = message.text
        if text.startswith(VITALS_PREFIX):
            self.measured(text.removeprefix(VITALS_PREFIX))
        else:
            self._line(message.type, text, str(message.location.get("url", "")))

    def _on_error(self, error: "WebError") -> None:
        raised = error.error
        name = raised.name or ""
        text = raised.message if not name or raised.message.startswith(name) else f"{name}: {raised.message}"
        self.errors.append((time.monotonic(), text))
        page = error.page
        self._line("error", f"uncaught: {text}", page.url if page is not None else "")

    def _line(self, level: str, text: str, url: str) -> None:
        if len(self.console) >= MOST_LINES:
            return
        line = ConsoleLine(
            level=level,
            text=without_sensitive(self.clean(text))[:LONGEST_LINE],
            url=without_sensitive(without_credentials(url)),
            step=self.step(),
        )
        self.console.append(line)
        if level == "error":
            self.report(line)

    def measured(self, text: str) -> None:
        """Note the web vitals that the page's script gives as JSON. A page may write nonsense: it is left out."""
        try:
            data = json.loads(text)
            url = without_credentials(str(data["url"]))[:LONGEST_LINE]
            values = {k: float(data[k]) for k in ("ttfb", "fcp", "lcp", "cls", "inp") if data.get(k) is not None}
        except (ValueError, TypeError, KeyError, AttributeError):
            return
        if len(self.vitals) < MOST_LINES:
            self.vitals[url] = Vitals(url=url, **values)

    def in_step(self, since: float) -> Iterator[Wire]:
        """The requests that began or ended since, or are open still."""
        now = time.monotonic()
        return (s.wire(now) for s in self.requests.values() if s.ended is None or s.ended >= since)

    def errors_since(self, since: float) -> tuple[str, ...]:
        """The pages' uncaught errors since."""
        return tuple(text for at, text in self.errors if at >= since)

    def third_parties(self) -> tuple[ThirdParty, ...]:
        """What each foreign host did, the slowest first."""
        now = time.monotonic()
        hosts: dict[str, list[Wire]] = {}
        total = 0.0
        for seen in self.requests.values():
            wire = seen.wire(now)
            total += wire.seconds
            if wire.party is not Party.OWN:
                hosts.setdefault(urlsplit(seen.url).netloc.rpartition("@")[2], []).append(wire)
        found = []
        for host, wires in hosts.items():
            spent = sum(w.seconds for w in wires)
            found.append(
                ThirdParty(
                    host=host,
                    requests=len(wires),
                    failed=sum(w.bad for w in wires),
                    time=spent,
                    share=spent / total if total else 0.0,
                )
            )
        return tuple(sorted(found, key=lambda p: -p.time))


def _is_main(request: "Request") -> bool:
    from playwright.async_api import Error

    try:
        return request.frame.parent_frame is None
    except Error:  # the page's first request, or a service worker's: there is no frame yet
        return True


VITALS_SCRIPT: Final = (
    """
(() => {
  if (window.top !== window || !/^http/.test(location.protocol)) return;
  const v = {cls: 0}, log = console.debug.bind(console), pad = JSON.stringify, perf = performance;
  const watch = (type, f, more) => {
    try { new PerformanceObserver(l => l.getEntries().forEach(f)).observe({type, buffered: true, ...more}); } catch {}
  };
  watch('paint', e => { if (e.name === 'first-contentful-paint') v.fcp = e.startTime / 1000; });
  watch('largest-contentful-paint', e => { v.lcp = e.startTime / 1000; });
  let sum = 0, first = 0, last = 0;  // CLS is the worst session window: gaps under 1 s, at most 5 s long
  watch('layout-shift', e => {
    if (e.hadRecentInput) return;
    const t = e.startTime;
    if (t - last < 1000 && t - first < 5000) sum += e.value; else { sum = e.value; first = t; }
    last = t;
    v.cls = Math.max(v.cls, sum);
  });
  watch('event', e => { if (e.interactionId) v.inp = Math.max(v.inp || 0, e.duration / 1000); }, {durationThreshold: 16});
  const read = () => {
    const n = perf.getEntriesByType('navigation')[0];
    if (n && n.responseStart) v.ttfb = n.responseStart / 1000;
    return pad({...v, url: location.origin + location.pathname});
  };
  // Not at pagehide: what a page says then, Chromium no longer passes on.
  addEventListener('beforeunload', () => log('"""
    + VITALS_PREFIX
    + """' + read()), {capture: true});
  Object.defineProperty(window, '__probe_vitals', {value: read, enumerable: false});
})();
"""
)
"""Run in every page: measures, and says it when the page is about to be left. Costs no round trip."""
