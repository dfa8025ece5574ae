"""Addresses as they may be repeated: without the password in them."""

from __future__ import annotations

import re

_PASSWORD = re.compile(r"(://[^/@\s:]*:)[^/@\s]+(?=@)")


def without_password(text: str) -> str:
    """A text with the password in each address starred."""
    return _PASSWORD.sub(r"\1******", text)
