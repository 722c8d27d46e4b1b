"""Runs as plain data: the stable shape of `--json` (docs/json.md), and of whatever else exports runs."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from probe.core.exchange import Certificate, Exchange, Phases, Tls
from probe.core.failure import Failure
from probe.core.run import Comparison, Control, Document, Run, Step

SCHEMA = 1
"""Raised when a field changes its meaning or goes away; new fields do not raise it."""


def encode_run(run: Run) -> dict[str, Any]:
    """A run as JSON-able data. Times are seconds (ms precision) and RFC 3339 UTC; bodies are left out."""
    seen = run.observation
    return {
        "id": run.id,
        "check": run.check,
        "kind": run.kind,
        "target": run.target,
        "region": run.region,
        "why": run.why.value,
        "outcome": run.outcome.value,
        "started": timestamp(run.started),
        "duration": seconds(run.duration.total_seconds()),
        "slot": None
        if run.slot is None
        else {"number": run.slot.number, "due": timestamp(run.slot.due), "count": run.slot.count},
        "lag": seconds(run.lag),
        "maintenance": run.maintenance,
        "failure": None if run.failure is None else encode_failure(run.failure),
        "failures": [encode_failure(f) for f in seen.failures],
        "steps": [_step(s) for s in seen.steps],
        "http": [_exchange(e) for e in seen.exchanges],
        "vitals": [{k: v if k == "url" else seconds(v) for k, v in asdict(v).items()} for v in seen.vitals],
        "failed_requests": [asdict(r) for r in seen.failed_requests],
        "third_parties": [
            {**asdict(p), "time": seconds(p.time), "share": round(p.share, 3)} for p in seen.third_parties
        ],
        "console": [asdict(line) for line in seen.console],
        "evidence": [asdict(a) for a in seen.artifacts],
        "orders": list(seen.orders),
        "undone": list(seen.undone),
        "host": {
            "cpu": round(seen.host.cpu, 3),
            "loop_lag": seconds(seen.host.loop_lag),
            "waited": seconds(seen.host.waited),
        },
        "log": list(seen.log),
        "trace_id": seen.trace_id,
        "stopped_before": seen.stopped_before,
        "control": None if seen.control is None else _control(seen.control),
        "documents": [_document(d) for d in seen.documents],
        "scripts": list(seen.scripts),
        "texts": [asdict(t) for t in seen.texts],
        "compared": None if seen.compared is None else _comparison(seen.compared),
    }


def encode_failure(failure: Failure) -> dict[str, Any]:
    """A failure as JSON-able data."""
    return {**asdict(failure), "layer": failure.layer.value}


def seconds(value: float | None) -> float | None:
    """Seconds with the precision that means something: tenths of a millisecond."""
    return None if value is None else round(value, 4)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds.

    >>> timestamp(datetime(2026, 11, 23, 3, 0, tzinfo=UTC))
    '2026-11-23T03:00:00.000Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _control(control: Control) -> dict[str, Any]:
    return {
        "well": control.well,
        "at": timestamp(control.at),
        "duration": seconds(control.seconds),
        "text": control.text,
    }


def _document(document: Document) -> dict[str, Any]:
    certificate = document.certificate
    return {
        **asdict(document),
        "redirects": list(document.redirects),
        "headers": [{"name": name, "value": value} for name, value in document.headers],
        "certificate": None if certificate is None else _certificate(certificate),
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "good": comparison.good,
        "at": timestamp(comparison.at),
        "differences": [asdict(d) for d in comparison.differences],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "outcome": step.outcome.value,
        "start": seconds(step.start),
        "duration": seconds(step.duration),
        "within": step.within,
        "soft": step.soft,
        "failure": None if step.failure is None else encode_failure(step.failure),
    }


def _exchange(exchange: Exchange) -> dict[str, Any]:
    return {
        "method": exchange.method,
        "url": exchange.url,
        "status": exchange.status,
        "duration": seconds(exchange.duration),
        "size": exchange.size,
        "wire_size": exchange.wire_size,
        "phases": _phases(exchange.phases),
        "hops": [
            {
                "method": hop.method,
                "url": hop.url,
                "status": hop.status,
                "address": hop.address,
                "answers": list(hop.answers),
                "location": hop.location,
                "phases": _phases(hop.phases),
            }
            for hop in exchange.hops
        ],
        "tls": None if exchange.tls is None else _tls(exchange.tls),
    }


def _phases(phases: Phases) -> dict[str, float | None]:
    return {name: seconds(value) for name, value in asdict(phases).items()}


def _tls(tls: Tls) -> dict[str, Any]:
    return {
        "version": tls.version,
        "cipher": tls.cipher,
        "expires": None if tls.expires is None else timestamp(tls.expires),
        "leaf": None if tls.leaf is None else _certificate(tls.leaf),
        "presented": [_certificate(c) for c in tls.presented],
        "verified": [_certificate(c) for c in tls.verified],
    }


def _certificate(certificate: Certificate) -> dict[str, Any]:
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "names": list(certificate.names),
        "not_before": timestamp(certificate.not_before),
        "not_after": timestamp(certificate.not_after),
        "sha256": certificate.sha256,
    }
