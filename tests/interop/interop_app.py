"""The application that foreign clients talk to."""

from __future__ import annotations

import hashlib
from typing import Any

import anyio

from highper_http import App, Request, Response

app = App()


@app.get("/text", inline=True)
def text(req: Request) -> str:
    """A small answer of known length."""
    return "Hello, World!"


@app.get("/bytes/{size:int}")
async def sized(req: Request) -> bytes:
    """An answer of `size` bytes."""
    size = req.param("size")
    return (bytes(range(256)) * (size // 256 + 1))[:size]


@app.get("/stream/{pieces:int}")
async def stream(req: Request, res: Response) -> None:
    """A chunked answer, one line for each piece."""
    async with res.stream() as send:
        for number in range(req.param("pieces")):
            await send(f"line {number}\n")


@app.get("/slow")
async def slow(req: Request) -> str:
    """An answer that takes a moment."""
    await anyio.sleep(0.1)
    return "slow"


async def echo(req: Request, res: Response) -> None:
    """The content, as it came."""
    res.bytes(await req.body())


app.add(["POST", "PUT", "PATCH"], "/echo", echo)


@app.post("/digest")
async def digest(req: Request) -> dict[str, Any]:
    """What the content was, read as a stream."""
    size, found = 0, hashlib.sha256()
    async for piece in req.stream():
        size += len(piece)
        found.update(piece)
    return {"size": size, "sha256": found.hexdigest()}


@app.post("/refuse")
async def refuse(req: Request, res: Response) -> None:
    """An answer that does not wait for the content."""
    res.status(403).text("no")


@app.post("/form")
async def form(req: Request) -> dict[str, Any]:
    """The fields and files of a form."""
    found = await req.form()
    files = [
        [upload.filename, upload.content_type, hashlib.sha256(await upload.read()).hexdigest()]
        for upload in found.files()
    ]
    return {"fields": [pair for pair in found.pairs() if isinstance(pair[1], str)], "files": files}


@app.get("/request")
async def request(req: Request) -> dict[str, Any]:
    """What arrived."""
    return {
        "method": req.method,
        "version": req.http_version,
        "peer": req.client,
        "query": req.query_all("q"),
        "cookies": dict(req.cookies),
        "fields": {name: req.headers[name] for name in req.headers},
    }


@app.get("/cookie")
async def cookie(req: Request, res: Response) -> None:
    """A cookie to keep."""
    res.cookie("first", "1").cookie("second", "2", path="/request").status(204)


@app.get("/redirect")
async def redirect(req: Request, res: Response) -> None:
    """Elsewhere."""
    res.redirect("/text")


@app.get("/broken")
async def broken(req: Request) -> None:
    """A handler that fails."""
    raise RuntimeError("on purpose")
