"""`zstui call`: one call from the command line, in ZStack's grammar and with its exit codes."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import shlex
import ssl
import sys
import uuid
from pathlib import Path
from typing import Any, TextIO

from appliance.api.account import LogInByAccount, LogInByUser, hash_password
from appliance.api.errors import ApiError, NoSession
from appliance.api.grammar import HASHED, Command, read_words
from appliance.api.image import AddImage
from appliance.api.quoting import UsageError
from appliance.client import Session
from appliance.client_answers import Unreachable
from appliance.client_files import Progress

DONE, USAGE, FAILED = 0, 1, 3
UPLOAD = "upload://"


def state_folder() -> Path:
    """Where the command line keeps its sessions and history."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "zstui"


class SavedSessions:
    """The sessions of `--connect URL`, kept between commands in a file that only its owner can read."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or state_folder() / "sessions.json"

    def get(self, target: Path | str) -> str | None:
        """The session at a URL. A socket needs none."""
        return None if isinstance(target, Path) else self._read().get(target)

    def put(self, target: Path | str, session_uuid: str | None) -> None:
        """Remember a session, or with None forget it."""
        if isinstance(target, Path):
            return
        saved = {name: each for name, each in self._read().items() if name != target}
        if session_uuid is not None:
            saved[target] = session_uuid
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self._path.with_suffix(f".{os.getpid()}")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123 - a mode from its first moment
            json.dump(saved, file)
        new.replace(self._path)

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def call_command(
    target: Path | str,
    words: list[str],
    *,
    out: TextIO = sys.stdout,
    err: TextIO = sys.stderr,
    tls: ssl.SSLContext | None = None,
) -> int:
    """`zstui call NAME key=value …`: carry out one call, print its reply. Returns the exit code."""
    return asyncio.run(call_once(target, words, out=out, err=err, tls=tls))


async def call_once(
    target: Path | str,
    words: list[str],
    *,
    out: TextIO,
    err: TextIO,
    tls: ssl.SSLContext | None = None,
    saved: SavedSessions | None = None,
) -> int:
    """As `call_command`, inside a running loop."""
    saved = saved or SavedSessions()
    try:
        command = read_words(words)
        ask_password(command)
        async with await Session.connect(target, session_uuid=saved.get(target), tls=tls) as session:
            return await run(session, command, saved, out=out, err=err)
    except UsageError as error:
        print_error(error, err)
        return USAGE
    except ApiError as error:
        print_error(error, err)
        return FAILED


async def run(session: Session, command: Command, saved: SavedSessions, *, out: TextIO, err: TextIO) -> int:
    """Carry out a command, keep the session it opens, print what comes. Returns the exit code."""
    name = command.kind.__name__
    try:
        reply = await carry_out(session, command)
    except NoSession as error:
        session.session_uuid = None
        saved.put(session.target, None)
        print_error(error, err)
        err.write("log in first: LogInByAccount accountName=admin password=…\n")
        return FAILED
    except UsageError as error:
        print_error(error, err)
        return USAGE
    except ApiError as error:
        print_error(error, err)
        return FAILED
    if command.kind in (LogInByAccount, LogInByUser):
        session.session_uuid = str(reply["inventory"]["uuid"])
        saved.put(session.target, session.session_uuid)
    elif name == "LogOut":
        session.session_uuid = None
        saved.put(session.target, None)
    out.write(pretty({**reply, "success": True}) + "\n")
    return DONE


async def carry_out(session: Session, command: Command) -> dict[str, Any]:
    """Carry out a command; a local file that an image is to be made of is sent along."""
    fields = command.fields
    if command.kind is AddImage and str(fields.get("url", "")).startswith(UPLOAD):
        return await _add_local_image(session, fields)
    if command.kind.__name__ == "LogOut":
        fields = {"sessionUuid": session.session_uuid, **fields}
    return await session.call(command.kind.__name__, **fields)


def ask_password(command: Command) -> None:
    """Ask for the password of a call that needs one and has none, when somebody is there to ask."""
    if command.kind in HASHED and "password" not in command.fields and sys.stdin.isatty():
        command.fields["password"] = hash_password(getpass.getpass())


def pretty(reply: dict[str, Any]) -> str:
    """A reply as ZStack's command line prints it: sorted keys, four spaces; nothing that moves a cursor."""
    return printable(json.dumps(reply, indent=4, sort_keys=True, ensure_ascii=False))


