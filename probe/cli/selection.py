"""Which checks, from where, at what: the command line's choices applied to the configuration."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from probe.config.accepted import accepted
from probe.config.settings import Config
from probe.core.diagnostic import Diagnostic, did_you_mean
from probe.core.target import Region
from probe.engine.runner import Job, jobs_of
from probe.errors import ConfigError
from probe.loader import load, select


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is to be run."""

    config: Config
    jobs: tuple[Job, ...]
    warnings: tuple[Diagnostic, ...]


def select_jobs(
    path: Path,
    names: Iterable[str],
    *,
    targets: Iterable[str] = (),
    regions: Iterable[str] = (),
    full_evidence: bool = False,
    everywhere: bool = False,
    environ: Mapping[str, str],
) -> Selection:
    """Load the configuration and the checks, and choose among them. `ConfigError` says everything that is wrong.

    `everywhere` is for who wants to know and not to run: all regions of a fleet, whoever probes from them, and what a
    node says of itself alone is no mistake.
    """
    loaded = load(path, environ=environ, targets=_assignments(targets))
    if (given := accepted(loaded.config)) is not None:
        loaded = load(given, environ=environ, targets=_assignments(targets))
    config = loaded.config
    checks = select(loaded.checks, tuple(names))
    if full_evidence:
        checks = tuple(replace(check, evidence=check.evidence.in_full()) for check in checks)
    jobs = jobs_of(checks, _everywhere(config) if everywhere else _regions(config, tuple(regions)))
    if not jobs and not (everywhere and config.fleet is not None and not checks):
        what = "no check runs from the chosen regions" if checks else "there is no check"
        hint = "write one in a folder that probe.checks names, or a [[check]] table (README: a check in 20 lines)"
        if config.fleet is not None and not config.fleet.judges:
            hint = "an agent gets them from the database of its fleet: start `probe run` once"
        raise ConfigError((Diagnostic(file=str(path), what=what, hint="" if checks else hint),))
    return Selection(config=config, jobs=jobs, warnings=loaded.warnings)


def _assignments(texts: Iterable[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    wrong = [name for name, equals, url in pairs if not (name and equals and url)]
    if wrong:
        raise ConfigError(
            tuple(
                Diagnostic(
                    file="--target",
                    what=f"{name!r} is not NAME=URL",
                    hint="write --target shop=https://preview.example",
                )
                for name in wrong
            )
        )
    return {name: url for name, _, url in pairs}


def _everywhere(config: Config) -> tuple[Region, ...]:
    known = {region.name: region for region in config.regions}
    return tuple(known.get(name) or Region(name=name) for name in config.all_regions)


def _regions(config: Config, names: tuple[str, ...]) -> tuple[Region, ...]:
    if not names:
        return config.regions
    known = {region.name: region for region in config.regions}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(
            tuple(
                Diagnostic(file="--region", what=f"there is no region {name!r}", hint=did_you_mean(name, known))
                for name in unknown
            )
        )
    return tuple(known[name] for name in dict.fromkeys(names))
