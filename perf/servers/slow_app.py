"""What slow clients talk to: a short answer, an endless one, an upload. Default limits.

Usage: slow_app.py TRANSPORT
"""

from __future__ import annotations

import sys

import given

from highper_http import App, Request, Response

app = App()


@app.get("/")
async def plain(request: Request) -> str:
    return "Hello, World!"


@app.get("/large")
async def large(request: Request, response: Response) -> None:
    async with response.stream() as send:
        for _ in range(10_000):
            await send(b"x" * 65536)


@app.post("/upload")
async def upload(request: Request) -> str:
    return str(len(await request.body()))


if __name__ == "__main__":
    app.listen(host="127.0.0.1", port=given.PORT, transport=sys.argv[1], access_log=False)
