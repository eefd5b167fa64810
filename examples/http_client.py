"""A typed client of ``fiqa serve`` that needs nothing but Python: is a photograph good enough?

python examples/http_client.py ADDRESS PHOTO [GATE]
"""

import json
import sys
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Answer:
    status: str  # "ok", or why there is no score: "no_face", "unreadable", "too_large", "failed"
    score: float | None  # 0–100, higher = better
    accepted: bool
    advice: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Client:
    address: str
    key: str = ""
    timeout: float = 30.0

    def judge(self, photo: bytes, gate: str = "fnmr=5%") -> Answer:
        query = urllib.parse.urlencode({"at": gate, "reasons": "true"})
        headers = {"Content-Type": "application/octet-stream", "X-API-Key": self.key}
        request = urllib.request.Request(f"{self.address}/v1/gate?{query}", photo, headers)
        with urllib.request.urlopen(request, timeout=self.timeout) as response:
            (row,) = json.load(response)["results"]
        advice = tuple(reason["advice"] for reason in row["reasons"])
        return Answer(row["status"], row["score"], row["accepted"], advice)


if __name__ == "__main__":
    print(Client(sys.argv[1]).judge(Path(sys.argv[2]).read_bytes(), *sys.argv[3:]))
