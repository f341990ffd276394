"""The demo application: what the README starts.

highper run examples.demo:app
curl http://127.0.0.1:8000/
curl http://127.0.0.1:8000/users/7
curl -d '{"name": "Ada"}' http://127.0.0.1:8000/users
curl -N http://127.0.0.1:8000/count
curl -T examples/demo.py -X POST http://127.0.0.1:8000/digest
curl http://127.0.0.1:8000/slow
curl http://127.0.0.1:8000/blocking
curl -i http://127.0.0.1:8000/broken
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

import anyio

from highper_http import App, Next, NotFound, Request, Response, Router, UnprocessableContent

users: ContextVar[dict[int, str]] = ContextVar("users")


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Open what the application needs, and close it after the last request."""
    users.set({1: "Grace", 7: "Katherine"})
    yield


app = App(lifespan=lifespan)


@app.use
async def timing(req: Request, res: Response, next: Next) -> None:
    """Tell the client how long its answer took."""
    started = time.perf_counter()
    res.before_head(lambda: res.header("server-timing", f"app;dur={(time.perf_counter() - started) * 1e3:.2f}"))
    await next()


@app.get("/")
async def index(req: Request) -> str:
    """Text."""
    return "Hello from Highper\n"


api = Router()
app.mount("/users", api)


@api.get("/{id:int}", name="user")
async def show_user(req: Request) -> dict[str, object]:
    """JSON, with a typed parameter; a missing user is a 404."""
    number = req.param("id")
    try:
        return {"id": number, "name": users.get()[number]}
    except KeyError:
        raise NotFound(f"there is no user {number}") from None


@api.post("")
async def create_user(req: Request, res: Response) -> None:
    """JSON in, JSON out, and where the new thing lives."""
    sent = await req.json()
    name = sent.get("name") if isinstance(sent, dict) else None
    if not isinstance(name, str):
        raise UnprocessableContent('send {"name": "..."}')
    known = users.get()
    number = max(known) + 1
    known[number] = name
    res.status(201).header("location", app.url_for("user", id=number)).json({"id": number, "name": name})


@app.get("/count")
async def count(req: Request, res: Response) -> None:
    """A stream: ten lines, one every tenth of a second."""
    res.header("content-type", "text/plain; charset=utf-8")
    async with res.stream() as send:
        for number in range(1, 11):
            await send(f"{number}\n")
            await anyio.sleep(0.1)


@app.post("/digest")
async def digest(req: Request) -> dict[str, object]:
    """A stream the other way: content of any size, never held whole."""
    hashed, size = hashlib.sha256(), 0
    async for piece in req.stream():
        hashed.update(piece)
        size += len(piece)
    return {"sha256": hashed.hexdigest(), "size": size}


@app.get("/slow")
async def slow(req: Request) -> str:
    """A handler that takes its time; a client that leaves cancels it."""
    await anyio.sleep(2)
    return "worth the wait\n"


@app.get("/blocking")
def blocking(req: Request) -> str:
    """A plain function runs in a worker thread, so it may block."""
    time.sleep(0.2)
    return "from a thread\n"


@app.get("/broken")
async def broken(req: Request) -> None:
    """A fault of ours: a 500 that says nothing of it, and a traceback in the log."""
    raise RuntimeError("this text stays in the log")
