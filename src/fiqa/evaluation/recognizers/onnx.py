"""Any recogniser (or other crop network) as an ONNX file, run by ONNX Runtime."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, UsageError, unknown
from ...types import FloatArray, ImageArray, check_crops
from .types import Preprocess

_FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


def _session(path: Path, threads: int | None) -> Any:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    have = onnxruntime.get_available_providers()
    providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in have]
    broken = (errors.Fail, errors.InvalidProtobuf, errors.InvalidGraph, errors.InvalidArgument)
    unable = (errors.NoSuchFile, errors.NotImplemented, errors.RuntimeException)
    try:
        # by path, not bytes: a network may keep its weights in a file beside it
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except (*broken, *unable) as error:
        raise DataError(f"{path} does not load as an ONNX network: {error}") from error


class OnnxNetwork:
    """Runs an ONNX network on crops, whatever its input layout and batch size.

    Args:
        path: the ``.onnx`` file. Its one input is (batch, 3, 112, 112) or (batch, 112, 112, 3), of float
            (then ``preprocess`` applies) or uint8 (then the network normalises by itself, and only the
            channel order of ``preprocess`` applies); the batch may be fixed.
        preprocess: see ``Preprocess``.
        output: the output's name; by default one called ``embedding``, else the first one that is (batch, D).
        threads: of ONNX Runtime; None lets it choose.

    Raises:
        DataError: the file is missing, is no ONNX network, or has another kind of input.
        UnknownName: no output has this name.
    """

    def __init__(
        self,
        path: str | Path,
        preprocess: Preprocess | None = None,
        output: str | None = None,
        threads: int | None = None,
    ) -> None:
        self.path = Path(path)
        self.preprocess = preprocess or Preprocess()
        try:
            digest = hashlib.sha256(self.path.read_bytes()).hexdigest()[:32]
        except OSError as error:
            raise DataError(f"{path} can't be read ({error.strerror}): expected an ONNX network") from error
        self._session = _session(self.path, threads)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise DataError(f"{path} has {len(inputs)} inputs: expected one, of face crops")
        self._read_input(inputs[0])
        self._output = self._choose_output(output)
        self.identity = f"onnx:{digest}:{self._output}:{self.preprocess}"

    def _read_input(self, spec: Any) -> None:
        shape = list(spec.shape)
        self._is_uint8 = spec.type == "tensor(uint8)"
        self._input, self._dtype = spec.name, _FLOATS.get(spec.type, np.uint8)
        sizes = [size if isinstance(size, int) else None for size in shape]
        channels_last = len(sizes) == 4 and sizes[3] == 3 and sizes[1] != 3
        edges = sizes[1:3] if channels_last else sizes[2:4]
        has_three = len(sizes) == 4 and sizes[3 if channels_last else 1] in (3, None)
        if not has_three or any(edge not in (112, None) for edge in edges):
            raise DataError(
                f"{self.path} takes {shape}: expected (batch, 3, 112, 112) or (batch, 112, 112, 3)"
            )
        if not self._is_uint8 and spec.type not in _FLOATS:
            raise DataError(f"{self.path} takes {spec.type}: expected float or uint8 crops")
        self._channels_last = channels_last
        self._fixed_batch = sizes[0] if sizes[0] and sizes[0] > 0 else None

    def _choose_output(self, wanted: str | None) -> str:
        outputs = {spec.name: spec.shape for spec in self._session.get_outputs()}
        if wanted is not None:
            if wanted not in outputs:
                raise unknown(f"output of {self.path.name}", wanted, outputs)
            return wanted
        if "embedding" in outputs:
            return "embedding"
        matrix: str = next((name for name, shape in outputs.items() if len(shape) == 2), next(iter(outputs)))
        return matrix

    def __call__(self, crops: ImageArray) -> FloatArray:
        """The chosen output (B, …) float32 of crops (B, 112, 112, 3) uint8 RGB."""
        if not len(crops):
            raise UsageError("crops is empty: expected at least one")
        feed = self._feed(crops)
        if self._fixed_batch is None:
            return self._run(feed)
        size = self._fixed_batch
        spare = -len(feed) % size  # the last batch is filled up with copies, whose results are dropped
        full = np.concatenate([feed, np.repeat(feed[-1:], spare, axis=0)]) if spare else feed
        parts = [self._run(full[start : start + size]) for start in range(0, len(full), size)]
        return np.concatenate(parts)[: len(crops)]

    def _feed(self, crops: ImageArray) -> np.ndarray:
        if self._is_uint8:
            pixels = (
                check_crops(crops)[..., ::-1] if self.preprocess.channels == "bgr" else check_crops(crops)
            )
            return np.ascontiguousarray(pixels if self._channels_last else pixels.transpose(0, 3, 1, 2))
        planes = self.preprocess(crops).astype(self._dtype, copy=False)
        return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)) if self._channels_last else planes

    def _run(self, feed: np.ndarray) -> FloatArray:
        result = np.asarray(self._session.run([self._output], {self._input: feed})[0], dtype=np.float32)
        if result.shape[:1] != feed.shape[:1]:
            raise DataError(
                f"{self.path} gave {result.shape} as {self._output!r} for {len(feed)} crops: "
                "expected one row a crop"
            )
        return result


class OnnxRecognizer:
    """Any ONNX recogniser. Arguments as of ``OnnxNetwork``; ``name`` is by default the file's."""

    def __init__(
        self,
        path: str | Path,
        preprocess: Preprocess | None = None,
        output: str | None = None,
        threads: int | None = None,
        name: str | None = None,
    ) -> None:
        self._network = OnnxNetwork(path, preprocess, output, threads)
        self.name = name or Path(path).stem
        self.identity = self._network.identity

    def embed(self, crops: ImageArray) -> FloatArray:
        """Embeddings (B, D) float32, not normalised, of crops (B, 112, 112, 3) uint8 RGB."""
        return self._network(crops).reshape(len(crops), -1)
