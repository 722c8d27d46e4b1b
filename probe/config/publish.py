"""What a fleet's nodes are given of a configuration, and what each of them adds of its own. All of it before `${…}` is filled in.

What is published holds no secret, nothing of the machine that published it, and for an agent only what its own region
needs: whoever takes over a region's machine learns little about the others.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from probe.config.findings import Findings
from probe.config.secrets import files_from, written_secrets
from probe.config.settings import Config, Role
from probe.core.check import CheckSpec
from probe.errors import ProbeError

Document = Mapping[str, Any]

_WHOLE: Final = ("defaults", "evidence", "targets", "check", "slo", "channels", "route", "maintenance", "status_page")
"""Tables that are the fleet's, all of them."""
_SHARED: Final[Mapping[str, tuple[str, ...]]] = {
    "probe": ("checks", "user_agent", "marker_header"),
    "store": ("keep_details", "keep_runs", "keep_failures", "keep_hours", "keep_days"),
    "fleet": ("stale_after", "evidence"),
}
"""Keys that are the fleet's, of tables that are each node's own."""
_OF_AGENTS: Final = ("defaults", "evidence", "check")
_SENT: Final = ("headers", "body", "json", "form", "expect")
"""Keys of a check that nobody needs who does not run it."""


def for_everyone(document: Document, home: str | None) -> dict[str, Any]:
    """What nodes that judge are given. `home` is the region of the node that publishes, `None` when it does not probe.

    To others every region is one that is probed elsewhere: how the publishing node leaves for its own is its own matter.
    """
    found = {name: document[name] for name in _WHOLE if name in document}
    for table, keys in _SHARED.items():
        if kept := {key: value for key, value in _table(document, table).items() if key in keys}:
            found[table] = kept
    tables = _table(document, "regions")
    names = sorted({*tables, *(() if home is None else (home,))})
    regions = {name: _told(table if isinstance(table := tables.get(name, {}), Mapping) else {}) for name in names}
    return {**found, "regions": regions} if regions else found


def _told(table: Document) -> dict[str, Any]:
    if table.get("agent") is True:
        return dict(table)
    return {"agent": True, **{key: value for key, value in table.items() if key == "control"}}


def for_region(document: Document, region: str, checks: Iterable[CheckSpec]) -> dict[str, Any]:
    """What the agents of a region may know: its `checks` as they are written, their targets, and its own table.

    Nothing of how runs are judged or who is told, no other region, and no address or secret that only others use.
    """
    used = {spec.target for spec in checks}
    found = {name: document[name] for name in _OF_AGENTS if name in document}
    if shared := {key: value for key, value in _table(document, "probe").items() if key in _SHARED["probe"]}:
        found["probe"] = shared
    found["targets"] = {name: table for name, table in _table(document, "targets").items() if name in used}
    if "check" in found:
        found["check"] = [_here(table, region) for table in found["check"] if _runs_in(table, region)]
    if (defaults := found.get("defaults")) and defaults.get("target") not in (None, *used):
        found["defaults"] = {key: value for key, value in defaults.items() if key != "target"}
    own = {key: value for key, value in _told(_table(_table(document, "regions"), region)).items() if key != "agent"}
    if "targets" in own:
        own["targets"] = {name: table for name, table in own["targets"].items() if name in used}
    found["regions"] = {region: own}
    return found


def _runs_in(check: Document, region: str) -> bool:
    return not check.get("regions") or region in check["regions"]


def _here(check: Document, region: str) -> dict[str, Any]:
    """The check without the other regions that it runs from, and without the objective, which is not known here."""
    return {key: [region] if key == "regions" and value else value for key, value in check.items() if key != "slo"}


def merged(published: Document, local: Config) -> dict[str, Any]:
    """What a node runs: what was published for it, and what its own file says of itself, key by key.

    An agent's own keys win. A node that judges adds only what is nobody else's matter: what the fleet goes by is one. A
    relative path in `${file:PATH}`, and that of a client certificate, starts at the folder of the node's own file.
    `ProbeError` when the fleet's configuration does not know a region that the node probes from.
    """
    fleet = local.fleet
    assert fleet is not None, "a node of a fleet"
    folder = local.folder.absolute()
    found = {name: value for name, value in published.items() if name != "regions"}
    if fleet.role is Role.EVALUATE:
        found = _unsent(found)
    found = _placed(found, folder)
    for name, table in own_part(local).items():
        found[name] = {**_table(found, name), **table} if name != "regions" else table
    found["regions"] = _regions(_table(published, "regions"), found.get("regions", {}), local, folder)
    return found


