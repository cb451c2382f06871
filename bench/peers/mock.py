"""One server that speaks the dialects of all clients, and measures them all in the same way.

It runs in a process of its own, so that its work is not counted as that of a client, and knows a client by its API
key. The first line that it prints is JSON with its port; GET /report has what it measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import re
import sys
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Awaitable, Callable

Headers = dict[str, str]
Answer = Any
Route = tuple[re.Pattern[str], Callable[..., Awaitable[Answer]]]

QUEUED_SECONDS = 2.0
BLOCK_SECONDS = 60.0
SLOW_SECONDS = 330.0
RESULT = "https://example.com/result.mp4"

LOSSES = ["cut", "500", "502", "503", "slow"]
"""How the reply of a create can be lost: the connection is closed, an error status, a reply after the timeout."""


class Lost(Exception):
    """A task was made, and the client does not get its id."""


@dataclass
class Task:
    created: float
    done: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    answered: float | None = None

    def phase(self) -> int:
        """0 while queued, 1 while at work, 2 when done."""
        now = time.monotonic()
        return 2 if now >= self.done else int(now >= self.created + QUEUED_SECONDS)

    def seen(self) -> int:
        """The phase, for an answer that has the result once there is one."""
        phase = self.phase()
        if phase == 2 and self.answered is None:
            self.answered = time.monotonic()
        return phase


@dataclass
class Client:
    tasks: dict[str, Task] = field(default_factory=dict)
    requests: list[tuple[float, str, str]] = field(default_factory=list)


class Mock:
    def __init__(self, durations: list[float], loss: str | None = None, losses: float = math.inf) -> None:
        self.durations = durations
        self.loss = loss
        self.losses = losses
        self.clients: dict[str, Client] = {}
        self.base_url = ""
        self.routes = self.dialects()

    def create(self, client: Client) -> Task:
        """A task that takes as long as the task of the same number of any other client."""
        now = time.monotonic()
        task = Task(now, now + self.durations[len(client.tasks) % len(self.durations)])
        client.tasks[task.id] = task
        if self.loss and len(client.tasks) <= self.losses:
            raise Lost
        return task

    def report(self) -> Answer:
        return {name: summary(client) for name, client in self.clients.items()}

    async def kling_create(self, client: Client, _headers: Headers) -> Answer:
        return {"data": kling(self.create(client))}

    async def kling_status(self, client: Client, _headers: Headers, task: str) -> Answer:
        return {"data": kling(client.tasks[task])}

    async def kling_list(self, client: Client, _headers: Headers, query: str | None) -> Answer:
        given = dict(re.findall(r"(page|page_size)=(\d+)", query or ""))
        page, size = int(given.get("page", 1)), int(given.get("page_size", 20))
        newest_first = list(reversed(client.tasks.values()))
        return {
            "data": [
                {"task_id": task.id, "status": KLING[task.phase()]}
                for task in newest_first[(page - 1) * size : page * size]
            ]
        }

    async def runway_create(self, client: Client, _headers: Headers) -> Answer:
        return {"id": self.create(client).id, "estimatedCost": {"credits": 1}}

    async def runway_status(self, client: Client, _headers: Headers, id: str) -> Answer:
        task = client.tasks[id]
        common = {"id": id, "createdAt": "2026-01-01T00:00:00Z"}
        estimate = {"estimatedCost": {"credits": 1}}
        return [
            {**common, **estimate, "status": "PENDING"},
            {**common, **estimate, "status": "RUNNING", "progress": 0.5},
            {**common, "cost": {"credits": 1}, "status": "SUCCEEDED", "output": [RESULT]},
        ][task.seen()]

    async def replicate_create(self, client: Client, headers: Headers) -> Answer:
        """With `Prefer: wait`, the answer comes when the task is done, or after a minute as of one yet to start."""
        task = self.create(client)
        if "wait" in headers.get("prefer", ""):
            given = re.search(r"wait=(\d+)", headers["prefer"])
            limit = task.created + (float(given[1]) if given else BLOCK_SECONDS)
            while (now := time.monotonic()) < min(task.done, limit):
                await asyncio.sleep(min(task.done, limit) - now)
        return replicate(task, task.seen() if task.phase() == 2 else 0)

    async def replicate_status(self, client: Client, _headers: Headers, id: str) -> Answer:
        return replicate(client.tasks[id], client.tasks[id].seen())

    async def fal_create(self, client: Client, _headers: Headers, app: str) -> Answer:
        id = self.create(client).id
        url = f"{self.base_url}/{app}/requests/{id}"
        return {
            "status": "IN_QUEUE",
            "request_id": id,
            "response_url": url,
            "status_url": f"{url}/status",
            "cancel_url": f"{url}/cancel",
            "queue_position": 0,
        }

    async def fal_status(self, client: Client, _headers: Headers, id: str) -> Answer:
        return [
            {"status": "IN_QUEUE", "queue_position": 0},
            {"status": "IN_PROGRESS", "logs": None},
            {"status": "COMPLETED", "logs": None, "metrics": {}},
        ][client.tasks[id].phase()]

    async def fal_result(self, client: Client, _headers: Headers, id: str) -> Answer:
        return {"video": {"url": RESULT}} if client.tasks[id].seen() == 2 else {}

    def dialects(self) -> list[Route]:
        """What answers to which method and target. What a pattern captures is given along."""
        tasks = "/v1/ai/reference-to-video/kling-v3-omni"
        routes: list[tuple[str, Callable[..., Awaitable[Answer]]]] = [
            ("POST /v1/ai/video/kling-v3-omni-pro/video-reference", self.kling_create),
            (rf"GET {tasks}(\?.*)?", self.kling_list),
            (rf"GET {tasks}/([^/?]+)", self.kling_status),
            ("POST /v1/(?:text|image)_to_video", self.runway_create),
            ("GET /v1/tasks/([^/?]+)", self.runway_status),
            ("POST /v1/(?:models/[^/]+/[^/]+/)?predictions", self.replicate_create),
            ("GET /v1/predictions/([^/?]+)", self.replicate_status),
            (r"POST /([\w-]+/[\w-]+)(?:\?.*)?", self.fal_create),
            (r"GET /[\w-]+/[\w-]+/requests/([^/?]+)/status(?:\?.*)?", self.fal_status),
            (r"GET /[\w-]+/[\w-]+/requests/([^/?]+)(?:\?.*)?", self.fal_result),
        ]
        return [(re.compile(pattern), handler) for pattern, handler in routes]

    async def answer(self, method: str, target: str, headers: Headers) -> tuple[int, Answer]:
        if (method, target) == ("GET", "/report"):
            return 200, self.report()
        key = headers.get("x-freepik-api-key") or headers.get("authorization", "").split(" ")[-1]
        if not key:
            return 401, {"message": "Missing API key"}
        client = self.clients.setdefault(key, Client())
        client.requests.append((time.monotonic(), method, target))
        for pattern, handler in self.routes:
            if found := pattern.fullmatch(f"{method} {target}"):
                try:
                    return 200, await handler(client, headers, *found.groups())
                except KeyError:
                    break
        return 404, {"message": "Not found"}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """HTTP/1.1 as far as the clients use it: bodies have a length, connections are kept."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.strip().split("\r\n")
                method, target, _ = first.split(" ")
                headers = {
                    name.lower(): value.strip()
                    for name, value in (line.split(":", 1) for line in lines)
                }
                await reader.readexactly(int(headers.get("content-length", 0)))
                try:
                    status, answer = await self.answer(method, target, headers)
                except Lost:
                    if self.loss == "slow":
                        await asyncio.sleep(SLOW_SECONDS)
                    if self.loss in ("cut", "slow"):
                        break
                    status, answer = int(self.loss), {"message": "Internal error"}
                body = json.dumps(answer).encode()
                writer.write(
                    f"HTTP/1.1 {status} {'OK' if status == 200 else 'Error'}\r\n"
                    f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


KLING = ["CREATED", "IN_PROGRESS", "COMPLETED"]


def kling(task: Task) -> Answer:
    phase = task.seen()
    return {"task_id": task.id, "status": KLING[phase], "generated": [RESULT] if phase == 2 else []}


def replicate(task: Task, phase: int) -> Answer:
    return {
        "id": task.id,
        "model": "example/video",
        "version": "1",
        "status": ["starting", "processing", "succeeded"][phase],
        "input": {},
        "output": RESULT if phase == 2 else None,
        "logs": "",
        "error": None,
        "metrics": None,
        "created_at": None,
        "started_at": None,
        "completed_at": None,
        "urls": {},
    }


def summary(client: Client) -> Answer:
    """What is known of a client, with all times in seconds since its first request."""
    start = client.requests[0][0]
    return {
        "tasks": [
            {
                "created": task.created - start,
                "done": task.done - start,
                "delay": None if task.answered is None else task.answered - task.done,
            }
            for task in client.tasks.values()
        ],
        "requests": [(at - start, method, target) for at, method, target in client.requests],
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--median", type=float, required=True)
    parser.add_argument("--sigma", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--loss", choices=LOSSES)
    parser.add_argument("--losses", type=float, default=math.inf)
    options = parser.parse_args()

    draw = random.Random(options.seed)
    durations = [
        options.median * math.exp(options.sigma * draw.gauss(0, 1)) for _ in range(options.tasks)
    ]
    mock = Mock(durations, options.loss, options.losses)
    server = await asyncio.start_server(mock.serve, "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    mock.base_url = f"http://127.0.0.1:{port}"
    print(json.dumps({"port": port, "durations": durations}), flush=True)
    # The runner holds the other end of the standard input: its end is also that of this process, however it comes.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
