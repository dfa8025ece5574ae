"""SSH keys of a VM: those of this machine to give to it, those that it has to take away."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance.api.errors import ApiError
from zstui.cells import safe
from zstui.i18n import tr
from zstui.mirror import Row
from zstui.screens.chooser import Choice, Chooser, narrowed
from zstui.wrong import told

if TYPE_CHECKING:
    from zstui.app import Zstui

PREFIX = "sshkey::"
FOLDER = ".ssh"
LONGEST = 16_384
KEY_TYPES = ("ssh-", "ecdsa-", "sk-")
SHORTEST = 60
"""Letters of what a public key is: less is nobody's."""


def local_keys(home: Path) -> dict[str, str]:
    """The public keys in a home's folder of keys, by the name of their file."""
    found = {}
    for path in sorted((home / FOLDER).glob("*.pub")):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")[:LONGEST].strip()
        except OSError:
            continue  # one that cannot be read cannot be offered
        if len(text.split()) >= 2 and "\n" not in text:
            found[path.name] = text
    return found


def shown_key(text: str) -> str:
    """A public key as people tell it apart: its type, the end of what it is, its comment."""
    kind, body, *comment = text.split(maxsplit=2)
    return safe(f"{kind} …{body[-12:]}  {comment[0] if comment else ''}".rstrip())


def is_key(text: str) -> bool:
    """Whether a text is a public key and not what looks for one: its type, and what it is."""
    kind, *rest = text.split() or [""]
    return kind.startswith(KEY_TYPES) and bool(rest) and len(rest[0]) >= SHORTEST


async def choose_key(app: Zstui, vm: Row, done: Any) -> None:
    """Show the keys; the chosen one is given to the VM, or taken from it. `done` hears what was said of it."""
    try:
        tags = await app.calls.session.query("SystemTag", resource_uuid=vm.key)
    except ApiError as error:
        done(told(error, app.mirror), wrong=True)
        return
    has = {str(tag["tag"]).removeprefix(PREFIX).strip(): str(tag["uuid"])
           for tag in tags if str(tag["tag"]).startswith(PREFIX)}  # fmt: skip
    local = local_keys(Path.home())

    def choices() -> list[Choice]:
        taken = [Choice(("take", uuid), shown_key(text), tr("it has this one; Enter takes it away"), "good")
                 for text, uuid in has.items() if len(text.split()) >= 2]  # fmt: skip
        given = [Choice(("give", text), shown_key(text), tr("of this machine, {file}", file=safe(name)))
                 for name, text in local.items() if text not in has]  # fmt: skip
        return [*taken, *given]

    among = narrowed(choices)

    def find(typed: str) -> Iterable[Choice]:
        if not is_key(typed):
            return among(typed)
        text = typed.strip()
        return [] if text in has else [Choice(("give", text), shown_key(text), tr("as it was pasted"))]

    def chosen(values: list[Any] | None) -> None:
        if values:
            what, value = values[0]
            app.run_worker(_change(app, vm, what, value, done), group="keys")

    def title() -> str:
        return tr("SSH keys of {vm}: choose one, or paste a public key", vm=vm.name)

    app.push_screen(Chooser(title, find), chosen)


async def _change(app: Zstui, vm: Row, what: str, value: str, done: Any) -> None:
    try:
        if what == "take":
            await app.calls.make("DeleteTag", uuid=value)
            done(tr("the key is taken away; a guest that has it already keeps it"))
        else:
            await app.calls.make("CreateSystemTag", resourceType="VmInstanceVO", resourceUuid=vm.key,
                                 tag=f"{PREFIX}{value}")  # fmt: skip
            done(tr("the key is given; a guest that has started before takes it when cloud-init runs anew"))
    except ApiError as error:
        done(told(error, app.mirror), wrong=True)
