"""A PostgreSQL of the tests' own: a private cluster in a temporary folder, which may be killed, paused and started again."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import psutil
import trustme

OWNER = "probe"
"""The superuser of every private server; its password is the same word."""
LOOPBACK = "127.0.0.1"
PREFIX = "probe-postgres-"
"""How the name of a server's folder begins; the number of the process that made it follows."""
START_WITHIN = 60.0
STOP_WITHIN = 15.0
ANSWER_WITHIN = 20.0
READY = b"database system is ready to accept"
HASTE = {"fsync": "off", "full_page_writes": "off"}
"""Nothing here outlives a power cut, but everything outlives a SIGKILL: a commit is with the kernel before it is answered."""
SETTINGS = {
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "jit": "off",
    "timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
    "log_lock_waits": "on",
    "password_encryption": "scram-sha-256",
}


class NoPostgres(RuntimeError):
    """The programs of PostgreSQL are not on this host, or may not be run; says what to install."""


class Postgres:
    """One private server: start, kill, stop, pause and resume it as the test likes. What it wrote to its log is `said()`.

    The methods block for as long as it takes (a start about 0.1 s, more after a kill): in an async test that must go on
    meanwhile, call them by `asyncio.to_thread`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        host: str = LOOPBACK,
        port: int,
        namespace: str | None = None,
        settings: Mapping[str, str],
    ) -> None:
        self.folder = folder
        self.host = host
        self.port = port
        self.namespace = namespace
        self.log = folder / "server.log"
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._ready = threading.Event()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def is_up(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def url(self, *, user: str = OWNER, password: str = OWNER, database: str = "postgres", **query: str) -> str:
        """`postgresql://user:password@host:port/database?query`, for a client that can reach `host`."""
        asked = f"?{urlencode(query)}" if query else ""
        return f"postgresql://{quote(user)}:{quote(password)}@{self.host}:{self.port}/{quote(database)}{asked}"

    def said(self, last: int = 40) -> str:
        """The last lines of the server's log."""
        with suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-last:])
        return ""

    def psql(
        self,
        statement: str,
        *,
        database: str = "postgres",
        user: str = OWNER,
        password: str = OWNER,
        namespace: str | None = None,
    ) -> str:
        """Run a statement (or several) by psql, and give what it answered, unadorned; RuntimeError with psql's words.

        `namespace` is where it is asked from, when that is not where the server is.
        """
        command = [
            *_inside(namespace or self.namespace),
            str(programs() / "psql"),
            *(
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                self.url(user=user, password=password, database=database),
            ),
            *("-c", statement),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ANSWER_WITHIN)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"no answer in {ANSWER_WITHIN:g} s to: {statement}") from None
        if done.returncode:
            raise RuntimeError(f"{done.stderr.strip()}\nafter: {statement}")
        return done.stdout.strip()

    # --- life and death --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, and return when it takes connections (after a kill: when it has recovered)."""
        assert not self.is_up, "it runs already"
        self._ready.clear()
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        command = [
            *_inside(self.namespace),
            *_as_postgres(),
            str(programs() / "postgres"),
            *("-D", str(self.data), "-c", f"listen_addresses={self.host}", "-c", f"port={self.port}"),
            *options,
        ]
        self._process = subprocess.Popen(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), name="log of postgres", daemon=True)
        self._reader.start()
        if not self._ready.wait(START_WITHIN) or not self.is_up:
            self.kill()
            raise NoPostgres(f"PostgreSQL did not start:\n{self.said()}")

    def kill(self) -> None:
        """SIGKILL to the server and all of its processes, as when a host dies."""
        family = self._family()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._wait(STOP_WITHIN)
        # The next start refuses as long as one of the old processes holds the shared memory.
        psutil.wait_procs(family, STOP_WITHIN)

    def stop(self) -> None:
        """Stop it in good order; connections are ended, transactions rolled back."""
        if not self.is_up:
            return
        self.resume()
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        try:
            self._wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()

    def pause(self) -> None:
        """SIGSTOP to the server and all of its processes: connections stay, and nothing answers."""
        for process in self._family():
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def resume(self) -> None:
        """The end of `pause`."""
        for process in self._family():
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def _family(self) -> Sequence[psutil.Process]:
        """The server first, so that it starts nothing new, then what it started."""
        if not self.is_up:
            return ()
        assert self._process is not None
        with suppress(psutil.NoSuchProcess):
            server = psutil.Process(self._process.pid)
            return server, *server.children(recursive=True)
        return ()

    def _wait(self, within: float) -> None:
        if self._process is not None:
            self._process.wait(within)
        if self._reader is not None:
            self._reader.join(within)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as lines, self.log.open("ab", buffering=0) as log:
            for line in lines:
                log.write(line)
                if READY in line:
                    self._ready.set()
        self._ready.set()  # it ended: nobody needs to wait any longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A fresh database on a server, dropped after the test. Roles belong to the server: they outlive it."""

    server: Postgres
    name: str

    def url(self, *, user: str = OWNER, password: str = OWNER, **query: str) -> str:
        """`postgresql://...`, as its owner or as somebody else."""
        return self.server.url(user=user, password=password, database=self.name, **query)

    def psql(self, statement: str, *, user: str = OWNER, password: str = OWNER) -> str:
        """See `Postgres.psql`."""
        return self.server.psql(statement, database=self.name, user=user, password=password)


