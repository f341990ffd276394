"""Connections at rest: who holds them, what they cost, and how it is read from the system."""
