"""`zstui shell`: calls typed one after another, with history and completion."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from appliance.api.completion import OFFERED, Completer, LookUp, Named, Where
from appliance.api.errors import ApiError
from appliance.api.grammar import UsageError, read_words, without_program
from appliance.api.message import MESSAGES
from appliance.api.quoting import split
from appliance.api.resource import Resource, camel
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
from appliance.serve.reference import index, reference

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
            out.write(reference(MESSAGES[words[1]]) if words[1:] and words[1] in MESSAGES else index())
            return DONE
        command = read_words(words)
        ask_password(command)
        return runner.run(run(session, command, saved, out=out, err=err))
    except (UsageError, ValueError) as error:
        err.write(f"{error}\n")
        return USAGE
    except ApiError as error:
        print_error(error, err)
        return FAILED
    except KeyboardInterrupt:
        err.write("interrupted; a job that has begun goes on, see QueryLongJob state=Running\n")
        return FAILED


def _look_up(runner: asyncio.Runner, session: Session) -> LookUp:
    def look_up(resource: type[Resource], typed: str, where: Where) -> Named:
        called = "name" in resource.columns
        fields = [camel(resource.primary), *(["name"] if called else [])]
        try:
            found = runner.run(session.query(resource.__name__, *where, limit=1000, fields=fields))
        except ApiError:
            return []  # a bell, where words in the middle of a line would only disturb
        pairs = [(str(each[camel(resource.primary)]), str(each.get("name", ""))) for each in found]
        return [pair for pair in pairs if pair[0].startswith(typed) or pair[1].startswith(typed)][:OFFERED]

    return look_up


def _typed_lines(look_up: LookUp, out: TextIO) -> Iterator[str]:
    """Lines typed at the prompt, with history; passwords are kept out of it."""
    import readline  # here, because it takes hold of the terminal, which only a typed session wants

    completer = Completer(look_up, lambda found: _show(completer, found, out))
    history = state_folder() / "history"
    history.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(OSError):
        readline.read_history_file(history)
    readline.set_history_length(HISTORY_LINES)
    readline.set_auto_history(False)
    readline.set_completer_delims(" \t")
    readline.set_completer(
        lambda word, state: completer.for_readline(readline.get_line_buffer(), word, state)
    )
    readline.set_completion_display_matches_hook(lambda _, found, __: _show(completer, found, out))
    readline.parse_and_bind("tab: complete")
    while True:
        try:
            line = input(PROMPT)
        except EOFError:
            out.write("\n")
            break
        except KeyboardInterrupt:
            out.write("\n")
            continue
        if line.strip() and "password=" not in line.lower():
            readline.add_history(line)
            history.touch(mode=0o600)
            readline.write_history_file(history)
        yield line


def _show(completer: Completer, found: Sequence[str], out: TextIO) -> None:
    import readline

    out.write("\n")
    out.writelines(
        f"{each.rstrip()}  {completer.names.get(each.rstrip(), '')}".rstrip() + "\n" for each in found
    )
    out.write(PROMPT + readline.get_line_buffer())
    out.flush()