@contextmanager
def private_postgres(
    *,
    host: str = LOOPBACK,
    port: int | None = None,
    namespace: str | None = None,
    authority: trustme.CA | None = None,
    names: Sequence[str] = ("localhost", LOOPBACK),
    durable: bool = False,
    settings: Mapping[str, str] | None = None,
    keep_log: Path | None = None,
) -> Iterator[Postgres]:
    """A server that runs, gone without a trace afterwards.

    `host` is where it listens (and what `url()` names), in the network namespace of that name; `authority` signs its
    certificate for `names` and it then refuses clients without TLS; `durable` asks for fsync; `settings` are more of
    postgresql.conf; `keep_log` is a file to which its log is copied at the end.
    """
    _remove_orphans()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    try:
        _make(folder, authority, names)
        asked = {**SETTINGS, **({} if durable else HASTE), **({"ssl": "on"} if authority else {}), **(settings or {})}
        server = Postgres(folder, host=host, port=port or free_port(namespace), namespace=namespace, settings=asked)
        try:
            server.start()
            yield server
        finally:
            server.resume()
            server.stop()
            if keep_log is not None and server.log.exists():
                shutil.copyfile(server.log, keep_log)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def fresh_database(server: Postgres, name: str) -> Iterator[Database]:
    """A database of that name, dropped afterwards even while somebody is still connected."""
    server.psql(f'CREATE DATABASE "{name}"')
    try:
        yield Database(server=server, name=name)
    finally:
        if not server.is_up:
            server.start()
        server.resume()
        server.psql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def programs() -> Path:
    """The folder with initdb, postgres and psql: the newest that Debian installed, or what PATH knows; NoPostgres when none."""
    known = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version, reverse=True)
    found = shutil.which("initdb")
    for initdb in [*known, *([Path(found)] if found else [])]:
        if (initdb.parent / "postgres").exists():
            return initdb.parent
    raise NoPostgres(
        "PostgreSQL's server is not on this host: the tests of the fleet start one of their own."
        " Run `sh scripts/services.sh`, or: apt-get install postgresql"
    )


def free_port(namespace: str | None = None) -> int:
    """A TCP port that is free on loopback now; in a namespace of its own it is PostgreSQL's usual one."""
    if namespace is not None:
        return 5432
    with socket.create_server((LOOPBACK, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _remove_orphans() -> None:
    """Servers and folders of tests that were killed before they could: the process that made them is gone."""
    left = [
        folder
        for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*")
        if (maker := folder.name.removeprefix(PREFIX).partition("-")[0]).isdigit() and not psutil.pid_exists(int(maker))
    ]
    if not left:
        return
    data = {str(folder / "data") for folder in left}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name() == "postgres" and data.intersection(process.cmdline()):
                for one in (process, *process.children(recursive=True)):
                    one.kill()
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)


def _version(initdb: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in initdb.parent.parent.name.split(".") if part.isdigit())


def _make(folder: Path, authority: trustme.CA | None, names: Sequence[str]) -> None:
    """The cluster's folder, owned by who will run it: PostgreSQL refuses to run as root."""
    secret = folder / "password"
    secret.write_text(OWNER)
    _give(folder)
    _give(secret)
    command = [*_as_postgres(), str(programs() / "initdb"), "-D", str(folder / "data"), "-U", OWNER]
    command += ["--no-sync", "-E", "UTF8", "--locale=C.UTF-8", "-A", "scram-sha-256", f"--pwfile={secret}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoPostgres(f"initdb failed:\n{done.stdout}{done.stderr}")
    data = folder / "data"
    kind = "host" if authority is None else "hostssl"
    (data / "pg_hba.conf").write_text(f"{kind} all all all scram-sha-256\n{kind} replication all all scram-sha-256\n")
    if authority is not None:
        issued = authority.issue_cert(*names)
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        for name, content in (("server.crt", chain), ("server.key", issued.private_key_pem.bytes())):
            file = data / name
            file.write_bytes(content)
            file.chmod(0o600)
            _give(file)


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        owner = _postgres()
        os.chown(path, owner.pw_uid, owner.pw_gid)


def _postgres() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        raise NoPostgres(
            "PostgreSQL refuses to run as root, and there is no user `postgres` to run it as: apt-get install postgresql"
        ) from None


def _as_postgres() -> Sequence[str]:
    """The words before a command that make it run as `postgres`, where we are root."""
    if os.geteuid() != 0:
        return ()
    owner = _postgres()
    return "setpriv", "--reuid", str(owner.pw_uid), "--regid", str(owner.pw_gid), "--clear-groups"


def _inside(namespace: str | None) -> Sequence[str]:
    return () if namespace is None else ("ip", "netns", "exec", namespace)
