"""The Python clients, each with nothing set but where the service is: `python_peers.py CLIENT BASE_URL KEY TASKS`.

A client is only imported when it is asked for, so that no other one is in its memory.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Awaitable, Callable

Task = Callable[[], Awaitable[object]]


def runwayml(base_url: str, key: str) -> Task:
    from runwayml import AsyncRunwayML

    client = AsyncRunwayML(base_url=base_url, api_key=key)

    async def task() -> object:
        created = await client.image_to_video.create(
            model="gen4_turbo",
            prompt_image="https://example.com/stage.png",
            prompt_text="A dancer as a paper puppet",
            ratio="1280:720",
            duration=5,
        )
        return await created.wait_for_task_output()

    return task


def fal_client(base_url: str, key: str) -> Task:
    from fal_client import AsyncClient, client as module

    # Only the host can be set, in the environment, and it is always spoken to by https.
    module.QUEUE_URL_FORMAT = f"{base_url}/"
    client = AsyncClient(key=key)
    return lambda: client.subscribe("example/video", {"prompt": "A dancer as a paper puppet"})


def replicate(base_url: str, key: str) -> Task:
    from replicate.client import Client

    client = Client(base_url=base_url, api_token=key)
    return lambda: client.async_run("example/video", {"prompt": "A dancer as a paper puppet"})


async def main(client: str, base_url: str, key: str, tasks: str) -> None:
    make = {"runwayml": runwayml, "fal-client": fal_client, "replicate": replicate}[client]
    task = make(base_url, key)
    await asyncio.gather(*(task() for _ in range(int(tasks))))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
