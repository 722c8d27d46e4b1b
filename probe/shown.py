"""What is stored, for those who look: of this machine, or of the fleet that this node judges for."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

from probe.config.settings import Config
from probe.store.people import open_people
from probe.store.reader import open_reader
from probe.view.evidence import LocalEvidence
from probe.web.reading import Opened


@contextmanager
def open_shown(config: Config) -> Iterator[Opened]:
    """The runs, what people did, and the evidence. `StoreUnavailable` when it cannot be read.

    An agent may not read what its fleet has stored: of it there is what it remembers itself.
    """
    here = LocalEvidence(config.evidence_dir)
    with ExitStack() as stack:
        if config.database is not None and config.fleet is not None and config.fleet.judges:
            from probe.fleet.people import open_fleet_people  # a node that stands alone needs no PostgreSQL
            from probe.fleet.read import open_fleet
            from probe.fleet.shown import FleetEvidence

            reader = stack.enter_context(open_fleet(config.database))
            people = stack.enter_context(open_fleet_people(config.database))
            yield Opened(reader=reader, people=people, evidence=FleetEvidence(reader, config.fleet.evidence, here))
            return
        yield Opened(
            reader=stack.enter_context(open_reader(config.data)),
            people=stack.enter_context(open_people(config.data)),
            evidence=here,
        )


def tidy_people(config: Config, now: datetime) -> None:
    """Forget what people did long ago. Blocks. `StoreUnavailable` when that cannot be done now."""
    if config.database is not None and config.fleet is not None and config.fleet.judges:
        from probe.fleet.people import open_fleet_people

        with open_fleet_people(config.database) as people:
            people.tidy(now)
        return
    with open_people(config.data) as people:
        people.tidy(now)
