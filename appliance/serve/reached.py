"""Whether an appliance can be reached as it is told to be: what is wrong is said before anything listens."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from appliance.config import Config
from appliance.plans.naming import is_address, is_domain_name
from appliance.serve.listen import TcpListener, bind_tcp
from appliance.starting import address_text


def wrong_places(
    config: Config, names: Collection[str], certificate: Path | None, key: Path | None
) -> Iterator[str]:
    """What keeps an appliance from being reached so, in sentences: addresses, names, and a certificate of its own.

    Ports are not tried: the one that runs now may have them. Of addresses that are only remembered it is said in
    another way, when the appliance runs.
    """
    if not config.again:
        yield from _wrong_address("--listen", config.listen)
        yield from _wrong_address("--ssh", config.ssh)
        if config.ssh is not None and config.ssh == config.listen and config.ssh[1]:
            yield f"--ssh {address_text(config.ssh)}: --listen has that address already"
    for name in names:
        if not is_domain_name(name) and not is_address(name):
            yield f"--name {name!r} is no host name: it has letters, digits and dashes, with dots between"
    if certificate or key:
        # What it is read with takes long to import.
        from appliance.serve.certificate import check_pair

        try:
            check_pair(certificate, key)
        except ValueError as error:
            yield str(error)


def _wrong_address(option: str, address: tuple[str, int] | None) -> Iterator[str]:
    if address is None:
        return
    host = address[0]
    try:
        bind_tcp(TcpListener(host, 0)).close()
    except OSError as error:
        why = getattr(error.__cause__, "strerror", None) or error
        yield f"{option} {address_text(address)}: {host} is no address of this machine ({why})"
