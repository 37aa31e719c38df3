"""A balancer without memory: each connection goes to the next process in turn.

`python -m tests.balancer --port 8000 8001 8002` forwards 8000 to two web processes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
from collections.abc import Iterator


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(64 * 1024):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ports: Iterator[int]) -> None:
    behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", next(ports))
    await asyncio.gather(pipe(reader, behind_writer), pipe(behind_reader, writer))


async def serve(port: int, behind: list[int]) -> None:
    ports = itertools.cycle(behind)
    server = await asyncio.start_server(lambda r, w: forward(r, w, ports), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("behind", type=int, nargs="+")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments.port, arguments.behind))


if __name__ == "__main__":
    main()
