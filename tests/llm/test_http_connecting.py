"""The client of the model wire finds its server: names, addresses, certificates."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat.llm import http
from chat.llm.http import Address, ConnectTimeout, NotConnected, Pool, request_head

from .raw_server import FIVE, OK, byte_by_byte, looped, peer, then_close


@looped
async def test_nobody_there_is_not_connected() -> None:
    async with peer() as server:
        server.address = Address.of("http://127.0.0.1:1/")
        with pytest.raises(NotConnected):
            await server.post()


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 70, "exa mple"])
@looped
async def test_a_name_that_is_none_is_not_connected(host: str) -> None:
    with pytest.raises((NotConnected, ConnectTimeout)):
        await Pool().post(Address(host, 80, False, "/", host), b"", b"", connect_timeout=3)


@looped
async def test_a_server_that_takes_no_connection_is_a_connect_timeout() -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None: ...

    async with peer(never) as server:  # speaks no TLS: the handshake has no end
        server.address = Address.of(f"https://127.0.0.1:{server.address.port}/")
        with pytest.raises(ConnectTimeout):
            await server.post(connect_timeout=0.2)


@looped
async def test_an_ipv6_address_is_asked_by_its_name() -> None:
    try:
        async with peer(FIVE, host="::1") as server:
            assert await server.fetch() == b"hello"
            assert b"Host: [::1]:%d\r\n" % server.address.port in server.requests[0]
    except OSError:
        pytest.skip("no IPv6 here")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, with its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=DNS:localhost", "-keyout", file, "-out", f"{file}.crt"],
        check=True,
        capture_output=True,
    )
    file.write_bytes(file.read_bytes() + Path(f"{file}.crt").read_bytes())
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    http._tls.cache_clear()
    yield
    http._tls.cache_clear()


@pytest.mark.usefixtures("trusted")
@looped
async def test_tls_serves_again_too(tls: ssl.SSLContext) -> None:
    async with peer(FIVE, byte_by_byte(FIVE), then_close(OK + b"\r\nhello"), ssl=tls) as server:
        assert [await server.fetch() for _ in range(3)] == [b"hello"] * 3
        assert server.connections == 1


@looped
async def test_a_certificate_that_nobody_vouches_for_is_not_connected(tls: ssl.SSLContext) -> None:
    async with peer(FIVE, ssl=tls) as server:
        with pytest.raises(NotConnected):
            await server.post()


@pytest.mark.usefixtures("trusted")
@looped
async def test_a_certificate_of_another_name_is_not_connected(tls: ssl.SSLContext) -> None:
    async with peer(FIVE, ssl=tls) as server:
        server.address = Address.of(f"https://127.0.0.1:{server.address.port}/")
        with pytest.raises(NotConnected):
            await server.post()


# Addresses and heads


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://a", Address("a", 80, False, "/", "a")),
        ("https://a/b?c=d", Address("a", 443, True, "/b?c=d", "a")),
        ("http://[::1]:8000/v1", Address("::1", 8000, False, "/v1", "[::1]:8000")),
        ("http://user:word@a:1/", Address("a", 1, False, "/", "a:1")),
    ],
)
def test_an_address_is_taken_apart(url: str, address: Address) -> None:
    assert Address.of(url) == address


@pytest.mark.parametrize(
    "url", ["", "a", "ftp://a", "http://", "http://a:x/", "http://a:99999/", "http://[::1/"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        Address.of(url)


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "key 🎓"])
def test_a_header_is_one_line_of_latin_1(value: str) -> None:
    with pytest.raises(ValueError):
        request_head(Address.of("http://a"), {"Authorization": value}, 0)
