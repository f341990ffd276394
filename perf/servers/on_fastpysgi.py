"""A WSGI or ASGI application on fastpysgi: no log, no Server field, room for the upload.

Usage: on_fastpysgi.py MODULE
"""

from __future__ import annotations

import importlib
import sys

import fastpysgi
import given

if __name__ == "__main__":
    server = fastpysgi.server
    server.add_header_server = None
    server.max_content_length = 16 << 20
    server.backlog = 1024
    if given.CERTIFICATE:
        server.tls_list = [(given.CERTIFICATE, given.KEY, None)]
    fastpysgi.run(importlib.import_module(sys.argv[1]).app, host="127.0.0.1", port=given.PORT, loglevel=0)
