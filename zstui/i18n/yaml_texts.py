"""What PyYAML says against a text, in its English words, as far as user data runs into it."""

from __future__ import annotations

from zstui.i18n import mark

YAML_TEXTS = (
    mark("expected the node content, but found {found}"),
    mark("expected {wanted}, but found {found}"),
    mark("expected {wanted}, but got {found}"),
    mark("mapping values are not allowed here"),
    mark("mapping keys are not allowed here"),
    mark("sequence entries are not allowed here"),
    mark("found character {character} that cannot start any token"),
    mark("could not find expected ':'"),
    mark("found unexpected end of stream"),
    mark("found undefined alias {alias}"),
    mark("found unknown escape character {character}"),
    mark("',' or ']'"),
    mark("',' or '}'"),
    mark("<block end>"),
    mark("'<document start>'"),
    mark("'<document end>'"),
    mark("'<stream end>'"),
    mark("'<block end>'"),
    mark("'<block mapping start>'"),
    mark("'<block sequence start>'"),
    mark("'<scalar>'"),
    mark("'<alias>'"),
    mark("'<anchor>'"),
    mark("'<tag>'"),
    mark("'<directive>'"),
    mark("a comment or a line break"),
    mark("alphabetic or numeric character"),
)
