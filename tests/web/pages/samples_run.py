"""Documents of a run, an incident and a month, of the shop in `samples.py`: its checkout is down since a deploy."""

from __future__ import annotations

from typing import Any, cast

from probe.view import documents as d
from tests.web.pages.samples import REGIONS, STEPS, at, failing, incident, objective, run_id, run_row

BAD, GOOD = run_id(11), run_id(8)
SHOP = "https://shop.example"


def failure(**more: Any) -> dict[str, Any]:
    found = {
        "layer": "http",
        "kind": "status",
        "message": "POST /api/orders answered 502 after 1.2 s",
        "step": "Pay by card",
        "expected": "201",
        "actual": "502 Bad Gateway\n<html><head><title>502</title></head>",
        "url": f"{SHOP}/api/orders",
        "soft": False,
    }
    return found | more


def certificate(subject: str, issuer: str, sha: str, ends: str = at(-9 * 86_400)) -> dict[str, Any]:
    return {
        "subject": subject,
        "issuer": issuer,
        "names": ["shop.example", "www.shop.example"] if subject.startswith("CN=shop") else [],
        "not_before": at(81 * 86_400),
        "not_after": ends,
        "sha256": sha * 32,
    }


def hop(path: str, status: int, **more: Any) -> dict[str, Any]:
    phases = {"dns": 0.004, "connect": 0.011, "tls": 0.019, "ttfb": 0.12, "transfer": 0.02}
    found = {
        "method": "GET",
        "url": f"{SHOP}{path}",
        "status": status,
        "address": "203.0.113.7:443",
        "answers": ["203.0.113.7", "203.0.113.9"],
        "location": None,
        "phases": phases,
    }
    return found | more


def step(n: int) -> dict[str, Any]:
    """The last one fails."""
    last = n == len(STEPS) - 1
    return {
        "name": STEPS[n],
        "outcome": "failed" if last else "passed",
        "start": 0.7 * n,
        "duration": 1.9 if last else 0.55 + 0.06 * n,
        "within": [2.0, 2.0, None, None, 5.0][n],
        "soft": False,
        "failure": failure() if last else None,
    }


def encoded_run(outcome: str = "failed", **more: Any) -> dict[str, Any]:
    """A run as docs/json.md has it, with something of everything."""
    leaf = certificate("CN=shop.example", "CN=R11, O=Let's Encrypt, C=US", "ab")
    middle = certificate("CN=R11, O=Let's Encrypt, C=US", "CN=ISRG Root X1", "cd", at(-700 * 86_400))
    root = certificate("CN=ISRG Root X1", "CN=ISRG Root X1", "ef", at(-3000 * 86_400))
    first = hop("/", 301, location=f"{SHOP}/en/", url="http://shop.example/")
    found: dict[str, Any] = {
        "id": BAD,
        "check": "buy",
        "kind": "browser",
        "target": "shop",
        "region": "berlin",
        "why": "scheduled",
        "outcome": outcome,
        "started": at(540),
        "duration": 4.7,
        "slot": {"number": 71, "due": at(540), "count": 1},
        "lag": 0.02,
        "maintenance": None,
        "failure": failure() if outcome == "failed" else None,
        "failures": [
            failure(),
            failure(
                layer="script", kind="page_error", message="TypeError: order is undefined", expected=None, actual=None
            ),
        ]
        if outcome == "failed"
        else [],
        "steps": [step(n) for n in range(len(STEPS))],
        "http": [
            {
                "method": "GET",
                "url": "http://shop.example/",
                "status": 200,
                "duration": 0.31,
                "size": 18_211,
                "wire_size": 5_201,
                "phases": first["phases"],
                "hops": [first, hop("/en/", 200)],
                "tls": {
                    "version": "TLSv1.3",
                    "cipher": "TLS_AES_256_GCM_SHA384",
                    "expires": leaf["not_after"],
                    "leaf": leaf,
                    "presented": [leaf, middle],
                    "verified": [leaf, middle, root],
                },
            }
        ],
        "vitals": [{"url": f"{SHOP}/en/", "ttfb": 0.21, "fcp": 0.62, "lcp": 1.1, "cls": 0.04, "inp": None}],
        "failed_requests": [
            {
                "method": "POST",
                "url": f"{SHOP}/api/orders",
                "status": 502,
                "error": None,
                "third_party": False,
                "step": "Pay by card",
            }
        ],
        "third_parties": [
            {"host": "cdn.shopcdn.net", "requests": 14, "failed": 0, "time": 0.9, "share": 0.31},
            {"host": "js.payments.example", "requests": 3, "failed": 1, "time": 1.3, "share": 0.44},
        ],
        "console": [
            {
                "level": "error",
                "text": "Failed to load resource: 502",
                "url": f"{SHOP}/api/orders",
                "step": "Pay by card",
            },
            {"level": "warning", "text": "deprecated: unload", "url": f"{SHOP}/app.js", "step": "Front page"},
        ],
        "evidence": [],
        "orders": ["order-20394"],
        "undone": ["cancel the order"],
        "host": {"cpu": 0.12, "loop_lag": 0.004, "waited": 0.08},
        "log": ["paying with the test card", "the button is disabled"],
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "stopped_before": None,
        "control": {"well": True, "at": at(535), "duration": 0.08, "text": "https://anchor.example answered 204"},
        "documents": [
            {
                "url": f"{SHOP}/en/checkout",
                "status": 200,
                "step": "Pay by card",
                "redirects": [f"{SHOP}/checkout"],
                "address": "203.0.113.7:443",
                "headers": [{"name": "server", "value": "nginx"}],
                "certificate": certificate("CN=shop.example", "CN=R11", "ab"),
            }
        ],
        "scripts": [f"{SHOP}/app.js"],
        "texts": [{"step": "Pay by card", "text": "Something went wrong"}],
        "compared": None,
    }
    return found | more