def own_part(local: Config) -> dict[str, Any]:
    """What a node's own file says of itself. The rest of it counts where it was published, and only there."""
    fleet, document = local.fleet, local.document
    judges = fleet is not None and fleet.judges
    tables = ("probe", "store", "fleet", "browser", "web", "regions", *(() if judges else ("channels",)))
    found = {name: dict(_table(document, name)) for name in tables if name in document}
    for name, keys in _SHARED.items():
        dropped = keys if judges else ("checks",)
        if name in found:
            found[name] = {key: value for key, value in found[name].items() if key not in dropped}
    if "regions" in found:
        home = local.region.name
        found["regions"] = {
            name: table
            for name, table in found["regions"].items()
            if name == home or (judges and table.get("agent") is not True)
        }
    for name, key, is_path in (("probe", "data", True), ("browser", "executable", False)):
        written = found.get(name, {}).get(key)
        if isinstance(written, str) and (is_path or "/" in written) and not written.startswith(("~", "$")):
            found[name][key] = str(local.folder.absolute() / written)
    return _files(found, local.folder.absolute())


def _regions(published: Document, own: Document, local: Config, folder: Path) -> dict[str, Any]:
    fleet, home = local.fleet, local.region.name
    assert fleet is not None, "a node of a fleet"
    for name in ((home,) if fleet.probes else ()) + tuple(own if fleet.probes else ()):
        if name not in published:
            known = ", ".join(published) or "none"
            raise ProbeError(
                f"the fleet's configuration has no region {name} (it has {known}): add [regions.{name}] with agent = true to it"
            )
    if fleet.role is Role.AGENT:
        return {home: {**_files(published[home], folder), **own.get(home, {})}}
    found = {}
    for name, table in published.items():
        if fleet.probes and (name == home or name in own):
            rest = {key: value for key, value in _files(table, folder).items() if key != "agent"}
            found[name] = {**rest, **own.get(name, {})}
        else:  # how its agents leave, and what they send, is not ours to know
            found[name] = {"agent": True, **{key: value for key, value in table.items() if key == "control"}}
    return found


def _unsent(document: Document) -> dict[str, Any]:
    """Without what only whoever sends requests needs, so that a node that judges needs no secrets of targets."""
    targets = {
        name: {key: value for key, value in table.items() if key in ("url", "third_parties")}
        for name, table in _table(document, "targets").items()
    }
    checks = [{key: v for key, v in table.items() if key not in _SENT} for table in document.get("check", ())]
    return {**document, **({"targets": targets} if targets else {}), **({"check": checks} if checks else {})}


def _placed(document: Document, folder: Path) -> dict[str, Any]:
    """With the files that are each node's own found from `folder`."""
    found = _files(document, folder)
    for table in _table(found, "targets").values():
        for key in ("client_certificate", "client_key"):
            if isinstance(written := table.get(key), str) and not written.startswith(("~", "$")):
                table[key] = str(folder / written)
    return found


def _files(document: Document, folder: Path) -> dict[str, Any]:
    return {key: _each(value, lambda text: files_from(text, folder)) for key, value in document.items()}


def _each(value: Any, change: Callable[[str], str]) -> Any:
    """A copy of `value`, with every string in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _each(inner, change) for key, inner in value.items()}
    return [_each(inner, change) for inner in value] if isinstance(value, list) else value


def _table(document: Document, name: str) -> Document:
    table = document.get(name)
    return table if isinstance(table, Mapping) else {}


def judge_published(document: Document, home: str | None, findings: Findings) -> None:
    """An error for each secret that is written into what would be published."""
    for path in written_secrets(for_everyone(document, home)):
        findings.error(
            path,
            "a secret stands here, and would be published to the nodes of the fleet",
            "write ${env:NAME} or ${file:PATH}, which each node fills in for itself",
        )
