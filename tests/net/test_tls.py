"""TLS: what is read of a good session, and the truth about every bad one."""

import asyncio
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from probe.core.failure import CheckFailed
from probe.net.certificates import read_certificate
from probe.net.tls import HandshakeGate, TlsFiles, context_for, tls_failure
from probe.net.wire import Home, Request, Wire
from tests.net.servers import (
    HERE,
    Authority,
    ask,
    authority,
    blocking_tls,
    head,
    moved,
    ok,
    paths,
    says,
    serving,
    trouble,
)


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"))


def home(port: int, ca: Authority | None, **more: object) -> Home:
    files = TlsFiles(ca=str(ca.file) if ca else None, **more)  # type: ignore[arg-type]  # the test's own keywords
    return Home(origin=f"https://127.0.0.1:{port}", user_agent="probe/test", tls=files)


async def test_a_good_session(ca: Authority) -> None:
    """Version, cipher, both chains, the names and the day on which the first of the verified chain ends."""
    inter = ca.ca.create_child_ca()
    async with serving(says(ok()), ssl=ca.serves(issuer=inter, ends=20)) as port:
        exchange = await ask(f"https://127.0.0.1:{port}/", home=home(port, ca))
    tls = exchange.tls
    assert tls is not None
    assert tls.version == "TLSv1.3"
    assert len(tls.presented) == 2  # the root is not sent
    assert len(tls.verified) == 3  # but belongs to what was verified
    assert tls.leaf is not None
    assert tls.leaf.names == ("localhost", "127.0.0.1")
    assert tls.expires is not None
    assert tls.expires - datetime.now(UTC) == pytest.approx(timedelta(days=20), abs=timedelta(minutes=5))
    assert exchange.phases.tls is not None


async def test_the_handshake_has_a_time_of_its_own(ca: Authority) -> None:
    """A server that is slow to shake hands makes a long tls phase, not a long connect phase."""
    async with blocking_tls(ca.serves(), delay=0.08) as port:
        phases = (await ask(f"https://127.0.0.1:{port}/", home=home(port, ca))).phases
    assert phases.tls == pytest.approx(0.08, abs=0.06)
    assert phases.connect is not None
    assert phases.connect < 0.05


@pytest.mark.parametrize(
    ("kind", "starts", "ends", "names", "words"),
    [
        ("certificate_expired", -30, -2, ("127.0.0.1",), "2 days ago"),
        ("certificate_not_yet_valid", 3, 30, ("127.0.0.1",), "is not valid before"),
        ("certificate_wrong_host", -1, 30, ("other.example",), "is for other.example"),
    ],
)
async def test_bad_certificates(
    ca: Authority, kind: str, starts: int, ends: int, names: tuple[str, ...], words: str
) -> None:
    """Each has its kind, and the facts of the certificate in its message."""
    async with serving(says(ok()), ssl=ca.serves(*names, starts=starts, ends=ends)) as port:
        failure = await trouble(f"https://127.0.0.1:{port}/", home=home(port, ca))
    assert (failure.kind, failure.layer.value) == (kind, "tls")
    assert words in failure.message


async def test_an_unknown_authority(ca: Authority, tmp_path: Path) -> None:
    """A chain that leads to nobody we know names its issuer; with the wrong private CA as well as with the system's."""
    other = authority(tmp_path)
    async with serving(says(ok()), ssl=other.serves()) as port:
        for trusted in (ca, None):
            failure = await trouble(f"https://127.0.0.1:{port}/", home=home(port, trusted))
            assert failure.kind == "certificate_untrusted"
            assert "issued by" in failure.message


