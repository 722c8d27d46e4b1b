"""An outage as a daemon stores it, of a shop that is hostile: markup and a secret in every text, and evidence on the disk."""

import asyncio
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from probe.core.check import CheckId
from probe.core.failure import Failure
from probe.core.incident import Entry, Incident, IncidentId, Member, Verdict, What
from probe.core.notification import Fate
from probe.core.rules import Objective, Rules, Severity, Watched
from probe.core.run import (
    Artifact,
    Comparison,
    ConsoleLine,
    Difference,
    Observation,
    Outcome,
    PageRequest,
    Run,
    RunId,
    Slot,
    Step,
    StepOutcome,
    StepText,
    ThirdParty,
    Why,
)
from probe.core.secret import Redactor, Secret
from probe.core.state import Change, Tally
from probe.core.target import Target
from probe.ports import Record
from probe.store.people import open_people
from probe.store.reader import open_reader
from probe.view.evidence import LocalEvidence
from probe.view.sources import Sources
from tests.canary import told
from tests.core.builders import NOW
from tests.store.builders import at, attempt, notification, store_in

CANARY = 'pl@nted"secret"&more/+'
MARKUP = (
    "<script>alert(1)</script> [x](javascript:alert(1)) ![i](https://evil.example/p.png) `c` | y\n# H\n\u202e{{7*7}}"
)
HOSTILE = f"{MARKUP} {CANARY}"
ID = IncidentId("20261123-030000-abcd")
OBJECTIVE = Objective(name="buying", checks=frozenset({CheckId("checkout")}), target=0.999)
BROKEN = Failure.of(
    "status",
    f"POST /cart answered 500 {HOSTILE}",
    step="pay",
    expected="200",
    actual=f"500 {HOSTILE}",
    url="https://s/",
)
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels" * 20
JPEG = b"\xff\xd8\xff\xe0" + b"pixels" * 20


def rules() -> Rules:
    checks = {
        CheckId(name): Watched(
            id=CheckId(name),
            target="shop",
            cause="shop.example",
            regions=("ap", "eu", "us"),
            every=timedelta(minutes=1),
            timeout=timedelta(seconds=30),
            promise=f"buy a thing {MARKUP}" if name == "checkout" else "",
        )
        for name in ("checkout", "search")
    }
    return Rules(checks=MappingProxyType(checks), objectives=MappingProxyType({"buying": OBJECTIVE}))


def har(*urls: str, **given: Any) -> bytes:
    """A HAR with a request of each address, ten milliseconds apart."""
    entries = [
        {
            "startedDateTime": (NOW + timedelta(milliseconds=10 * number)).isoformat(),
            "time": 120.5,
            "request": {"method": "POST", "url": url, "headers": [{"name": "x", "value": CANARY}]},
            "response": {"status": 500, "content": {"size": 42, "mimeType": "text/html", "text": CANARY}},
            "timings": {"dns": 1, "connect": 30, "ssl": 20, "wait": 50, "receive": -1},
            "_resourceType": "fetch",
            "_step": f"pay {HOSTILE}",
            **given,
        }
        for number, url in enumerate(urls)
    ]
    return json.dumps({"log": {"entries": entries}}).encode()


def trace() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("trace.trace", json.dumps({"type": "log", "text": HOSTILE}))
        made.writestr(f"resources/{quote(CANARY, safe='')}.html", f"<p>{CANARY}</p>")
    return buffer.getvalue()


def a_run(check: str, region: str, minute: float, *, bad: bool = False, why: Why = Why.SCHEDULED, **given: Any) -> Run:
    """A run `minute` minutes after `NOW`."""
    due = at(minute)
    step = Step(
        name="pay", outcome=StepOutcome.FAILED if bad else StepOutcome.PASSED, start=0.1, duration=0.5, within=2.0
    )
    seen = Observation(failures=(BROKEN,) if bad else (), steps=(replace(step, failure=BROKEN if bad else None),))
    slot = Slot(number=int(minute) + 100, due=due) if why is Why.SCHEDULED else None
    return Run(
        **{
            "id": RunId(f"{check}-{region}-{minute:g}"),
            "check": CheckId(check),
            "kind": "browser",
            "target": "shop",
            "region": region,
            "why": why,
            "outcome": Outcome.FAILED if bad else Outcome.PASSED,
            "started": due,
            "duration": timedelta(seconds=2),
            "observation": seen,
            "slot": slot,
            **given,
        }
    )


def everything(run: Run, folder: Path) -> Run:
    """The run with all that is seen of a failed journey, and its files below a folder."""
    home = folder / "evidence" / run.check / run.id
    home.mkdir(parents=True)
    files = {
        "screenshot.png": ("screenshot", PNG),
        "reference.jpg": ("reference", JPEG),
        "network.har": ("har", har(f"https://shop.example/cart?k={CANARY}", f"https://cdn.example/{MARKUP}")),
        "console.log": ("console", f"[pay] error: {HOSTILE}".encode()),
        "trace.zip": ("trace", trace()),
    }
    artifacts = []
    for name, (kind, body) in files.items():
        (home / name).write_bytes(body)
        artifacts.append(Artifact(kind=kind, path=str(home / name), size=len(body)))
    differences = (
        Difference(what="build", name="x-build", before="41", after=f"42 {HOSTILE}"),
        Difference(what="text", name="pay", before=None, after=HOSTILE),
    )
    seen = replace(
        run.observation,
        artifacts=tuple(artifacts),
        console=(ConsoleLine(level="error", text=HOSTILE, url=f"https://shop.example/{CANARY}", step="pay"),),
        failed_requests=(
            PageRequest(
                method="POST", url=f"https://shop.example/cart?{CANARY}", status=500, error=HOSTILE, third_party=False
            ),
        ),
        third_parties=(ThirdParty(host="cdn.example", requests=3, failed=1, time=0.5, share=0.25),),
        log=(HOSTILE,),
        texts=(StepText(step="pay", text=HOSTILE),),
        compared=Comparison(good=RunId("checkout-eu--1"), at=at(-1), differences=differences),
    )
    return replace(run, observation=seen)


