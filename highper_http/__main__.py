"""`python -m highper_http` is the command `highper`."""

from .cli import main

main()
