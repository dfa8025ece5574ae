"""`zstui shell`: calls typed one after another, with history and completion."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import ssl
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from appliance.api.errors import ApiError
from appliance.api.message import MESSAGES, Message, Parameter, QueryMessage
from appliance.api.resource import RESOURCES, Resource, camel, snake
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
from appliance.serve.grammar import UsageError, read_words
from appliance.serve.reference import index, reference

PROMPT = ">>> "
HISTORY_LINES = 2000
OFFERED = 50
OWN_WORDS = ("help", "exit", "quit")
Named = list[tuple[str, str]]
"""Resources to offer: uuid and name of each."""

LookUp = Callable[[type[Resource], str], Named]


class Completer:
    """Completes messages, parameters, choices, and uuids by the name of what they stand for."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._offers: list[str] = []
        self.names: dict[str, str] = {}
        """What the uuids offered last are called."""

    def complete(self, line: str, word: str) -> list[str]:
        """What the last word of a line may become."""
        self.names = {}
        before = line[: len(line) - len(word)].split()
        if not before:
            return [name for name in (*sorted(MESSAGES), *OWN_WORDS) if name.startswith(word)]
        if before == ["help"]:
            return [name for name in sorted(MESSAGES) if name.startswith(word)]
        kind = MESSAGES.get(before[0])
        if kind is None:
            return []
        name, equals, value = word.partition("=")
        if not equals:
            return [f"{each}=" for each in _parameter_names(kind) if each.startswith(name)]
        return self._values(kind, name, value)

    def for_readline(self, line: str, word: str, state: int) -> str | None:
        """The `state`-th completion, as readline asks for them."""
        if state == 0:
            self._offers = [each if each.endswith("=") else f"{each} " for each in self.complete(line, word)]
        return self._offers[state] if state < len(self._offers) else None

    def _values(self, kind: type[Message], name: str, value: str) -> list[str]:
        parameter = kind.parameters.get(snake(name))
        if parameter is not None and parameter.choices:
            return [f"{name}={each}" for each in parameter.choices if each.startswith(value)]
        if parameter is not None and parameter.kind is bool:
            return [f"{name}={each}" for each in ("true", "false") if each.startswith(value)]
        resource = _meant(kind, name, parameter)
        if resource is None:
            return []
        done, comma, typed = value.rpartition(",")
        found = self._look_up(resource, typed)
        self.names = {f"{name}={done}{comma}{uuid}": called for uuid, called in found}
        return list(self.names)


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
        words = shlex.split(line)
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
    def look_up(resource: type[Resource], typed: str) -> Named:
        called = "name" in resource.columns
        fields = [camel(resource.primary), *(["name"] if called else [])]
        try:
            found = runner.run(session.query(resource.__name__, limit=1000, fields=fields))
        except ApiError:
            return []  # a bell, where words in the middle of a line would only disturb
        pairs = [(str(each[camel(resource.primary)]), str(each.get("name", ""))) for each in found]
        return [pair for pair in pairs if pair[0].startswith(typed) or pair[1].startswith(typed)][:OFFERED]

    return look_up


def _typed_lines(look_up: LookUp, out: TextIO) -> Iterator[str]:
    """Lines typed at the prompt, with history; passwords are kept out of it."""
    import readline  # here, because it takes hold of the terminal, which only a typed session wants

    completer = Completer(look_up)
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


def _parameter_names(kind: type[Message]) -> list[str]:
    names = [parameter.wire for parameter in kind.parameters.values() if parameter.name != "conditions"]
    if issubclass(kind, QueryMessage):
        names = [each.wire for each in kind.resource.columns.values() if not each.private] + names
    return names


def _meant(kind: type[Message], name: str, parameter: Parameter | None) -> type[Resource] | None:
    """The resource whose uuid a parameter or a query's field holds."""
    if parameter is not None and parameter.ref is not None:
        return parameter.ref
    if name == "uuid":
        if kind.returns is not None:
            return kind.returns
        longest = sorted(RESOURCES.values(), key=lambda each: -len(each.__name__))
        return next((each for each in longest if kind.__name__.endswith(each.__name__)), None)
    wanted = name.removesuffix("s").removesuffix("Uuid")
    if wanted == name:
        return None
    by_name = {each.lower(): found for each, found in RESOURCES.items()}
    return by_name.get(wanted.lower()) or by_name.get(f"{wanted}instance".lower())
