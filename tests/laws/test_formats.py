"""No image is opened as what its content says: each command line and each piece of XML states the format.

A guest writes what it likes into its disk, a header of qcow2 that names a file of its host included.
"""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.laws.test_laws import modules

PROGRAMS = ("qemu-img", "qemu-io", "qemu-nbd")
STATED = ("-f", "--image-opts")
CHAIN = "_stack"
"""What writes a chain as JSON, a format in each node."""


def words() -> Iterator[tuple[str, list[ast.expr]]]:
    """Where, and the words of each list of words in the code that runs on hosts."""
    for name, _, tree in modules("agent/"):
        for node in ast.walk(tree):
            found = node.args if isinstance(node, ast.Call) else getattr(node, "elts", None)
            if found:
                yield f"{name}:{found[0].lineno}", found


def text(word: ast.expr) -> object:
    return word.value if isinstance(word, ast.Constant) else None


def test_every_command_line_states_the_format_of_what_it_opens() -> None:
    seen, silent = [], []
    for where, found in words():
        said = [text(word) for word in found]
        if said[0] not in PROGRAMS or len(said) == 1 or not any(isinstance(each, str) for each in said[1:]):
            continue
        if said[1] in PROGRAMS:
            continue  # their names, listed
        seen.append(where)
        chains = [word for word in found if isinstance(word, ast.Call) and ast.unparse(word.func) == CHAIN]
        if not chains and not any(each in STATED for each in said):
            silent.append(where)
    assert len(seen) >= 13, "this finds what it looks for"
    assert silent == []


def test_whatever_is_put_below_a_file_has_its_format_stated() -> None:
    seen, silent = 0, []
    for where, found in words():
        said = [text(word) for word in found]
        if "-b" in said and said[said.index("-b") + 1 :][:1] != [""]:
            seen += 1
            if "-F" not in said:
                silent.append(where)
    assert seen >= 4
    assert silent == []


def test_every_disk_in_xml_has_its_format_stated() -> None:
    drivers = [
        (f"{name}:{node.lineno}", {each.arg for each in node.keywords})
        for name, _, tree in modules("agent/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "ET.SubElement"
        if text(node.args[1]) == "driver"
    ]
    assert len(drivers) >= 4
    assert [where for where, said in drivers if "type" not in said] == []


@pytest.mark.parametrize("stated", [False, True])
def test_the_header_that_is_feared_works_where_no_format_is_stated(tmp_path: Path, *, stated: bool) -> None:
    """The control: the same bytes give a file of the host away, or are themselves."""
    secret, disk, out = (tmp_path / name for name in ("secret", "disk", "out"))
    secret.write_bytes(b"canary".ljust(1 << 16, b"."))
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(secret), "-F", "raw", str(disk)]
    subprocess.run(create, check=True, timeout=20)
    said = ["-f", "raw"] if stated else []
    subprocess.run(["qemu-img", "convert", *said, "-O", "raw", str(disk), str(out)], check=True, timeout=20)
    assert out.read_bytes().startswith(b"QFI\xfb" if stated else b"canary")
