"""Tables of the config → core types: targets, the browser, `[[check]]`."""

import contextlib
from pathlib import Path
from types import MappingProxyType

from probe.config import pytest_file, schema
from probe.config.declare import Ground, evidence_of, settle, slug
from probe.config.findings import Findings
from probe.config.http_check import http_call
from probe.config.lines import KeyPath
from probe.config.validate import validate
from probe.core.check import WHOLE_RUN, CheckSpec, PytestFunction, Source
from probe.core.diagnostic import Diagnostic, did_you_mean
from probe.core.secret import Secret
from probe.core.target import BrowserSettings, Target


def target(name: str, table: schema.TargetTable, folder: Path, findings: Findings) -> Target:
    """A target; its PEM files must be there."""
    path: KeyPath = ("targets", name)
    if table.client_key and not table.client_certificate:
        findings.error((*path, "client_key"), "there is no client_certificate for it", "name both")
    return Target(
        name=name,
        url=table.url,
        headers=MappingProxyType({key: Secret(value) for key, value in table.headers.items()}),
        secrets=MappingProxyType({key: Secret(value) for key, value in table.secrets.items()}),
        third_parties=tuple(host.lower().lstrip("*.") for host in table.third_parties),
        ca=_pem(table.ca, (*path, "ca"), folder, findings),
        client_certificate=_pem(table.client_certificate, (*path, "client_certificate"), folder, findings),
        client_key=_pem(table.client_key, (*path, "client_key"), folder, findings),
    )


def _pem(name: str | None, path: KeyPath, folder: Path, findings: Findings) -> str | None:
    if name is None:
        return None
    shown = findings.show(path, name)
    try:
        file = (folder / Path(name).expanduser()).absolute()
        if b"-----BEGIN " not in file.read_bytes():
            findings.error(path, f"the file {shown} is not PEM", "it must hold a block that starts with -----BEGIN")
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "that is no path"
        findings.error(
            path, f"cannot read the file {shown}: {reason}", "a relative path starts at the folder of the config file"
        )
        return None
    return str(file)


def browser_settings(table: schema.BrowserTable, folder: Path) -> BrowserSettings:
    """How browsers are run. A bare name of a program is looked for in PATH, a path starts at the config's folder.

    Whether it is there is found out when a browser is needed: HTTP checks run without one.
    """
    executable = table.executable
    if executable and "/" in executable:
        with contextlib.suppress(RuntimeError):  # "~" of nobody: no such file, as will be said
            executable = str((folder / Path(executable).expanduser()).absolute())
    return BrowserSettings(
        executable=executable,
        workers=table.workers,
        recycle_after_runs=table.recycle_after_runs,
        recycle_after=table.recycle_after,
        recycle_above=table.recycle_above,
        max_memory=table.max_memory,
    )


def label_checks(tables: object, findings: Findings) -> None:
    """Have diagnostics speak of `check.home-page`, not of `check[0]`."""
    for index, table in enumerate(tables if isinstance(tables, list) else ()):
        given = table if isinstance(table, dict) else {}
        named = [given.get("id"), given.get("name"), Path(str(given.get("file", ""))).stem]
        words = [slug(name) for name in named if isinstance(name, str)]
        if any(words):
            findings.labels[("check", index)] = f"check.{next(filter(None, words))}"


def check_specs(raw: object, path: KeyPath, folder: Path, ground: Ground, findings: Findings) -> tuple[CheckSpec, ...]:
    """The checks that one `[[check]]` declares: one, or one for each test function of a pytest file."""
    kind = raw.get("kind", "http") if isinstance(raw, dict) else "http"
    model = schema.KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        where = (*path, "kind")
        hint = (
            "functions are declared in Python, with @check and @journey"
            if kind in ("function", "browser")
            else did_you_mean(str(kind), schema.KINDS)
        )
        findings.error(where, f"there is no kind {findings.show(where, kind)}", hint)
        return ()
    judged = validate(model, raw, path, findings)
    if judged is None:
        return ()
    table, broken = judged
    common = settle(table, broken, path, ground, findings)
    side_effects = _side_effects(table, broken, path, findings)
    source = Source(file=findings.file, line=findings.line(path) or 1)
    if isinstance(table, schema.PytestCheckTable):
        prefix = table.id or slug(table.name or Path(table.file).stem)
        return tuple(
            common.spec(
                table,
                id=f"{prefix}.{test.node.replace('::', '.')}",
                kind=table.kind,
                work=PytestFunction(file=file, node=test.node, browser=table.browser),
                source=test_source,
                description=test.doc or table.description or table.name or "",
                evidence=evidence_of(table.evidence, ground),
                side_effects=side_effects,
            )
            for file, test, test_source in _tests(table, broken, path, folder, findings)
        )
    name = table.id or slug(table.name)
    if not name and "name" not in broken:
        findings.error(
            (*path, "name"), f"no id can be made of {findings.show((*path, 'name'), table.name)}", 'give one: id = "…"'
        )
    call = http_call(table, path, findings)
    description = table.description or table.name
    return (
        common.spec(
            table,
            id=name,
            kind="http",
            work=call,
            source=source,
            description=description,
            evidence=ground.evidence,
            side_effects=side_effects,
        ),
    )


def _side_effects(
    table: schema.HttpCheckTable | schema.PytestCheckTable, broken: frozenset[str], path: KeyPath, findings: Findings
) -> str | None:
    """What has no steps can only be run whole, or be confirmed with something else."""
    if not table.side_effects:
        return None
    if table.confirm_with is None and "confirm_with" not in broken:
        findings.error(
            (*path, "side_effects"),
            "it has no steps to stop before: each run that is to confirm a failure would do it again",
            'name a check without side effects that is run in its place: confirm_with = "…"',
        )
    return WHOLE_RUN


def _tests(
    table: schema.PytestCheckTable, broken: frozenset[str], path: KeyPath, folder: Path, findings: Findings
) -> list[tuple[str, pytest_file.TestFunction, Source]]:
    if "file" in broken:
        return []
    where = (*path, "file")
    file = folder / table.file
    shown = findings.show(where, table.file)
    try:
        tests = pytest_file.tests_in(file)
    except pytest_file.Unreadable as error:
        if error.line is None:
            findings.error(where, f"{shown}: {error.reason}", "a relative path starts at the folder of the config file")
        else:
            findings.add(Diagnostic(file=str(file), line=error.line, what=f"this is not Python: {error.reason}"))
        return []
    if not tests:
        findings.error(
            where,
            f"{shown} has no test functions",
            "pytest runs functions named test_…, and methods of classes named Test…",
        )
    return [(str(file.absolute()), test, Source(file=str(file), line=test.line)) for test in tests]
