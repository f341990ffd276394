"""Floors: programs that do nothing but what every server must do."""

from __future__ import annotations
