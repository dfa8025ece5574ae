"""The agent's commands: `attach`, `serve`, `supervise`, `stop`, `version` and what is done with files."""

from __future__ import annotations

import sys

USAGE = """usage: agent COMMAND
  attach                    connect standard input and output to this host's daemon
  send PATH START           write a file below a storage root to standard output, from a byte on
  receive PATH SIZE START RESERVED
                            read one from standard input, from a byte on, leaving RESERVED bytes free
  arrived PATH              say how many bytes of one have been received
  give PATH BYTES           write one to standard output without its holes, so many bytes a second (0: no limit)
  take PATH SIZE MD5 RESERVED
                            read what `give` writes from standard input (MD5 `-`: do not verify)
  lane UUID WORD            be the other end of a lane (sshd runs this for the key of one)
  supervise                 start the supervisor, which starts the daemon
  serve                     be the daemon (the supervisor runs this)
  turnback FILE             undo what a bridge took over unless it is confirmed in time (the daemon runs this)
  hold DOOR NAME=SOCKET …   hold listening sockets for the next daemon (the daemon that makes way runs this)
  stop                      end daemon and supervisor; guests and their networks go on
  remove [HOST]             end both and take all of the agent from this host, unless it is another than HOST
  version                   print version and build"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status. Imports wait until they are needed: attach starts fast."""
    argv = sys.argv[1:] if arguments is None else arguments
    match argv:
        case ["--help" | "-h" | "help"]:
            print(USAGE)  # noqa: T201
            return 0
        case ["version"]:
            return _version()
        case ["attach"]:
            from agent.attach import attach
            from agent.paths import Paths

            return attach(Paths.from_environment())
        case ["supervise" | "serve" | "turnback" | "hold", *words]:
            return _lasting(argv[0], words)
        case ["stop"]:
            from agent.paths import Paths
            from agent.stop import stop

            return stop(Paths.from_environment())
        case ["remove", *host] if len(host) <= 1:
            from agent.paths import Paths
            from agent.remove import remove

            return remove(Paths.from_environment(), *host)
        case ["send" | "receive" | "arrived" | "give" | "take" | "lane", *words]:
            return _stream(argv[0], words)
        case _:
            return _misused()


def _lasting(verb: str, words: list[str]) -> int:
    """The processes that an agent consists of."""
    match verb, words:
        case "supervise", []:
            from agent.paths import Paths
            from agent.supervisor import supervise

            return supervise(Paths.from_environment())
        case "serve", []:
            from agent.daemon import serve
            from agent.paths import Paths

            return serve(Paths.from_environment())
        case "turnback", [path]:
            from pathlib import Path

            from agent.turnback import turn_back

            return turn_back(Path(path))
        case "hold", [door, *held]:
            from agent.handover import hold

            return hold(int(door), held)
    return _misused()


def _stream(verb: str, words: list[str]) -> int:
    """The commands that sshd runs for what goes through standard input and output."""
    match verb, words:
        case "send", [path, start] if start.isdecimal():
            from agent.stream import send

            return send(path, int(start))
        case "arrived", [path]:
            from agent.stream import arrived

            return arrived(path)
        case "receive", [path, *numbers] if len(numbers) == 3 and all(map(str.isdecimal, numbers)):
            from agent.stream import receive

            return receive(path, *map(int, numbers))
        case "give", [path, limit] if limit.isdecimal():
            from agent.sparse_stream import give

            return give(path, int(limit))
        case "take", [path, size, md5, reserved] if size.isdecimal() and reserved.isdecimal():
            from agent.sparse_stream import take

            return take(path, int(size), md5, int(reserved))
        case "lane", [uuid, asked]:
            from agent.lane_end import lane
            from agent.paths import Paths

            return lane(Paths.from_environment(), uuid, asked)
    return _misused()


def _misused() -> int:
    print(USAGE, file=sys.stderr)  # noqa: T201
    return 2


def _version() -> int:
    from agent.version import version

    print(version())  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
