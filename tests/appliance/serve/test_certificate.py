"""Elsewhere than on loopback the appliance speaks TLS, and only its own certificate is believed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography import x509

from appliance.client import Session, Unreachable
from appliance.config import Config
from appliance.process import _listeners
from appliance.serve.certificate import adopt, client_tls, is_loopback, server_tls
from appliance.serve.listen import TcpListener
from appliance.store.database import Database

from .conftest import serving


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("192.0.2.1", False)],
)
def test_who_can_reach_an_address(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone


def test_the_key_is_its_owners_and_made_once(tmp_path: Path) -> None:
    server_tls(tmp_path, "192.0.2.1")
    key = tmp_path / "certificate.key"
    before = key.read_bytes()
    server_tls(tmp_path, "192.0.2.1")
    assert key.read_bytes() == before
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_it_is_for_the_names_that_the_appliance_was_given(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server_tls(tmp_path, "192.0.2.1", ["cloud.example"])
    made = x509.load_pem_x509_certificate((tmp_path / "certificate.pem").read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "cloud.example" in names.get_values_for_type(x509.DNSName)
    server_tls(tmp_path, "192.0.2.1", ["cloud.example"])
    assert not caplog.records
    server_tls(tmp_path, "192.0.2.1", ["cloud.example", "other.example"])
    assert "is not for the name other.example; remove it to have a new one made" in caplog.text


def test_a_given_certificate_is_kept_and_one_without_its_key_is_refused(tmp_path: Path) -> None:
    given, other, own = tmp_path / "given", tmp_path / "other", tmp_path / "own"
    for folder in (given, other):
        folder.mkdir()
        server_tls(folder, "192.0.2.1")
    with pytest.raises(ValueError, match="are no certificate with its own key"):
        adopt(own, given / "certificate.pem", other / "certificate.key")
    assert not own.exists()
    adopt(own, given / "certificate.pem", given / "certificate.key")
    server_tls(own, "192.0.2.9")
    assert (own / "certificate.pem").read_bytes() == (given / "certificate.pem").read_bytes()
    assert stat.S_IMODE((own / "certificate.key").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("host", "plain", "encrypted"),
    [
        ("127.0.0.1", False, False),
        ("192.0.2.1", False, True),
        ("192.0.2.1", True, False),
        ("0.0.0.0", False, True),
    ],
)
def test_what_others_could_read_is_encrypted_unless_told_otherwise(
    tmp_path: Path, host: str, plain: bool, encrypted: bool
) -> None:
    listeners = _listeners(Config(tmp_path, listen=(host, 1), plain_http=plain))
    [tcp] = [each for each in listeners if isinstance(each, TcpListener)]
    assert (tcp.tls is not None) is encrypted


async def test_only_who_has_the_certificate_connects(database: Database, tmp_path: Path) -> None:
    tls = server_tls(tmp_path, "0.0.0.0")
    async with serving(database, tmp_path / "s.sock", tls=tls) as face:
        url = face.url.replace("http:", "https:")
        trusting = client_tls(tmp_path / "certificate.pem")
        async with await Session.connect(url, tls=trusting) as session:
            assert (await session.call("GetVersion"))["version"]
        with pytest.raises(Unreachable, match="certificate"):
            await Session.connect(url)
