"""YAML files and mappings -> pydantic models, with errors for people."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from degrade.errors import UserError, unknown
from degrade.urls import local

M = TypeVar("M", bound=BaseModel)


def read_yaml(path: Path | Traversable) -> dict[str, Any]:
    """A YAML file that holds a mapping.

    Raises:
        UserError: Missing, not UTF-8, not YAML or no mapping.
    """
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text.") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(data, dict):
        raise UserError(f"{path} must hold a mapping: lines such as 'name: value'.")
    return data


def is_yaml(name: str) -> bool:
    """Whether a name is that of a YAML file rather than of a preset."""
    return name.endswith((".yaml", ".yml"))


def preset_names(folder: Traversable) -> list[str]:
    """Names of the YAML files that ship in a folder."""
    names = (file.name for file in folder.iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def read_named(name: str, folder: Traversable) -> dict[str, Any] | None:
    """A preset of a folder by name, or a YAML file by path; None where there is no such preset.

    Raises:
        UserError: The file is missing, on a store, or holds no mapping.
    """
    if is_yaml(name):
        return read_yaml(local(name))
    return read_yaml(folder / f"{name}.yaml") if name in preset_names(folder) else None


def validated(model: type[M], data: Mapping[str, Any], what: str) -> M:
    """A model from a mapping.

    Args:
        model: Its ``extra="forbid"`` refuses unknown keys.
        data: As read from a file.
        what: Named in the error.

    Raises:
        UserError: All problems with their keys; a misspelt key suggests the nearest.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = []
        for e in error.errors():
            key = ".".join(str(part) for part in e["loc"])
            if e["type"] == "extra_forbidden":
                names = _keys_at(model, e["loc"][:-1])
                message = str(unknown("key", str(e["loc"][-1]), names) if names else e["msg"])
            else:
                message = e["msg"].removeprefix("Value error, ").rstrip(".") + "."
            problems.append(f"{key}: {message}" if key else message)
        raise UserError(f"In {what}: " + " ".join(problems)) from None


def _keys_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys that a model allows at a place; none where the place is of no one model."""
    here: Any = model
    for part in path:
        field = getattr(here, "model_fields", {}).get(part)
        here = field.annotation if field else None
    return list(getattr(here, "model_fields", {}))
