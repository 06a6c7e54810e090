"""The time a run took is kept beside it, and only there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from degrade import timing
from degrade.errors import UserError
from degrade.executor import Options, Synth
from degrade.making import Maker
from tests.run_help import ROBUST, pictures


def clocked(src: Path, out: Path) -> dict[str, Any]:
    run = Synth(src, out, ROBUST, 0, Options(workers=1))
    with timing.measured(out, "local", 1, "cpu", lambda done, total: None) as progress:
        return run.run(progress=progress)


def test_a_run_that_a_mistake_took_back_leaves_its_folder_to_the_mended_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    src, out = pictures(tmp_path / "src", 4), tmp_path / "out"
    out.mkdir()
    real = Maker.load

    def mistaken(self: Maker, job: Any) -> Any:
        if job.name == "003":
            raise UserError("a mistake that shows late")
        return real(self, job)

    monkeypatch.setattr(Maker, "load", mistaken)
    with pytest.raises(UserError, match="shows late"):
        clocked(src, out)
    monkeypatch.undo()
    assert list(out.iterdir()) == []
    assert clocked(src, out)["counts"]["rows"] == 4
    assert [one.sources for one in timing.read(out)] == [4]
