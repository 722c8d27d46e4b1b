"""Imports the user's check files and finds what `@journey` and `@check` were put on.

A file is imported by its path, under a name of its own, with its folder (the one that `probe.checks` names, when it
lies deeper) on `sys.path` for that long: helper modules there are found, and two folders may have some of the same name. What goes wrong becomes a diagnostic with the
file and line; every file is looked at, whatever the others do. A file that never stops importing stops us: it runs in
this process.
"""

import ast
import contextlib
import fnmatch
import hashlib
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

from probe.authoring.decorators import Declaration, declaration_of
from probe.config.declare import Ground, declared_function, duplicate_ids
from probe.config.findings import Findings, has_errors, redacted
from probe.config.function_source import (
    FunctionNode,
    Step,
    argument_lines,
    definition_at,
    lost_definitions,
    may_have_steps,
    steps_of,
)
from probe.config.rules import rules_of
from probe.config.settings import Config
from probe.config.side_effects import judge_step
from probe.core.check import CheckSpec, Function, Source
from probe.core.diagnostic import Diagnostic, did_you_mean
from probe.core.rules import Rules
from probe.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedChecks:
    """A config with all its checks, what judgement goes by, and what is worth a warning."""

    config: Config
    checks: tuple[CheckSpec, ...]
    warnings: tuple[Diagnostic, ...] = ()
    rules: Rules = field(default_factory=Rules)


def load(path: Path, *, environ: Mapping[str, str], targets: Mapping[str, str] | None = None) -> LoadedChecks:
    """Config and checks in one go: `ConfigError` holds what is wrong in the TOML file and in all Python files."""
    from probe.config.load import read_config

    reading = read_config(path, environ=environ, targets=targets)
    if reading.config is None:
        raise ConfigError(reading.diagnostics)
    checks, rules, found = _collect(reading.config)
    # Twice the same id among the declared ones was found by both.
    diagnostics = tuple(dict.fromkeys((*reading.diagnostics, *found)))
    if has_errors(diagnostics):
        raise ConfigError(diagnostics)
    return LoadedChecks(config=reading.config, checks=checks, warnings=diagnostics, rules=rules)


def glance(path: Path, *, environ: Mapping[str, str]) -> Rules | None:
    """What judgement goes by, of a configuration that cannot be run here, such as for want of a secret; `None`: not even that."""
    from probe.config.load import read_config

    config = read_config(path, environ=environ).config
    if config is None:
        return None
    checks, rules, _ = _collect(config)
    return rules if checks else None


def load_checks(config: Config, *, on_warning: Callable[[Diagnostic], object] | None = None) -> tuple[CheckSpec, ...]:
    """Every check of a config: those declared in TOML, then those of the Python files, in the order of their files.

    Raises `ConfigError` with everything that is wrong in any of them. `on_warning` gets what is merely odd.
    """
    checks, _, diagnostics = _collect(config)
    if has_errors(diagnostics):
        raise ConfigError(diagnostics)
    for diagnostic in diagnostics if on_warning else ():
        on_warning(diagnostic)  # type: ignore[misc]  # the loop is empty without it
    return checks


def select(checks: Sequence[CheckSpec], names: Sequence[str]) -> tuple[CheckSpec, ...]:
    """The checks that any of `names` means, in their own order; all of them when there are no names.

    A name is an id, a pattern for ids (`shop*`), `tag:NAME`, or a file (`shop.py`, `checks/shop.py`). `ConfigError`
    names each that means nothing.
    """
    chosen: set[str] = set()
    unknown = []
    for name in names:
        found = {check.id for check in checks if _means(name, check)}
        chosen |= found
        if not found:
            tags = sorted({f"tag:{tag}" for check in checks for tag in check.tags})
            hint = did_you_mean(name, tags if name.startswith("tag:") else [check.id for check in checks])
            unknown.append(
                Diagnostic(
                    file="command line", what=f"there is no check {name!r}", hint=hint or "the config has no checks"
                )
            )
    if unknown:
        raise ConfigError(tuple(unknown))
    return tuple(check for check in checks if not names or check.id in chosen)


