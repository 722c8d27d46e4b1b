"""`[[check]]` of kind `http` → an `HttpCall` and what is expected of the answer."""

import json
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from probe.config.findings import Findings
from probe.config.lines import KeyPath
from probe.config.schema import ExpectTable, HttpCheckTable
from probe.core.check import HttpCall
from probe.core.expectation import Expectation, Op, Subject
from probe.core.secret import Secret

FINE = Expectation(subject=Subject.STATUS, op=Op.UNDER, value=400)
"""What is expected of the status when nothing is said: that the last answer is no error."""


def http_call(table: HttpCheckTable, path: KeyPath, findings: Findings) -> HttpCall:
    """The request of a declarative check. A request with a body is a POST unless it says otherwise."""
    bodies = [
        key for key, value in (("body", table.body), ("json", table.json_), ("form", table.form)) if value is not None
    ]
    if len(bodies) > 1:
        findings.error(
            (*path, bodies[1]), f"a request has one body: there is {bodies[0]!r} already", "leave one of them"
        )
    body, content_type = _body(table, path, findings)
    headers = {name: Secret(value) for name, value in table.headers.items()}
    if content_type and not any(name.lower() == "content-type" for name in headers):
        headers["content-type"] = Secret(content_type)
    return HttpCall(
        method=table.method or ("POST" if bodies else "GET"),
        path=table.path,
        headers=MappingProxyType(headers),
        body=None if body is None else Secret(body),
        follow_redirects=table.follow_redirects,
        max_redirects=table.max_redirects,
        max_body=table.max_body,
        verify_tls=table.verify_tls,
        expectations=tuple(expectations(table.expect, path, findings)),
    )


def _body(table: HttpCheckTable, path: KeyPath, findings: Findings) -> tuple[str | None, str]:
    if table.json_ is not None:
        return _json(table.json_, (*path, "json"), findings), "application/json"
    if table.form is not None:
        return urlencode(table.form), "application/x-www-form-urlencoded"
    return table.body, ""


def _json(value: Any, path: KeyPath, findings: Findings) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        findings.error(path, "it holds a value that JSON does not have", "write dates as strings, and no inf or nan")
        return ""


def expectations(expect: ExpectTable, path: KeyPath, findings: Findings) -> Iterator[Expectation]:
    """The expectations of an `expect` table, in the order of the wire: status first."""
    path = (*path, "expect")
    if expect.status is None:
        yield FINE
    elif len(expect.status) == 1:
        yield Expectation(subject=Subject.STATUS, op=Op.EQUALS, value=expect.status[0])
    else:
        yield Expectation(subject=Subject.STATUS, op=Op.ONE_OF, value=expect.status)
    if expect.redirects is not None:
        yield Expectation(subject=Subject.REDIRECTS, op=Op.EQUALS, value=expect.redirects)
    for name, value in expect.headers.items():
        yield Expectation(subject=Subject.HEADER, op=Op.HAS, selector=name, value=value)
    for op, texts in ((Op.HAS, expect.body), (Op.LACKS, expect.body_lacks), (Op.MATCHES, expect.body_matches)):
        for text in texts:
            yield Expectation(subject=Subject.BODY, op=op, value=text)
    for selector, value in expect.json_.items():
        _json(value, (*path, "json", selector), findings)
        yield Expectation(subject=Subject.JSON, op=Op.EQUALS, selector=selector, value=value)
    if expect.size_under is not None:
        yield Expectation(subject=Subject.SIZE, op=Op.UNDER, value=expect.size_under)
    if expect.size_at_least is not None:
        yield Expectation(subject=Subject.SIZE, op=Op.AT_LEAST, value=expect.size_at_least)
    for phase, longest in expect.phases.items():
        yield Expectation(subject=Subject.PHASE, op=Op.UNDER, selector=phase, value=longest.total_seconds())
    if expect.within is not None:
        yield Expectation(subject=Subject.TOTAL, op=Op.UNDER, value=expect.within.total_seconds())
    if expect.tls_days is not None:
        yield Expectation(subject=Subject.TLS_DAYS, op=Op.AT_LEAST, value=expect.tls_days)
