"""What supervisor and worker say to each other: frames of a length and a pickle over a socket of their own.

The user's code runs in the worker, so what comes from there is not trusted: the supervisor's unpickler makes nothing
but our own frozen data.
"""

import io
import pickle
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from probe.authoring.events import Event
from probe.core.check import CheckSpec
from probe.core.failure import Failure
from probe.core.run import ConsoleLine, Observation, PageRequest
from probe.core.target import BrowserSettings
from probe.ports import RunContext

_HEAD: Final = struct.Struct("!I")
LONGEST: Final = 64 * 2**20
"""Bytes of a frame; a longer one is no frame of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Supervisor to worker: run this."""

    spec: CheckSpec
    context: RunContext
    browser: BrowserSettings


@dataclass(frozen=True, slots=True)
class Stop:
    """Supervisor to worker: cancel the run, clean up, and say what there is."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Worker: what it is at: `browser`, `load`, `prepare`, `journey`, `undo` or `close`.

    The supervisor's deadline for the run begins with `journey`. `children` are the worker's own children, told before
    any code of the user's has run: what comes to them later is the user's.
    """

    name: str
    children: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Beat:
    """Worker: a thread of it lives. `late` is the seconds since its loop last turned, `at` what holds it up."""

    late: float
    at: str = ""


@dataclass(frozen=True, slots=True)
class Noticed:
    """Worker: something was heard in the page."""

    what: ConsoleLine | PageRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Worker: the run is over. `retire`: this worker is not to be used again, and why. `memory`: bytes its tree holds."""

    observation: Observation
    retire: str = ""
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """Worker: the run could not begin: no browser, or the check's file cannot be loaded."""

    failure: Failure


Message: TypeAlias = Event | Phase | Beat | Noticed | Done | Refused
Order: TypeAlias = Task | Stop


def read_only(items: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    """What pickle needs to make a read-only mapping again: the type itself has no name it could be found by."""
    return MappingProxyType(items)


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, MappingProxyType):
            return read_only, (dict(obj),)
        if isinstance(obj, Enum):  # Python 3.11 would make it with `getattr`, which the other side refuses
            return type(obj), (obj.value,)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    """Makes only frozen data: dataclasses and enums of `probe.core`, the events, and these messages."""

    _MODULES: Final = ("probe.core.", "probe.authoring.events", "probe.worker.wire")
    _PLAIN: Final = frozenset(
        {
            ("probe.worker.wire", "read_only"),
            ("datetime", "datetime"),
            ("datetime", "timedelta"),
            ("datetime", "timezone"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in self._PLAIN:
            return getattr(sys.modules[module], name)
        if module.startswith(self._MODULES) and module in sys.modules and name.isidentifier():
            found = getattr(sys.modules[module], name, None)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a message")


def pack(message: Message | Order) -> bytes:
    """The frame of a message."""
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=5).dump(message)
    data = buffer.getvalue()
    return _HEAD.pack(len(data)) + data


def unpack(data: bytes) -> Any:
    """A message from a worker; `UnpicklingError` for anything that is none."""
    return _Unpickler(io.BytesIO(data)).load()


def unpack_trusted(data: bytes) -> Any:
    """An order from our supervisor, who is trusted: it carries paths, redactors and the check's own parameters."""
    return pickle.loads(data)  # noqa: S301  # comes from our parent process over its own socket


class Frames:
    """Cuts a stream of bytes into frames."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that are complete with `data`; `ValueError` for a length that no frame of ours has."""
        self._buffer += data
        while len(self._buffer) >= _HEAD.size:
            (length,) = _HEAD.unpack_from(self._buffer)
            if length > LONGEST:
                raise ValueError(f"a frame of {length} bytes")
            end = _HEAD.size + length
            if len(self._buffer) < end:
                return
            frame = bytes(self._buffer[_HEAD.size : end])
            del self._buffer[:end]
            yield frame


def folder_of(scratch: Path, run: str) -> Path:
    """Where one run's raw evidence lies inside a worker's scratch folder."""
    return scratch / f"r-{run}"[:40]
