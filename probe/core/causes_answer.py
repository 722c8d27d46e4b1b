"""Rules on answers that came and were not what they should be: refusals, errors, broken pages."""

from itertools import pairwise
from typing import Final

from probe.core import symptoms
from probe.core.case import Case, Confidence, Diagnosis
from probe.core.exchange import Exchange
from probe.core.failure import Failure, Layer
from probe.core.incident import Verdict
from probe.core.run import Run
from probe.core.symptoms import Breadth, at, breadth, host, mixed, request

LIKELY, POSSIBLE, UNCLEAR = Confidence.LIKELY, Confidence.POSSIBLE, Confidence.UNCLEAR
REFUSALS: Final = frozenset({"403", "429"})
"""What a server answers to somebody it takes for a robot."""
SCRIPTS: Final = {
    "page_error": "the page's own script fails",
    "page_crashed": "the page makes the browser crash",
    "page_unresponsive": "a script of the page never ends",
    "page_memory": "the page takes more memory than a browser gives it",
}


def robot(case: Case, failure: Failure) -> Diagnosis | None:
    """The server takes us for a robot."""
    if case.incident.verdict is not Verdict.BLOCKED and not (failure.kind == "status" and failure.actual in REFUSALS):
        return None
    return Diagnosis(
        layer=failure.layer,
        words=f"{host(case)} refuses probe as it refuses robots (HTTP {failure.actual or 'refusal'}){at(failure)}: a firewall, a bot wall or a rate limit",
        confidence=LIKELY if case.incident.verdict is Verdict.BLOCKED else POSSIBLE,
        evidence_against=("customers may be refused, too: that is not known",),
        look_at=(
            f"the log of the firewall or bot wall of {host(case)}: what it says of probe's addresses and User-Agent",
        ),
    )


def one_of_several(case: Case, failure: Failure) -> Diagnosis | None:
    """Good and bad answers take turns: one of several servers behind a balancer is ill."""
    bad, good = (
        symptoms.servers((*case.failed, *case.passed, *case.others), bad=True),
        symptoms.servers((*case.failed, *case.passed, *case.others), bad=False),
    )
    known = len(bad) == 1 and len(good) > 1 and not bad.keys() & good.keys()
    if failure.kind != "status" or not (failure.actual or "5").startswith("5"):
        return None
    if not known and not (mixed(case) and len(symptoms.places(case)) > 1):
        return None
    which = next(iter(bad)) if known else None
    count, runs = len(case.failed), len(case.failed) + len(case.passed)
    return Diagnosis(
        layer=failure.layer,
        words=f"one of several servers of {host(case)} answers {failure.actual or 'with errors'}, the others are well"
        + (f": {which}" if which else ""),
        confidence=LIKELY if known else POSSIBLE,
        evidence_for=(
            f"good and bad runs take turns: {count} of {runs} failed",
            *(
                (f"all {bad[which]} bad answers came with {which}, none of the {sum(good.values())} good ones",)
                if which
                else ()
            ),
            *(
                (f"they fail at {len(symptoms.places(case))} different places",)
                if len(symptoms.places(case)) > 1
                else ()
            ),
        ),
        look_at=(
            f"the server that says {which}: its log since the beginning; take it out of the balancer"
            if which
            else f"the servers behind {host(case)}, one by one, and why the balancer does not take the ill one out",
        ),
    )


def behind_it(case: Case, failure: Failure) -> Diagnosis | None:
    """A gateway says that what is behind it does not answer."""
    status = failure.actual if failure.kind == "status" else None
    if status not in ("502", "503", "504"):
        return None
    asked = request(case)
    how = {"502": "cannot be reached", "503": "is down or overloaded", "504": "does not answer in time"}[status]
    wide = breadth(case)
    if wide is Breadth.ALL:
        words = f"{host(case)} answers {status} to all that is asked: something that all pages need (a database, the application itself) {how}"
        look = f"what all pages of {host(case)} need: its database, its application servers, and their logs"
    else:
        only = "only this" if wide is Breadth.PART else "it"
        words = f"{asked} answers {status}{at(failure)}: a service that {only} needs {how}"
        look = f"the service that {asked} calls: is it up, and what did the shop's log say of it"
    return Diagnosis(
        layer=failure.layer, words=words, confidence=LIKELY, evidence_for=(failure.message,), look_at=(look,)
    )


