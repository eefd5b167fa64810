"""A job in → processes of this machine that share its shards with each other and with all others, out.

A worker is started with an interpreter of its own, not by multiprocessing, which would run the caller's main
module once more. It gets the job on its standard input, which stays open: when it ends, so has whoever asked,
and the worker ends too. What it has to say goes to its standard output, one pickle after another.
"""

from __future__ import annotations

import json
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import FiqaError
from ..scorer import Scorer
from ..types import Quality
from .dataset import Dataset
from .leases import Claims
from .shards import Seen, Share, score_shards
from .station import Settings, Station

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); import fiqa.pipeline.workers as w; w.serve()"
)
_EVERY = 0.5  # seconds between two messages of a worker
_MOST_DEATHS = 5  # of each worker, in a row, without a result in between


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that a process needs to take part; may be pickled.

    Attributes:
        make: makes its scorer.
        settings: how to score.
        folder: where the dataset lies.
        share: which of the shards.
        lease: seconds after which the shard of a silent process is done by another.
        cwd: the folder that relative paths of images count from.
    """

    make: Callable[[], Scorer]
    settings: Settings
    folder: Path
    share: Share
    lease: float
    cwd: Path = field(default_factory=Path.cwd)

    def opened(self) -> tuple[Dataset, Station]:
        """The dataset, and a station that scores as it was begun.

        Raises:
            UsageError: here it would be scored otherwise, as on another engine.
        """
        with suppress(FileNotFoundError):  # on another machine, where all paths are absolute
            os.chdir(self.cwd)
        dataset = Dataset.opened(self.folder)
        station = Station(self.make(), self.settings, dataset.manifest.contents.columns)
        dataset.check(station.facts)
        return dataset, station


def run_workers(job: Job, n_workers: int, seen: Seen, say: Callable[[str], None]) -> None:
    """Do a job by processes of this machine; one that dies is replaced.

    Args:
        job: what to do.
        n_workers: how many.
        seen: called with each result, in this thread.
        say: called with a sentence on a death.

    Raises:
        FiqaError: what a worker raised, or they die without getting anything done.
        OSError: a part can't be written.
    """
    messages: queue.Queue[tuple[_Process, Any]] = queue.Queue()
    running = {_Process(job, messages) for _ in range(n_workers)}
    n_deaths = 0
    try:
        while running:
            process, message = messages.get()
            if isinstance(message, list):
                n_deaths = 0
                for quality in message:
                    seen(quality)
            elif isinstance(message, BaseException):
                raise message
            else:
                running.discard(process)
                if message == 0:
                    continue
                n_deaths += 1
                how = f"was ended by signal {-message}" if message < 0 else f"ended with code {message}"
                if n_deaths > _MOST_DEATHS * n_workers:
                    raise FiqaError(
                        f"{n_deaths} workers died one after another, the last {how}: take fewer --workers, "
                        "in case their memory was the reason"
                    )
                say(f"a worker {how}; another one does its shard again")
                running.add(_Process(job, messages))
    finally:
        for process in running:
            process.end()


class _Process:
    """A worker, as seen from here."""

    def __init__(self, job: Job, messages: queue.Queue[tuple[_Process, Any]]) -> None:
        options: dict[str, Any] = {"process_group": 0} if os.name == "posix" else {}  # Ctrl-C is not for it
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **options,
        )
        self._messages = messages
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has died: its exit code will say so
            pickle.dump(job, self._process.stdin)
            self._process.stdin.flush()
        threading.Thread(target=self._listen, daemon=True).start()

    def end(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with suppress(EOFError, pickle.UnpicklingError, ValueError):
            while True:
                self._messages.put((self, pickle.load(self._process.stdout)))
        self._messages.put((self, self._process.wait()))


# ---------------------------------------------------------------- in the worker


def serve() -> None:
    """What a worker process does, from its start to its end."""
    messages = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not come between the messages
    job = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        dataset, station = job.opened()
        report = Reports(messages)
        with Claims(dataset.claims, lease=job.lease) as claims:
            score_shards(dataset, job.share.numbers(dataset.manifest.n_shards), station, claims, report)
        report.send()
    except (FiqaError, OSError) as error:
        pickle.dump(_plain(error), messages)
    messages.flush()


class Reports:
    """Results → messages, a list of them now and then.

    Args:
        file: that the other side reads.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting: list[Quality] = []
        self._last = time.monotonic()

    def __call__(self, quality: Quality) -> None:
        self._waiting.append(light(quality))
        if time.monotonic() - self._last > _EVERY:
            self.send()

    def send(self) -> None:
        """Send what waits."""
        pickle.dump(self._waiting, self._file)
        self._file.flush()
        self._waiting, self._last = [], time.monotonic()


def light(quality: Quality) -> Quality:
    """What of a result a progress shows."""
    return replace(
        Quality(status=quality.status, reason=quality.reason, path=quality.path),
        score=quality.score,
        face_index=quality.face_index,
    )


def _plain(error: FiqaError | OSError) -> FiqaError | OSError:
    """An error that can be pickled, with its number."""
    if isinstance(error, FiqaError):
        return type(error)(str(error))
    return OSError(error.errno, error.strerror, os.fspath(error.filename) if error.filename else None)


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)
