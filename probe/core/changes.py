"""What is otherwise in a failed run than in the last good one: what tells a cause, without the noise of every day."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from ipaddress import ip_address, ip_network
from typing import Final

from probe.core.exchange import PHASES
from probe.core.fingerprint import LONGEST, Answer, Fingerprint, fingerprint_of, header_of, host_of, is_build
from probe.core.run import Comparison, Difference, Run

MOST: Final = 20
"""Differences that are told."""
LINES: Final = 5
"""Lines of a text that went, and that came, at most; and scripts, hosts and times."""
SLOWER: Final = 3.0
"""How many times as long something must take to be told."""
LONGER: Final = 0.2
"""Seconds that it must take longer, too."""
BETWEEN: Final = 3
"""Words by which the next new word of a phrase lies further on, at most."""
FRESH: Final = 300.0
"""Seconds: a page last modified so shortly before it was asked for is made anew each time."""
ORDER: Final = (
    "build",
    "script",
    "certificate",
    "dns",
    "address",
    "redirect",
    "third_party",
    "status",
    "text",
    "header",
    "size",
    "timing",
)
"""The sorts of differences, most telling first."""
WORDS: Final[Mapping[str, str]] = {
    "build": "build",
    "script": "script",
    "certificate": "certificate of",
    "dns": "addresses of",
    "address": "server of",
    "redirect": "way of",
    "third_party": "third party",
    "status": "status of",
    "text": "text at",
    "header": "header",
    "size": "size of",
    "timing": "time of",
}
SAID_OF_ANSWERERS: Final = frozenset({"server", "via", "x-powered-by"})
"""Headers that say who answered: they are compared even where the status is another."""


def compare(good: Run, bad: Run) -> Comparison:
    """A failed run beside a good one of the same check in the same region."""
    return compare_prints(
        fingerprint_of(good), fingerprint_of(bad), step=None if bad.failure is None else bad.failure.step
    )


def compare_prints(good: Fingerprint, bad: Fingerprint, *, step: str | None) -> Comparison:
    """The same of their fingerprints. `step` is the one that failed."""
    found = dict.fromkeys(
        [*_answers(good, bad), *_scripts(good, bad), *_hosts(good, bad), *_text(good, bad, step), *_slower(good, bad)]
    )
    ranked = sorted(found, key=lambda d: ORDER.index(d.what))  # stable: within a sort as they were found
    return Comparison(good=good.run, at=good.at, differences=tuple(ranked[:MOST]))


def words_of(difference: Difference) -> str:
    """A difference in a line.

    >>> words_of(Difference(what="build", name="x-build", before="41", after="42"))
    'build x-build: 41 → 42'
    >>> words_of(Difference(what="third_party", name="ads.example", before=None, after="asked"))
    'third party ads.example: new'
    """
    head = f"{WORDS.get(difference.what, difference.what)} {difference.name}"
    if difference.before is None:
        new = "" if difference.what == "third_party" or difference.after is None else f": {_one_line(difference.after)}"
        return f"{head}: new{new}"
    if difference.after is None:
        return f"{head}: gone (was {_one_line(difference.before)})"
    return f"{head}: {_one_line(difference.before)} → {_one_line(difference.after)}"


def changed_words(compared: Comparison | None) -> str:
    """What an alert says of it: the two most telling things; "" where nothing tells anything.

    What only follows from the failure (a status, a text, a time) is told already.
    """
    telling = [] if compared is None else [d for d in compared.differences if d.what in TELLING]
    return "; ".join(words_of(difference) for difference in telling[:2])


TELLING: Final = frozenset(ORDER[: ORDER.index("status")])
"""Sorts of differences that are more than the failure itself seen again."""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:LONGEST]


# --- answers --------------------------------------------------------------------------------------------------------


def _answers(good: Fingerprint, bad: Fingerprint) -> Iterator[Difference]:
    before: dict[str, list[Answer]] = {}
    for answer in good.answers:
        before.setdefault(_alike(answer.name), []).append(answer)
    for answer in bad.answers:
        if known := before.get(_alike(answer.name)):
            yield from _answer(known.pop(0), answer, bad.at.timestamp())


def _answer(good: Answer, bad: Answer, at: float) -> Iterator[Difference]:
    led = [(len(answer.chain), _alike(answer.chain[-1])) for answer in (good, bad)]
    if led[0] == led[1]:
        yield from _server(good, bad)
    elif not ((bad.status or 0) >= 400 and len(bad.chain) == 1):  # an error in its place is told by its status
        yield Difference(what="redirect", name=bad.name, before=" → ".join(good.chain), after=" → ".join(bad.chain))
    yield from _headers(good, bad, at)
    if good.status != bad.status:
        yield Difference(what="status", name=bad.name, before=_number(good.status), after=_number(bad.status))
        return
    low, high = sorted((good.size, bad.size))
    if low >= 0 and high - low >= 1024 and high >= SLOWER * low:
        yield Difference(what="size", name=bad.name, before=f"{good.size} B", after=f"{bad.size} B")


def _server(good: Answer, bad: Answer) -> Iterator[Difference]:
    """Who answered: the certificate, and the addresses of the same host."""
    if good.seal is not None and bad.seal is not None and good.seal != bad.seal:
        yield Difference(what="certificate", name=bad.host, before=str(good.seal), after=str(bad.seal))
    if good.resolved and bad.resolved:
        if _networks(good.resolved).isdisjoint(_networks(bad.resolved)):
            yield Difference(what="dns", name=bad.host, before=", ".join(good.resolved), after=", ".join(bad.resolved))
    elif good.peer and bad.peer and _networks([good.peer]) != _networks([bad.peer]):
        yield Difference(what="address", name=bad.host, before=good.peer, after=bad.peer)


def _headers(good: Answer, bad: Answer, at: float) -> Iterator[Difference]:
    for name in sorted({name for name, _ in (*good.headers, *bad.headers)}):
        before, after = header_of(good.headers, name), header_of(bad.headers, name)
        if before == after:
            continue
        if is_build(name):
            if before is not None and after is not None:  # an error page may lack it
                yield Difference(what="build", name=name, before=before, after=after)
        elif name == "last-modified":
            if before and after and good.status == bad.status and _age(after, at) > FRESH:
                yield Difference(what="header", name=name, before=before, after=after)
        elif good.status == bad.status or name in SAID_OF_ANSWERERS:
            yield Difference(what="header", name=name, before=before, after=after)


def _age(moment: str, at: float) -> float:
    try:
        return at - parsedate_to_datetime(moment).timestamp()
    except ValueError:
        return 0.0


def _networks(addresses: Iterable[str]) -> set[str]:
    return {_network(address) for address in addresses}


def _network(address: str) -> str:
    """The network that an address is in: servers of one place take turns."""
    host = address.rpartition("]")[0].strip("[") if address.startswith("[") else address
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        ip = ip_address(host)
    except ValueError:
        return host
    return str(ip_network((ip, 24 if ip.version == 4 else 48), strict=False))


def _number(status: int | None) -> str | None:
    return None if status is None else str(status)


# --- what pages load and say ----------------------------------------------------------------------------------------


def _scripts(good: Fingerprint, bad: Fingerprint) -> Iterator[Difference]:
    """Scripts of which only another build is left, and new ones. That one is gone says nothing: the run may have ended before."""
    before, after = _by_name(good.scripts), _by_name(bad.scripts)
    told = 0
    for name, urls in after.items():
        known = before.get(name)
        if not before or told == LINES or (known is not None and not known.isdisjoint(urls)):
            continue
        told += 1
        was = None if known is None else ", ".join(sorted(map(_file, known))[:2])
        yield Difference(what="script", name=_plain(name), before=was, after=", ".join(sorted(map(_file, urls))[:2]))


def _by_name(urls: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for url in urls:
        found.setdefault(_alike(url), set()).add(url)
    return found


def _hosts(good: Fingerprint, bad: Fingerprint) -> Iterator[Difference]:
    for host in [host for host in bad.hosts if host not in good.hosts][:LINES]:
        yield Difference(what="third_party", name=host, before=None, after="asked")
    gone = [host for host in good.hosts if host not in bad.hosts] if good.whole and bad.whole else []
    for host in gone[:LINES]:
        yield Difference(what="third_party", name=host, before="asked", after=None)


def _text(good: Fingerprint, bad: Fingerprint, step: str | None) -> Iterator[Difference]:
    """What the failing step's page does not say any more, and what it says that no page of the good run said."""
    before, after = good.text(step), bad.text(step)
    if before is None or after is None:
        return
    went, came = _lacking(before, [after]), _lacking(after, good.texts)
    if went or came:
        yield Difference(what="text", name=step or "", before="\n".join(went) or None, after="\n".join(came) or None)


