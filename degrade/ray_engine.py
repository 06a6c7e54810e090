"""The engine for many machines: the shards of a run on a Ray cluster, through Ray Data.

The one gateway to ray. Each item of the data set is a shard with its jobs; each actor makes one
after the other with the local engine, and commits its marker exactly as that does. What comes back
are counts. A shard may be made twice (a lost worker, a driver that was killed): it is the same
bytes under the same names, so that neither a row is missing nor one too many.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
import warnings
import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from degrade.errors import StoppedError, UserError, stopped
from degrade.executor import Stop, local, threads_for
from degrade.storage import Remote
from degrade.threads import host_threads
from degrade.workload import ShardJobs, Task

_OBJECT_STORE = 128 << 20  # bytes; only names and counts pass through it
_MOST_BLOCKS = 4096  # a block is what is made again when its worker is lost
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_worker_niceness": "0",  # as the local engine; by default all else goes before
}


@dataclass(frozen=True)
class RayEngine:
    """An engine of :mod:`degrade.executor`.

    Args:
        address: Of a running cluster, as ``ray.init`` takes it; by default a cluster of this
            machine, for this run.
        workers: Actors; by default one a GPU on CUDA, else one a CPU of the cluster.
        shared: Local paths mean the same files on all nodes.
    """

    address: str | None = None
    workers: int | None = None
    shared: bool = False

    def __call__(self, task: Task, work: Iterable[ShardJobs], stop: Stop) -> Generator[int]:
        """See :data:`degrade.executor.Engine`.

        Raises:
            UserError: No ray, no cluster, too few of its CPUs or GPUs, or paths that its nodes do
                not share.
            StoppedError: A worker cannot go on.
        """
        ray = _ray()
        with ExitStack() as stack:
            if not ray.is_initialized():
                stack.callback(ray.shutdown)
                self._connect(ray)
            self._refuse_unshared(ray, task)
            for count in self._made(ray, task.absolute(), list(work)):
                yield count
                if stop():
                    return

    def _made(self, ray: Any, task: Task, shards: list[ShardJobs]) -> Generator[int]:
        if not shards:
            return
        size, each = self._actors(ray, task)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        items = [{"shard": zlib.compress(pickle.dumps(shard))} for shard in shards]
        data = ray.data.from_items(
            items, override_num_blocks=min(len(items), _MOST_BLOCKS)
        ).map_batches(
            Worker,
            batch_size=1,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=min(size, len(items))),
            fn_constructor_args=(task, int(each["num_cpus"])),
            **each,
        )
        for row in data.iter_rows():
            if row["error"]:
                kind, message = row["error"].split(":", 1)
                raise (UserError if kind == "UserError" else StoppedError)(message)
            yield row["sources"]

    def _connect(self, ray: Any) -> None:
        own: dict[str, Any] = {}
        if self.address is None:
            cpus = host_threads(self.workers)
            own = {
                "num_cpus": cpus,
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE,
            }
        try:
            _reach(self.address or "")
            with _hushed():
                ray.init(
                    address=self.address or "local",
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    **own,
                )
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(
                f"There is no Ray cluster at {self.address or 'this machine'}: {error}. Start one "
                "with `ray start --head`, or leave --address out to use this machine. One that "
                "wants a token is met with RAY_AUTH_MODE=token and its RAY_AUTH_TOKEN."
            ) from None

    def _actors(self, ray: Any, task: Task) -> tuple[int, dict[str, float]]:
        """Number of actors and what each of them takes of the cluster."""
        there = ray.cluster_resources()
        cpus, gpus = int(there.get("CPU", 0)), int(there.get("GPU", 0))
        cuda = task.device.type == "cuda"
        kind, most = ("GPU", gpus) if cuda else ("CPU", cpus)
        if most < (self.workers or 1):
            raise UserError(
                f"{self.workers or 1} Ray workers want a {kind} each and the cluster has {most}. "
                "Give --ray-workers, another --device, or start more nodes."
            )
        size = self.workers or most
        if not cuda:
            return size, {"num_cpus": 1}
        return size, {"num_cpus": max(1, cpus // most), "num_gpus": 1}

    def _refuse_unshared(self, ray: Any, task: Task) -> None:
        for one in (task.root, task.run.out):
            if isinstance(one, Remote) and one.protocol == "memory":
                raise UserError(f"{one} is the memory of this process, which workers do not see.")
        local_paths = [p for p in (task.root, task.run.out) if isinstance(p, Path)]
        hosts = {node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
        others = sorted(hosts - {socket.gethostname()})
        if local_paths and others and not self.shared:
            raise UserError(
                f"{local_paths[0]} is a path of this machine, and the cluster has others "
                f"({', '.join(others[:3])}). Give an object store (s3://, gs://), or say --shared "
                "if all of them see the same files there."
            )


class Worker:
    """An actor: makes and commits the shards that it is given.

    Args:
        task: What all shards have in common.
        cpus: That it may use.
    """

    def __init__(self, task: Task, cpus: int) -> None:
        import torch

        torch.set_num_threads(1)
        self._task = task.with_threads(threads_for(task, cpus))

    def __call__(self, batch: Any) -> dict[str, list[Any]]:
        """A column ``shard`` of pickled shards -> ``sources`` done and ``error``, empty or told."""
        done: dict[str, list[Any]] = {"sources": [], "error": []}
        for pickled in batch["shard"].to_pylist():
            shard, error = pickle.loads(zlib.decompress(pickled)), ""
            try:
                self._make(shard)
            except (UserError, StoppedError) as found:
                error = f"{type(found).__name__}:{found}"
            except OSError as found:
                error = f"StoppedError:{_told(self._task, found)}"
            done["sources"].append(len(shard.jobs))
            done["error"].append(error)
        return done

    def _make(self, shard: ShardJobs) -> None:
        run = self._task.run
        with self._alone(shard.index):
            if run.committed(shard.index):
                return
            if not run.matches():
                raise StoppedError(f"{run.out} was given to another run.")
            for _ in local(self._task, [shard], lambda: False):
                pass

    def _alone(self, index: int) -> AbstractContextManager[Any]:
        """Wait for a worker of a driver that is gone, which may be writing the same names.

        On an object store nothing is half written, and both may.
        """
        work = self._task.run.work
        if not isinstance(work, Path):
            return nullcontext()
        return FileLock(str(work / f"making-{index:06d}.lock"))


def _reach(address: str) -> None:
    """Knock at a cluster: ray itself would try an address where nothing is for minutes.

    Raises:
        OSError: Nothing answers there.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


@contextmanager
def _hushed() -> Iterator[None]:
    """Without stderr: ray's C++ part says there that it was told to be quiet."""
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _told(task: Task, error: OSError) -> str:
    return str(stopped(error, f"{task.run.out}, on {socket.gethostname()}"))


def _ray() -> Any:
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    # Ray warns of its own use of what it has deprecated.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"ray\b")
    try:
        import ray
        import ray.data
    except ImportError:
        raise UserError(
            'The Ray engine needs ray, which is not installed: pip install "degrade[ray]"'
        ) from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray
