"""MTCNN on ONNX Runtime: three small networks in a cascade find faces and their five landmarks.

K. Zhang, Z. Zhang, Z. Li, Y. Qiao, Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks, IEEE Signal Processing Letters 2016. The weights are those of the ``mtcnn`` wheel (MIT; extra
``detect``), read from its files: the package itself is never imported, since that would ask for TensorFlow.
"""

from __future__ import annotations

import importlib.util
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from ...errors import DataError, MissingExtra, UsageError, require
from ...types import Face, FloatArray, ImageArray

CELL, STRIDE = 12, 2  # P-Net looks at 12×12 pixels, every 2 pixels
PYRAMID_STEP = 0.709  # each level has half the area of the one before
MAX_PROPOSALS = 1000  # bounds the work on noise; a crowd of hundreds of faces stays below it
N_WEIGHTS = {"pnet": 13, "rnet": 16, "onet": 21}


class Mtcnn:
    """The MTCNN detector; one may be shared between threads.

    Args:
        min_face: side of the smallest face that is looked for, in pixels of the image as given; in an image
            larger than ``max_side`` it grows with the reduction.
        thresholds: the least probability that P-, R- and O-Net must give, each in [0, 1].
        max_side: faces are looked for in a copy whose longer side is at most this many pixels; the landmarks
            are then measured in the image itself, so that they keep its resolution.
        turned_margin: a find goes when O-Net is surer, by this much in logits, of the same patch turned by
            90°, 180° or 270°: it is no upright face. docs/detection.md has what this spares and costs.
        threads: ONNX Runtime's intra-op threads.

    Raises:
        MissingExtra: the ``mtcnn`` wheel is not installed.
        DataError: its weights are not those of version 1.0.0.
        UsageError: ``min_face`` or ``max_side`` is below 12 pixels.
    """

    def __init__(
        self,
        *,
        min_face: int = 20,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.9),
        max_side: int = 1280,
        turned_margin: float = 2.5,
        threads: int = 1,
    ) -> None:
        for name, value in (("min_face", min_face), ("max_side", max_side)):
            if value < CELL:
                raise UsageError(f"{name} must be at least {CELL} pixels, but got {value}")
        self.min_face = min_face
        self.thresholds = thresholds
        self.max_side = max_side
        self.turned_margin = turned_margin
        self.threads = threads
        self._pnet, self._rnet, self._onet = (_session(name, threads) for name in ("pnet", "rnet", "onet"))

    def __repr__(self) -> str:
        return f"Mtcnn(min_face={self.min_face}, max_side={self.max_side})"

    def __reduce__(self) -> Any:
        names = ("min_face", "thresholds", "max_side", "turned_margin", "threads")
        return partial(
            Mtcnn, **{name: getattr(self, name) for name in names}
        ), ()  # opened anew: a session can't cross to another process

    def detect(self, image: ImageArray) -> list[Face]:
        """Faces in ``image`` (H, W, 3) uint8 RGB, the largest first; [] if there is none."""
        original = Image.fromarray(image)
        scale = min(1.0, self.max_side / max(original.size))
        if min(original.size) * scale < CELL:
            return []
        reduced = original
        if scale < 1:
            size = (round(original.width * scale), round(original.height * scale))
            reduced = original.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        boxes = self._refine(reduced, self._propose(reduced))
        back = np.divide(original.size, reduced.size, dtype=np.float32)
        return self._output(original, boxes * np.tile(back, 2))

    def _propose(self, image: Image.Image) -> FloatArray:
        """Square boxes (n, 4) that P-Net takes for faces, over a pyramid of sizes."""
        found = [np.zeros((0, 5), dtype=np.float32)]
        scale = CELL / self.min_face
        while min(image.size) * scale >= CELL:
            size = (math.ceil(image.width * scale), math.ceil(image.height * scale))
            level = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
            offsets, score = self._pnet.run(["offsets", "score"], {"image": level[None]})
            rows, columns = np.nonzero(score[0, 1] > self.thresholds[0])
            probability = score[0, 1, rows, columns]
            corner = np.stack([columns, rows], axis=1).astype(np.float32) * STRIDE
            boxes = _moved(np.concatenate([corner, corner + CELL], axis=1), offsets[0, :, rows, columns])
            boxes *= np.tile(np.divide(image.size, size, dtype=np.float32), 2)
            kept = suppress(boxes, probability, 0.5)
            found.append(np.column_stack([boxes[kept], probability[kept]]))
            scale *= PYRAMID_STEP
        proposals = np.concatenate(found)
        return _square(proposals[suppress(proposals[:, :4], proposals[:, 4], 0.7)[:MAX_PROPOSALS], :4])

    def _refine(self, image: Image.Image, boxes: FloatArray) -> FloatArray:
        """The square boxes (m, 4) that are left after R-Net's closer look."""
        offsets, score = self._rnet.run(["offsets", "score"], {"image": _patches(image, boxes, 24)})
        sure = score[:, 1] > self.thresholds[1]
        boxes, probability = _moved(boxes, offsets)[sure], score[sure, 1]
        return _square(boxes[suppress(boxes, probability, 0.7)])

    def _output(self, image: Image.Image, boxes: FloatArray) -> list[Face]:
        """O-Net twice: which boxes are faces and where, then the landmarks inside the better boxes."""
        offsets, score = self._onet.run(["offsets", "score"], {"image": _patches(image, boxes, 48)})
        moved = _moved(boxes, offsets)
        sure = (score[:, 1] > self.thresholds[2]) & (moved[:, 2:] > moved[:, :2]).all(axis=1)
        boxes, probability = moved[sure], score[sure, 1]
        kept = suppress(boxes, probability, 0.7, of_smaller=True)
        boxes, probability = boxes[kept], probability[kept]
        squares = _square(boxes)
        patches = _patches(image, squares, 48)
        points, score = self._onet.run(["landmarks", "score"], {"image": patches})
        side = (squares[:, 2:] - squares[:, :2])[:, None]
        landmarks = squares[:, None, :2] + points.reshape(-1, 2, 5).transpose(0, 2, 1) * side
        upright = self._best_turned(patches) <= _logits(score[:, 1]) + self.turned_margin
        faces = [
            Face((box[0], box[1], box[2], box[3]), marks, confidence)
            for box, marks, confidence in zip(
                boxes[upright].tolist(), landmarks[upright], probability[upright].tolist(), strict=True
            )
        ]
        return sorted(faces, key=lambda face: -face.area)

    def _best_turned(self, patches: ImageArray) -> FloatArray:
        """Logits (n,) that O-Net gives ``patches`` (n, 48, 48, 3) in the best of their other orientations."""
        turned = np.concatenate([np.rot90(patches, quarters, axes=(1, 2)) for quarters in (1, 2, 3)])
        (score,) = self._onet.run(["score"], {"image": turned})
        best: FloatArray = _logits(score[:, 1]).reshape(3, -1).max(axis=0)
        return best


