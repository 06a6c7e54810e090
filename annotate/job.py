"""One annotation from beginning to end: what ``degrade-cli annotate`` does, to be called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from annotate.annotator import Annotator, OfflineWriter
from annotate.ask import LlmOptions
from annotate.gateway import Gateway
from annotate.llm import LlmWriter
from annotate.options import AnnotateOptions, read_options
from annotate.rows import Rows
from degrade.errors import UserError
from degrade.places import threads_between
from degrade.runs import Progress
from degrade.storage import Place, inside
from degrade.threads import host_threads

__all__ = ["AnnotateOptions", "annotate_run", "estimate_run", "write_chains"]


def annotate_run(
    run: Place,
    dest: Place,
    options: AnnotateOptions,
    *,
    questions: Place | None = None,
    source: Place | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
    news: Callable[[str], None] | None = None,
) -> dict[str, Any] | None:
    """Write a checked chain for every row of a run; the run is not touched.

    Args:
        run: A finished run of synth.
        dest: Folder to write.
        options: Who writes, and how.
        questions: JSON lines that say what is asked, see :class:`annotate.rows.Rows`.
        source: Where the clean pictures are, if they moved.
        workers: Host threads of the offline writer; chosen by the cores where ``None``.
        overwrite: Replace the chains in ``dest``.
        resume: Insist on going on with unfinished chains.
        progress: Called with rows done and rows in all.
        news: Called with what a person who waits should know: what happened at the batch endpoint,
            that answers in flight are waited for.

    Returns:
        The summary as in ``annotate.json``, with ``already_finished``, ``speed`` and, of a model,
        ``bill``. ``None`` where a batch is still pending: call again later.

    Raises:
        UserError: A mistake of the caller's, in the words of the command line.
        StoppedError: The endpoint, the budget or the disk; what is paid for is kept.
    """
    _outside(dest, run)
    rows = Rows(run, questions, source)
    if options.writer == "offline":
        threads = workers or threads_between(host_threads(), run, rows.source, dest)
        writer = OfflineWriter(options.seed, threads)
        return Annotator(rows, dest, writer).run(overwrite, resume, progress)
    gateway, asking = _model(options, dest, news or (lambda text: None))
    if options.batch_api and not gateway.batch(asking, rows):
        return None
    summary = Annotator(rows, dest, asking).run(overwrite, resume, progress)
    bill = gateway.bill()
    speed = summary["speed"]
    per_second = bill["this_run"]["requests"] / max(speed["seconds"], 0.1)
    return {
        **summary,
        "speed": {**speed, "requests_per_second": round(per_second, 1)},
        "bill": bill,
    }


def estimate_run(
    run: Place,
    dest: Place,
    options: AnnotateOptions,
    *,
    questions: Place | None = None,
    source: Place | None = None,
) -> dict[str, Any]:
    """What :func:`annotate_run` would ask a model for, and its cost; sends nothing.

    Raises:
        UserError: A mistake of the caller's; also where no model is to be asked.
    """
    if options.writer == "offline":
        raise UserError(
            "A dry run counts what a model would be asked, and the offline writer asks none: "
            "give --writer llm."
        )
    _outside(dest, run)
    gateway, asking = _model(options, dest, lambda text: None)
    return gateway.estimate(asking, Rows(run, questions, source))


def _outside(dest: Place, run: Place) -> None:
    """Refuse chains within a run: replacing the run would take them along, paid answers and all."""
    if inside(dest, run):
        raise UserError(
            f"The output folder {dest} lies inside the run {run}: what replaces the run would take "
            "the chains along. Give a folder outside of it, such as one beside it."
        )


def _model(
    options: AnnotateOptions, dest: Place, news: Callable[[str], None]
) -> tuple[Gateway, LlmWriter]:
    journal = options.journal_beside(dest)
    gateway = Gateway(options.endpoint(), journal, options.limits(), options.prices, news)
    asked = LlmOptions(
        model=options.model,
        stages=options.stages,
        structured=options.structured,
        reveal_answer=options.reveal_answer,
        attempts=options.attempts,
        temperature=options.temperature,
        judge=options.judge,
        send_pictures=options.pictures,
    )
    return gateway, LlmWriter(asked, gateway.open, options.concurrency)


def write_chains(
    run: Place,
    dest: Place,
    *,
    options: Mapping[str, Any],
    questions: Place | None,
    workers: int | None,
    overwrite: bool,
    progress: Progress | None,
) -> dict[str, Any] | None:
    """:func:`annotate_run` with the options as a plain mapping, such as a recipe's.

    Raises:
        UserError: Also for an unknown option or a value that is not allowed.
        StoppedError: See :func:`annotate_run`.
    """
    return annotate_run(
        run,
        dest,
        read_options(options),
        questions=questions,
        workers=workers,
        overwrite=overwrite,
        progress=progress,
    )