def rejected(case: Case, failure: Failure) -> Diagnosis | None:
    """The server answers, and refuses what was asked."""
    if failure.kind != "status" or not (failure.actual or "").startswith("4"):
        return None
    asked = request(case)
    if failure.actual in ("404", "410"):
        words = f"{asked} is not there (HTTP {failure.actual}){at(failure)}: it was moved, or its route is lost"
    elif failure.actual == "401":
        words = f"{asked} asks who we are (HTTP 401){at(failure)}: a sign-in, a session or a key does not hold any more"
    else:
        words = f"the shop itself refuses {asked} (HTTP {failure.actual}){at(failure)}: its rules or the shape of what it takes have changed, or its data are wrong"
    return Diagnosis(
        layer=failure.layer,
        words=words,
        confidence=LIKELY if case.share > 0.75 else POSSIBLE,
        evidence_for=(failure.message,),
        look_at=(f"why {asked} refuses: the answer's body, and the log of what checks it",),
    )


def server_error(case: Case, failure: Failure) -> Diagnosis | None:
    """The server fails while it answers."""
    if failure.kind != "status" or not (failure.actual or "").startswith("5"):
        return None
    asked = request(case)
    wide = breadth(case)
    if wide is Breadth.ALL:
        return Diagnosis(
            layer=failure.layer,
            words=f"{host(case)} answers {failure.actual} to all that is asked: the application itself fails",
            confidence=POSSIBLE,
            evidence_for=(failure.message,),
            look_at=(f"the error log of {host(case)} since the beginning",),
        )
    rest = ", while all else works: an error in the code or the data behind this one request"
    return Diagnosis(
        layer=failure.layer,
        words=f"{asked} fails on the server (HTTP {failure.actual}){at(failure)}{rest if wide is Breadth.PART else ''}",
        confidence=LIKELY if wide is Breadth.PART and case.share > 0.75 else POSSIBLE,
        evidence_for=(failure.message,),
        look_at=(f"the error log of what answers {asked}, and what was last changed in it",),
    )


def page_script(case: Case, failure: Failure) -> Diagnosis | None:
    """The page came, and its own script fails."""
    del case
    if failure.layer is not Layer.SCRIPT:
        return None
    return Diagnosis(
        layer=failure.layer,
        words=f"{SCRIPTS.get(failure.kind, 'the page fails in the browser')}{at(failure)}: the page was answered, and is broken",
        confidence=LIKELY,
        evidence_for=(failure.message,),
        look_at=("the script and the markup of the page: what was changed in them last, and the console of the run",),
    )


def not_read_back(case: Case, failure: Failure) -> Diagnosis | None:
    """What was written is not there when it is read a moment later."""
    if failure.layer is not Layer.CONTENT:
        return None
    for run in case.failed:
        written = _written(run)
        if written is not None:
            wrote, read = written
            return Diagnosis(
                layer=Layer.CONTENT,
                words=f"what {wrote.method} {_path(wrote)} wrote is not there when {_path(read)} is read{at(run.failure)}: a read replica or a cache lags behind, or the session is lost",
                confidence=LIKELY if read.status < 300 and case.share > 0.5 else POSSIBLE,
                evidence_for=(
                    f"{wrote.method} {_path(wrote)} answered {wrote.status}, then {read.method} {_path(read)} {read.status} without it",
                    failure.message,
                ),
                look_at=(
                    "how far the database's replicas and the caches are behind",
                    f"where {_path(read)} reads from",
                ),
            )
    return None


def content(case: Case, failure: Failure) -> Diagnosis | None:
    """An answer came, and is not what was expected."""
    if failure.layer is not Layer.CONTENT and failure.kind != "header":
        return None
    good, bad = symptoms.twins(case, failure.step)
    if good and not bad:
        words = f"the page does not show what it should{at(failure)}, though the same step works without a browser: the front end is broken"
        return Diagnosis(
            layer=failure.layer,
            words=words,
            confidence=POSSIBLE,
            evidence_for=(failure.message,),
            look_at=("the page's markup and scripts, and the picture of the run",),
        )
    return Diagnosis(
        layer=failure.layer,
        words=f"an answer came, with another content than expected{at(failure)}",
        confidence=UNCLEAR,
        evidence_for=(failure.message,),
        look_at=("the picture of the run beside the last good one, and what changed in the text",),
    )


def _written(run: Run) -> tuple[Exchange, Exchange] | None:
    """The change that went well, and the reading after it that failed, where a run ended so."""
    failure, seen = run.failure, run.observation.exchanges
    if failure is None or failure.layer is not Layer.CONTENT:
        return None
    for before, after in pairwise(seen):
        if (
            before.method in symptoms.WRITES
            and before.status < 400
            and after.method == "GET"
            and after.final_url == failure.url
        ):
            return before, after
    return None


def _path(exchange: Exchange) -> str:
    return "/" + exchange.final_url.partition("://")[2].partition("/")[2].partition("?")[0]
