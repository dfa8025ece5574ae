"""What of user data reaches a guest: the agent serves it so, and the appliance shows beforehand how."""

from __future__ import annotations

_LEAVES_ALONE = (
    "#",
    "content-type:",
    "mime-version:",
    "\x1f\x8b",
    "h4sia",  # gzip in base64
    "i2nsb3vkl",  # "#cloud-" in base64
    "iyev",  # "#!/" in base64
    "q29udgvudc1",  # "Content-" in base64
    "tulnrs1wzxjz",  # "MIME-Vers" in base64
)


def normalise(user_data: str) -> str:
    """User data as cloud-init expects it, from what people type.

    A text in one line with backslash-n written out gets real lines, and a text without a head that
    cloud-init knows (`#…`, MIME, gzip or base64 of one of them) is taken for a cloud-config.
    """
    text = user_data if "\n" in user_data else user_data.replace("\\n", "\n")
    if not text.strip() or text.lstrip().lower().startswith(_LEAVES_ALONE):
        return text
    return "#cloud-config\n" + text