def _session(name: str, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # every pyramid level has another size
    weights = [onnxruntime.OrtValue.ortvalue_from_numpy(weight) for weight in read_weights(name)]
    options.add_external_initializers([f"w{i:02d}" for i in range(len(weights))], weights)
    graph = Path(__file__).with_name(f"{name}.onnx").read_bytes()
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def read_weights(name: str) -> list[FloatArray]:
    """The wheel's weights of one network in its own order, turned to the layouts of ONNX."""
    spec = importlib.util.find_spec("mtcnn")  # finds the files without running the package
    if spec is None or spec.origin is None:
        raise MissingExtra("face detection needs mtcnn: pip install 'fiqa[detect]'")
    path = Path(spec.origin).parent / "assets" / "weights" / f"{name}.lz4"
    if not path.is_file():
        raise DataError(
            f"{path} is missing: face detection needs version 1.0.0 of mtcnn, pip install 'fiqa[detect]'"
        )
    arrays = require("joblib", "detect", "face detection").load(path)
    if len(arrays) != N_WEIGHTS[name]:
        raise DataError(
            f"{path} holds {len(arrays)} arrays instead of {N_WEIGHTS[name]}: pip install 'fiqa[detect]'"
        )
    # convolutions: height, width, in, out → out, in, height, width; PReLU slopes: 1, 1, n → n, 1, 1
    axes = {4: (3, 2, 0, 1), 3: (2, 0, 1), 2: (0, 1), 1: (0,)}
    return [np.ascontiguousarray(array.transpose(axes[array.ndim]), dtype=np.float32) for array in arrays]


def suppress(
    boxes: FloatArray, score: FloatArray, limit: float, *, of_smaller: bool = False
) -> NDArray[np.intp]:
    """Greedy non-maximum suppression: the indices that stay of ``boxes`` (n, 4), best ``score`` (n,) first.

    A box goes if its overlap with a better one, as a share of their union (or of the smaller of the two), is
    above ``limit``.
    """
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    rest = np.argsort(-score, kind="stable")
    kept = []
    while len(rest):
        best, rest = rest[0], rest[1:]
        kept.append(best)
        corner = np.maximum(boxes[best, :2], boxes[rest, :2])
        side = np.maximum(0, np.minimum(boxes[best, 2:], boxes[rest, 2:]) - corner)
        shared = side[:, 0] * side[:, 1]
        whole = np.minimum(area[best], area[rest]) if of_smaller else area[best] + area[rest] - shared
        rest = rest[shared <= limit * whole]
    return np.asarray(kept, dtype=np.intp)


def _logits(probability: FloatArray) -> FloatArray:
    inside = np.clip(probability, 1e-6, 1 - 1e-6)
    logits: FloatArray = np.log(inside / (1 - inside))
    return logits


def _square(boxes: FloatArray) -> FloatArray:
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _moved(boxes: FloatArray, offsets: FloatArray) -> FloatArray:
    """Boxes (n, 4) whose corners are moved by ``offsets`` (n, 4), in units of their sides."""
    return boxes + offsets * np.tile(boxes[:, 2:] - boxes[:, :2], 2)


def _patches(image: Image.Image, boxes: FloatArray, side: int) -> ImageArray:
    """The image inside each of the ``boxes`` (n, 4), as (n, side, side, 3) uint8; black beyond its edges."""
    out = np.zeros((len(boxes), side, side, 3), dtype=np.uint8)
    for patch, (left, top, right, bottom) in zip(out, boxes.tolist(), strict=True):
        outer = (math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))
        if right - left < 1 or bottom - top < 1:
            continue  # an offset turned the box inside out: a black patch is no face
        box = (left - outer[0], top - outer[1], right - outer[0], bottom - outer[1])
        cut = image.crop(outer)
        patch[:] = np.asarray(cut.resize((side, side), Image.Resampling.BILINEAR, box, reducing_gap=3.0))
    return out
