"""The reference says what the declarations say."""

from __future__ import annotations

import io

import pytest

from appliance.api.message import MESSAGES, QueryMessage
from appliance.serve.documents import pages
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
    """Those that all queries have are told once; one that a single query has besides is on its page."""
    texts = "\n".join(text for name, text in pages().items() if name.startswith("api/"))
    parts = {part.split("\n", 1)[0]: part for part in texts.split("\n## ")}
    for name, kind in MESSAGES.items():
        common = QueryMessage.parameters if issubclass(kind, QueryMessage) else {}
        for parameter in (each for key, each in kind.parameters.items() if key not in common):
            assert f"| `{parameter.wire}` |" in parts[name], (name, parameter.wire)


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
