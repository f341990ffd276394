"""The compiled engine. Its modules are imported by the registry when it is first asked for."""
