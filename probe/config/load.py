"""The way in: a TOML file becomes a `Config`, or every diagnostic at once."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic_core import PydanticCustomError

from probe.config import schema, service_schema
from probe.config.alerting import channel, routes, window
from probe.config.database import is_database
from probe.config.declare import Ground, duplicate_ids
from probe.config.fields import VALUE, target_url, type_name
from probe.config.findings import Findings, has_errors
from probe.config.fleet import fleet, judge_fast_path
from probe.config.lines import key_lines
from probe.config.objectives import slo, store_limits
from probe.config.publish import judge_published
from probe.config.regions import places
from probe.config.secrets import Interpolator, environment_secrets, hidden_keys, literal_secrets
from probe.config.service_fields import listen_address
from probe.config.settings import Config, Defaults, Fleet, Loaded, Reading, Role
from probe.config.status_page import StatusPageTable, status_page
from probe.config.table import Table
from probe.config.tables import browser_settings, check_specs, label_checks, target
from probe.config.validate import validate
from probe.config.web import WebTable, web
from probe.core.check import CheckId, CheckSpec
from probe.core.diagnostic import Diagnostic, did_you_mean
from probe.core.drilled import PlannedDrill
from probe.core.secret import Secret, url_secrets
from probe.core.target import Evidence, Target
from probe.errors import ConfigError

COMMAND_LINE = "command line"
"""What stands for the file in diagnostics about options."""

T = TypeVar("T", bound=Table)


def load_config(path: Path, *, environ: Mapping[str, str], targets: Mapping[str, str] | None = None) -> Loaded:
    """The config in `path`, with the addresses of `targets` (name → URL) in place of its own.

    Raises `ConfigError` with everything that is wrong, not only the first. `environ` is where `${env:NAME}` comes
    from; files of `${file:PATH}`, and all other relative paths, start at the folder of `path`.

        loaded = load_config(Path("config.toml"), environ=os.environ, targets={"shop": "https://preview.example"})
    """
    reading = read_config(path, environ=environ, targets=targets)
    if reading.config is None or has_errors(reading.diagnostics):
        raise ConfigError(reading.diagnostics)
    return Loaded(config=reading.config, warnings=reading.diagnostics)


def read_config(path: Path, *, environ: Mapping[str, str], targets: Mapping[str, str] | None = None) -> Reading:
    """The same without raising: the config as far as it can be read, and everything there is to say about it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        document = tomllib.loads(text)
    except OSError as error:
        hint = "name another with --config" if isinstance(error, FileNotFoundError) else ""
        return _nothing(path, f"cannot read it: {error.strerror}", hint=hint)
    except UnicodeDecodeError as error:
        return _nothing(path, "it is not UTF-8 text", line=error.object[: error.start].count(b"\n") + 1)
    except RecursionError:
        return _nothing(path, "it is too deeply nested")
    except ValueError as error:
        return _nothing(path, *_syntax_error(str(error), text))
    return _Reader(path, document, text, environ).read(targets or {})


def _nothing(path: Path, what: str, line: int | None = None, hint: str = "") -> Reading:
    return Reading(config=None, diagnostics=(Diagnostic(file=str(path), line=line, what=what, hint=hint),))


def _syntax_error(message: str, text: str) -> tuple[str, int]:
    """What tomllib says, and the line that it says it of."""
    what, _, place = message.partition(" (at ")
    found = re.match(r"line (\d+)", place)
    line = int(found[1]) if found else text.rstrip("\n").count("\n") + 1
    return f"this is not TOML: {what[:1].lower()}{what[1:]}", line