def _means(name: str, check: CheckSpec) -> bool:
    if name.startswith("tag:"):
        return name.removeprefix("tag:") in check.tags
    if name.endswith(".py"):
        parts = Path(name).parts
        return (
            Path(check.source.file).parts[-len(parts) :] == parts
            or Path(name).absolute() == Path(check.source.file).absolute()
        )
    return name == check.id or fnmatch.fnmatchcase(check.id, name)


def _collect(config: Config) -> tuple[tuple[CheckSpec, ...], Rules, tuple[Diagnostic, ...]]:
    ground = Ground(
        defaults=config.defaults,
        targets=config.targets,
        regions=config.all_regions,
        evidence=config.evidence,
        slos=config.slos,
        only=config.only,
    )
    checks = list(config.declared)
    diagnostics: list[Diagnostic] = []
    for file, root in _files(config.check_paths):
        found, wrong = _checks_in(file, root, ground)
        checks += found
        diagnostics += wrong
    diagnostics += duplicate_ids(checks)
    rules, misnamed = rules_of(config, checks)
    if not has_errors(diagnostics):  # else checks are missing that the config may well name
        diagnostics += misnamed
    return tuple(checks), rules, redacted(diagnostics, config.secrets)


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Check files with the folder of their imports. Tests, `conftest.py` and what begins with `_` are left alone."""
    seen: set[Path] = set()
    for path in paths:
        inside = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        root = path if path.is_dir() else path.parent
        for file in inside:
            parts = file.relative_to(root).parts
            private = any(part.startswith(("_", ".")) or part == "site-packages" for part in parts)
            if path.is_dir() and (private or file.name == "conftest.py" or file.name.startswith("test_")):
                continue
            if (real := file.resolve()) not in seen:
                seen.add(real)
                yield file, root


def _checks_in(file: Path, root: Path, ground: Ground) -> tuple[list[CheckSpec], list[Diagnostic]]:
    try:
        text = file.read_bytes()
        tree = ast.parse(text, str(file.absolute()))
        code = compile(tree, str(file.absolute()), "exec", dont_inherit=True)
    except OSError as error:
        return [], [Diagnostic(file=str(file), what=f"cannot read it: {error.strerror}")]
    except SyntaxError as error:
        return [], [_syntax_error(file, error)]
    except (ValueError, RecursionError, MemoryError) as error:
        return [], [Diagnostic(file=str(file), what=f"this is not Python: {error}")]
    module = ModuleType(f"probe_check_{hashlib.sha256(str(file.absolute()).encode()).hexdigest()[:12]}")
    module.__file__ = str(file.absolute())
    try:
        with _importing(module, str(root.absolute())):
            exec(code, module.__dict__)  # noqa: S102  # running the user's file is what importing it means
    except SystemExit as error:
        return [], [_raised(file, error, "it ends the program while it is imported", "remove the call of exit()")]
    except SyntaxError as error:  # in a module that it imports
        return [], [_syntax_error(Path(error.filename or file), error)]
    except Exception as error:  # noqa: BLE001  # whatever the user's file raises is the user's to read
        return [], [_raised(file, error, f"importing it failed: {_words(error)}", _import_hint(error))]
    return _scan(file, root, module, tree, ground)


@contextlib.contextmanager
def _importing(module: ModuleType, root: str) -> Iterator[None]:
    """The module findable, `root` first on `sys.path`; afterwards as before, also without the modules found there.

    What the file prints goes to stderr: stdout may be JSON.
    """
    path, before = list(sys.path), set(sys.modules)
    sys.path.insert(0, root)
    sys.modules[module.__name__] = module
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        sys.path[:] = path
        borrowed = {name for name in set(sys.modules) - before if _home(name) == root and root not in path}
        for name in (module.__name__, *borrowed):
            sys.modules.pop(name, None)


def _home(name: str) -> str:
    """The folder from which the top package of a module was imported; "" when it is none."""
    top = sys.modules.get(name.partition(".")[0])
    package = next(iter(getattr(top, "__path__", ())), None)
    place = package or getattr(top, "__file__", None)
    return str(Path(place).parent) if isinstance(place, str) else ""


def _syntax_error(file: Path, error: SyntaxError) -> Diagnostic:
    text = (error.text or "").strip()
    return Diagnostic(
        file=_short(file), line=error.lineno, what=f"this is not Python: {error.msg}", hint=text and f"here: {text}"
    )


def _short(file: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(file.relative_to(Path.cwd()))
    return str(file)


def _raised(file: Path, error: BaseException, what: str, hint: str) -> Diagnostic:
    """The error at the last line of the user's file that led to it."""
    own = str(file.absolute())
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
    return Diagnostic(file=str(file), line=lines[-1] if lines else None, what=what, hint=hint)


