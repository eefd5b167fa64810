"""An unknown graph in → one crop through it, in bounded memory and time, or one DataError.

How much a graph takes can't be read off it: a shape may be computed, as of Expand, Tile or Resize. So it is
run once as it stands, since optimising would fold constants, by ONNX Runtime, whose arena can have a limit.
"""

from __future__ import annotations

import re
import threading
from functools import cache, partial

import numpy as np

from ..errors import DataError
from ..types import CROP_SHAPE

INPUT = "crops"
MOST_BYTES = 512 * 1024**2
"""What one crop may take at a time beside the weights; the embedded model takes less than 20 MB."""
MOST_SECONDS = 60.0
_TOO_LITTLE = "smaller than requested bytes"  # so says the arena of its limit


def try_out(graph: bytes, name: str) -> None:
    """Send one black crop through a serialised graph, all outputs asked for.

    Raises:
        DataError: it can't be run, takes over ``MOST_BYTES``, or goes on for over ``MOST_SECONDS``.
    """
    import onnxruntime

    bounded = _limit_arena()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")  # not in the arena
    how = onnxruntime.RunOptions()
    how.log_severity_level = 4
    how.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")  # give it back
    timer = threading.Timer(MOST_SECONDS, partial(setattr, how, "terminate", True))
    timer.daemon = True
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        if bounded:
            timer.start()
            session.run(None, {INPUT: np.zeros((1, *CROP_SHAPE), np.uint8)}, how)
    except Exception as error:  # ONNX Runtime has a class per code and no base of its own
        raise DataError(_sentence(error, name, out_of_time=how.terminate)) from error
    finally:
        timer.cancel()


@cache
def _limit_arena() -> bool:
    """Give the arena of trials its limit, once in a process; whether it has one.

    Sessions use this arena only if they ask for it, so that no other is touched.
    """
    import onnxruntime

    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    as_requested = 1  # the other strategy doubles what it takes
    limits = {"max_mem": MOST_BYTES, "arena_extend_strategy": as_requested}
    try:
        onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg(limits))
    except Exception:  # another part of the program has registered one, of which nothing is known
        return False
    return True


def _sentence(error: Exception, name: str, *, out_of_time: bool) -> str:
    text = str(error)
    if out_of_time:
        return f"{name} takes more than {MOST_SECONDS:g} seconds for one crop: export the network again"
    if _TOO_LITTLE in text or isinstance(error, MemoryError) or "bad_alloc" in text:
        most = f"{MOST_BYTES // 1024**2} MiB"
        return f"{name} takes more than {most} for one crop beside its weights: export the network again"
    return f"{name} can't be run: {reason(error)}"


def reason(error: Exception) -> str:
    """What a run time says of a graph, without its own codes and source lines; one line."""
    text = " ".join(str(error).split())
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"(Exception from |Check '[^']*' failed at )?\S+\.(cpp|cc|h|hpp):\d+:?\s*", "", text)
    text = re.sub(r"^\S+ onnxruntime::.*?\) (?=[A-Z])", "", text)  # the C++ function that refused it
    return text[:200].rstrip(" .:") or type(error).__name__
