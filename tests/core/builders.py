"""Small whole values for the tests of the core."""

from datetime import UTC, datetime, timedelta
from typing import Any

from probe.core.check import CheckId, CheckSpec, HttpCall, Source
from probe.core.exchange import Certificate, Exchange, Hop, Phases, Tls

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def certificate(days: float = 90, subject: str = "CN=shop.example") -> Certificate:
    return Certificate(
        subject=subject,
        issuer="CN=Test CA",
        names=("shop.example",),
        not_before=NOW - timedelta(days=1),
        not_after=NOW + timedelta(days=days),
        sha256="ab" * 32,
    )


def tls(*days: float) -> Tls:
    chain = tuple(certificate(d, f"CN={i}") for i, d in enumerate(days))
    return Tls(version="TLSv1.3", cipher="AES", presented=chain, verified=chain)


def exchange(**given: Any) -> Exchange:
    hop = Hop(
        method="GET",
        url="https://shop.example/cart?x=1",
        status=given.get("status", 200),
        phases=given.pop("phases", Phases(dns=0.001, connect=0.002, ttfb=0.3, transfer=0.01)),
        address="127.0.0.1:443",
        tls=given.pop("tls", None),
    )
    return Exchange(
        **{
            "method": "GET",
            "url": hop.url,
            "status": 200,
            "reason": "OK",
            "headers": (("Content-Type", "application/json"), ("Set-Cookie", "a=1"), ("set-cookie", "b=2")),
            "body": b'{"items": [{"sku": "X1", "n": 2}, {"sku": "Y2", "n": 1}], "ok": true, "none": null}',
            "hops": (hop,),
            "duration": 0.313,
            "started": NOW,
            "wire_size": 60,
            **given,
        }
    )


def spec(**given: Any) -> CheckSpec:
    return CheckSpec(
        **{
            "id": CheckId("cart"),
            "kind": "http",
            "target": "shop",
            "every": timedelta(minutes=1),
            "timeout": timedelta(seconds=10),
            "work": HttpCall(),
            "source": Source(file="config.toml", line=3),
            **given,
        }
    )
