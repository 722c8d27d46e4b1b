"""What the page of a run shows, in the order in which it shows it: certificates, names, redirects, changes. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any, Final
from urllib.parse import urlsplit

from probe.core.access import Access
from probe.view.documents import Compared, DifferenceRow, EvidenceRow, RunDocument
from probe.view.evidence import PICTURES

GROUPS: Final[Mapping[str, str]] = {
    "build": "Build of the shop",
    "status": "Status",
    "redirect": "Redirects",
    "certificate": "Certificate",
    "address": "Addresses that answered",
    "dns": "DNS answers",
    "header": "Headers",
    "script": "Scripts",
    "third_party": "Third parties",
    "text": "Text of the page",
    "size": "Sizes",
    "timing": "Timings",
}
"""What the sorts of differences (`core.run.Difference`) are headed with."""
LONGEST_MARKED: Final = 1500
"""Words of a text up to which it is said word by word what changed in it."""
BRIEF: Final = 160
"""Characters of a line that says all of a difference."""
STEPS: Final = 300
"""Steps that are listed: a check that makes them in a loop does not make a page without an end."""
DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture of a run. `name` is its file; `hidden` says why it is not shown: `restricted gone`, or `""`."""

    name: str
    hidden: str


def listed_steps(steps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The steps that are listed, in their order: all, or so many of those that did not pass and of the first."""
    ranked = sorted(range(len(steps)), key=lambda n: (steps[n]["outcome"] in ("passed", "skipped"), n))
    return [steps[n] for n in sorted(ranked[:STEPS])]


def picture(document: RunDocument, kind: str, access: Access) -> Picture | None:
    """The picture of a kind (`screenshot reference`), for one who may see so much; `None`: there is none."""
    assert kind in PICTURES, kind
    found = [row for row in document["evidence"] if row["kind"] == kind]
    if not found:
        return None
    row = next((row for row in found if row["available"]), found[0])
    hidden = "" if row["available"] else "gone"
    return Picture(name=row["name"], hidden="restricted" if is_closed(row, access) else hidden)


def is_closed(row: EvidenceRow, access: Access) -> bool:
    """Whether evidence is not for this eye."""
    return row["restricted"] and not access.allows(Access.OPERATOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a text; `changed`: it is not in the other one."""

    text: str
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A difference, its two sides in pieces where it is a text; `None`: it was, or is, not there.

    `brief`: the words say all of it, in a line.
    """

    row: DifferenceRow
    before: tuple[Piece, ...] | None
    after: tuple[Piece, ...] | None
    brief: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """All differences of a sort."""

    what: str
    title: str
    rows: tuple[Changed, ...]


def changes(compared: Compared | None) -> tuple[Changes, ...]:
    """What changed since the last good run, sort by sort, in the order in which they first come."""
    found: dict[str, list[Changed]] = {}
    for row in compared["differences"] if compared else ():
        before, after = _pieces(row["what"], row["before"], row["after"])
        brief = row["what"] != "text" and len(row["words"]) <= BRIEF and "…" not in row["words"]
        found.setdefault(row["what"], []).append(Changed(row=row, before=before, after=after, brief=brief))
    return tuple(
        Changes(what=what, title=GROUPS.get(what, what.replace("_", " ").capitalize()), rows=tuple(rows))
        for what, rows in found.items()
    )


def _pieces(
    what: str, before: str | None, after: str | None
) -> tuple[tuple[Piece, ...] | None, tuple[Piece, ...] | None]:
    if before is None or after is None:
        return _whole(before), _whole(after)
    old, new = re.findall(r"\s+|[^\s]+", before), re.findall(r"\s+|[^\s]+", after)
    if what != "text" or max(len(old), len(new)) > LONGEST_MARKED:
        return _whole(before), _whole(after)
    left: list[Piece] = []
    right: list[Piece] = []
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        for side, words in ((left, old[i:j]), (right, new[k:m])):
            if words:
                side.append(Piece(text="".join(words), changed=tag != "equal"))
    return tuple(left), tuple(right)


def _whole(text: str | None) -> tuple[Piece, ...] | None:
    return None if text is None else (Piece(text=text, changed=False),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A certificate of a chain. `days` are left at the time of the run; `sent` by the server, `trusted`: part of the verified chain."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_after: str
    days: float
    sha256: str
    sent: bool
    trusted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The certificates of a host. `days` are those of the first that ends; `None`: not known. `by_browser`: all that a browser tells."""

    host: str
    protocol: str
    days: float | None
    certificates: tuple[Shown, ...]
    by_browser: bool


def chains(run: Mapping[str, Any]) -> tuple[Chain, ...]:
    """The certificate chains that were seen, once for each host and chain."""
    at = datetime.fromisoformat(run["started"])
    found: dict[tuple[str, ...], Chain] = {}
    for exchange in run["http"]:
        tls = exchange["tls"]
        if tls is None:
            continue
        host = host_of(exchange["hops"][-1]["url"] if exchange["hops"] else exchange["url"])
        certificates = _certificates(tls["presented"], tls["verified"], at)
        days = None if tls["expires"] is None else _days(tls["expires"], at)
        chain = Chain(
            host=host,
            protocol=f"{tls['version']}, {tls['cipher']}",
            days=days,
            certificates=certificates,
            by_browser=False,
        )
        found.setdefault((host, *(one.sha256 for one in certificates)), chain)
    for document in run.get("documents", ()):
        seen = document["certificate"]
        if seen is None:
            continue
        host = host_of(document["url"])
        one = _shown(seen, at, sent=True, trusted=True)
        chain = Chain(host=host, protocol="", days=one.days, certificates=(one,), by_browser=True)
        found.setdefault((host, one.subject, one.not_after), chain)
    return tuple(found.values())


def _certificates(
    presented: Sequence[Mapping[str, Any]], verified: Sequence[Mapping[str, Any]], at: datetime
) -> tuple[Shown, ...]:
    sent, trusted = {c["sha256"] for c in presented}, {c["sha256"] for c in verified}
    every = {c["sha256"]: c for c in (*presented, *verified)}
    return tuple(_shown(c, at, sent=key in sent, trusted=key in trusted) for key, c in every.items())


def _shown(certificate: Mapping[str, Any], at: datetime, *, sent: bool, trusted: bool) -> Shown:
    return Shown(
        subject=certificate["subject"],
        issuer=certificate["issuer"],
        names=tuple(certificate["names"]),
        not_after=certificate["not_after"],
        days=_days(certificate["not_after"], at),
        sha256=certificate["sha256"],
        sent=sent,
        trusted=trusted,
    )


def _days(moment: str, at: datetime) -> float:
    return (datetime.fromisoformat(moment) - at).total_seconds() / DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A host: what its name was resolved to, and which address answered."""

    host: str
    answers: tuple[str, ...]
    addresses: tuple[str, ...]


def named(run: Mapping[str, Any]) -> tuple[Named, ...]:
    """The hosts that were talked to, as far as that is known."""
    answers: dict[str, dict[str, None]] = {}
    addresses: dict[str, dict[str, None]] = {}
    talks = [(hop["url"], hop.get("answers", ()), hop["address"]) for e in run["http"] for hop in e["hops"]]
    talks += [(d["url"], (), d["address"]) for d in run.get("documents", ())]
    for url, resolved, address in talks:
        host = host_of(url)
        answers.setdefault(host, {}).update(dict.fromkeys(resolved))
        addresses.setdefault(host, {}).update(dict.fromkeys([address] if address else ()))
    return tuple(
        Named(host=host, answers=tuple(answers[host]), addresses=tuple(addresses[host]))
        for host in answers
        if answers[host] or addresses[host]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One address on the way; `status` is `None` where only the address is known."""

    url: str
    status: int | None


def ways(run: Mapping[str, Any]) -> tuple[tuple[Leg, ...], ...]:
    """The chains of redirects, each from where it began to where it ended."""
    found = [
        tuple(Leg(url=hop["url"], status=hop["status"]) for hop in exchange["hops"])
        for exchange in run["http"]
        if len(exchange["hops"]) > 1
    ]
    found += [
        (*(Leg(url=url, status=None) for url in page["redirects"]), Leg(url=page["url"], status=page["status"]))
        for page in run.get("documents", ())
        if page["redirects"]
    ]
    return tuple(_unique(found))


def _unique(found: Iterable[tuple[Leg, ...]]) -> Iterable[tuple[Leg, ...]]:
    return dict.fromkeys(found)


def host_of(url: str) -> str:
    """The host of an address, or the address itself when it is none."""
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return url
