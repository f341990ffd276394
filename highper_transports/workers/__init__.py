"""Several processes behind one listener: a supervisor and its workers.

The supervisor holds the listening sockets and never imports the application; workers inherit them, import it, and
report when they serve. What it does for them: restart after a crash, reload without losing a request, recycling, stop.
"""

from .birth import CANNOT_START
from .crew import WorkersFailed
from .overseers import Duty, Foreground, Overseer, Served
from .recycling import Recycling, RecyclingUnavailable
from .supervisor import Settings, Supervisor, WorkersUnavailable

__all__ = [
    "CANNOT_START",
    "Duty",
    "Foreground",
    "Overseer",
    "Recycling",
    "RecyclingUnavailable",
    "Served",
    "Settings",
    "Supervisor",
    "WorkersFailed",
    "WorkersUnavailable",
]
