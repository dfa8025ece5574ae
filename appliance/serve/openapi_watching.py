"""What the OpenAPI document says of what is no message: the stream of changes, the figures, and the health."""

from __future__ import annotations

from typing import Any

from appliance.api.token import EVENTS, METRICS
from appliance.serve.events import FIGURES_AT_FIRST, HEARTBEAT_SECONDS, MARK

Schema = dict[str, Any]

SCOPE = "Who may: the admin's account; a token with a scope only if its scope names {path}."

STREAM = f"""\
Server-sent events. Each has a name (`event:`) and a JSON object (`data:`):

- `ready` `{{}}`: the stream stands. It comes first, once; whoever has read nothing yet reads now.
- `change`: a resource is new, other or gone; see EventChange.
- `figures`: how busy things are; see EventFigures. It is no change, and is not replayed.
- `overflow` `{{}}`: changes were left out, since the watcher reads too slowly or its Last-Event-ID is unknown or too
  old. Read all that is of interest anew, by queries; the changes that follow go on from there.

What one transaction changed comes as one batch: only the last `change` of it has an `id:`, so that who comes back with
an id in Last-Event-ID has had whole batches, and is told what is other since: `ready`, then each resource that changed,
once, as it is now. The last of the events that a stream begins with, figures aside, has one, too. While nothing is new,
a comment comes every {HEARTBEAT_SECONDS:g} s.

{SCOPE.format(path=EVENTS)}"""


def watching_paths() -> dict[str, Schema]:
    """The paths, by name."""
    ready: Schema = {"type": "object", "properties": {"ready": {"const": True}}}
    last = {
        "name": "Last-Event-ID", "in": "header", "description": "The id of the last event that one has.",
        "schema": {"type": "string"}, "example": "3f2a90bc-1742",
    }  # fmt: skip
    return {
        EVENTS: _watching("events", "Every change as a server-sent event, until one hangs up.",
                          "text/event-stream", {"type": "string"}, description=STREAM, parameters=[last]),
        METRICS: _watching("metrics", "Figures for Prometheus.", "text/plain", {"type": "string"},
                           description=SCOPE.format(path=METRICS)),
        "/healthz": _watching("healthz", "Whether the appliance answers calls; 503 while it starts.",
                              "application/json", ready, security=[]),
    }  # fmt: skip


def watching_schemas() -> dict[str, Schema]:
    """The data of events, and their ids."""
    percent: Schema = {"type": ["integer", "null"]}
    return {
        "EventId": {
            "type": "string",
            "description": "An event's id: whose store it is of, and its place in that store's journal.",
            "pattern": f"^{MARK.pattern}$",
        },
        "EventChange": {
            "type": "object",
            "description": "The data of `change`.",
            "required": ["resource", "uuid", "op"],
            "properties": {
                "resource": {"type": "string", "description": "The kind, as its schema here is called."},
                "uuid": {"type": "string", "description": "Which one; its key, for kinds without a uuid."},
                "op": {"enum": ["upsert", "delete"]},
                "inventory": {"type": "object", "description": "What it is now; absent when it is gone."},
            },
        },
        "EventFigures": {
            "type": "object",
            "description": "The data of `figures`: percent of CPU and of memory, by uuid, the newest last.",
            "required": ["figures", "whole"],
            "properties": {
                "figures": {
                    "type": "object",
                    "description": "Two lists each; none when it is gone or no longer known.",
                    "additionalProperties": {
                        "type": "array", "maxItems": 2, "items": {"type": "array", "items": percent},
                    },
                },
                "whole": {
                    "type": "boolean",
                    "description": f"Whether it is all, with up to {FIGURES_AT_FIRST} samples each, as at first; "
                    "else it is the newest sample of what is other than before.",
                },
            },
        },
    }  # fmt: skip


def _watching(name: str, words: str, content: str, schema: Schema, **more: Any) -> Schema:
    error = {"$ref": "#/components/responses/Error"}
    done = {"description": "So it is.", "content": {content: {"schema": schema}}}
    return {
        "get": {
            "operationId": name, "tags": ["watching"], "summary": words, **more,
            "responses": {"200": done, "4XX": error, "5XX": error},
        }
    }  # fmt: skip
