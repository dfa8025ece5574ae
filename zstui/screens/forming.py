"""Forms above a list: what one makes is gone to, and one whose call failed after it was left can be had again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appliance.api.message import MESSAGES
from zstui.i18n import tr
from zstui.mirror import Row
from zstui.nouns import noun_of
from zstui.screens.panels import AFTER
from zstui.screens.working import changing
from zstui.verbs import title_of

if TYPE_CHECKING:
    from zstui.screens.acting import Acting


@changing
def open_form(screen: Acting, /, message: str, **options: Any) -> None:
    """Show the form of a message, and afterwards what it made."""
    from zstui.screens.form import Form

    async def done(reply: dict[str, Any] | None) -> None:
        made = (reply or {}).get("inventory") or {}
        if "uuid" in made and (noun := noun_of(_kind_made(message))):
            if not (reply or {}).get("running"):
                screen.say(f"✓ {tr(title_of(message))} {made.get('name', '')}", "good")
            if noun.id == screen.current_noun().id:
                await screen.go(noun.id, str(made["uuid"]), follow=True)
            if message in AFTER:
                AFTER[message](screen, Row(_kind_made(message), str(made["uuid"]), made))

    screen.app.push_screen(Form(message, screen.mirror, **options), done)


def open_again(screen: Acting) -> None:
    """Show the form whose call failed last after it was left, as it was filled, with the error at its field."""
    drafts = screen.app.calls.drafts
    if not drafts:
        screen.say(tr("no call of a form has failed since it was left"), "dim")
        return
    draft = drafts.pop()
    open_form(screen, draft.message, given=draft.given, shown=draft.shown, draft=draft,
              about=draft.about)  # fmt: skip


def _kind_made(message: str) -> str:
    returns = MESSAGES[message].returns
    return returns.__name__ if returns is not None else ""
