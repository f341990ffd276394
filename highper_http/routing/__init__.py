"""Routing: patterns, the routers that collect them, and the table a request is matched against."""

from .kinds import Kind
from .pattern import Pattern
from .route import Route
from .router import Router
from .table import RouteTable

__all__ = ["Kind", "Pattern", "Route", "RouteTable", "Router"]
