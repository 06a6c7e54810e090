"""Degrade a folder of photographs, read the records, replay them, and write a page about it."""

from pathlib import Path

from degrade import recipe
from degrade.executor import Options, Synth
from degrade.report.page import made
from degrade.shards import read_rows
from degrade.verify import Verifier

PHOTOS = Path(__file__).parent / "photos"
OUT = Path("degraded")

if __name__ == "__main__":
    # The same as: degrade-cli synth photos degraded --max-side 320 --copies 2
    run = Synth(PHOTOS, OUT, recipe.load("robust-r1"), seed=0, options=Options(2, max_side=320))
    result = run.run(progress=lambda done, total: print(f"{done} of {total}"))
    print(result["counts"]["stages"])

    for stored in read_rows(OUT, "folder"):
        print(stored.row.file_name, "-", stored.row.degradations or "left clean")

    # Every record makes its picture again from the clean one.
    assert not [found for found in Verifier(OUT, None, "cpu", workers=2).check() if found]

    # The same call goes on with an unfinished run, and does nothing to a finished one.
    assert run.run()["already_finished"]

    page, counts = made(OUT, samples=4)
    Path("degraded.html").write_text(page, "utf-8")
    print(f"Open degraded.html: {counts['rows']} pictures, {counts['samples']} of them shown.")