def runs(folder: Path) -> tuple[Run, ...]:
    """Ten good minutes, then five in which checkout fails from eu and, a minute later, from us; then all is well."""
    found = [
        a_run(check, region, minute, bad=check == "checkout" and (region, minute) in _BAD)
        for minute in range(-10, 8)
        for check in ("checkout", "search")
        for region in ("eu", "us", "ap")
    ]
    found = [everything(run, folder) if run.id == "checkout-eu-0" else run for run in found]
    spared = replace(a_run("checkout", "ap", 0, why=Why.CONFIRM), id=RunId("c-ap"), started=at(0.1))
    skipped = (Step(name="pay", outcome=StepOutcome.SKIPPED),)
    spared = replace(spared, observation=Observation(steps=skipped, stopped_before="pay"))
    again = replace(a_run("checkout", "us", 0, bad=True, why=Why.CONFIRM), id=RunId("c-us"), started=at(0.05))
    return tuple(sorted((*found, spared, again), key=lambda run: run.started))


_BAD = {*(("eu", minute) for minute in range(5)), *(("us", minute) for minute in range(1, 5))}


def incident(*, over: bool = True) -> Incident:
    member = Member(
        check=CheckId("checkout"),
        regions=("eu", "us"),
        since=at(0),
        run=RunId("checkout-eu-0"),
        failure=BROKEN,
        picture="evidence/checkout/checkout-eu-0/screenshot.png",
        recovered=at(5) if over else None,
        evidence=f"2 of 3 regions: 9 of 15 runs failed {HOSTILE}",
    )
    return Incident(
        id=ID,
        cause="shop.example",
        verdict=Verdict.DOWN,
        severity=Severity.PAGE,
        since=at(0),
        opened=at(1),
        members=MappingProxyType({member.check: member}),
        told=("oncall",),
        relapses=1,
        acknowledged=at(2),
        acknowledged_by=f"ada {MARKUP}",
        resolved=at(5) if over else None,
    )


def entries() -> tuple[Entry, ...]:
    lines = (
        (1, What.OPENED, f"down: {HOSTILE}", RunId("c-us")),
        (1, What.EVIDENCE, f"checkout: {HOSTILE}", RunId("c-us")),
        (2, What.ACKNOWLEDGED, f"by ada {MARKUP}", None),
        (2.5, What.MUTED, "by bo for 1h", None),
        (5.1, What.RECOVERED, "checkout", None),
        (5.1, What.RESOLVED, "after 0:05:00", None),
    )
    return tuple(Entry(incident=ID, at=at(minute), what=what, text=text, run=run) for minute, what, text, run in lines)


def fill(folder: Path, *, over: bool = True) -> None:
    """Write all of it."""
    asyncio.run(_fill(folder, over=over))
    with open_people(folder) as people:
        people.add_note(ID, at(3), f"bo {MARKUP}", f"the cart's database is full {HOSTILE}")
        people.add_mark(at(-2), "deploy", f"shop 42 {HOSTILE}", "ci")
        people.add_mark(at(-2), "deploy", "another shop", "ci", ["unheard-of"])


async def _fill(folder: Path, *, over: bool) -> None:
    async with store_in(folder) as store:
        await store.commit(record(folder, over=over))


def record(folder: Path, *, over: bool = True) -> Record:
    """All that a daemon writes down of it. The files of evidence are made."""
    change = Change(
        incidents={"shop.example": incident(over=over)},
        entries=entries() if over else entries()[:4],
        notifications=(notification("k1", incident=ID, created=at(1)),),
        tallies=(Tally(objective="buying", at=at(0), good=45, bad=9),),
    )
    tries = (
        attempt("k1", Fate.FAILED, 1, answer=f"500 {HOSTILE}", seconds=0.2, again=at(1.1)),
        replace(attempt("k1", Fate.SENT, answer="250 queued", seconds=0.1), at=at(1.1)),
    )
    return Record(runs=runs(folder), changes=(change,), attempts=tries, alive=at(8))


@contextmanager
def looking(folder: Path, *, now: datetime | None = None, **given: Any) -> Iterator[Sources]:
    """One look at it."""
    with open_reader(folder) as reader, open_people(folder) as people:
        yield Sources(
            **{
                "now": now or at(10),
                "reader": reader,
                "people": people,
                "evidence": LocalEvidence(folder / "evidence"),
                "rules": rules(),
                "redactor": Redactor([Secret(CANARY)]),
                "targets": {"shop": Target(name="shop", url="https://shop.example", third_parties=("cdn.example",))},
                "hash": "0123456789ab",
                "version": "1.2.3",
                **given,
            }
        )


def leaks(body: bytes) -> list[str]:
    """Where the secret is in there, and in whatever is packed in it."""
    return told("it", body, CANARY)