async def test_a_missing_intermediate(ca: Authority) -> None:
    """A server that does not send its intermediate is told so."""
    leaf = ca.ca.create_child_ca().issue_cert("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with leaf.private_key_pem.tempfile() as key, leaf.cert_chain_pems[0].tempfile() as alone:
        context.load_cert_chain(alone, key)
    async with serving(says(ok()), ssl=context) as port:
        failure = await trouble(f"https://127.0.0.1:{port}/", home=home(port, ca))
    assert failure.kind == "certificate_untrusted"
    assert "intermediate" in failure.message


async def test_a_private_intermediate_may_be_the_trusted_one(ca: Authority, tmp_path: Path) -> None:
    """A `ca` that is an intermediate, and sent by nobody, is enough."""
    inter = ca.ca.create_child_ca()
    inter.cert_pem.write_to_path(str(tmp_path / "inter.pem"))
    async with serving(says(ok()), ssl=ca.serves(issuer=inter)) as port:
        files = TlsFiles(ca=str(tmp_path / "inter.pem"))
        trusting = Home(origin=f"https://127.0.0.1:{port}", user_agent="probe/test", tls=files)
        assert (await ask(f"https://127.0.0.1:{port}/", home=trusting)).status == 200


async def test_without_verification(ca: Authority) -> None:
    """`verify=False` takes anything, shows the leaf, and claims no verified chain."""
    async with serving(says(ok()), ssl=ca.serves("other.example", ends=-1)) as port:
        tls = (await ask(f"https://127.0.0.1:{port}/", home=home(port, None, verify=False))).tls
    assert tls is not None
    assert tls.verified == ()
    assert tls.leaf is not None
    assert tls.leaf.names == ("other.example",)


async def test_revoked(ca: Authority, tmp_path: Path) -> None:
    """A revocation list in the CA's file is heeded."""
    leaf = ca.ca.issue_cert("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    root = x509.load_pem_x509_certificate(ca.ca.cert_pem.bytes())
    key = serialization.load_pem_private_key(ca.ca.private_key_pem.bytes(), None)
    now = datetime.now(UTC)
    serial = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).serial_number
    revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(root.subject)
        .last_update(now - timedelta(days=1))
        .next_update(now + timedelta(days=1))
        .add_revoked_certificate(revoked)
        .sign(key, hashes.SHA256())  # type: ignore[arg-type]  # an EC key, by trustme
    )
    both = tmp_path / "ca-and-crl.pem"
    both.write_bytes(ca.ca.cert_pem.bytes() + crl.public_bytes(serialization.Encoding.PEM))
    async with serving(says(ok()), ssl=context) as port:
        trusting = Home(origin=f"https://127.0.0.1:{port}", user_agent="probe/test", tls=TlsFiles(ca=str(both)))
        assert (await trouble(f"https://127.0.0.1:{port}/", home=trusting)).kind == "certificate_revoked"


async def test_client_certificates(ca: Authority, tmp_path: Path) -> None:
    """A server that wants one is content with ours, and what it says without one is understood."""
    mine = ca.ca.issue_cert("probe@shop.example")
    cert, key = tmp_path / "mine.pem", tmp_path / "mine.key"
    mine.cert_chain_pems[0].write_to_path(str(cert))
    mine.private_key_pem.write_to_path(str(key))
    stranger = trustme.CA().issue_cert("stranger@shop.example")
    stranger.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "stranger.pem"))
    async with blocking_tls(ca.serves(wants_client=True)) as port:
        url = f"https://127.0.0.1:{port}/"
        assert (await ask(url, home=home(port, ca, certificate=str(cert), key=str(key)))).status == 200
        assert (await trouble(url, home=home(port, ca))).kind == "client_certificate_refused"
        wrong = home(port, ca, certificate=str(tmp_path / "stranger.pem"))
        assert (await trouble(url, home=wrong)).kind == "client_certificate_refused"


async def test_the_client_certificate_stays_at_home(ca: Authority) -> None:
    """A redirect to a foreign origin is judged by the system's roots, without our files."""
    async with (
        serving(paths({}), ssl=ca.serves()) as foreign,
        serving(paths({"/": moved(f"https://127.0.0.1:{foreign}/")}), ssl=ca.serves()) as port,
    ):
        failure = await trouble(f"https://127.0.0.1:{port}/", home=home(port, ca))
    assert failure.kind == "certificate_untrusted"
    assert failure.url == f"https://127.0.0.1:{foreign}/"


async def test_plain_http_on_the_tls_port(ca: Authority) -> None:
    """No TLS there at all, or closed, or silent."""

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    async def closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass

    async with serving(plain) as port:
        failure = await trouble(f"https://127.0.0.1:{port}/", home=home(port, ca))
        assert failure.kind == "tls_handshake"
        assert "does not speak TLS" in failure.message
    async with serving(closed) as port:
        assert (await trouble(f"https://127.0.0.1:{port}/", home=home(port, ca))).kind == "tls_handshake"
    async with serving(silent) as port:
        assert (await trouble(f"https://127.0.0.1:{port}/", home=home(port, ca), within=0.15)).kind == "tls_timeout"