def _lacking(text: str, others: Sequence[str]) -> list[str]:
    """The first lines of a text that the others lack, or phrases where none has lines; numbers that count up are no news."""
    if not any("\n" in one for one in (text, *others)):
        return _phrases(text.split(), {_DIGITS.sub("#", word) for other in others for word in other.split()})
    known = {_DIGITS.sub("#", line) for other in others for line in _lines(other)}
    return [line[:LONGEST] for line in _lines(text) if _DIGITS.sub("#", line) not in known][:LINES]


def _phrases(words: Sequence[str], known: Container[str]) -> list[str]:
    """Stretches of words that are not known, with a known one or two between."""
    found: list[list[int]] = []
    for at, word in enumerate(words):
        if _DIGITS.sub("#", word) not in known:
            if found and at - found[-1][1] <= BETWEEN:
                found[-1][1] = at
            else:
                found.append([at, at])
    return [" ".join(words[start : end + 1])[:LONGEST] for start, end in found[:LINES]]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


# --- times ----------------------------------------------------------------------------------------------------------


def _slower(good: Fingerprint, bad: Fingerprint) -> Iterator[Difference]:
    before = dict(_times(good))
    found = [
        (seconds - known, name, known, seconds)
        for name, seconds in dict(_times(bad)).items()
        if (known := before.get(name)) is not None and seconds >= SLOWER * known and seconds - known >= LONGER
    ]
    for _, name, known, seconds in sorted(found, key=lambda item: (-item[0], item[1]))[:LINES]:
        yield Difference(what="timing", name=name, before=f"{known:.2f} s", after=f"{seconds:.2f} s")


