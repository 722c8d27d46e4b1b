"""An incident to be handed to somebody without access: a zip of what is known of it, with every secret taken out once more.

The same incident gives the same bytes, whenever it is packed, once it is over and nobody adds to it.
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Final

from probe.core.run import Outcome, Run
from probe.errors import StoreUnavailable
from probe.store.neighbours import whole_runs
from probe.view.around import Around
from probe.view.documents import EvidenceRow, IncidentDocument, RunDocument
from probe.view.incident import incident_and_runs, incident_withheld
from probe.view.packing import packed, redacted_zip
from probe.view.report import incident_report, picture_path, picture_type, pictures_of, safe_name, timeline_markdown
from probe.view.run import run_document, withheld
from probe.view.sources import Sources

MOST: Final = 50 * 2**20
"""Bytes of evidence in all."""
MOST_RUNS: Final = 12
"""Runs that are told in full, with their evidence."""
KINDS: Final = ("screenshot", "reference", "console", "har", "log", "trace")
"""Sorts of evidence, in the order in which there is room for them."""


@dataclass(slots=True)
class _Bundle:
    """What is to be packed, and what is not, with the reason."""

    files: dict[str, bytes] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    room: int = MOST


def bundle(sources: Sources, id: str, *, restricted: bool) -> bytes | None:
    """The zip; `None`: there is no such incident. `restricted`: with evidence and notes that are for operators alone."""
    stored = sources.reader.incident(id)
    if stored is None:
        return None
    over = stored.incident.resolved
    frozen = sources if over is None else replace(sources, now=over)
    made = incident_and_runs(frozen, id)
    assert made is not None  # incidents are kept for good
    document, seen = made
    if not restricted:
        document = _for_anybody(incident_withheld(document, sources.restricted))
    pack = _Bundle()
    runs = sources.redactor.structure(whole_runs(sources.reader, _chosen(document, seen)))
    for run in runs:
        told = sources.redactor.structure(run_document(frozen, run, incident=id))
        told = told if restricted else withheld(told, sources.restricted)
        _evidence(pack, sources, run, told["evidence"], restricted=restricted)
        pack.files[f"runs/{safe_name(run.id)}.json"] = _json(_without_paths(told))
    first = document["first_run"]
    shown = {**document, "first_run": None if first is None else _without_paths(first)}
    pictures = pictures_of(sources, document, restricted=restricted)
    pack.files["incident.json"] = _json(shown)
    pack.files["timeline.md"] = timeline_markdown(document).encode()
    pack.files["report.html"] = incident_report(document, "html", pictures).encode()
    pack.files["README.txt"] = _readme(sources, document, runs, pack, restricted=restricted).encode()
    texts = {name for name in pack.files if not name.startswith("evidence/")}
    return packed({n: sources.redactor.data(body) if n in texts else body for n, body in pack.files.items()})


def _for_anybody(document: IncidentDocument) -> IncidentDocument:
    """Without what operators wrote for each other."""
    return {**document, "notes": [], "timeline": [line for line in document["timeline"] if line["what"] != "note"]}


def _chosen(document: IncidentDocument, seen: Around) -> list[str]:
    """The runs that matter: the one that speaks for all, the first bad ones, those that confirmed it, and good ones beside."""
    first = document["first_run"]
    bad = {run.region for run in seen.begun}
    mine = [] if first is None else [run for run in seen.good if (run.check, run.region) == _place(first)]
    fine = [run for run in seen.good if run.region not in bad]
    confirming = sorted(seen.confirming(), key=lambda run: run.outcome is Outcome.PASSED)
    ids = [
        *([] if first is None else [first["run"]["id"]]),
        *(member["run"] for member in document["checks"][:4]),
        *(run.id for run in seen.begun[:4]),
        *(run.id for run in confirming[:3]),
        *(run.id for run in (*mine[:1], *fine[:1])),
    ]
    return list(dict.fromkeys(ids))[:MOST_RUNS]


def _place(document: RunDocument) -> tuple[str, str]:
    return document["run"]["check"], document["run"]["region"]


def _evidence(pack: _Bundle, sources: Sources, run: Run, rows: list[EvidenceRow], *, restricted: bool) -> None:
    """Take the files of a run, as far as they may be handed on and there is room."""
    order = {kind: number for number, kind in enumerate(KINDS)}
    for row in sorted(rows, key=lambda row: (order.get(row["kind"], len(order)), row["name"])):
        path = picture_path(run.id, row["name"])
        body, why = None, ""
        if row["restricted"] and not restricted:
            why = "it is for operators alone"
        elif not row["available"]:
            why = "it is not there any more, or not here"
        else:
            body, why = _clean(sources, run, row["name"])
        if body is not None and len(body) > pack.room:
            body, why = None, f"there is room for {MOST // 2**20} MB of evidence in all"
        if body is None:
            pack.left_out.append(f"{path}: {why}")
        else:
            pack.room -= len(body)
            pack.files[path] = body


def _clean(sources: Sources, run: Run, name: str) -> tuple[bytes | None, str]:
    """A file without secrets, or why there is none."""
    try:
        body = sources.evidence.read(run, name)
    except StoreUnavailable:
        body = None
    if body is None:
        return None, "it could not be read"
    clean: bytes | None = sources.redactor.data(body)
    if PurePosixPath(name).suffix == ".zip":
        clean = redacted_zip(body, sources.redactor)
    elif picture_type(body) is not None and clean != body:
        clean = None
    return clean, "it could not be looked through for secrets"


def _without_paths(document: RunDocument) -> RunDocument:
    """The document of a run with the paths of its evidence as they are in the bundle, not as they are on our disk."""
    run = document["run"]
    evidence = [{**a, "path": picture_path(run["id"], PurePosixPath(a["path"]).name)} for a in run["evidence"]]
    return {**document, "run": {**run, "evidence": evidence}}


def _json(document: Any) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode(errors="replace")


def _readme(
    sources: Sources, document: IncidentDocument, runs: tuple[Run, ...], pack: _Bundle, *, restricted: bool
) -> str:
    """What this is, how to see the trouble for oneself, and what is missing."""
    row = document["incident"]
    known = {run.id for run in runs}
    lines = [
        f"Incident {row['id']}: {' '.join(row['title'].split())}",
        "",
        "report.html    a post-mortem, begun: open it in any browser",
        "timeline.md    what happened when, who was told",
        "incident.json  the same for machines, runs/ each run that matters, evidence/ their files (docs/json.md)",
        "",
        "Secrets that the configuration knows are masked (***)."
        + ("" if restricted else " What is for operators alone is not in here."),
        "A trace (trace.zip) is shown by `playwright show-trace`, or by https://trace.playwright.dev, which keeps it in the browser.",
        "",
        "To see it for oneself, with the same configuration:",
        "",
        f"    {document['reproduce']}",
        "",
        f"Configuration {sources.hash or 'not known'}, probe {sources.version or 'of an unknown version'}.",
        f"Seen from {', '.join(row['regions']) or 'no region in particular'}.",
        f"Runs: {', '.join(sorted(known)) or 'none is kept any more'}.",
    ]
    if pack.left_out:
        lines += ["", "Left out:", *(f"    {text}" for text in sorted(pack.left_out))]
    return "\n".join(lines) + "\n"