class _Reader:
    """Reads one document. Every part is judged on its own, so that one mistake does not hide another."""

    def __init__(self, path: Path, document: dict[str, Any], text: str, environ: Mapping[str, str]) -> None:
        self._path = path
        self._document = self._written = document
        self._environ = environ
        self._findings = Findings(str(path), key_lines(text))
        self._overridden: frozenset[str] = frozenset()

    def read(self, overrides: Mapping[str, str]) -> Reading:
        findings, document = self._findings, self._document
        secrets = [*environment_secrets(self._environ), *literal_secrets(document)]
        label_checks(document.get("check"), findings)  # as they are written, before anything is put in
        self._top_level_keys()
        on_command_line = self._override(overrides)
        secrets += [s for url in overrides.values() for s in _secrets_of(url)]
        interpolator = Interpolator(self._environ, self._path.parent, findings)
        self._document = {key: interpolator.fill(value, (key,)) for key, value in document.items()}
        findings.tainted.update(hidden_keys(document))
        secrets += [*interpolator.secrets, *literal_secrets(self._document)]
        config = self._config(tuple(dict.fromkeys(s for s in secrets if s.reveal())))
        findings.add(*duplicate_ids(config.declared))
        findings.add(*on_command_line)
        return Reading(config=config, diagnostics=findings.result(config.secrets))

    def _top_level_keys(self) -> None:
        known = [*schema.SINGLE, *schema.NAMED, *schema.LISTED, "check"]
        for key in self._document:
            if key not in known:
                self._findings.error((key,), "there is no such table", did_you_mean(key, known))

    def _override(self, overrides: Mapping[str, str]) -> list[Diagnostic]:
        """Put the addresses of the command line in place of those in the file, before these are even looked at."""
        found = []
        tables = self._document.get("targets")
        tables = tables if isinstance(tables, dict) else {}
        for name, url in overrides.items():
            what, hint = "", ""
            if not isinstance(tables.get(name), dict):
                what, hint = f"there is no target {name!r}", did_you_mean(name, tables) or "the config has no targets"
            else:
                self._forget_override(name)
                try:
                    tables[name]["url"] = target_url(url)
                except PydanticCustomError as error:
                    context = error.context or {}
                    what, hint = context["what"].replace(VALUE, repr(url)), context["hint"]
                    tables[name]["url"] = "https://stand-in.example"
            if what:
                found.append(Diagnostic(file=COMMAND_LINE, key=f"--target {name}", what=what, hint=hint))
        return found

    def _forget_override(self, target: str) -> None:
        """Whoever names another address for a target means it for every region."""
        regions = self._document.get("regions")
        for table in regions.values() if isinstance(regions, dict) else ():
            overrides = table.get("targets") if isinstance(table, dict) else None
            override = overrides.get(target) if isinstance(overrides, dict) else None
            if isinstance(override, dict):
                override.pop("url", None)

    def _config(self, secrets: tuple[Secret, ...]) -> Config:
        probe = self._single("probe", schema.ProbeTable)
        browser = self._single("browser", schema.BrowserTable)
        evidence = self._single("evidence", schema.EvidenceTable).over(Evidence())
        targets = {
            name: target(name, table, self._path.parent, self._findings)
            for name, table, _ in self._named("targets", schema.TargetTable)
        }
        store = self._single("store", service_schema.StoreTable)
        node = fleet(self._single("fleet", service_schema.FleetTable), store.url, self._document, self._findings)
        regions = {name: table for name, table, _ in self._named("regions", schema.RegionTable)}
        around = places(regions, probe.region, node, targets, self._findings)
        slos = {name: slo(name, table) for name, table, _ in self._named("slo", service_schema.SloTable)}
        channels = {
            name: channel(name, table, broken, self._findings)
            for name, table, broken in self._named("channels", service_schema.ChannelTable)
        }
        if node is not None:
            judge_fast_path(node, channels, self._findings)
            if node.judges:
                judge_published(self._written, around.home.name if node.probes else None, self._findings)
        ground = Ground(
            defaults=self._defaults(targets),
            targets=targets,
            regions=around.all,
            evidence=evidence,
            slos=slos,
            only=around.home.name if node is not None and node.role is Role.AGENT else None,
        )
        return Config(
            path=self._path,
            region=around.home,
            regions=around.here,
            all_regions=around.all,
            targets=MappingProxyType(targets),
            browser=browser_settings(browser, self._path.parent),
            evidence=evidence,
            defaults=ground.defaults,
            http_concurrency=probe.http_concurrency,
            marker_header=probe.marker_header.lower(),
            user_agent=probe.user_agent,
            data=self._data(probe.data),
            check_paths=self._check_paths(probe, node, targets),
            declared=self._checks(ground),
            secrets=secrets,
            listen=listen_address(probe.listen),
            heartbeat_url=Secret(probe.heartbeat_url) if probe.heartbeat_url else None,
            heartbeat_every=probe.heartbeat_every,
            grace=probe.grace,
            log=probe.log,
            log_level=probe.log_level,
            store=store_limits(store, self._findings),
            database=Secret(store.url) if is_database(store.url) else None,
            fleet=node,
            slos=MappingProxyType(slos),
            channels=MappingProxyType(channels),
            routes=routes(self._listed("route", service_schema.RouteTable), channels, targets, self._findings),
            windows=tuple(
                window(i, table, broken, targets, self._findings)
                for i, table, broken in self._listed("maintenance", service_schema.MaintenanceTable)
            ),
            drills=tuple(
                PlannedDrill(check=CheckId(table.check), cron=table.cron, timezone=table.timezone, fault=table.fault)
                for _, table, _ in self._listed("drill", service_schema.DrillTable)
            ),
            status_page=status_page(self._single("status_page", StatusPageTable), self._findings),
            web=web(self._single("web", WebTable), self._findings),
            controls=around.controls,
            control_targets=around.control_targets,
            lines=MappingProxyType(dict(self._findings.lines)),
            document=MappingProxyType(self._written),
        )

    def _single(self, key: str, model: type[T]) -> T:
        raw = self._document.get(key, {})
        if isinstance(raw, list):
            self._findings.error((key,), "this table stands once", f"write [{key}]")
            return model()
        judged = validate(model, raw, (key,), self._findings)
        return model() if judged is None else judged[0]

    def _named(self, key: str, model: type[T]) -> list[tuple[str, T, frozenset[str]]]:
        """The tables of tables: name, table, and which of its keys are wrong."""
        tables = self._document.get(key, {})
        if not isinstance(tables, dict):
            self._findings.error((key,), f"this is {type_name(tables)}", f"write [{key}.NAME] for each")
            return []
        found = []
        for name, raw in tables.items():
            path = (key, name)
            if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
                self._findings.error(path, f"{name!r} cannot be a name", "use letters, digits, '_', '-' and '.'")
            # One that is no table still has a name, and a check that says it is right.
            judged = validate(model, raw, path, self._findings) or self._stand_in(model)
            found.append((name, *judged))
        return found

    def _stand_in(self, model: type[T]) -> tuple[T, frozenset[str]]:
        return model.model_validate(model.stand_in), frozenset(model.model_fields)

    def _array(self, key: str) -> list[Any]:
        raw = self._document.get(key, [])
        if isinstance(raw, list):
            return raw
        hint = f"write [[{key}]], with two brackets, for each"
        self._findings.error((key,), f"this is {type_name(raw)}", f"{hint} check" if key == "check" else hint)
        return []

    def _listed(self, key: str, model: type[T]) -> list[tuple[int, T, frozenset[str]]]:
        """The tables of an array: index, table, and which of its keys are wrong."""
        return [
            (index, *judged)
            for index, raw in enumerate(self._array(key))
            if (judged := validate(model, raw, (key, index), self._findings)) is not None
        ]

    def _defaults(self, targets: Mapping[str, Target]) -> Defaults:
        table = self._single("defaults", schema.DefaultsTable)
        if table.target is not None and table.target not in targets:
            path = ("defaults", "target")
            shown = self._findings.show(path, table.target)
            self._findings.error(path, f"there is no target {shown}", did_you_mean(table.target, targets))
        only = next(iter(targets)) if len(targets) == 1 else None
        return Defaults(every=table.every, timeout=table.timeout, target=table.target or only)

    def _data(self, given: str) -> Path:
        try:
            return (self._path.parent / Path(given).expanduser()).absolute()
        except RuntimeError:  # "~" of nobody
            self._findings.error(("probe", "data"), "the home folder of '~' is not known", "write an absolute path")
            return self._path.parent.absolute()

    def _check_paths(
        self, probe: schema.ProbeTable, node: Fleet | None, targets: Mapping[str, Target]
    ) -> tuple[Path, ...]:
        given = "checks" in probe.model_fields_set
        if node is not None and not given and not targets:
            return ()  # what it runs is published; folders beside its file are somebody else's
        if node is not None and node.role is Role.AGENT:
            given = False  # a path of which its region has no check was not sent
        paths = []
        for index, name in enumerate(probe.checks):
            path = self._path.parent / name
            if path.exists():
                paths.append(path)
            elif given:
                where = ("probe", "checks", index)
                self._findings.error(
                    where,
                    f"there is no {self._findings.show(where, name)}",
                    "a relative path starts at the folder of the config file",
                )
        return tuple(paths)

    def _checks(self, ground: Ground) -> tuple[CheckSpec, ...]:
        return tuple(
            spec
            for index, table in enumerate(self._array("check"))
            for spec in check_specs(table, ("check", index), self._path.parent, ground, self._findings)
        )


def _secrets_of(url: str) -> tuple[Secret, ...]:
    try:
        return url_secrets(url)
    except ValueError:
        return (Secret(url),)