def request(n: int, **more: Any) -> d.Request:
    kinds = [
        ("GET", f"{SHOP}/en/", "document", "own"),
        ("GET", f"{SHOP}/static/app.js?v=3", "script", "own"),
        ("GET", "https://cdn.shopcdn.net/lamp.webp", "image", "listed"),
        ("GET", "https://js.payments.example/v3.js", "script", "third"),
        ("POST", f"{SHOP}/api/cart", "fetch", "own"),
    ]
    method, url, kind, party = kinds[n % len(kinds)]
    found: dict[str, Any] = {
        "method": method,
        "url": url,
        "host": url.split("/")[2],
        "status": 200,
        "error": None,
        "type": kind,
        "party": party,
        "step": STEPS[min(n // 6, 4)],
        "start": round(0.14 * n, 3),
        "duration": 0.09 + (n * 37 % 11) / 40,
        "phases": {"dns": 0.01 if n < 3 else None, "connect": 0.02, "tls": 0.02, "ttfb": 0.03, "transfer": 0.02},
        "size": 1200 + 411 * n,
    }
    return cast("d.Request", found | more)


def requests() -> list[d.Request]:
    found = [request(n) for n in range(26)]
    found.append(
        request(26, method="POST", url=f"{SHOP}/api/orders", host="shop.example", status=502, type="fetch", party="own",
                step="Pay by card", duration=1.2, phases={"dns": None, "connect": None, "tls": None, "ttfb": 1.19, "transfer": 0.01})
    )  # fmt: skip
    found.append(
        request(27, url="https://js.payments.example/beacon", status=None, error="net::ERR_CONNECTION_REFUSED",
                host="js.payments.example", party="third", step="Pay by card", phases={}, duration=0.01, size=None)
    )  # fmt: skip
    return found


def difference(what: str, name: str, before: str | None, after: str | None, words: str) -> d.DifferenceRow:
    return {"what": what, "name": name, "before": before, "after": after, "words": words}


def compared() -> d.Compared:
    return {
        "good": GOOD,
        "at": at(600),
        "differences": [
            difference(
                "build", "x-build", "2026.11.23-4", "2026.11.24-1", "build x-build: 2026.11.23-4 → 2026.11.24-1"
            ),
            difference("status", "Pay by card", "201", "502", "status of Pay by card: 201 → 502"),
            difference("header", "server", "nginx", None, "header server: gone; it was nginx"),
            difference("script", "", None, f"{SHOP}/static/pay-2.js", f"script: new: {SHOP}/static/pay-2.js"),
            difference(
                "text",
                "Pay by card",
                "Your order\nLamp 39 €\nPay now\nSecure payment",
                "Your order\nLamp 39 €\nSomething went wrong, try again\nSecure payment",
                "text of Pay by card: Your order Lamp 39 € Pay now … → Your order Lamp 39 € Something went wrong, …",
            ),
            difference("timing", "Pay by card", "0.9 s", "1.9 s", "time of Pay by card: 0.9 s → 1.9 s"),
        ],
    }


def evidence(kind: str, name: str, **more: Any) -> d.EvidenceRow:
    types = {"screenshot": "image/png", "reference": "image/png", "trace": "application/zip", "har": "application/json"}
    found = {
        "kind": kind,
        "name": name,
        "size": 48_211,
        "type": types.get(kind, "text/plain; charset=utf-8"),
        "restricted": False,
        "available": True,
    }
    return cast("d.EvidenceRow", found | more)


def run_document(**more: Any) -> d.RunDocument:
    found: dict[str, Any] = {
        "run": encoded_run(),
        "details": True,
        "description": "A guest buys a lamp and pays by card",
        "requests": requests(),
        "evidence": [
            evidence("screenshot", "screenshot.png"),
            evidence("reference", "reference.png"),
            evidence("trace", "trace.zip"),
            evidence("har", "network.har"),
            evidence("console", "console.log", available=False),
        ],
        "compared": compared(),
        "incident": "inc-1",
        "before": run_id(10),
        "after": run_id(12),
        "last_good": GOOD,
        "regions": REGIONS,
        "reproduce": "probe check buy --once --region berlin",
    }
    return cast("d.RunDocument", found | more)


def line(seconds_ago: float, what: str, text: str, **more: Any) -> d.Line:
    found = {
        "at": at(seconds_ago),
        "what": what,
        "text": text,
        "run": None,
        "by": None,
        "channel": None,
        "reason": None,
        "fate": None,
    }
    return cast("d.Line", found | more)


def incident_document(**more: Any) -> d.IncidentDocument:
    """The open incident of the overview."""
    found: dict[str, Any] = {
        "incident": incident(),
        "now": at(0),
        "checks": [
            {
                "check": "buy",
                "regions": REGIONS,
                "since": at(540),
                "recovered": None,
                "run": BAD,
                "failing": failing(),
                "expected": "201",
                "actual": "502 Bad Gateway",
                "url": f"{SHOP}/api/orders",
                "evidence": "4 of 4 runs fail alike, from 3 of 3 regions; the controls are well",
                "description": "A guest buys a lamp and pays by card",
            }
        ],
        "places": [
            {
                "region": region,
                "affected": region != "singapore",
                "words": "3 of its last 3 runs fail" if region != "singapore" else "its runs pass",
                "first_bad": BAD if region != "singapore" else None,
                "last_good": GOOD,
            }
            for region in REGIONS
        ],
        "cause_words": {
            "layer": "http",
            "words": "the shop's own backend fails since build 2026.11.24-1 went out: POST /api/orders answers 502",
            "confidence": "likely",
            "evidence_for": [
                "the first bad run is the first one that saw build 2026.11.24-1",
                "all regions fail alike, at the same step with the same status",
                "the control sample of the same second worked",
            ],
            "evidence_against": ["the front page, of the same build, is well"],
            "look_at": ["the deploy of 13:52", "the log of the service behind POST /api/orders"],
        },
        "first_run": run_document(),
        "timeline": [
            line(660, "mark", "deploy 2026.11.24-1"),
            line(540, "first_bad", "buy fails at “Pay by card” from berlin", run=BAD),
            line(520, "confirmed", "buy fails alike from dallas", run=run_id(12)),
            line(480, "opened", "down: 2 of 2 regions fail", run=BAD),
            line(478, "told", "202 Accepted, id 8812", channel="on-call", reason="opened", fate="sent"),
            line(477, "told", "the token was refused (401)", channel="#shop-alerts", reason="opened", fate="failed"),
            line(300, "acknowledged", "", by="Maria Lindqvist"),
            line(250, "note", "Rolling back to 2026.11.23-4", by="Maria Lindqvist"),
        ],
        "notes": [{"id": 1, "at": at(250), "by": "Maria Lindqvist", "text": "Rolling back to 2026.11.23-4"}],
        "runs": [run_row(n, "failed" if n < 6 else "passed") for n in range(12)],
        "budgets": [objective()],
        "marks": [{"kind": "deploy", "at": at(660), "until": None, "text": "2026.11.24-1", "incident": None}],
        "reproduce": "probe check buy --once --region berlin",
    }
    return cast("d.IncidentDocument", found | more)


def slo_report() -> d.SloReport:
    month: d.ObjectiveMonth = {
        "objective": "Buying works",
        "promised": 0.999,
        "checks": ["buy"],
        "step": None,
        "under": None,
        "good": 99_870,
        "bad": 141,
        "lost": 210,
        "attained": 0.99859,
        "met": False,
        "budget": 100.0,
        "used": 1.41,
        "coverage": 0.9979,
        "least_coverage": 0.9,
        "costs": [
            {
                "incident": "inc-1",
                "title": incident()["title"],
                "since": at(540),
                "until": None,
                "bad": 30,
                "budget": 0.3,
            }
        ],
        "excluded": [{"start": at(400_000), "end": at(396_400), "why": "maintenance “database”", "runs": 60}],
        "days": [
            (f"2026-11-{n:02}", 4300 if n < 25 else 0, [0, 0, 2, 0, 40][n % 5] if n < 25 else 0, 3)
            for n in range(1, 31)
        ],
    }
    unsure = month | {
        "objective": "Login works",
        "met": None,
        "attained": None,
        "used": 0.0,
        "costs": [],
        "excluded": [],
    }
    return {
        "month": "2026-11",
        "start": "2026-11-01T00:00:00Z",
        "until": at(0),
        "complete": False,
        "objectives": [month, unsure],
    }
