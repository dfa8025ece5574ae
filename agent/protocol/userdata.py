"""What of user data reaches a guest: the agent serves it so, and the appliance shows beforehand how."""

from __future__ import annotations

import re

_GZIP = "\x1f\x8b"
_BYTE_ORDER_MARK = "\ufeff"
_LINE_END = re.compile(r"(?<!\r)\r+\n")  # begins at the first of a run only, so that long ones cost no more

_LEAVES_ALONE = (
    "#",
    "content-type:",
    "mime-version:",
    "h4sia",  # gzip in base64
    "i2nsb3vkl",  # "#cloud-" in base64
    "iyev",  # "#!/" in base64
    "q29udgvudc1",  # "Content-" in base64
    "tulnrs1wzxjz",  # "MIME-Vers" in base64
)


def normalise(user_data: str) -> str:
    """User data as cloud-init expects it, from what people type.

    A text in one line with backslash-n written out gets real lines, one from Windows loses its byte order
    mark and its carriage returns (a kernel finds no `/bin/sh\\r`), and a text without a head that cloud-init
    knows (`#…`, MIME, gzip or base64 of one of them) is taken for a cloud-config.
    """
    if user_data.startswith(_GZIP):
        return user_data
    text = user_data.lstrip(_BYTE_ORDER_MARK)
    text = _LINE_END.sub("\n", text if "\n" in text else text.replace("\\n", "\n"))
    if not text.strip() or text.lstrip().lower().startswith(_LEAVES_ALONE):
        return text
    return "#cloud-config\n" + text
