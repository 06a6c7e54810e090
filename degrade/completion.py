"""What the shell offers after a tab: names as they are on disk, so that nothing heavy is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from importlib import resources

from degrade.configs import preset_names

Completer = Callable[[str], list[str]]
"""What has been typed of a word -> how it may go on; nothing lets the shell offer files."""


def among(names: Callable[[], Iterable[str]]) -> Completer:
    """Completes to some names, which are asked for when a tab is pressed."""

    def complete(incomplete: str) -> list[str]:
        return sorted(name for name in names() if name.startswith(incomplete))

    return complete


def presets(package: str, folder: str) -> Completer:
    """Completes to the YAML files that ship in a folder of a package."""
    return among(lambda: preset_names(resources.files(package).joinpath(folder)))


def modules(package: str, folder: str) -> Completer:
    """Completes to the modules of a folder, each of which registers a thing of its name."""
    return among(partial(_modules, package, folder))


def _modules(package: str, folder: str) -> list[str]:
    names = (file.name for file in resources.files(package).joinpath(folder).iterdir())
    return [n.removesuffix(".py") for n in names if n.endswith(".py") and not n.startswith("_")]


operators = modules("degrade", "ops")
recipes = presets("degrade", "recipes")
devices = among(lambda: ("auto", "cpu", "cuda"))
