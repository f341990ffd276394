"""An ASGI application on uvicorn: uvloop, httptools, no access log, no Server field.

Usage: on_uvicorn.py MODULE
"""

from __future__ import annotations

import sys

import given
import uvicorn

if __name__ == "__main__":
    uvicorn.run(
        f"{sys.argv[1]}:app",
        host="127.0.0.1",
        port=given.PORT,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="auto",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=75,
        ssl_certfile=given.CERTIFICATE,
        ssl_keyfile=given.KEY,
    )
