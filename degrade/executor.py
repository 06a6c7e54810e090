"""The streaming run: decode | degrade | encode, shard by shard, resumable, on one machine or many.

:class:`Synth` plans a run and holds its folder; an engine makes the shards that are left. The
local one works with host threads: on a CPU every thread takes a picture through all three steps,
as one picture fits the cache where a batch does not, and its pixels cannot depend on what else is
in flight. On a CUDA device pictures are batched by shape while threads decode the next and encode
the last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import chain, cycle, islice, takewhile
from typing import Any

import torch

from degrade import shards
from degrade.errors import HaltedError
from degrade.making import Done, Loaded, Made, Maker
from degrade.recipe import Recipe
from degrade.runs import Progress, read_json
from degrade.runtime import tuned
from degrade.schema import Failure
from degrade.sources import Listing
from degrade.storage import Place, Remote
from degrade.threads import bounded_map, host_threads
from degrade.workload import MAX_PIXELS, Job, Options, ShardJobs, Task, Workload

__all__ = ["MAX_PIXELS", "Engine", "Options", "Synth", "local"]

Stop = Callable[[], bool]
"""Whether to finish the shards under way and begin no other."""

Engine = Callable[[Task, Iterable[ShardJobs], Stop], Generator[int]]
"""Makes and commits shards, in any order; gives numbers of sources as they are done.

The shards end when the event is set; an engine that has taken them beforehand looks at it itself.
Closing the generator ends the work; shards that are committed by then stay.
"""


class Synth:
    """A planned run: sources, recipe and options bound to an output folder.

    Arguments and errors are those of :class:`degrade.workload.Workload`.
    """

    def __init__(
        self, src: Place | Listing, out: Place, recipe: Recipe, seed: int, options: Options
    ) -> None:
        self.work = Workload(src, out, recipe, seed, options)
        self.run_folder = self.work.task.run

    def run(
        self,
        overwrite: bool = False,
        resume: bool = False,
        progress: Progress | None = None,
        engine: Engine | None = None,
        stop: Stop = lambda: False,
    ) -> dict[str, Any]:
        """Do what is left to do and return the content of ``run.json``.

        The result has ``already_finished`` set where nothing was left.

        Args:
            overwrite: Replace what is there.
            resume: Insist on something to go on with.
            progress: Told how many sources are done.
            engine: What makes the shards; by default threads of this process.
            stop: Asked before every shard whether to finish those under way and begin no other.

        Raises:
            HaltedError: ``stop`` said so before all was done.
            UserError: The folder belongs to another run, or another process is at work in it.
            StoppedError: The disk is full, or the folder cannot be written.
        """
        folder = self.run_folder
        with folder.opened(overwrite, resume) as finished:
            if not finished:
                self._run(progress or (lambda done, total: None), engine or local, stop)
        return {**read_json(folder.out / shards.RUN), "already_finished": finished}

    def _run(self, progress: Progress, engine: Engine, stop: Stop) -> None:
        folder, work, task = self.run_folder, self.work, self.work.task
        todo = folder.missing(task.shards)
        done = len(work) - sum(work.size(i) for i in todo)
        progress(done, len(work))
        given = takewhile(lambda _: not stop(), (work.shard(i) for i in todo))
        with closing(engine(task, given, stop)) as made:
            for count in made:
                done += count
                progress(done, len(work))
        if stop() and done < len(work):
            raise HaltedError(f"{done:,} of {len(work):,} source pictures")
        folder.finish(task.shards, shards.counts, work.told)


# ---------------------------------------------------------------------------- the local engine

_WAITING = 4  # threads a core where pictures come from or go to a store: most of them wait for it


def threads_for(task: Task, cores: int) -> int:
    """Threads to make a task's shards with on so many cores, unless the options say."""
    distant = isinstance(task.root, Remote) or isinstance(task.run.out, Remote)
    return task.options.workers or cores * (_WAITING if distant else 1)


def local(task: Task, work: Iterable[ShardJobs], stop: Stop) -> Generator[int]:
    """Threads of this process. They work across the borders of shards, which come in order.

    ``stop`` needs no look: the shards end by it.
    """
    maker, threads = Maker(task), threads_for(task, host_threads())
    ahead: deque[ShardJobs] = deque()

    def taken() -> Iterator[ShardJobs]:
        for shard in work:
            ahead.append(shard)
            yield shard

    with (
        tuned(one_thread_per_picture=task.batch == 1),
        closing(_results(maker, taken(), threads)) as results,
    ):
        for first in results:
            shard = ahead.popleft()
            rest = islice(results, len(shard.jobs) - 1)
            for _ in maker.write(shard, chain([first], rest)):
                yield 1


def _results(maker: Maker, work: Iterable[ShardJobs], threads: int) -> Generator[Done]:
    """Results in the order of the jobs, a bounded number in flight."""
    with ThreadPoolExecutor(threads, thread_name_prefix="degrade") as pool:
        if maker.task.batch == 1:
            jobs = (job for shard in work for job in shard.jobs)
            yield from bounded_map(pool, maker.one, jobs, window=2 * threads)
        else:
            groups = (group for shard in work for group in maker.groups(shard.jobs))
            yield from _batched(maker, pool, groups)


def _batched(
    maker: Maker, pool: ThreadPoolExecutor, groups: Iterable[tuple[Job, ...]]
) -> Iterator[Done]:
    """A thread for each device degrades groups in turns, while others load and store."""
    devices = maker.task.devices
    degrading: deque[Future[tuple[list[Loaded | Failure], list[Made | Failure]]]] = deque()
    storing: deque[list[Future[Done]]] = deque()

    def store() -> None:
        loaded, made = degrading.popleft().result()
        pairs = zip(loaded, made, strict=True)
        storing.append([pool.submit(maker.finish, item, entry) for item, entry in pairs])

    with ExitStack() as stack:
        lanes = [
            (stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix=str(device))), device)
            for device in devices
        ]
        for group, (lane, device) in zip(groups, cycle(lanes), strict=False):
            loading = [pool.submit(maker.load, job) for job in group]
            degrading.append(lane.submit(_degraded, maker, loading, device))
            if len(degrading) > len(devices):
                store()
            if len(storing) > len(devices):
                yield from (future.result() for future in storing.popleft())
        while degrading:
            store()
        while storing:
            yield from (future.result() for future in storing.popleft())


def _degraded(
    maker: Maker, loading: list[Future[Loaded | Failure]], device: torch.device
) -> tuple[list[Loaded | Failure], list[Made | Failure]]:
    loaded = [future.result() for future in loading]
    return loaded, maker.degrade_group(loaded, device)
