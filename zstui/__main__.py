"""The one program: full screen, server, command line and lab, chosen by its first words."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import select
import signal
import ssl
import sys
from pathlib import Path

from appliance.config import AGAIN, Config, default_folder, frozen_folder
from zstui.options import (
    LISTEN,
    Parser,
    Version,
    address,
    lab_command,
    program_words,
    serving_options,
    store_commands,
    target_url,
    tls_options,
    transfer_commands,
)

FAILED = 1
REFUSED = 2
"""As the installer, which asks before it stops anything: what it was told cannot be, and nothing was done."""

UNREAD = 128 + signal.SIGPIPE
"""As of a program that ended because whoever read its output had enough."""


def main(words: list[str] | None = None) -> int:
    """Run zstui; returns the exit status, 0 only on success."""
    arguments = _parser().parse_args(sys.argv[1:] if words is None else words)
    level = logging.DEBUG if arguments.verbose else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname).1s %(name)s: %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except Exception as failed:
        first = _first(failed)
        if isinstance(first, BrokenPipeError) and _nobody_reads():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still to be flushed
            return UNREAD
        if not _expected(first):
            raise
        sys.stderr.write(f"zstui: {first}\n")
        return FAILED


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "api":
        return _api(arguments)
    config = _config(arguments)
    if arguments.serve or arguments.check:
        return _serve(config, arguments)
    match arguments.command:
        case "call":
            return _call(config, arguments)
        case "upload" | "export":
            return _transfer(config, arguments)
        case "shell":
            return _shell(config, arguments)
        case "audit":
            return _audit(config, arguments)
        case "lab":
            return _lab(config, arguments)
        case "backup" | "restore" | "verify" | "migrate":
            return _store(config, arguments)
        case _:
            return _full_screen(config, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="zstui",
        description="A private cloud in one file, driven from a terminal. Without a command: full screen.",
        epilog="zstui COMMAND --help says more of each command. The full screen also heeds ZSTUI_LANG (en, zh_CN, "
        "zh_TW), NO_COLOR, ZSTUI_ASCII=1 (signs in ASCII, as on the Linux console; 0: never), and keys that "
        '~/.config/zstui/keymap.toml moves: [keys], then lines such as "create" = "plus,n"; ? on the screen shows '
        "the id of each key.",
    )
    parser.add_argument("--version", action=Version, nargs=0, help="say which version this is")
    serving_options(parser)
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="data folder (default that of the installation, or /var/lib/zstui as root, ~/.local/state/zstui else)",
    )
    parser.add_argument(
        "--connect",
        type=target_url,
        metavar="URL",
        help="an appliance elsewhere, like http://HOST:8080, or the path of a socket",
    )
    tls_options(parser)
    parser.add_argument(
        "--read-only", action="store_true", help="full screen: look at everything and change nothing"
    )
    parser.add_argument(
        "--plain", action="store_true", help="lines instead of a screen, for screen readers and pipes"
    )
    parser.add_argument("--verbose", action="store_true", help="log every call and step")
    _add_commands(parser)
    return parser


def _add_commands(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    call = commands.add_parser(
        "call",
        help="carry out one call: call NAME key=value …",
        epilog='A list is written a,b or as JSON, ["a","b"]; in the first way \\, is a comma that parts nothing, '
        "and a tag keeps the commas of its text. An object is JSON. Sizes are in bytes.",
    )
    call.add_argument("words", nargs="*", metavar="NAME key=value", help="the message and its parameters")
    commands.add_parser("shell", help="carry out calls line by line, at a >>> prompt or from a pipe")
    transfer_commands(commands)
    api = commands.add_parser("api", help="list the messages, or explain one")
    api.add_argument("words", nargs="?", metavar="NAME", help="the message to explain")
    api.add_argument("--missing", action="store_true", help="ZStack 1.0's messages that are not built yet")
    lab_command(commands)
    store_commands(commands)


def _config(arguments: argparse.Namespace) -> Config:
    """The folder, and where its appliance is to listen if it is started now."""
    from appliance.starting import remembered

    folder, names = (arguments.data or default_folder()).absolute(), tuple(arguments.name_)
    own = LISTEN if arguments.serve or arguments.check or arguments.command == "lab" else AGAIN
    listen = arguments.listen or own
    if listen != AGAIN:
        told = address(listen), address(arguments.ssh or "none")
        return Config(folder, listen=told[0], ssh=told[1], names=names, plain_http=arguments.plain_http)
    kept = remembered(folder)
    names = tuple(dict.fromkeys((*kept.names, *names)))
    listening, ssh = address(kept.listen or "none"), address(arguments.ssh or kept.ssh or "none")
    plain = kept.plain_http or arguments.plain_http
    return Config(folder, listen=listening, ssh=ssh, names=names, plain_http=plain, again=True)


def _serve(config: Config, arguments: argparse.Namespace) -> int:
    from appliance.serve.reached import wrong_places

    wrong = list(wrong_places(config, arguments.name_, arguments.certificate, arguments.key))
    sys.stderr.writelines(f"zstui: {each}\n" for each in wrong)
    if wrong or arguments.check:
        return REFUSED if wrong else 0
    from appliance.process import serve

    if arguments.certificate or arguments.key:
        from appliance.serve.certificate import adopt

        adopt(config.folder, arguments.certificate, arguments.key)
    asyncio.run(serve(config))
    return 0


def _target(config: Config, url: str | None) -> Path | str:
    """What to connect to: the URL or socket, else the data folder's appliance, started when none runs."""
    if url is not None:
        return Path(url) if url.startswith("/") else url
    from appliance.starting import ensure_running

    target = asyncio.run(ensure_running(config))
    if trouble := _trouble(config, url):
        sys.stderr.write(f"zstui: {trouble}\n")
    return target


