"""The OpenAPI 3.1 document of the plain REST face, made from the declarations of messages and resources."""

from __future__ import annotations

import inspect
import json
import typing
from typing import Any

from appliance.api.message import BASE, Message, Parameter, QueryMessage
from appliance.api.parse import LONG
from appliance.api.resource import RESOURCES, Column, Resource, Timestamp
from appliance.api.rest import RestRoute, rest_routes
from appliance.serve.openapi_watching import watching_paths, watching_schemas
from appliance.serve.route import WAIT_LIMIT_SECONDS

Schema = dict[str, Any]

DESCRIPTION = """\
Every message of the appliance, as a route. The same messages can be sent as ZStack's clients send them, to
/zstack/api. What takes time is answered 202 with a job; `wait` keeps the question until the job has ended.
Send `Authorization: Bearer` with the uuid of a session (see LogInByAccount) or with an access token. A change
with the header Idempotency-Key may be repeated where the route lists that header: it is carried out once. Other
routes that are no mere questions refuse it. Dates are as ZStack writes them, in the
appliance's time zone; a field without a value is left out.
"""

CONDITION_HELP = (
    "A condition, as field=value; also != > < >= <= ?= (one of, with commas) !?= ~= (like) !~= and =null "
    "!=null. All must hold."
)
KEY_HELP = "A text of your own: the same call with the same key is carried out once and answered alike."
WAIT_HELP = "Seconds to wait for the end of what takes time."


def document(version: str) -> bytes:
    """The document of an appliance of that version, as JSON."""
    paths: dict[str, Schema] = {}
    for route in rest_routes():
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    paths |= watching_paths()
    said = {
        "openapi": "3.1.0",
        "info": {"title": "zstui", "version": version, "description": DESCRIPTION},
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "parameters": {name: _in_query(each) for name, each in BASE.items()},
            "responses": {"Error": _response("What went wrong.", {"$ref": "#/components/schemas/Refusal"})},
            "schemas": {
                **_common_schemas(),
                **{_base_name(each): _schema(each) for each in BASE.values()},
                **watching_schemas(),
                **{name: _resource(kind) for name, kind in RESOURCES.items()},
            },
        },
    }
    return json.dumps(said, separators=(",", ":")).encode()


def _common_schemas() -> dict[str, Schema]:
    text: Schema = {"type": "string"}
    return {
        "Error": {
            "type": "object",
            "description": "An error: its code is for programs, its details are for people.",
            "required": ["code", "description", "details"],
            "properties": {
                "code": text, "description": text, "details": text,
                "cause": {"$ref": "#/components/schemas/Error"},
            },
        },
        "Refusal": {
            "type": "object",
            "required": ["error", "success"],
            "properties": {"error": {"$ref": "#/components/schemas/Error"}, "success": {"const": False}},
        },
        "Accepted": {
            "type": "object",
            "description": "A job that goes on: ask for it at the Location that came with it.",
            "required": ["job"],
            "properties": {
                "job": {
                    "type": "object",
                    "required": ["uuid", "state"],
                    "properties": {"uuid": text, "state": {"enum": ["Queued", "Running"]}},
                }
            },
        },
    }  # fmt: skip


def _operation(route: RestRoute) -> Schema:
    kind = route.kind
    first, _, rest = inspect.cleandoc(kind.__doc__ or "").partition("\n")
    said: Schema = {
        "operationId": route.operation,
        "tags": [route.path.split("/")[3]],
        "summary": first,
        "description": f"{rest.strip()}\n\nWho may: {kind.role}. Message: {kind.java}".strip(),
        "parameters": _parameters(route),
        "responses": _responses(route),
    }
    if kind.role == "anyone":
        said["security"] = []
    if not route.in_query:
        required = [each.wire for each in route.others if each.required]
        said["requestBody"] = {
            "required": bool(required),
            "content": {"application/json": {"schema": _body(route, required)}},
        }
    return said


def _body(route: RestRoute, required: list[str]) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": {
            name: _in_body(each) for each in route.others for name in (each.wire, each.also) if name
        },
        "additionalProperties": False,
    }
    return {**schema, "required": required} if required else schema


