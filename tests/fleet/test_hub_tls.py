"""TLS to the database: who it is that answers is made sure, and who asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from probe.errors import StoreUnavailable
from tests.fleet.hubs import ask, open_hub
from tests.postgres import Postgres, private_postgres

HOW = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server(authority: trustme.CA) -> Iterator[Postgres]:
    """One that is called `localhost`, and takes nobody without TLS."""
    with private_postgres(authority=authority, names=["localhost"]) as made:
        yield made


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


def named(server: Postgres, name: str, **query: str) -> str:
    return server.url(**query).replace("@127.0.0.1:", f"@{name}:")


async def test_the_right_authority_and_the_right_name(server: Postgres, ca: str) -> None:
    async with open_hub(named(server, "localhost", sslmode="verify-full", sslrootcert=ca)) as hub:
        assert (await ask(hub, HOW)).startswith("TLSv1.")


@pytest.mark.parametrize("mode", ["verify-ca", "require"])
async def test_the_right_authority_is_enough_without_the_name(server: Postgres, ca: str, mode: str) -> None:
    async with open_hub(named(server, "127.0.0.1", sslmode=mode, sslrootcert=ca)) as hub:
        assert (await ask(hub, HOW)).startswith("TLSv1.")


async def test_the_wrong_name_is_refused(server: Postgres, ca: str) -> None:
    async with open_hub(named(server, "127.0.0.1", sslmode="verify-full", sslrootcert=ca)) as hub:
        with pytest.raises(StoreUnavailable, match=r"not to be trusted: IP address mismatch") as told:
            await ask(hub, HOW)
        assert told.value.lasting


@pytest.mark.parametrize("mode", ["verify-full", "verify-ca", "require"])
async def test_the_wrong_authority_is_refused(server: Postgres, tmp_path: Path, mode: str) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    url = named(server, "localhost", sslmode=mode, sslrootcert=str(tmp_path / "other.pem"))
    async with open_hub(url) as hub:
        with pytest.raises(StoreUnavailable, match=r"not to be trusted: .*issuer") as told:
            await ask(hub, HOW)
        assert told.value.lasting


async def test_without_an_authority_those_of_the_system_count(server: Postgres) -> None:
    async with open_hub(named(server, "localhost", sslmode="verify-full")) as hub:
        with pytest.raises(StoreUnavailable, match="not to be trusted"):
            await ask(hub, HOW)


@pytest.mark.parametrize("mode", ["prefer", "require"])
async def test_whoever_does_not_ask_gets_tls_unverified(server: Postgres, mode: str) -> None:
    async with open_hub(named(server, "localhost", sslmode=mode)) as hub:
        assert (await ask(hub, HOW)).startswith("TLSv1.")


async def test_without_tls_the_server_refuses(server: Postgres) -> None:
    async with open_hub(named(server, "localhost", sslmode="disable")) as hub:
        with pytest.raises(StoreUnavailable, match=r"does not let us in: .*no encryption") as told:
            await ask(hub, HOW)
        assert told.value.lasting


async def test_a_role_may_come_with_a_certificate_in_place_of_a_password(
    server: Postgres, authority: trustme.CA, ca: str, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(server.data / "clients.pem")
    (server.data / "clients.pem").chmod(0o644)
    rules = server.data / "pg_hba.conf"
    rules.write_text(f"hostssl all certified all cert\n{rules.read_text()}")
    # psql asks for TLS by itself, and whoever comes as somebody else is asked for the password as before
    server.psql("ALTER SYSTEM SET ssl_ca_file = 'clients.pem'")
    server.psql("SELECT pg_reload_conf(); CREATE ROLE certified LOGIN")
    files = {}
    for name in ("certified", "mallory"):
        issued = authority.issue_cert(f"{name}.example", common_name=name)
        issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / f"{name}.pem")
        files[name] = str(tmp_path / f"{name}.pem")
    url = named(server, "localhost", user="certified", sslmode="verify-full", sslrootcert=ca)
    async with open_hub(f"{url}&sslcert={files['certified']}&sslkey={files['certified']}") as hub:
        assert await ask(hub, "SELECT session_user") == "certified"
    async with open_hub(f"{url}&sslcert={files['mallory']}") as hub:  # the key is in the same file
        with pytest.raises(StoreUnavailable, match="does not let us in: certificate authentication failed") as told:
            await ask(hub, "SELECT 1")
        assert told.value.lasting