def _trouble(config: Config, url: str | None) -> str:
    """Why the folder's appliance does not listen where it should."""
    from appliance.starting import remembered

    return "" if url is not None else remembered(config.folder).trouble


def _tls(arguments: argparse.Namespace) -> ssl.SSLContext | None:
    if not arguments.certificate:
        return None
    from appliance.serve.certificate import client_tls

    return client_tls(arguments.certificate)


def _call(config: Config, arguments: argparse.Namespace) -> int:
    from appliance.serve.cli import call_command

    return call_command(_target(config, arguments.connect), arguments.words, tls=_tls(arguments))


def _transfer(config: Config, arguments: argparse.Namespace) -> int:
    from appliance.serve.cli import transfer_once

    target, tls = _target(config, arguments.connect), _tls(arguments)
    return asyncio.run(
        transfer_once(
            target,
            arguments.command,
            arguments.image,
            arguments.file,
            out=sys.stdout,
            err=sys.stderr,
            tls=tls,
        )
    )


def _shell(config: Config, arguments: argparse.Namespace) -> int:
    from appliance.serve.shell import shell_command
    from zstui.terminal_size import forget_exported_size

    forget_exported_size()
    return shell_command(_target(config, arguments.connect), tls=_tls(arguments))


def _api(arguments: argparse.Namespace) -> int:
    import appliance.api
    from appliance.serve.reference import api_command

    words = ["--missing"] if arguments.missing else [arguments.words] if arguments.words else []
    return api_command(words, sys.stdout, sys.stderr) if appliance.api else FAILED


def _lab(config: Config, arguments: argparse.Namespace) -> int:
    from appliance.lab import Lab, LabError
    from appliance.lab.cloud import Cloud

    if frozen_folder() is not None:
        raise LabError(
            "the lab runs from zstui's source tree only: use make run there, or add real hosts here"
        )
    lab = Lab(name=arguments.name, hosts=arguments.hosts, progress=_say)
    match arguments.action:
        case "up":
            asyncio.run(lab.up())
        case "down":
            asyncio.run(Cloud(config, lab, local=arguments.local, progress=_say).down())
        case "purge":
            asyncio.run(Cloud(config, lab, local=arguments.local, progress=_say).purge())
        case "status":
            sys.stdout.write(json.dumps(asyncio.run(lab.status()), indent=4) + "\n")
        case "cloud":
            summary = asyncio.run(Cloud(config, lab, local=arguments.local, progress=_say).up())
            if sys.stdout.isatty() and sys.stdin.isatty():
                return _full_screen(config, arguments)
            sys.stdout.write(json.dumps(summary) + "\n")
    return 0


