"""A real PgBouncer in transaction mode before a private PostgreSQL."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tests.postgres import LOOPBACK, OWNER, NoPostgres, Postgres, _as_postgres, _give, free_port

START_WITHIN = 20.0


class Pooler:
    """One PgBouncer: `kill` and `start` it as the test likes."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, *, user: str = OWNER, password: str = OWNER, database: str) -> str:
        return f"postgresql://{quote(user)}:{quote(password)}@{LOOPBACK}:{self.port}/{quote(database)}"

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        log = self._folder / "pgbouncer.log"
        started = log.stat().st_size if log.exists() else 0
        self._process = subprocess.Popen(
            [*_as_postgres(), program(), "-q", str(self._folder / "pgbouncer.ini")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + START_WITHIN
        while "process up" not in (log.read_text()[started:] if log.exists() else ""):
            if self._process.poll() is not None or time.monotonic() > until:
                raise NoPostgres(f"PgBouncer did not start:\n{log.read_text() if log.exists() else ''}")
            os.sched_yield()

    def kill(self) -> None:
        """SIGKILL, and all connections with it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(START_WITHIN)


def program() -> str:
    """Where it is; NoPostgres when it is nowhere."""
    found = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    if not Path(found).exists():
        raise NoPostgres("PgBouncer is not on this host: run `make services`, or: apt-get install pgbouncer")
    return found


@contextmanager
def pgbouncer(server: Postgres, *, users: Mapping[str, str] | None = None, size: int = 2) -> Iterator[Pooler]:
    """One before all databases of a server, with `size` connections to each, for transactions of anybody in turn."""
    folder = Path(tempfile.mkdtemp(prefix="probe-pgbouncer-"))
    pooler = Pooler(folder, free_port())
    try:
        known = {OWNER: OWNER, **(users or {})}
        (folder / "users.txt").write_text("".join(f'"{user}" "{word}"\n' for user, word in known.items()))
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={server.host} port={server.port}\n[pgbouncer]\nlisten_addr = {LOOPBACK}\n"
            f"listen_port = {pooler.port}\nunix_socket_dir =\npool_mode = transaction\ndefault_pool_size = {size}\n"
            f"auth_type = scram-sha-256\nauth_file = {folder}/users.txt\nlogfile = {folder}/pgbouncer.log\n"
            "server_login_retry = 1\n"
        )
        for path in (folder, *folder.iterdir()):
            _give(path)
        pooler.start()
        yield pooler
    finally:
        pooler.kill()
        shutil.rmtree(folder, ignore_errors=True)
