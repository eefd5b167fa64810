"""A server under load: its throughput against the engine's own batch rate, its latencies, and its memory.

python benchmarks/serve.py [--clients 64] [--seconds 60] [--requests 20000] [--method M]...

Engine and server are measured alternately, in one run, on the same processors, of which the clients take
their share. First every client posts crops as PNG, one a request and the next as soon as it has its answer.
Then the memory of the server is watched for as many requests as asked for.
Linux only: it reads the kernel's own count of a process's memory.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from fiqa import Scorer
from fiqa.examples import example_crops

ROUNDS = 3  # of the engine alone and the server, in turn


@dataclass(slots=True)
class Load:
    """What clients saw.

    Attributes:
        statuses: HTTP status → how often.
        seconds: from request to answer, of those that were answered with 200.
        took: seconds in all.
        unsaid: 503s without Retry-After.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    took: float = 0.0
    unsaid: int = 0

    @property
    def rate(self) -> float:
        """Faces scored per second."""
        return self.statuses[200] / self.took

    def add(self, other: Load) -> None:
        """Take another round in."""
        self.statuses += other.statuses
        self.seconds += other.seconds
        self.took += other.took
        self.unsaid += other.unsaid


def request(n: int = 0) -> bytes:
    """One POST of a crop, which differs from number to number."""
    crops = example_crops()
    file = io.BytesIO()
    Image.fromarray(np.roll(crops[n % 2], n % 112, axis=1)).save(file, "png", compress_level=1)
    data = file.getvalue()
    head = ("POST /v1/score HTTP/1.1", "Host: x", "Content-Type: image/png", f"Content-Length: {len(data)}")
    return "\r\n".join([*head, "\r\n"]).encode() + data


async def _client(port: int, requests: list[bytes], more: list[int], until: float, load: Load) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while more[0] > 0 and time.monotonic() < until:
        more[0] -= 1
        began = time.monotonic()
        writer.write(requests[more[0] % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(None, 1)[0])
        await reader.readexactly(length)
        status = int(head[9:12])
        load.statuses[status] += 1
        if status == 200:
            load.seconds.append(time.monotonic() - began)
        elif status == 503:
            load.unsaid += b"\r\nretry-after:" not in head.lower()
            await asyncio.sleep(0.05)
    writer.close()


def attack(port: int, *, clients: int, seconds: float = 1e9, n_requests: int = 10**9) -> Load:
    """Let ``clients`` ask, each again as soon as it has its answer, for so long or so often."""
    load, more, requests = Load(), [n_requests], [request(n) for n in range(32)]

    async def run() -> None:
        until = time.monotonic() + seconds
        await asyncio.gather(*(_client(port, requests, more, until, load) for _ in range(clients)))

    began = time.monotonic()
    asyncio.run(run())
    load.took = time.monotonic() - began
    return load


def engine_rate(scorer: Scorer, seconds: float, batch_size: int = 8) -> float:
    """Crops per second that the engine scores by itself, in full batches, without any server."""
    crops = np.concatenate([np.roll(example_crops(), n, axis=2) for n in range(batch_size // 2)])
    n, began = 0, time.monotonic()
    while time.monotonic() < began + seconds:
        scorer.qualities(crops)
        n += len(crops)
    return n / (time.monotonic() - began)


def memory(pid: int) -> float:
    """MB that a process holds."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def start(*arguments: str) -> tuple[subprocess.Popen[str], int]:
    """``fiqa serve`` at a free port, from its first answer on; its process and its port."""
    command = [sys.executable, "-m", "fiqa", "serve", "--port", "0", *arguments]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    return server, int(server.stdout.readline().rpartition(":")[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--method", action="append")
    asked = parser.parse_args()
    scorer = Scorer(engine=asked.engine, threads=asked.threads, methods=asked.method)
    scorer.warm_up(8)
    settings = [] if asked.threads is None else ["--threads", str(asked.threads)]
    settings += [word for spec in asked.method or () for word in ("--method", spec)]
    server, port = start("--engine", asked.engine, *settings)
    try:
        attack(port, clients=asked.clients, seconds=2)
        alone, total = [], Load()
        for _ in range(ROUNDS):
            alone.append(engine_rate(scorer, asked.seconds / ROUNDS / 2))
            total.add(attack(port, clients=asked.clients, seconds=asked.seconds / ROUNDS))
            alone.append(engine_rate(scorer, asked.seconds / ROUNDS / 2))
        report(asked.clients, scorer, alone, total)
        median, late = np.percentile(attack(port, clients=1, seconds=5).seconds, (50, 99)) * 1e3
        print(f"one client alone: latency p50 {median:.0f} ms, p99 {late:.0f} ms", flush=True)
        watch(server.pid, port, asked.clients, asked.requests)
    finally:
        server.terminate()
        server.wait()


def report(clients: int, scorer: Scorer, alone: list[float], total: Load) -> None:
    """Print what was seen of speed."""
    median, late = np.percentile(total.seconds, (50, 99)) * 1e3
    statuses = ", ".join(f"{n} × {status}" for status, n in sorted(total.statuses.items()))
    rate = float(np.mean(alone))
    specs = ", ".join(scorer.specs)
    print(f"{scorer.card.name} on {scorer.engine}, {scorer.threads} threads, {clients} clients; {specs}")
    print(f"answers in {total.took:.0f} s: {statuses}; 503s without Retry-After: {total.unsaid}")
    print(f"engine alone {rate:.1f} crops/s, server {total.rate:.1f}: {total.rate / rate:.0%} of it")
    print(f"latency p50 {median:.0f} ms, p99 {late:.0f} ms", flush=True)


def watch(pid: int, port: int, clients: int, n_requests: int) -> None:
    """Print the memory of the server as requests go by."""
    step = max(1, n_requests // 10)
    for done in range(0, n_requests, step):
        print(f"{done:6} requests: {memory(pid):6.1f} MB", flush=True)
        attack(port, clients=clients, n_requests=step)
    print(f"{n_requests:6} requests: {memory(pid):6.1f} MB")


if __name__ == "__main__":
    main()