def _store(config: Config, arguments: argparse.Namespace) -> int:
    """Backup and verify are asked of the appliance, or done here when none runs; the others need it off."""
    if arguments.command == "restore":
        from appliance.store.backup import restore

        restore(config.folder, arguments.file.absolute())
        return 0
    if arguments.command == "migrate":
        return asyncio.run(_migrate(config.folder))
    from appliance.starting import answers

    if arguments.connect is None and not answers(config.socket):
        return _closed_store(config.folder, arguments)
    return asyncio.run(_ask_store(_target(config, arguments.connect), arguments))


def _closed_store(folder: Path, arguments: argparse.Namespace) -> int:
    from appliance.store.backup import back_up_closed, verify_closed

    if arguments.command == "verify":
        return _found(verify_closed(folder))
    path = arguments.file.absolute()
    sys.stdout.write(f"{path}: {back_up_closed(folder, path)} bytes, checked\n")
    return 0


async def _migrate(folder: Path) -> int:
    from appliance.store.database import Database
    from appliance.store.migrations import latest

    database = await Database.open(folder)
    findings = await database.verify()
    await database.close()
    sys.stdout.writelines(f"{finding}\n" for finding in findings or [f"the store is of version {latest()}"])
    return FAILED if findings else 0


async def _ask_store(target: Path | str, arguments: argparse.Namespace) -> int:
    from appliance.client import Session

    async with await Session.connect(target, tls=_tls(arguments)) as session:
        if arguments.command == "backup":
            reply = await session.call("BackupStore", path=str(arguments.file.absolute()))
            sys.stdout.write(f"{reply['path']}: {reply['size']} bytes, checked\n")
            return 0
        return _found((await session.call("VerifyStore")).get("findings", []))


def _found(findings: list[str]) -> int:
    sys.stdout.writelines(f"{finding}\n" for finding in findings or ["the store is sound"])
    return FAILED if findings else 0


def _audit(config: Config, arguments: argparse.Namespace) -> int:
    from appliance.serve.audit_command import audit_once

    target, tls = _target(config, arguments.connect), _tls(arguments)
    return asyncio.run(
        audit_once(target, arguments.words, out=sys.stdout, err=sys.stderr, as_json=arguments.json, tls=tls)
    )


def _full_screen(config: Config, arguments: argparse.Namespace) -> int:
    from zstui.guest import begin

    guest_session = begin()

    if arguments.plain or os.environ.get("TERM", "dumb") == "dumb":
        from zstui.plain import run_plain

        target = _target(config, arguments.connect)
        return run_plain(target, tls=_tls(arguments), read_only=arguments.read_only)
    gc.disable()  # what is imported from here on stays; `zstui/later.py` turns it on again

    from zstui.app import run
    from zstui.drawing import has_terminal

    if not has_terminal():
        sys.stderr.write(
            "zstui: the full screen needs a terminal to draw on and to type at; use zstui --plain\n"
        )
        return 1
    logging.getLogger().handlers.clear()
    target, tls = _target(config, arguments.connect), _tls(arguments)
    program = "zstui" if guest_session is not None else program_words(arguments)
    return run(
        target, tls=tls, read_only=arguments.read_only, program=program,
        trouble=_trouble(config, arguments.connect), guest_session=guest_session,
    )  # fmt: skip


def _say(step: str) -> None:
    sys.stderr.write(f"  {step}\n")
    sys.stderr.flush()


def _first(failed: Exception) -> Exception:
    """Of several things that failed side by side, one says enough."""
    while isinstance(failed, ExceptionGroup):
        failed = failed.exceptions[0]
    return failed


def _nobody_reads() -> bool:
    """Whether it is our output that broke, and no connection."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in output.poll(0))


def _expected(failed: Exception) -> bool:
    """Whether an error says all there is to say: the rest are ours, and show their trace."""
    from appliance.api.errors import ApiError
    from appliance.lab import LabError
    from appliance.starting import NotStarted
    from appliance.store.errors import StoreError

    return isinstance(failed, (ApiError, LabError, NotStarted, StoreError, OSError, ValueError))


if __name__ == "__main__":
    raise SystemExit(main())
