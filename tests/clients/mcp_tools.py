"""The client as the tool of an assistant, over its own standard input and output; run by its own Python."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main() -> None:
    """List the tools, make a zone, find it, and be refused."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-c", "from zstack_mcp.server import main; main()"],
        env=dict(os.environ),
    )
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = [tool.name for tool in (await session.list_tools()).tools]

        async def execute(name: str, /, **parameters: Any) -> dict[str, Any]:
            answer = await session.call_tool("execute_api", {"api_name": name, "parameters": parameters})
            return dict(json.loads(answer.content[0].text))

        made = await execute("CreateZone", name="by-tool")
        found = await execute("QueryZone", conditions=[{"name": "name", "op": "like", "value": "by-%"}])
        refused = await execute("CreateZone")
    said = {"tools": tools, "zone": made["result"]["inventory"], "zones": found["result"]["inventories"],
            "refused": refused}  # fmt: skip
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
