"""The appliance's own certificate, for listening where others on the network could read along."""

from __future__ import annotations

import datetime
import ipaddress
import logging
import socket
import ssl
from collections.abc import Collection
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

log = logging.getLogger(__name__)

VALID_DAYS = 3650
"""Nobody renews it by hand, and it is trusted by its file, not by an authority."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def server_tls(folder: Path, host: str, names: Collection[str] = ()) -> ssl.SSLContext:
    """TLS with `certificate.pem` and `certificate.key` in the data folder, made at the first need."""
    certificate, key = folder / "certificate.pem", folder / "certificate.key"
    if certificate.exists() and key.exists():
        _look_for(certificate, names)
    else:
        _make(certificate, key, host, names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def check_pair(certificate: Path | None, key: Path | None) -> tuple[Path, Path]:
    """A given certificate and its key. Raises ValueError when one is not there or they do not belong together."""
    if certificate is None or key is None:
        raise ValueError("--serve takes a certificate of its own by --certificate and --key together")
    for option, file in (("--certificate", certificate), ("--key", key)):
        try:
            file.open("rb").close()
        except OSError as error:
            raise ValueError(f"{option} {file} cannot be read: {error.strerror}") from error
    trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        trial.load_cert_chain(certificate, key, password="")  # nosec B106  # one with a password is refused
    except ssl.SSLError as error:
        raise ValueError(
            f"--certificate {certificate} and --key {key} are no certificate with its own key, both as PEM and the key "
            f"without a password: {error.reason or error}"
        ) from error
    return certificate, key


def adopt(folder: Path, certificate: Path | None, key: Path | None) -> None:
    """Keep a given certificate, with what leads from it to its authority, and its key as the appliance's own.

    Raises ValueError when the two do not belong together, OSError when they cannot be read.
    """
    certificate, key = check_pair(certificate, key)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Were it killed between the two, the pair would not fit: the old certificate goes first, and a new one is made.
    (folder / "certificate.pem").unlink(missing_ok=True)
    _write(folder / "certificate.key", key.read_bytes())
    _write(folder / "certificate.pem", certificate.read_bytes())


def client_tls(certificate: Path) -> ssl.SSLContext:
    """TLS that trusts one appliance: the one whose `certificate.pem` this is."""
    return ssl.create_default_context(cafile=str(certificate))


def _look_for(certificate: Path, names: Collection[str]) -> None:
    """Say which names clients will not accept: a certificate that they trust already is never replaced."""
    said = x509.load_pem_x509_certificate(certificate.read_bytes())
    alternatives = said.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    known = {name.lower() for name in alternatives.get_values_for_type(x509.DNSName)}
    for name in names:
        if name.lower() not in known:
            log.warning("%s is not for the name %s; remove it to have a new one made", certificate, name)


def _make(certificate: Path, key: Path, host: str, more: Collection[str]) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "zstui")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(_names(host, more)), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    _write(
        key,
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    _write(certificate, made.public_bytes(serialization.Encoding.PEM))


def _names(host: str, more: Collection[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName(socket.gethostname())]
    for text in {"127.0.0.1", "::1", host, *more}:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            names.append(x509.DNSName(text))
            continue
        if not address.is_unspecified:
            names.append(x509.IPAddress(address))
    return names


def _write(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_bytes(content)
    part.replace(path)
