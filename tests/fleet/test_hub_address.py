"""The URL of a fleet's database: what it may say, and what is said when it is wrong."""

from pathlib import Path

import pytest

from probe.core.secret import Secret
from probe.errors import StoreUnavailable
from probe.fleet.address import Address, parse_address

WORD = "s3cr/et@:x"
QUOTED = "s3cr%2Fet%40%3Ax"


def address(url: str) -> Address:
    return parse_address(Secret(url))


class TestReading:
    def test_the_least(self) -> None:
        found = address("postgresql://ann@db")
        assert (found.hosts, found.user, found.database) == ((("db", 5432),), "ann", "ann")
        assert found.password == Secret("")
        assert found.sslmode == "prefer"
        assert not found.is_verified

    def test_everything(self) -> None:
        found = address(
            f"postgres://a%40b:{QUOTED}@db1:5433,[2001:db8::1],[::1]:5434/pro%20be?sslmode=verify-full"
            "&sslrootcert=/etc/ca.pem&sslcert=/c.pem&sslkey=/k.pem&target_session_attrs=read-write"
            "&application_name=x&connect_timeout=10"
        )
        assert found.hosts == (("db1", 5433), ("2001:db8::1", 5432), ("::1", 5434))
        assert (found.user, found.password.reveal(), found.database) == ("a@b", WORD, "pro be")
        assert (found.sslrootcert, found.sslcert, found.sslkey) == ("/etc/ca.pem", "/c.pem", "/k.pem")
        assert found.is_verified
        assert str(found) == "db1:5433,[2001:db8::1]:5432,[::1]:5434/pro be"

    def test_a_unix_socket(self) -> None:
        for url in ("postgresql://ann@/probe?host=/run/postgresql", "postgresql://ann@%2Frun%2Fpostgresql/probe"):
            found = address(url)
            assert found.hosts == (("/run/postgresql", 5432),)
            assert found.is_verified

    def test_paths_may_begin_at_home(self) -> None:
        found = address("postgresql://ann@db/probe?sslmode=verify-ca&sslrootcert=~/ca.pem")
        assert found.sslrootcert == str(Path.home() / "ca.pem")
        assert address("postgresql://ann@db/p?sslrootcert=system").sslrootcert == "system"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://ann:ZEBRA@db/probe", "must begin with postgresql://"),
        ("postgresql://db/probe", "names no user"),
        ("postgresql://ann:ZEBRA@/probe", "names no host"),
        ("postgresql://ann:ZEBRA@db:x/probe", "a port must be a number"),
        ("postgresql://ann:ZEBRA@db:70000/probe", "a port must be a number"),
        ("postgresql://ann:ZEB/RA@db/probe", "written as %XX"),
        ("postgresql://ann:ZEB#RA@db/probe", "written as %XX"),
        ("postgresql://ann:ZEB?RA@db/probe", "written as %XX"),
        ("postgresql://ann:ZEB[RA@db/probe", "written as %XX"),
        (
            "postgresql://ann:ZEBRA@db/probe?sslmode=on",
            "sslmode must be one of disable, prefer, require, verify-ca, verify-full",
        ),
        ("postgresql://ann:ZEBRA@db/probe?sslmod=require", "sslmod is not known; known are sslmode"),
        ("postgresql://ann:ZEBRA@db/probe?target_session_attrs=standby", "must be read-write"),
        ("postgresql://ann:ZEBRA@db/probe?sslkey=/k.pem", "sslcert names no file"),
        ("postgresql://ann:ZEBRA@db/probe?sslrootcert=", "sslrootcert names no file"),
        ("postgresql://ann:ZEBRA@db/probe?nonsense", "written as %XX"),
        ("postgresql://ann:ZEBRA@%2Frun/probe?sslmode=verify-full", "a Unix socket has no certificate"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(url: str, words: str) -> None:
    with pytest.raises(StoreUnavailable) as told:
        address(url)
    assert told.value.lasting
    assert words in str(told.value)
    assert "ZEB" not in str(told.value)


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for file in ("ca.pem", "missing.pem"):
        with pytest.raises(StoreUnavailable, match=f"certificates of the database cannot be read .*{file}") as told:
            address(f"postgresql://ann@db/probe?sslmode=verify-full&sslrootcert={tmp_path / file}").tls()
        assert told.value.lasting
