"""Options of the one program that say who serves, where, and who trusts whom, and the words of some commands."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from appliance.config import AGAIN, frozen_folder, version_text

LISTEN = "127.0.0.1:8080"
WRONG_USAGE = 1


class Parser(argparse.ArgumentParser):
    """A parser that ends as ZStack's command line does when the words are wrong, its commands' parsers too."""

    def error(self, message: str) -> NoReturn:
        """Say how it is used and what was wrong."""
        self.print_usage(sys.stderr)
        self.exit(WRONG_USAGE, f"{self.prog}: error: {message}\n")


class Version(argparse.Action):
    """Says which version this is; only then it is looked up, which takes longer than reading the words."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Say it and end."""
        sys.stdout.write(f"zstui {version_text()}\n")
        parser.exit()


def target_url(text: str) -> str:
    """The URL or socket path of an appliance, without a slash at its end: sessions are kept by one name for each."""
    if text.startswith("/"):
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no address; write http://HOST:PORT, https://HOST:PORT or the path of a socket"
        )
    return text.rstrip("/")


def address(text: str) -> tuple[str, int] | None:
    """Where to listen, of `ADDR:PORT`; None of `none`. Raises ValueError."""
    if text == "none":
        return None
    host, colon, port = text.rpartition(":")
    if not host or not colon or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{text!r} is not ADDR:PORT")
    return host.strip("[]"), int(port)


def _place(text: str) -> str:
    """Where to listen, as it was typed."""
    try:
        if text != AGAIN:
            address(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None
    return text


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
        "--check",
        action="store_true",
        help="--serve: only say what is wrong with the addresses, names and certificate given; exit code 2 if anything",
    )
    parser.add_argument(
        "--listen",
        type=_place,
        metavar="ADDR:PORT",
        help="where the appliance listens besides its socket; none for nowhere, again for where it was last told to "
        f"(default {LISTEN} for --serve, again for an appliance that other commands start)",
    )
    parser.add_argument(
        "--ssh",
        type=_place,
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


def lab_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What plays with several hosts inside this machine."""
    lab = commands.add_parser("lab", help="several real hosts inside this machine, to try things on")
    lab.add_argument("action", choices=("up", "down", "status", "purge", "cloud"), help="what to do")
    lab.add_argument("--name", default="demo", help="which lab (default %(default)s)")
    lab.add_argument("--hosts", type=int, default=2, help="how many hosts (default %(default)s)")
    lab.add_argument("--local", action="store_true", help="cloud: this machine's own libvirt as the host")


def transfer_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What carries an image's bytes."""
    upload = commands.add_parser(
        "upload", help="send the file of an image that waits for it, or the rest of it"
    )
    export = commands.add_parser("export", help="write an image to a file, or the rest of it")
    for transfer in (upload, export):
        transfer.add_argument("image", metavar="IMAGE_UUID", help="the image")
        transfer.add_argument("file", type=Path, help="the file on this machine")


def store_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What keeps, checks and reads the store."""
    backup = commands.add_parser("backup", help="copy the store, checked, while the appliance runs or not")
    backup.add_argument("file", type=Path, help="where to")
    restore = commands.add_parser("restore", help="put a copy of the store back; the appliance must be off")
    restore.add_argument("file", type=Path, help="where from")
    commands.add_parser("migrate", help="take the store to this version; the appliance must be off")
    audit = commands.add_parser(
        "audit",
        help="who changed what, was refused or logged in; audit verify checks that nobody touched the log",
    )
    audit.add_argument(
        "words",
        nargs="*",
        metavar="CONDITION",
        help="such as message=DestroyVmInstance limit=5; onlyRead=true for calls that only read, which are left out "
        "where there is no condition; or verify [HEAD]",
    )
    audit.add_argument("--json", action="store_true", help="each entry as a line of JSON")
    commands.add_parser(
        "verify", help="check the store, while the appliance runs or not, and say what is wrong"
    )


def program_words(arguments: argparse.Namespace) -> str:
    """How a shell calls this very program on the same appliance: with the path where `zstui` would be no other."""
    own = Path(sys.executable if frozen_folder() else sys.argv[0]).absolute()
    found = shutil.which("zstui")
    if own.name == "__main__.py":
        words = [sys.executable, "-m", "zstui"]
    elif found is not None and own.exists() and own.samefile(found):
        words = ["zstui"]
    else:
        words = [os.fspath(own)]
    if arguments.connect is not None:
        words += ["--connect", arguments.connect]
    elif arguments.data is not None:
        words += ["--data", os.fspath(arguments.data.absolute())]
    if arguments.certificate:
        words += ["--certificate", os.fspath(arguments.certificate.absolute())]
    return shlex.join(words)
