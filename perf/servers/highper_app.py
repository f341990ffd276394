"""The plaintext application on Highper: App, Router, an `async def` handler, the access log off.

Usage: highper_app.py TRANSPORT PORT.
"""

from __future__ import annotations

import sys

from highper_http import App, Request

app = App()


@app.get("/")
async def plain(request: Request) -> str:
    return "Hello, World!"


if __name__ == "__main__":
    app.listen(host="127.0.0.1", port=int(sys.argv[2]), transport=sys.argv[1], access_log=False)