def printable(text: str) -> str:
    """A text with every character that a terminal might obey written as an escape."""
    return "".join(each if each.isprintable() or each == "\n" else f"\\u{ord(each):04x}" for each in text)


def print_error(error: ApiError, err: TextIO) -> None:
    """Print an error's code, description and details, and what else is known of it here."""
    err.write(f"code: {error.code}\ndescription: {error.description}\ndetails: {printable(error.details)}\n")
    err.writelines(f"{printable(note)}\n" for note in getattr(error, "__notes__", ()))


async def _add_local_image(session: Session, fields: dict[str, Any]) -> dict[str, Any]:
    path = Path(fields["url"].removeprefix(UPLOAD))
    if not await asyncio.to_thread(path.is_file):
        raise UsageError(f"there is no file {path} to upload; write url=upload:///path/of/a/file")
    image_uuid = fields.get("resourceUuid") or uuid.uuid4().hex
    fields = {**fields, "url": f"{UPLOAD}{path.name}", "resourceUuid": image_uuid}
    job_uuid = await session.call_job("AddImage", **fields)
    try:
        await session.upload(image_uuid, path, progress_to(sys.stderr))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.stderr.write(f"{_is_kept(image_uuid, path)}\n")
        raise
    except Unreachable as broken:
        broken.add_note(_is_kept(image_uuid, path))
        raise
    except ApiError as refused:
        if await _awaits_its_file(session, image_uuid):
            refused.add_note(
                "the image waits for its file, and is given up when nothing comes for half an hour; "
                f"once that is mended, go on with: {_upload_of(image_uuid, path)}"
            )
        raise
    return await session.wait(job_uuid)


def _is_kept(image_uuid: str, path: Path) -> str:
    return f"what has arrived is kept for a while; go on with: {_upload_of(image_uuid, path)}"


def _upload_of(image_uuid: str, path: Path) -> str:
    return f"zstui upload {image_uuid} {shlex.quote(str(path))}"


async def _awaits_its_file(session: Session, image_uuid: str) -> bool:
    with contextlib.suppress(ApiError):
        return bool(await session.query("Image", uuid=image_uuid, status="Downloading"))
    return False


async def transfer_once(
    target: Path | str,
    direction: str,
    image_uuid: str,
    path: Path,
    *,
    out: TextIO,
    err: TextIO,
    tls: ssl.SSLContext | None = None,
) -> int:
    """`zstui upload` and `zstui export`: an image's bytes from a file, or to one. Returns the exit code."""
    if direction == "upload" and not await asyncio.to_thread(path.is_file):
        err.write(f"there is no file {path} to upload\n")
        return USAGE
    try:
        async with await Session.connect(
            target, session_uuid=SavedSessions().get(target), tls=tls
        ) as session:
            if direction == "upload":
                await session.upload(image_uuid, path, progress_to(err))
                out.write(f"{path}: {await _uploaded(session, image_uuid, path)}\n")
            else:
                md5 = await session.download(image_uuid, path, progress_to(err))
                out.write(f"{path}: whole, MD5 {md5}\n")
    except ApiError as error:
        print_error(error, err)
        return FAILED
    return DONE


async def _uploaded(session: Session, image_uuid: str, path: Path) -> str:
    """What was sent, and what the image that it is for is now."""
    size = (await asyncio.to_thread(path.stat)).st_size
    (image,) = await session.query("Image", uuid=image_uuid)
    return f"{size} bytes sent; image {printable(image['name'])}[uuid:{image_uuid}] is {image['status']}"


def progress_to(err: TextIO) -> Progress | None:
    """Says on a terminal how far a transfer is; nothing is said to a file."""
    if not err.isatty():
        return None

    def tell(done: int, total: int) -> None:
        end = "\n" if done >= total else ""
        err.write(f"\r{done >> 20} of {total >> 20} MiB{end}")
        err.flush()

    return tell
