"""Whole applications over the memory transport, with faults, and what must hold nevertheless."""
