"""Routing: patterns, the routers that collect them, and the table a request is matched against."""

from .pattern import Kind, Pattern
from .route import Route
from .router import Router
from .table import RouteTable

__all__ = ["Kind", "Pattern", "Route", "RouteTable", "Router"]
