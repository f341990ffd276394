"""Worlds whose kernel lies; `kernel.py` runs them."""