def _parameters(route: RestRoute) -> list[Schema]:
    found = []
    hole = "uuid" if route.one else route.hole.wire if route.hole is not None else None
    if hole is not None:
        words = route.hole.help if route.hole is not None else "Which one."
        text = {"type": "string", "minLength": 1}
        found.append({"name": hole, "in": "path", "required": True, "description": words, "schema": text})
    if route.in_query:
        for each in route.query_parameters:
            base: Schema = {"$ref": f"#/components/parameters/{each.name}"}
            found.append(base if each.name in BASE else _in_query(each))
    if route.searches:
        listed = {"type": "array", "items": {"type": "string"}}
        found.append({"name": "q", "in": "query", "description": CONDITION_HELP, "schema": listed})
    if route.waits:
        seconds = {"type": "number", "minimum": 0, "maximum": WAIT_LIMIT_SECONDS}
        found.append({"name": "wait", "in": "query", "description": WAIT_HELP, "schema": seconds})
    if route.keyed:
        key = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"}
        found.append({"name": "Idempotency-Key", "in": "header", "description": KEY_HELP, "schema": key})
    return found


def _in_body(parameter: Parameter) -> Schema:
    base = {"$ref": f"#/components/schemas/{_base_name(parameter)}"}
    return base if parameter.name in BASE else _schema(parameter)


def _base_name(parameter: Parameter) -> str:
    """What the schema of a parameter is called that every message takes."""
    return parameter.wire.capitalize()


def _in_query(parameter: Parameter) -> Schema:
    return {
        "name": parameter.wire,
        "in": "query",
        "required": parameter.required,
        "description": parameter.help,
        "schema": {key: value for key, value in _schema(parameter).items() if key != "description"},
    }


def _schema(parameter: Parameter) -> Schema:
    """The JSON schema of one parameter."""
    said: Schema = {**_type(parameter.kind), "description": parameter.help}
    if said.get("type") == "integer":
        low, high = parameter.minimum, parameter.maximum
        said |= {"minimum": LONG[0] if low is None else low, "maximum": LONG[1] if high is None else high}
    if said.get("type") == "string" and not parameter.empty_allowed:
        said["minLength"] = 1
    if said.get("type") in ("array", "object") and (parameter.required or parameter.nonempty):
        said["minItems" if said["type"] == "array" else "minProperties"] = 1
    if parameter.choices:
        said["enum"] = list(parameter.choices)
    if parameter.max_length is not None:
        said["maxLength"] = parameter.max_length
    if parameter.secret:
        said["writeOnly"] = True
    if isinstance(parameter.default, (str, int)):
        said["default"] = parameter.default
    return said


def _type(kind: Any) -> Schema:
    origin = typing.get_origin(kind)
    if origin is list:
        return {"type": "array", "items": _type(typing.get_args(kind)[0])}
    if origin is dict or kind is dict:
        values = typing.get_args(kind)
        return {"type": "object", "additionalProperties": _type(values[1]) if values else True}
    if kind is Timestamp:
        return {"type": "string", "description": "A moment, for example Jan 30, 2016 3:01:03 PM."}
    return {str: {"type": "string"}, int: {"type": "integer"}, bool: {"type": "boolean"},
            float: {"type": "number"}}.get(kind, {})  # fmt: skip


def _resource(kind: type[Resource]) -> Schema:
    """The inventory of a resource. Nothing in it is required: a query may ask for some fields only."""
    properties = {each.wire: _column(each) for each in kind.columns.values() if not each.private}
    for embed in kind.embeds:
        inner: Schema = {"$ref": f"#/components/schemas/{embed.resource}"}
        properties[embed.wire] = {"type": "array", "items": {"type": "string"} if embed.pluck else inner}
    return {
        "type": "object", "description": inspect.cleandoc(kind.__doc__ or ""), "properties": properties,
    }  # fmt: skip


def _column(each: Column) -> Schema:
    return {**_type(each.kind), "description": each.help}


def _responses(route: RestRoute) -> Schema:
    found: Schema = {"200": _response("Done.", _answer(route))}
    if not route.kind.sync:
        found["202"] = _response("Accepted; it goes on.", {"$ref": "#/components/schemas/Accepted"})
        found["202"]["headers"] = {
            "Location": {"description": "Where to ask how far it is.", "schema": {"type": "string"}}
        }
    error = {"$ref": "#/components/responses/Error"}
    return {**found, "4XX": error, "5XX": error}


def _answer(route: RestRoute) -> Schema:
    kind: type[Message] = route.kind
    properties: Schema = {}
    if kind.returns is not None:
        properties["inventory"] = {"$ref": f"#/components/schemas/{kind.returns.__name__}"}
    if issubclass(kind, QueryMessage):
        inner = {"$ref": f"#/components/schemas/{kind.resource.__name__}"}
        properties = {"inventory": inner} if route.one else {
            "inventories": {"type": "array", "items": inner}, "total": {"type": "integer"},
        }  # fmt: skip
    return {"type": "object", "properties": properties}


def _response(words: str, schema: Schema) -> Schema:
    return {"description": words, "content": {"application/json": {"schema": schema}}}
