"""The reference says what the declarations say."""

from __future__ import annotations

import io
import json

import pytest

from appliance.api.message import BASE, MESSAGES, QueryMessage
from appliance.serve.documents import pages
from appliance.serve.openapi import document
from appliance.serve.reference import api_command, index, reference


def run(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return api_command(list(words), out, err), out.getvalue(), err.getvalue()


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_every_parameter_is_explained(name: str) -> None:
    text = reference(MESSAGES[name])
    for parameter in MESSAGES[name].parameters.values():
        assert f"  {parameter.wire} " in text
        assert parameter.help in text


def test_every_page_has_the_parameters_of_its_messages() -> None:
    """Those that all messages or queries have are told once; one that a single query has besides is on its page."""
    texts = "\n".join(text for name, text in pages().items() if name.startswith("api/"))
    parts = {part.split("\n", 1)[0]: part for part in texts.split("\n## ")}
    for name, kind in MESSAGES.items():
        common = QueryMessage.parameters if issubclass(kind, QueryMessage) else {}
        for parameter in (each for each in kind.own_parameters() if each.name not in common):
            assert f"| `{parameter.wire}` |" in parts[name], (name, parameter.wire)


def test_what_every_message_takes_is_told_once() -> None:
    found = [name for name, text in pages().items() if "| `timeout` |" in text]
    assert found == ["README.md"]
    described = json.loads(document("1"))
    told = described["components"]["schemas"]["Timeout"]["description"]
    assert json.dumps(described).count(told) == 2, "in a body, and behind a path"
    for parameter in BASE.values():
        assert parameter.wire in described["paths"]["/api/v1/zones"]["post"]["requestBody"]["content"][
            "application/json"]["schema"]["properties"]  # fmt: skip


def test_errors_are_told_that_a_caller_can_see() -> None:
    rows = [line for line in pages()["errors.md"].splitlines() if line.startswith("| `")]
    codes = [row.split("`")[1] for row in rows]
    assert [code for code in sorted(set(codes)) if codes.count(code) > 1] == ["SYS.1000"]
    assert [row.split(" | ")[1] for row in rows if "`SYS.1000`" in row] == ["InternalError", "WrongQuery"]


def test_the_index_has_a_line_for_each() -> None:
    assert len(index().splitlines()) == len(MESSAGES)


def test_one_message_is_explained() -> None:
    code, out, _ = run("CreateVmInstance")
    assert code == 0
    assert "uuid of Image" in out
    assert "VM.1000" in out
    assert "required" in out


def test_what_is_missing_is_listed() -> None:
    code, out, _ = run("--missing")
    assert code == 0
    assert "org.zstack.network.service.eip.APIQueryEipMsg" in out.splitlines()


@pytest.mark.parametrize("words", [["Nonsense"], ["a.b.C"], ["--what"], ["A", "B"]])
def test_mistakes_go_to_stderr(words: list[str]) -> None:
    code, out, err = run(*words)
    assert (code, out) == (1, "")
    assert err


def test_an_image_is_sent_as_its_page_says() -> None:
    page = reference(MESSAGES["AddImage"])
    for way in ("`upload://NAME`", "`PUT /zstack/upload/{image uuid}`", "`upload:///path/of/a/file`"):
        assert way in page
    assert "`zstui call`, `zstui shell`" in page
