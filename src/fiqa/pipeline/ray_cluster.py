"""A job in → actors on a Ray cluster that do its shards, each fed with the next one when it is done, out.

An actor holds one scorer. What is handed out are numbers of shards; the manifest, the images and the parts
lie on file systems that all nodes see. A lost actor's shard goes back to the queue and a new actor takes its
place: a shard may run twice then, which its name makes harmless.
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import specs
from ..errors import FiqaError, UsageError, require
from ..types import Quality
from .dataset import Dataset
from .leases import Claims
from .shards import Seen, claim_and_score
from .workers import Job, light

LOCAL = "local"
_MOST_LOST = 5  # times that one shard may take its actor with it
_PATIENCE = 1.0  # seconds before a shard that somebody else has is asked for again
_STORE = 100_000_000  # bytes of Ray's object store; nothing but results passes through it


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where actors run.

    Attributes:
        address: ``local`` starts a cluster on this machine; else what ``ray.init`` takes, such as ``auto`` or
            ``ray://head:10001``.
        resources: what one actor needs: ``CPU``, ``GPU`` or a resource of the cluster's own → how much.
        n_actors: how many actors; None: as many as fit.
    """

    address: str = LOCAL
    resources: Mapping[str, float] = field(default_factory=dict)
    n_actors: int | None = None

    def run(
        self, job: Job, dataset: Dataset, numbers: Sequence[int], seen: Seen, say: Callable[[str], None]
    ) -> None:
        """Do these shards of a job.

        Args:
            job: what to do.
            dataset: where.
            numbers: its shards.
            seen: called with each result of a shard that is done.
            say: called with a sentence on a lost actor.

        Raises:
            MissingExtra: Ray is not installed.
            FiqaError: the cluster can't be reached or has no room, what an actor raised, or a shard that
                loses its actor again and again.
        """
        ray = require("ray", "ray", "--ray")
        self._connect(ray)
        try:
            n_actors = min(len(numbers), self._room(ray) if self.n_actors is None else self.n_actors)
            actor = ray.remote(**self._options())(_Actor)
            _Feeding(ray, lambda: actor.remote(job), dataset, seen, say).run(numbers, n_actors)
        finally:
            ray.shutdown()

    def _connect(self, ray: Any) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        local: dict[str, Any] = {"include_dashboard": False, "object_store_memory": _STORE}
        try:
            # the word local, or ray.init would join any cluster that RAY_ADDRESS names
            ray.init(
                address=self.address,
                log_to_driver=False,
                logging_level="error",
                **(local if self.address == LOCAL else {}),
            )
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            reason = " ".join(str(error).split())[:200].rstrip(".")
            raise FiqaError(f"the Ray cluster {self.address!r} can't be reached: {reason}") from error

    def _options(self) -> dict[str, Any]:
        own = dict(self.resources)
        return {"num_cpus": own.pop("CPU", 1), "num_gpus": own.pop("GPU", 0), "resources": own}

    def _room(self, ray: Any) -> int:
        """How many actors the cluster has room for."""
        there, needed = ray.cluster_resources(), {"CPU": 1.0, **self.resources}
        fits = [int(there.get(name, 0) / amount) for name, amount in needed.items() if amount > 0]
        if not min(fits, default=1):
            needs = ", ".join(f"{name}={amount:g}" for name, amount in needed.items())
            raise UsageError(f"the Ray cluster {self.address!r} has no room for an actor with {needs}")
        return min(fits, default=1)


def read_resources(text: str) -> dict[str, float]:
    """What ``CPU=2,GPU=0.5`` means.

    >>> read_resources("CPU=2,GPU=0.5")
    {'CPU': 2.0, 'GPU': 0.5}

    Raises:
        UsageError: a text of another form.
    """
    found = {}
    for name, value in specs.pairs("--ray-resources", text, None).items():
        try:
            found[name] = specs.number(value)
        except ValueError:
            raise UsageError(f"{name} of --ray-resources must be a number, but got {value!r}") from None
        if found[name] < 0:
            raise UsageError(f"{name} of --ray-resources must be at least 0, but got {value!r}")
    return found


class _Actor:
    """One scorer on a node of the cluster."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._opened: Any = None

    def score(self, number: int) -> list[Quality] | None:
        """The results of a shard that is done, none if it was done already; None if another has it."""
        if self._opened is None:  # not in __init__, where an error would be one of the actor's death
            dataset, station = self._job.opened()
            self._opened = (dataset, station, Claims(dataset.claims, lease=self._job.lease))
        dataset, station, claims = self._opened
        found: list[Quality] = []
        done = claim_and_score(dataset, number, station, claims, lambda quality: found.append(light(quality)))
        return found if done else None


class _Feeding:
    """Shards → actors, one at a time each."""

    def __init__(
        self,
        ray: Any,
        start: Callable[[], Any],
        dataset: Dataset,
        seen: Seen,
        say: Callable[[str], None],
    ) -> None:
        self._ray, self._start, self._dataset = ray, start, dataset
        self._seen, self._say = seen, say
        self._queue: deque[int] = deque()
        self._busy: dict[Any, tuple[Any, int]] = {}  # reference → actor, shard
        self._lost: Counter[int] = Counter()

    def run(self, numbers: Sequence[int], n_actors: int) -> None:
        """Do these shards; all of them are done at the end."""
        self._queue.extend(numbers)
        idle = [self._start() for _ in range(n_actors)]
        while self._queue or self._busy:
            while idle and self._queue:
                actor, number = idle.pop(), self._queue.popleft()
                self._busy[actor.score.remote(number)] = (actor, number)
            ready, _ = self._ray.wait(list(self._busy), num_returns=1)
            actor, number = self._busy.pop(ready[0])
            idle.append(self._taken(ready[0], actor, number))

    def _taken(self, reference: Any, actor: Any, number: int) -> Any:
        """Take a result; the actor that goes on."""
        errors = self._ray.exceptions
        try:
            results = self._ray.get(reference)
        except (errors.RayActorError, errors.WorkerCrashedError, errors.ObjectLostError) as error:
            self._lost[number] += 1
            if self._lost[number] > _MOST_LOST:
                raise FiqaError(
                    f"shard {number} has lost its actor {self._lost[number]} times: give actors more memory "
                    "by --ray-resources, in case that was the reason"
                ) from error
            self._say(f"an actor was lost; shard {number} is done again")
            self._queue.append(number)
            self._ray.kill(actor)  # it may be cut off rather than dead
            return self._start()
        except errors.RayTaskError as error:
            if isinstance(error.cause, FiqaError | OSError):
                raise error.cause from error
            raise
        if results is None:  # another process has claimed it: ask again later
            if not self._dataset.part(number).exists():
                self._queue.append(number)
                self._pause()
            return actor
        for quality in results:
            self._seen(quality)
        return actor

    def _pause(self) -> None:
        """Wait before what others do is looked at again, if there is nothing else to do."""
        if not self._busy:
            time.sleep(_PATIENCE)
