"""The lab's command line: up, down, status, purge."""

import argparse
import asyncio
import sys
from pathlib import Path

from appliance.lab import Lab, LabError


def main() -> int:
    """Do what the arguments say; the exit status is 0 only if it was done."""
    options = _parser().parse_args()
    try:
        lab = Lab(options.name, options.hosts, options.folder, nics=options.nics, progress=_say)
        asyncio.run(_do(lab, options.action))
    except LabError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _do(lab: Lab, action: str) -> None:
    if action == "down":
        await lab.down()
    elif action == "purge":
        await lab.purge()
    elif action == "up":
        for host in await lab.up():
            _say(f"{host.name}  {host.user}@{host.address}  password {host.password}  key {host.private_key}")
    else:
        for row in await lab.status():
            _say("  ".join(f"{key}={value}" for key, value in row.items()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m appliance.lab", description="Real KVM hosts in this machine."
    )
    parser.add_argument("action", choices=["up", "down", "status", "purge"])
    parser.add_argument("--name", default="demo", help="the instance: several may run side by side")
    parser.add_argument("--hosts", type=int, default=2, help="how many hosts to bring up (default 2)")
    parser.add_argument("--nics", type=int, default=2, help="interfaces per host, 1 to 3 (default 2)")
    parser.add_argument(
        "--folder", type=Path, help="where disks and logs are kept (default /var/lib/zstui-lab/NAME)"
    )
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
