"""What goes wrong with a fleet's database or on the way to it, in words; all the rest is a bug."""

import asyncio
import ssl
from traceback import walk_tb
from typing import Final

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, InvalidRequestError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from probe.errors import StoreUnavailable
from probe.fleet.address import Address

STANDBY: Final = frozenset({"0A000", "25006"})
"""What a standby answers to a transaction that wants to write, and to a write."""
LASTING: Final = {
    "28P01": "does not take the password",
    "28000": "does not let us in",
    "3D000": "has no database of that name",
    "42501": "refuses it",
    "3F000": "has no schema of probe's, or an old one (run `probe fleet init`)",
    "42P01": "has no schema of probe's, or an old one (run `probe fleet init`)",
    "42703": "has no schema of probe's, or another one (run `probe fleet init`)",
    "42883": "has no schema of probe's, or an old one (run `probe fleet init`)",
}
"""Codes of what stays until somebody mends it."""
PASSING: Final = {
    "25006": "takes no writes: it is a standby",
    "25P03": "ended a transaction that did nothing for too long",
    "26000": "mixed up two connections (a pooler between us?)",
    "40001": "could not do two things at once",
    "40P01": "found two transactions that wait for each other",
    "55P03": "did not give a lock in time",
    "57014": "ended a statement that took too long, or that somebody cancelled",
}
CLASSES: Final = {
    "08": "lost the connection",
    "25": "ended a transaction",
    "40": "rolled a transaction back",
    "53": "is short of something (connections, memory, disk)",
    "55": "is not in a state to do it",
    "57": "is going down, or coming up",
    "58": "has trouble with its system",
    "XX": "has trouble of its own",
}
"""Classes of codes, for what has no words of its own."""
LOST: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises of its own when a connection is not what it was."""
DRIVER: Final = "asyncpg"


def code_of(error: BaseException) -> str:
    """The SQLSTATE that the database answered with; `""`: it did not answer."""
    found = _cause(error)
    return str(getattr(found, "sqlstate", None) or "")


def answered(error: BaseException) -> bool:
    """Whether the database said no, and the connection is still good for a rollback."""
    code = code_of(error)
    return (
        bool(code) and code[:2] not in {"08", "57", "58", "XX"} and code not in {"25P03", "25P04", "26000", "25006"}
    ) or code == "57014"


def unavailable(error: BaseException, where: Address) -> StoreUnavailable | None:
    """The error for whoever uses the database `where`; `None` when it is a bug, which shows its traceback."""
    if isinstance(error, StoreUnavailable):
        return error
    cause = _cause(error)
    code = code_of(error)
    said = where.hide(_said(cause))
    if code in LASTING:
        return StoreUnavailable(f"the database {where} {LASTING[code]}: {said}", lasting=True)
    if code:
        words = PASSING.get(code) or CLASSES.get(code[:2])
        if words is None and isinstance(cause, asyncpg.InvalidCachedStatementError):
            words = "has been changed under us"
        return None if words is None else StoreUnavailable(f"the database {where} {words}: {said}")
    if isinstance(cause, ssl.SSLCertVerificationError):
        return StoreUnavailable(
            f"the database {where} has a certificate that is not to be trusted: {said}", lasting=True
        )
    if isinstance(cause, asyncpg.ClientConfigurationError):
        return StoreUnavailable(f"the database {where} cannot be used: {said}", lasting=True)
    if isinstance(cause, LOST) and not isinstance(cause, ValueError):  # asyncpg's own DataError is both: a bug
        return StoreUnavailable(f"the connection to the database {where} is lost: {said}")
    if isinstance(cause, PoolTimeout):
        return StoreUnavailable(f"the database {where} cannot keep up: all our connections to it are busy")
    if isinstance(cause, TimeoutError | OSError | EOFError) and of_driver(error):
        return StoreUnavailable(f"the database {where} cannot be reached: {said}")
    return None


def of_driver(error: BaseException) -> bool:
    """Whether an error of the system was raised on the way to the database, not by other code beside it."""
    modules = (str(frame.f_globals.get("__name__", "")) for frame, _ in walk_tb(error.__traceback__))
    return any(module.split(".")[0] == DRIVER for module in modules)


def _cause(error: BaseException) -> BaseException:
    """What the driver raised, below what SQLAlchemy made of it."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    below = error.__cause__
    if below is None:
        return error
    if isinstance(error, AsyncAdapt_asyncpg_dbapi.Error):
        return below
    return below if isinstance(error, StatementError | InvalidRequestError) and isinstance(below, LOST) else error


def _said(error: BaseException) -> str:
    """Its own words, in one line."""
    if isinstance(error, TimeoutError | asyncio.TimeoutError) and not str(error):
        return "it did not answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return " ".join(str(error).split()) or type(error).__name__
