"""Rules on what is below an answer: our own trouble, names, certificates, connections, hosts of others."""

from typing import Final

from probe.core import symptoms
from probe.core.case import Case, Confidence, Diagnosis
from probe.core.failure import Failure, Layer
from probe.core.fingerprint import host_of
from probe.core.incident import Verdict
from probe.core.silence import stale_region
from probe.core.symptoms import at, host

LIKELY, POSSIBLE = Confidence.LIKELY, Confidence.POSSIBLE
CERTIFICATES: Final = {
    "certificate_expired": "the certificate of {host} has expired: it was not renewed, or the new one is not in use",
    "certificate_not_yet_valid": "the certificate of {host} is not valid yet: it was put in use too early, or a clock is wrong",
    "certificate_wrong_host": "{host} presents a certificate that is for another host: another site answers there, or its server is set up wrongly",
    "certificate_untrusted": "the certificate of {host} is signed by nobody who is trusted: the chain lacks a part, or it is not a public one",
    "certificate_revoked": "the certificate of {host} was revoked",
    "certificate_expires_soon": "the certificate of {host} expires soon, and was not renewed",
}
NAMES: Final = {
    "name_not_found": "the name {host} does not exist: its record or zone is gone, or the domain has lapsed",
    "name_without_address": "the name {host} has no address (any more)",
    "dns_failed": "the name servers of {host} answer with errors",
    "dns_timeout": "the name servers of {host} do not answer in time",
}
PATHS: Final = {
    "refused": "nothing listens where {host} should: its server, or the load balancer before it, is down",
    "unreachable": "there is no way to {host}: its host is gone, or the network to it is",
    "connect_timeout": "{host} does not take connections: its host is down, or something drops the packets on the way",
}


def ours(case: Case, failure: Failure) -> Diagnosis | None:
    """Our own trouble is never told as the shop's."""
    cause = case.incident.cause
    if (region := stale_region(cause)) is not None:
        return Diagnosis(
            layer=Layer.PROBE,
            words=f"nothing is heard from our region {region}: its node, or its way to the database, is down. Not the shop",
            confidence=LIKELY,
            evidence_for=(failure.message,),
            look_at=(f"the node of the region {region}: probe fleet status",),
        )
    if not failure.ours and case.incident.verdict is not Verdict.PROBE_FAULT:
        return None
    where = ", ".join(case.affected)
    return Diagnosis(
        layer=Layer.PROBE,
        words=f"our own trouble in {where}, not the shop's: {failure.message}",
        confidence=LIKELY,
        evidence_for=(f"the failure is of a kind that only we can have: {failure.kind}",) if failure.ours else (),
        look_at=(f"the host that runs the checks of {where}: probe doctor, and its log",),
    )


def our_network(case: Case, failure: Failure) -> Diagnosis | None:
    """Control samples of the same seconds failed as well: what was seen may be our own network."""
    samples = [run.observation.control for run in case.failed if run.observation.control is not None]
    ill = [sample for sample in samples if not sample.well]
    if 2 * len(ill) <= len(samples):
        return None
    return Diagnosis(
        layer=Layer.PROBE,
        words=f"our own network in {', '.join(case.affected)} failed in the same seconds",
        confidence=POSSIBLE,
        evidence_for=(f"{len(ill)} of {len(samples)} control samples failed: {ill[0].text}",),
        evidence_against=(f"the failure itself names the shop: {failure}",),
        look_at=(f"the way out of {', '.join(case.affected)}",),
    )


def name(case: Case, failure: Failure) -> Diagnosis | None:
    """The name of the host cannot be resolved."""
    if failure.layer is not Layer.DNS:
        return None
    words = NAMES.get(failure.kind, "the name {host} cannot be resolved").format(host=_name(case))
    return Diagnosis(
        layer=failure.layer,
        words=words,
        confidence=LIKELY if case.everywhere else POSSIBLE,
        evidence_for=(failure.message,),
        look_at=(
            f"the record of {_name(case)} at its name servers, and the domain at its registrar: dig {_name(case)}",
        ),
    )


def certificate(case: Case, failure: Failure) -> Diagnosis | None:
    """The certificate is not one that customers can use, or TLS fails in another way."""
    if failure.layer is not Layer.TLS or failure.kind in symptoms.SILENT_KINDS:
        return None
    words = CERTIFICATES.get(failure.kind, "the TLS handshake with {host} fails").format(host=host(case))
    return Diagnosis(
        layer=failure.layer,
        words=words,
        confidence=LIKELY,
        evidence_for=(failure.message,),
        look_at=(f"what presents the certificate of {host(case)} (server, load balancer, CDN), and what renews it",),
    )


def third_party(case: Case, failure: Failure) -> Diagnosis | None:
    """A host that is not the shop's fails, or hangs, and the page with it."""
    if failure.layer is not Layer.THIRD_PARTY:
        return None
    party = host_of(failure.url or "") or failure.message.partition(" ")[0]
    how = (
        "does not answer"
        if failure.kind == "third_party_slow"
        else f"answers {failure.actual}"
        if failure.actual
        else "fails"
    )
    stats = [
        p
        for run in case.failed
        for p in run.observation.third_parties
        if party in (p.host, p.host.partition(":")[0]) or p.host == party.partition(":")[0]
    ]
    asked, bad = sum(p.requests for p in stats), sum(p.failed for p in stats)
    told = (
        (f"{bad} of {asked} requests to {party} failed; they took up to {max(p.time for p in stats):.1f} s of a run",)
        if stats
        else ()
    )
    return Diagnosis(
        layer=failure.layer,
        words=f"the third party {party} {how}, and {'the page waits for it' if failure.kind == 'third_party_slow' else 'the page is broken without it'}{at(failure)}: not the shop's own servers",
        confidence=LIKELY,
        evidence_for=(failure.message, *told),
        look_at=(
            f"the status page of {party}",
            f"whether the page can do without {party}: a script that does not block, a picture of one's own",
        ),
    )


def unsteady_path(case: Case, failure: Failure) -> Diagnosis | None:
    """Connections break off or stall while others work: packets are lost on the way."""
    broken = symptoms.breaks(case)
    alone = not case.failed and failure.kind in symptoms.BROKEN_KINDS
    if not alone and (not broken or (broken == len(case.failed) and not case.passed)):
        return None
    return Diagnosis(
        layer=Layer.CONNECT,
        words=f"connections to {host(case)} break off or stall now and then: packets are lost on the way, or something on the way (load balancer, firewall) drops connections",
        confidence=POSSIBLE if alone or broken < 2 else LIKELY,
        evidence_for=(f"{broken} of {len(case.failed)} bad runs had a connection that broke off",)
        if case.failed
        else (failure.message,),
        look_at=(f"packet loss and resets on the way to {host(case)}: its load balancer, firewall, uplink",),
    )


def no_way(case: Case, failure: Failure) -> Diagnosis | None:
    """No connection, or none that lasts."""
    if failure.layer is not Layer.CONNECT and failure.kind not in symptoms.BROKEN_KINDS:
        return None
    default = "{host} drops every connection: its server breaks off, or something before it does"
    return Diagnosis(
        layer=failure.layer,
        words=PATHS.get(failure.kind, default).format(host=host(case)) + at(failure),
        confidence=LIKELY if case.everywhere else POSSIBLE,
        evidence_for=(failure.message,),
        look_at=(f"the server of {host(case)} and what is before it: is it up, and does it listen",),
    )


def _name(case: Case) -> str:
    return host(case).partition(":")[0]
