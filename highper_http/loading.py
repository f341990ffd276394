"""Finding the application a command line names, with one clear sentence when it is not there."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from .errors import ConfigError

__all__ = ["load_app"]


def load_app(target: str) -> Any:
    """Import `module:attribute` and return the attribute; `module` alone means its `app`.

    The working directory is searched first, as `python -m` does.

    Raises:
        ConfigError: there is no such module or attribute, or importing it raised.
    """
    module_name, _, attribute = target.partition(":")
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise ConfigError(f"an application is named module:attribute, not {target!r}{_hint(target)}")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise ConfigError(f"there is no module {error.name!r} (searched from {here}){_hint(target)}") from error
        raise ConfigError(f"importing {module_name!r} failed: {error}") from error
    except Exception as error:
        raise ConfigError(f"importing {module_name!r} failed: {type(error).__name__}: {error}") from error
    for name in (attribute or "app").split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise ConfigError(f"module {module_name!r} has no {attribute or 'app'!r}") from None
    if not callable(getattr(found, "compile", found)):
        raise ConfigError(f"{target!r} is {type(found).__name__}, neither an application nor a handler")
    return found


def _hint(target: str) -> str:
    """Say how `target` was probably meant, where it looks like a file or like an attribute after a dot."""
    module, colon, attribute = target.partition(":")
    if "/" in module or module.endswith(".py"):
        meant = module.removesuffix(".py").strip("./").replace("/", ".")
    elif not colon and "." in module:
        meant, _, attribute = module.rpartition(".")
    else:
        return ""
    return f": did you mean {meant}:{attribute or 'app'}?"
