"""Imports the file of a check, in the worker, and finds its function."""

import importlib.util
import inspect
import sys
import traceback
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from probe.core.check import Function
from probe.core.failure import Failure
from probe.errors import ProberUnavailable


@dataclass(slots=True)
class _Loaded:
    """The files imported so far, by path: when they were changed, and what they hold."""

    files: dict[str, tuple[int, ModuleType]] = field(default_factory=dict)
    root: str = ""


_loaded = _Loaded()


def load_function(work: Function) -> Any:
    """The coroutine function that `work` names; its file is imported again when it has changed.

    Raises `ProberUnavailable` (`check_unloadable`) with the line that is wrong.
    """
    module = _module(work)
    found: Any = module
    for part in work.name.split("."):
        found = getattr(found, part, None)
    if not inspect.iscoroutinefunction(found):
        what = "no function" if found is None else "a thing that is no `async def` function"
        raise _unloadable(work, f"holds {what} called {work.name!r}")
    return found


def _module(work: Function) -> ModuleType:
    file = Path(work.file)
    try:
        changed = file.stat().st_mtime_ns
    except OSError as error:
        raise _unloadable(work, f"cannot be read: {error.strerror}") from error
    known = _loaded.files.get(work.file)
    if known is not None and known[0] == changed and _loaded.root == work.root:
        return known[1]
    _enter(work.root)
    name = f"probe_check_{file.stem}_{sha256(work.file.encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise _unloadable(work, "is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # the user's module may raise anything, SystemExit too
        del sys.modules[name]
        raise _unloadable(work, _said(error, work)) from error
    _loaded.files[work.file] = (changed, module)
    return module


def _enter(root: str) -> None:
    """Put a folder of checks on the path, instead of the one before: two folders may hold helpers of the same name."""
    if root == _loaded.root:
        return
    before = _loaded.root
    if before and before in sys.path:
        sys.path.remove(before)
        inside = before.rstrip("/") + "/"
        for name, module in list(sys.modules.items()):
            file = str(getattr(module, "__file__", None) or "")
            if file.startswith(inside) and "site-packages" not in file and name.partition(".")[0] != "probe":
                del sys.modules[name]
        _loaded.files.clear()
    if root and root not in sys.path:
        sys.path.insert(0, root)
    _loaded.root = root


def _said(error: BaseException, work: Function) -> str:
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    lines = [n for f, n in traceback.walk_tb(error.__traceback__) if f.f_code.co_filename == work.file]
    return f"line {lines[-1] if lines else '?'}: {type(error).__name__}: {error}"


def _unloadable(work: Function, why: str) -> ProberUnavailable:
    return ProberUnavailable(Failure.of("check_unloadable", f"{work.file} {why}"))