async def test_an_old_protocol(ca: Authority) -> None:
    """A server that knows no version that we take."""
    context = ca.serves()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    files = TlsFiles(ca=str(ca.file))
    ours = await context_for(files)
    ours.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        async with blocking_tls(context) as port:
            assert (await trouble(f"https://127.0.0.1:{port}/", home=home(port, ca))).kind == "tls_handshake"
    finally:
        ours.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED


async def test_files_that_cannot_be_used(ca: Authority, tmp_path: Path) -> None:
    """A CA that is not there, that is none, a key behind a password: our own trouble, named, and no prompt."""
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("not a certificate")
    secret = tmp_path / "locked.pem"
    leaf = ca.ca.issue_cert("x.example")
    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
    secret.write_bytes(locked + leaf.cert_chain_pems[0].bytes())
    for files in (
        TlsFiles(ca=str(tmp_path / "nowhere.pem")),
        TlsFiles(ca=str(rubbish)),
        TlsFiles(certificate=str(secret)),
    ):
        with pytest.raises(CheckFailed) as failed:
            await context_for(files)
        failure = failed.value.failures[0]
        assert (failure.kind, failure.ours) == ("tls_setup", True)
        assert str(tmp_path) in failure.message


async def test_contexts_are_shared_and_renewed(ca: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same files give the same context, until they change."""
    file = tmp_path / "ca.pem"
    file.write_bytes(ca.file.read_bytes())
    files = TlsFiles(ca=str(file))
    first = await context_for(files)
    assert await context_for(files) is first
    monkeypatch.setattr("probe.net.tls.RECHECK", 0.0)
    assert await context_for(files) is first
    file.write_bytes(authority(tmp_path).file.read_bytes() + b"\n")
    assert await context_for(files) is not first


async def test_the_gate_lets_few_in_and_no_silent_server_stays() -> None:
    """Places are given in turn, and given up after a while by who only waits."""
    gate = HandshakeGate(places=1, hold=0.05)
    first = await gate.enter()
    began = time.monotonic()
    second = await gate.enter()
    assert 0.03 < time.monotonic() - began < 0.2
    first.leave()  # a second leaving changes nothing
    second.leave()
    third = await gate.enter()
    third.leave()


async def test_waiting_for_the_gate_is_nobodys_time(ca: Authority) -> None:
    """The wait is in no phase and not in the duration; a deadline that strikes in it is our own trouble."""
    gate = HandshakeGate(places=1, hold=0.1)
    async with serving(says(ok()), ssl=ca.serves()) as port, Wire(HERE, gate=gate) as wire:
        request = Request(url=f"https://127.0.0.1:{port}/", home=home(port, ca))
        place = await gate.enter()
        began = time.monotonic()
        exchange = await wire.send(request, deadline=began + 2)
        assert time.monotonic() - began > 0.08
        assert exchange.duration < 0.08
        place = await gate.enter()
        with pytest.raises(CheckFailed) as failed:
            await wire.send(request, deadline=time.monotonic() + 0.05)
        place.leave()
    assert failed.value.failures[0].kind == "host_starved"


async def test_the_connection_is_gone_when_the_run_is(ca: Authority) -> None:
    """No TLS connection lingers for the goodbye of a peer that gives none."""
    gone = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(ok())
        await reader.read()
        gone.set()

    async with serving(talk, ssl=ca.serves()) as port:
        await ask(f"https://127.0.0.1:{port}/", home=home(port, ca))
        await asyncio.wait_for(gone.wait(), 1)


def test_alerts_are_read() -> None:
    """What a server says of our certificate, in OpenSSL's words."""
    for reason, kind in (
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "client_certificate_refused"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "client_certificate_refused"),
        ("TLSV1_ALERT_UNKNOWN_CA", "client_certificate_refused"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "tls_handshake"),
        ("WRONG_VERSION_NUMBER", "tls_handshake"),
    ):
        error = ssl.SSLError(1, f"[SSL: {reason}]")
        error.reason = reason
        assert tls_failure(error, "shop.example:443").kind == kind
    assert tls_failure(ConnectionAbortedError(), "shop.example:443").kind == "tls_timeout"
    assert tls_failure(ssl.SSLEOFError(8, "EOF occurred"), "shop.example:443").kind == "tls_handshake"


def test_a_certificate_that_cannot_be_read() -> None:
    """OpenSSL takes what cryptography does not: no crash."""
    assert read_certificate(b"\x30\x03\x02\x01\x01").subject == "(unreadable)"
