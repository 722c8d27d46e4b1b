"""The private server itself: what is committed outlives a SIGKILL, a paused one does not answer, TLS is what it asks for."""

import asyncio
import ssl

import asyncpg
import pytest
import trustme

from tests.postgres import Database, Postgres, private_postgres


async def test_what_was_committed_outlives_a_kill(database: Database) -> None:
    connection = await asyncpg.connect(database.url())
    await connection.execute("CREATE TABLE said (word text)")
    await connection.execute("INSERT INTO said VALUES ('kept')")
    database.server.kill()
    with pytest.raises((asyncpg.PostgresError, OSError)):
        await connection.execute("SELECT 1")
    connection.terminate()
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncpg.connect(database.url())
    database.server.start()
    assert database.psql("SELECT word FROM said") == "kept"


async def test_a_paused_server_keeps_connections_and_does_not_answer(postgres: Postgres) -> None:
    connection = await asyncpg.connect(postgres.url())
    postgres.pause()
    try:
        with pytest.raises(TimeoutError):
            await connection.fetchval("SELECT 1", timeout=0.1)
    finally:
        postgres.resume()
        connection.terminate()
    assert postgres.psql("SELECT 1") == "1"


async def test_with_an_authority_it_speaks_tls_only(tmp_path_factory: pytest.TempPathFactory) -> None:
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    log = tmp_path_factory.mktemp("tls") / "log"
    with private_postgres(authority=authority, durable=True, keep_log=log) as server:
        connection = await asyncpg.connect(server.url(), ssl=trusting)
        assert await connection.fetchval("SHOW fsync") == "on"
        await connection.close()
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="no encryption"):
            await asyncpg.connect(server.url(), ssl=False)
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncpg.connect(server.url(), ssl=ssl.create_default_context())
        await asyncio.to_thread(server.stop)
        assert not server.is_up
    assert "no encryption" in log.read_text()
