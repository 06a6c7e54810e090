"""The command line in this process, and the files that it leaves."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from degrade import cli

Said = tuple[int, str, str]


class Shell:
    """The command line in this process."""

    def __init__(self, patch: pytest.MonkeyPatch, said: pytest.CaptureFixture[str]) -> None:
        self._patch, self._said = patch, said

    def __call__(self, *arguments: object) -> Said:
        """Exit code, what stands on stdout, and on stderr without line ends and frames."""
        self._patch.setattr(sys, "argv", ["degrade-cli", *map(str, arguments)])
        code: Any = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        found = self._said.readouterr()
        return code, found.out, " ".join(found.err.replace("│", " ").split())

    def done(self, *arguments: object) -> None:
        """A command that succeeds."""
        code, _, err = self(*arguments)
        assert code == 0, err


def without(files: dict[str, bytes], name: str, *keys: str) -> dict[str, Any]:
    """Files, of which a JSON one is read and has lost what says where it was read from."""
    found = json.loads(files[name])
    for key in keys:
        del found["settings"][key]
    return {**files, name: found}
