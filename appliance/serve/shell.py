"""`zstui shell`: calls typed one after another, with history and completion."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from appliance.api.completion import Completer, LookUp, Named, Where
from appliance.api.errors import ApiError
from appliance.api.grammar import read_words, without_program
from appliance.api.message import MESSAGES
from appliance.api.quoting import UsageError, split
from appliance.api.redaction import hidden
from appliance.api.resource import Resource
from appliance.client import Session
from appliance.serve.cli import (
    DONE,
    FAILED,
    USAGE,
    SavedSessions,
    ask_password,
    print_error,
    run,
    state_folder,
)
from appliance.serve.line import Editor
from appliance.serve.reference import names, reference

PROMPT = ">>> "
HISTORY_LINES = 2000


def shell_command(
    target: Path | str,
    *,
    source: TextIO = sys.stdin,
    out: TextIO = sys.stdout,
    err: TextIO = sys.stderr,
    tls: ssl.SSLContext | None = None,
) -> int:
    """`zstui shell`: carry out calls until the input ends. Returns the exit code of the last that failed."""
    saved = SavedSessions()
    with asyncio.Runner() as runner:
        try:
            session = runner.run(Session.connect(target, session_uuid=saved.get(target), tls=tls))
        except ApiError as error:
            print_error(error, err)
            return FAILED
        typed = source is sys.stdin and source.isatty()
        lines = (
            _typed_lines(_look_up(runner, session), out) if typed else (line.rstrip("\n") for line in source)
        )
        worst = DONE
        try:
            for line in lines:
                code = _carry_out(runner, session, line, saved, out, err)
                if code is None:
                    break
                worst = code or worst
        finally:
            runner.run(session.close())
        return DONE if typed else worst


def _carry_out(
    runner: asyncio.Runner, session: Session, line: str, saved: SavedSessions, out: TextIO, err: TextIO
) -> int | None:
    """Carry out a line. Returns its exit code, or None to end."""
    try:
        words = without_program(split(line), session.target)
        if not words:
            return DONE
        if words[0] in ("exit", "quit"):
            return None
        if words[0] == "help":
            known = words[1:] and words[1] in MESSAGES
            width = shutil.get_terminal_size().columns
            out.write(reference(MESSAGES[words[1]]) if known else f"{names(width)}\nhelp NAME explains one\n")
            return DONE
        command = read_words(words)
        ask_password(command)
        return runner.run(run(session, command, saved, out=out, err=err))
    except UsageError as error:
        print_error(error, err)
        return USAGE
    except ApiError as error:
        print_error(error, err)
        return FAILED
    except KeyboardInterrupt:
        err.write("interrupted; a job that has begun goes on, see QueryLongJob state=Running\n")
        return FAILED


def _look_up(runner: asyncio.Runner, session: Session) -> LookUp:
    def look_up(resource: type[Resource], typed: str, where: Where) -> Named:
        try:
            return runner.run(session.named(resource, typed, where))
        except ApiError:
            return []  # a bell, where words in the middle of a line would only disturb

    return look_up


def _typed_lines(look_up: LookUp, out: TextIO) -> Iterator[str]:
    """Lines typed at the prompt, with history: on the disk of what has no secret in it, else until the end."""
    completer = Completer(look_up)
    history = state_folder() / "history"
    history.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept: list[str] = []
    with contextlib.suppress(OSError):
        kept = history.read_text(errors="replace").splitlines()
    lines = list(kept)
    editor = Editor(sys.stdin, out, lambda before: _completed(completer, before, out), lines)
    while True:
        try:
            line = editor.read(PROMPT)
        except EOFError:
            break
        except KeyboardInterrupt:
            continue
        if line.strip():
            lines.append(line)
        if line.strip() and may_be_kept(line):
            kept.append(line)
            history.touch(mode=0o600)
            history.write_text("".join(f"{each}\n" for each in kept[-HISTORY_LINES:]))
        yield line


def may_be_kept(line: str) -> bool:
    """Whether a line may be written down: not if a password, key or session is in it, or nobody knows what is."""
    if "=" not in line:
        return True
    try:
        command = read_words(split(line))
    except ApiError:
        return False
    secrets = {each.wire for each in command.kind.parameters.values() if each.secret}
    return not secrets & command.fields.keys() and hidden(command.fields) == command.fields


def _completed(completer: Completer, before: str, out: TextIO) -> str:
    """What was typed, as far as it is clear what is meant; what else there is, is shown."""
    word = before.rpartition(" ")[2]
    offers = completer.complete(before, word)
    grown = completer.grown(word, offers) if offers else word
    if len(offers) > 1 and grown == word:
        out.write("\n")
        out.writelines(f"{each}  {completer.names.get(each, '')}".rstrip() + "\n" for each in offers)
    return before[: len(before) - len(word)] + grown
