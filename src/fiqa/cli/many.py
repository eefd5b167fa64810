"""Options of a run by several processes, checked together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from ..pipeline.ray_cluster import Cluster
    from ..pipeline.shards import Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """Who fills a folder of parts.

    Attributes:
        folder: the folder; None where the output is something else.
        workers: processes of this machine.
        share: which of the parts; None: all.
        cluster: that does it instead; None: this machine.
    """

    folder: Path | None = None
    workers: int = 1
    share: Share | None = None
    cluster: Cluster | None = None

    @classmethod
    def read(
        cls,
        output: str | None,
        *,
        workers: int,
        shard: str | None,
        ray: str | None,
        ray_resources: str | None,
    ) -> Many:
        """The options as they were written.

        Raises:
            UsageError: they don't fit each other.
        """
        from ..pipeline.dataset import is_folder
        from ..pipeline.shards import Share

        if output is None or not is_folder(output):
            given = {"workers": workers > 1, "shard": shard, "ray": ray, "ray-resources": ray_resources}
            for name in (name for name, value in given.items() if value):
                raise UsageError(f"--{name} needs a folder of parts as --output, such as -o scores/")
            return cls()
        if ray_resources is not None and ray is None:
            raise UsageError("--ray-resources needs --ray")
        return cls(
            folder=Path(output),
            workers=workers,
            share=None if shard is None else Share.read(shard),
            cluster=None if ray is None else _cluster(ray, ray_resources, workers),
        )

    def threads(self, total: int | None) -> int | None:
        """Threads of each process, of so many in all; on a cluster each has as many as it has processors."""
        if self.cluster is not None:
            return total or max(1, int(self.cluster.resources.get("CPU", 1)))
        if self.workers == 1:
            return total
        from ..engines import available_threads

        return max(1, available_threads(total) // self.workers)


def with_address(arguments: list[str]) -> list[str]:
    """The arguments of a command line in which ``--ray`` may stand alone, which means ``--ray local``.

    >>> with_address(["score", "a.jpg", "--ray", "-o", "out/"])
    ['score', 'a.jpg', '--ray', 'local', '-o', 'out/']
    """
    found: list[str] = []
    for argument, following in zip(arguments, [*arguments[1:], "-"], strict=True):
        found.append(argument)
        if argument == "--ray" and following.startswith("-"):
            found.append("local")
    return found


def _cluster(address: str, resources: str | None, workers: int) -> Cluster:
    from ..pipeline.ray_cluster import Cluster, read_resources

    if os.path.exists(address):
        raise UsageError(f"--ray must be local, auto or the address of a cluster, but got {address!r}")
    needed = {} if resources is None else read_resources(resources)
    return Cluster(address=address, resources=needed, n_actors=workers if workers > 1 else None)