def _words(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _import_hint(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("probe."):
        name = error.name.partition(".")[0]
        return f"install the package of {name!r} beside probe, or put {name}.py into the folder that probe.checks names"
    if isinstance(error, ImportError) and error.name in sys.modules and "cannot import name" in str(error):
        wanted = str(error).partition("cannot import name ")[2].partition(" ")[0].strip("'")
        names = getattr(sys.modules[error.name], "__all__", None) or dir(sys.modules[error.name])
        hint = did_you_mean(wanted, [name for name in names if not name.startswith("_")])
        return hint if hint.startswith("did") else ""
    return ""


def _scan(
    file: Path, root: Path, module: ModuleType, tree: ast.Module, ground: Ground
) -> tuple[list[CheckSpec], list[Diagnostic]]:
    """The checks that the module holds and that were declared in its file, in the order of their lines."""
    declared: dict[int, tuple[str, object, Declaration]] = {}
    for name, thing in vars(module).items():
        declaration = declaration_of(thing)
        if declaration is not None and declaration.source.file == module.__file__:
            declared.setdefault(id(thing), (name, thing, declaration))
    checks: list[CheckSpec] = []
    diagnostics = [
        Diagnostic(
            file=str(file),
            line=lost,
            key=name,
            what=f"another function of that name, in line {kept}, takes its place",
            hint="give one of them another name",
        )
        for name, lost, kept in lost_definitions(tree)
    ]
    for name, thing, declaration in sorted(declared.values(), key=lambda d: d[2].source.line):
        if ground.is_elsewhere(declaration.given.get("regions")):
            continue
        line = declaration.source.line
        node = definition_at(tree, line)
        findings = Findings(str(file), argument_lines(node, line), {(): name})
        findings.add(*(replace(mistake, file=str(file), key=name) for mistake in declaration.mistakes))
        spec = declared_function(
            declaration.kind,
            declaration.given,
            Function(file=str(file.absolute()), name=name, root=str(root.absolute())),
            source=Source(file=str(file), line=line),
            description=(getattr(thing, "__doc__", None) or "").strip().partition("\n")[0],
            ground=ground,
            findings=findings,
        )
        steps: tuple[str, ...] = ()
        if node is not None:
            steps = _steps(declaration, node, findings)
            judge_step(spec, steps, node, findings)
        checks.append(replace(spec, steps=steps))
        diagnostics += findings.result()
    return checks, diagnostics


def _steps(declaration: Declaration, node: FunctionNode, findings: Findings) -> tuple[str, ...]:
    steps = steps_of(node)
    seen: list[Step] = []
    for step in steps:
        twin = next((s for s in seen if s.name == step.name and not s.excludes(step)), None)
        if twin is not None:
            findings.error(
                (),
                f"the step {step.name!r} was there already, in line {twin.line}",
                "give it another name",
                line=step.line,
            )
        seen.append(step)
    if not steps and declaration.kind == "journey" and not may_have_steps(node):
        findings.warning((), "the journey has no steps", 'write `async with t.step("…"):` around each part of it')
    return tuple(dict.fromkeys(step.name for step in steps))
