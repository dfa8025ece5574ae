"""Options of the one program that say who serves, where, and who trusts whom."""

from __future__ import annotations

import argparse
from pathlib import Path

LISTEN = "127.0.0.1:8080"


def tls_options(parser: argparse.ArgumentParser) -> None:
    """Whom to trust, and who it is itself."""
    parser.add_argument(
        "--certificate",
        type=Path,
        metavar="FILE",
        help="certificate.pem of the appliance of an https URL; with --serve and --key, one to use from now on",
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="--serve: the key of that certificate")
    parser.add_argument(
        "--plain-http", action="store_true", help="--serve: no TLS, even where others can read along"
    )


def serving_options(parser: argparse.ArgumentParser) -> None:
    """Whether it is an appliance, and where it is reached."""
    parser.add_argument("--serve", action="store_true", help="run the appliance, with HTTP, until stopped")
    parser.add_argument(
        "--listen",
        metavar="ADDR:PORT",
        help="where the appliance listens besides its socket; none for nowhere, again for where it was last told to "
        f"(default {LISTEN} for --serve, again for an appliance that other commands start)",
    )
    parser.add_argument(
        "--ssh",
        metavar="ADDR:PORT",
        help="where --serve shows the full screen to whoever logs in by SSH; none for nowhere (default: none, and "
        "with --listen again where it was last told to)",
    )
    parser.add_argument(
        "--name",
        dest="name_",  # a lab has a name, too
        action="append",
        default=[],
        metavar="HOST",
        help="a host name of the machine's besides its own: --serve lets web pages at it call, and puts it into "
        "a certificate that it makes; may be repeated",
    )