def _times(print_: Fingerprint) -> Iterator[tuple[str, float]]:
    yield from print_.times
    for answer in print_.answers:
        for phase, seconds in zip(PHASES, answer.phases, strict=False):
            if seconds is not None:
                yield f"{_alike(answer.name)}, {phase}", seconds


# --- names ----------------------------------------------------------------------------------------------------------

_DIGITS: Final = re.compile(r"\d+")
_TOKENS: Final = re.compile(r"[^./\-_~@ ]+")
_HEX: Final = re.compile(r"(?=[a-f]*\d)[0-9a-f]{6,}", re.IGNORECASE)
_MIXED: Final = re.compile(r"(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{8,}")
_COUNTS: Final = re.compile(r"v?\d+")


def _alike(name: str) -> str:
    """A name with what is otherwise in each build, and in each order, left out.

    >>> _alike("https://shop.example/js/app.3f2a9c.js")
    'https://shop.example/js/app.*.js'
    """
    host = host_of(name)
    head = name[: name.index(host) + len(host)] if host else ""
    return head + _TOKENS.sub(lambda token: "*" if _is_of_a_build(token[0]) else token[0], name[len(head) :])


def _is_of_a_build(token: str) -> bool:
    return any(shape.fullmatch(token) for shape in (_HEX, _MIXED, _COUNTS))


def _file(url: str) -> str:
    """The last part of the path of an address, or its host where it has none."""
    return url.rstrip("/").rpartition("/")[2]


def _plain(name: str) -> str:
    """What a file is called without what is otherwise in each build.

    >>> _plain("https://shop.example/js/app.*.js")
    'app.js'
    """
    return re.sub(r"[.\-_~@]?\*", "", _file(name)).lstrip(".-_~@") or name
