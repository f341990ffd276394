"""What every server of the comparison is told, and the bytes it answers with.

From the environment: PORT; WORKLOAD, a name of `workloads.py`, so that a server carries nothing another workload needs;
CERTIFICATE and KEY, PEM files, for the workload over TLS.
"""

from __future__ import annotations

import os

__all__ = ["CERTIFICATE", "FIELDS", "HELLO", "JSON", "KEY", "LARGE", "OCTETS", "PORT", "TEXT", "WORKLOAD"]

PORT = int(os.environ["PORT"])
WORKLOAD = os.environ.get("WORKLOAD", "plaintext")
CERTIFICATE = os.environ.get("CERTIFICATE")
KEY = os.environ.get("KEY")

HELLO = "Hello, World!"
LARGE = bytes(range(256)) * 256
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
OCTETS = "application/octet-stream"
FIELDS = (("x-first", "1"), ("x-second", "2"), ("x-third", "3"))  # one from each middleware
