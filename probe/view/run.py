"""A run as a document: everything that was seen, beside what was there before and what it belongs to."""

from collections.abc import Collection
from shlex import quote
from typing import Final

from probe.core.encode import encode_run, timestamp
from probe.core.incident import Incident
from probe.core.run import Comparison, Difference, Observation, Outcome, Run
from probe.core.target import Target
from probe.errors import StoreUnavailable
from probe.store.neighbours import incidents_around, neighbours
from probe.view.documents import Compared, DifferenceRow, EvidenceRow, RunDocument
from probe.view.evidence import evidence_rows
from probe.view.requests import LARGEST, requests_of
from probe.view.sources import Sources

NAMES: Final = {
    "build": "build",
    "header": "header",
    "address": "address of",
    "dns": "DNS answers for",
    "certificate": "certificate of",
    "redirect": "redirects of",
    "script": "script",
    "third_party": "third party",
    "status": "status of",
    "text": "text of step",
    "size": "size of",
    "timing": "time of",
}
"""What a difference is of, in words that go before its name."""
SHOWN: Final = 160
"""Signs of a value that a line shows."""


def run(sources: Sources, id: str, *, restricted: bool = True) -> RunDocument | None:
    """A run with everything that is still known of it; `None`: there is none of that id.

    `restricted`: also what is for operators alone (see `withheld`).
    """
    stored = sources.reader.run(id)
    if stored is None:
        return None
    found = sources.redactor.structure(stored)  # before anything is shortened: half a secret is none that it knows
    beside = neighbours(sources.reader, found)
    compared = found.observation.compared
    document = run_document(
        sources,
        found,
        incident=_incident(incidents_around(sources.reader, found.started), found),
        before=beside.before,
        after=beside.after,
        last_good=beside.last_good if compared is None else compared.good,
    )
    document = sources.redactor.structure(document)
    return document if restricted else withheld(document, sources.restricted)


def run_document(
    sources: Sources,
    run: Run,
    *,
    incident: str | None = None,
    before: str | None = None,
    after: str | None = None,
    last_good: str | None = None,
) -> RunDocument:
    """The document of a run that was read; the rest is what is known of it from elsewhere. Secrets are not taken out yet."""
    evidence = evidence_rows(sources, run)
    watched, spec = sources.rules.watched(run.check), sources.checks.get(run.check)
    compared = run.observation.compared
    return RunDocument(
        run=encode_run(run),
        details=has_details(run),
        description=spec.description if spec is not None else "" if watched is None else watched.promise,
        requests=requests_of(run, _har(sources, run, evidence), target_of(sources, run)),
        evidence=evidence,
        compared=None if compared is None else _compared(compared),
        incident=incident,
        before=before,
        after=after,
        last_good=last_good,
        regions=[] if watched is None else sorted(watched.regions),
        reproduce=reproduce(run.check, run.region),
    )


def withheld(document: RunDocument, restricted: Collection[str]) -> RunDocument:
    """The document for one who may not see the evidence of restricted checks: without logs, console and texts of pages.

    The rows of evidence stay, and say that it is restricted. What belongs to another check stays whole.
    """
    if document["run"]["check"] not in restricted:
        return document
    seen = {key: [] if key in ("console", "log", "texts") else value for key, value in document["run"].items()}
    if seen.get("compared"):
        told = [row for row in seen["compared"]["differences"] if row["what"] != "text"]
        seen["compared"] = {**seen["compared"], "differences": told}
    compared = document["compared"]
    if compared is not None:
        compared = {**compared, "differences": [row for row in compared["differences"] if row["what"] != "text"]}
    return {**document, "run": seen, "compared": compared}


def has_details(run: Run) -> bool:
    """Whether more is known of a run than its row: a slim one has a failure, and nothing else. Of a slot that was missed there is no more."""
    seen = run.observation
    return run.outcome is Outcome.MISSED or seen != Observation(
        failures=seen.failures, stopped_before=seen.stopped_before
    )


def target_of(sources: Sources, run: Run) -> Target | None:
    """The target of a run, as far as it is known here: at least its host."""
    target = sources.targets.get(run.target)
    if target is not None:
        return target
    watched = sources.rules.watched(run.check)
    return None if watched is None else Target(name=run.target, url=f"https://{watched.cause}")


def reproduce(check: str, region: str | None) -> str:
    """The command that runs a check once, here, as it is run from a region.

    >>> reproduce("buy tea", "eu")
    "probe check 'buy tea' --once --region eu"
    """
    where = "" if region is None else f" --region {quote(region)}"
    return f"probe check {quote(check)} --once{where}"


def difference_words(difference: Difference) -> str:
    """What is otherwise, in a line.

    >>> difference_words(Difference(what="build", name="x-build", before="41", after="42"))
    'build x-build: 41 → 42'
    """
    head = f"{NAMES.get(difference.what, difference.what)} {difference.name}".strip()
    before, after = _short(difference.before), _short(difference.after)
    if before is None:
        return f"{head}: new" if after in (None, difference.name) else f"{head}: new: {after}"
    if after is None:
        return f"{head}: gone" if before == difference.name else f"{head}: gone; it was {before}"
    return f"{head}: {before} → {after}"


def _short(text: str | None) -> str | None:
    if text is None:
        return None
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def _compared(compared: Comparison) -> Compared:
    return Compared(
        good=compared.good,
        at=timestamp(compared.at),
        differences=[
            DifferenceRow(what=d.what, name=d.name, before=d.before, after=d.after, words=difference_words(d))
            for d in compared.differences
        ],
    )


def _har(sources: Sources, run: Run, evidence: list[EvidenceRow]) -> bytes | None:
    """The HAR of a run, where it has one of a size that is read, and it can be had now."""
    row = next((row for row in evidence if row["kind"] == "har" and row["available"]), None)
    if row is None or row["size"] > LARGEST:
        return None
    try:
        har = sources.evidence.read(run, row["name"])
    except StoreUnavailable:
        return None
    return None if har is None or len(har) > LARGEST else sources.redactor.data(har)


def _incident(around: tuple[Incident, ...], run: Run) -> str | None:
    """The incident that a run belongs to: the one that it began, or else the newest of its check at that time."""
    concerned = [incident for incident in around if run.check in incident.members]
    began = next((i for i in concerned if i.members[run.check].run == run.id), None)
    return None if not concerned else str((began or concerned[0]).id)
