"""A loaded configuration, made ready to be published: the whole for nodes that judge, and each region's part for its agents."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from probe.config.publish import for_everyone, for_region
from probe.config.settings import Config
from probe.core.check import CheckSpec
from probe.errors import ProbeError
from probe.fleet.bundle import bundle_of
from probe.fleet.publish import Publication
from probe.loader import LoadedChecks


def publication_of(loaded: LoadedChecks) -> Publication:
    """What to publish of it. Reads the files that it names; `ProbeError` for one that cannot be published.

    An agent gets the Python files of its own checks, and those that declare none, which others may import.
    """
    config = loaded.config
    assert config.fleet is not None, "a node of a fleet"
    if not config.is_whole:
        raise ProbeError(f"{config.path} says only what one node does in the fleet: nothing in it can be published")
    home = config.region.name if config.fleet.probes else None
    files, keys = list(_files(config)), list(_authorities(config))
    declaring = {spec.source.file for spec in loaded.checks}
    regions = {}
    for region in config.all_regions:
        here = [spec for spec in loaded.checks if not spec.regions or region in spec.regions]
        own = {spec.source.file for spec in here}
        used = {spec.target for spec in here}
        needed = [file for file in files if str(file) in own or str(file) not in declaring]
        trusted = [file for target, file in keys if target in used]
        document = for_region(config.document, region, here)
        regions[region] = bundle_of(document, config.folder, (*needed, *_named(here), *trusted))
    everything = (*files, *_named(loaded.checks), *(file for _, file in keys))
    whole = bundle_of(for_everyone(config.document, home), config.folder, everything)
    return Publication(whole=whole, regions=regions, rules=loaded.rules)


def _files(config: Config) -> Iterator[Path]:
    """All Python below the folders of checks, helpers as well."""
    for path in config.check_paths:
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def _named(checks: Iterable[CheckSpec]) -> Iterator[Path]:
    """The files of tests that checks run as they are."""
    for spec in checks:
        file = getattr(spec.work, "file", None)
        if file is not None:
            yield Path(file)


def _authorities(config: Config) -> Iterator[tuple[str, Path]]:
    """The certificates that targets are trusted by: they are no secret."""
    for target in config.targets.values():
        written = str(config.document["targets"][target.name].get("ca"))
        if target.ca is not None and not written.startswith(("/", "~", "$")):  # else each node has its own there
            yield target.name, Path(target.ca)
