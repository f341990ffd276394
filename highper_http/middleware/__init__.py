"""Middleware: what runs around handlers."""

from .compose import Endpoint, Middleware, Next, compose

__all__ = ["Endpoint", "Middleware", "Next", "compose"]
