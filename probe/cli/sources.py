"""What documents are made from, for a command: the same as the daemon's pages have, with or without a daemon."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from types import MappingProxyType
from typing import Any

import typer

from probe import __version__
from probe.cli.control import NoDaemon, Refused, ask
from probe.cli.stored import Asked
from probe.config.rules import rules_of
from probe.core.access import Access
from probe.core.people import Mark, Note, Notice
from probe.core.rules import Rules
from probe.core.secret import Redactor
from probe.errors import ConfigError, StoreUnavailable
from probe.generation import hash_of
from probe.loader import LoadedChecks, load_checks
from probe.store.people import People, open_people
from probe.store.people_file import FILE
from probe.store.reader import Reader
from probe.view.evidence import LocalEvidence
from probe.view.sources import EvidenceFiles, Sources


class Nobody(People):
    """What people did, where nobody has done anything yet: `open_people` would make a database of it."""

    def __init__(self) -> None:
        """Without any database."""

    def notes(self, incident: str) -> tuple[Note, ...]:  # noqa: ARG002  # the base's
        """None."""
        return ()

    def marks(self, start: datetime, end: datetime, check: str | None = None) -> tuple[Mark, ...]:  # noqa: ARG002  # the base's
        """None."""
        return ()

    def notices(self, since: datetime) -> tuple[Notice, ...]:  # noqa: ARG002  # the base's
        """None."""
        return ()

    def reports(self, component: str, start: datetime, end: datetime) -> int:  # noqa: ARG002  # the base's
        """None."""
        return 0

    def reports_by_hour(self, component: str, start: datetime, end: datetime) -> Sequence[Any]:  # type: ignore[override]  # noqa: ARG002  # the base's
        """None."""
        return ()


@contextmanager
def sources(call: Asked) -> Iterator[Sources]:
    """One look for a command, as far as the configuration can be read here. `StoreUnavailable` when nothing is stored.

    with asked(config, json=json) as call, sources(call) as found: document = incident(found, id)
    """
    config = call.config
    rules, loaded = _loaded(call)
    live = _live(call)
    with call.reader() as reader, _people(call) as people:
        specs = {spec.id: spec for spec in loaded.checks}
        yield Sources(
            now=call.now,
            reader=reader,
            people=people,
            evidence=_evidence(call, reader),
            rules=rules,
            redactor=Redactor(config.secrets),
            checks=MappingProxyType(specs),
            targets=config.targets,
            hash=live["config"]["hash"] if live is not None else hash_of(loaded),
            version=__version__,
            live=live,
            status_page=config.status_page,
            restricted=frozenset(name for name, spec in specs.items() if spec.evidence.access is Access.OPERATOR),
        )


def _loaded(call: Asked) -> tuple[Rules, LoadedChecks]:
    """What is watched, as far as it can be read here: nothing, with a word about it, when the checks cannot be loaded."""
    try:
        checks = load_checks(call.config)
    except ConfigError:
        typer.echo("the checks cannot be loaded here (see `probe validate`): only what is stored is shown", err=True)
        return Rules(), LoadedChecks(config=call.config, checks=())
    return rules_of(call.config, checks)[0], LoadedChecks(config=call.config, checks=checks)


def _live(call: Asked) -> dict[str, Any] | None:
    """What the daemon says of itself, if one answers."""
    try:
        return ask(call.config.data, "GET", "/status")
    except (NoDaemon, Refused):
        return None


@contextmanager
def _people(call: Asked) -> Iterator[People]:
    """What people did, as far as it can be read: looking must not make a database where there is none."""
    with ExitStack() as stack:
        try:
            people = _opened(call, stack)
        except StoreUnavailable as error:
            typer.echo(call.clean(f"what people wrote cannot be read: {error}"), err=True)
            people = Nobody()
        yield people


def _opened(call: Asked, stack: ExitStack) -> People:
    url, fleet = call.config.database, call.config.fleet
    if url is not None and (fleet is None or fleet.judges):
        from probe.fleet.people import open_fleet_people

        return stack.enter_context(open_fleet_people(url))
    if (call.config.data / FILE).exists():
        return stack.enter_context(open_people(call.config.data))
    return Nobody()


def _evidence(call: Asked, reader: Reader) -> EvidenceFiles:
    """Where evidence can be had: an agent has its own alone."""
    local, fleet = LocalEvidence(call.config.evidence_dir), call.config.fleet
    if call.config.database is None or (fleet is not None and not fleet.judges):
        return local
    from probe.fleet.shown import FleetEvidence

    return FleetEvidence(reader, "database" if fleet is None else fleet.evidence, local)
