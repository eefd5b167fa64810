"""Requests and answers of the Open Inference Protocol ↔ arrays, as JSON or with the binary extension.

In the binary extension the body is JSON of ``Inference-Header-Content-Length`` bytes, then the tensors in the
order in which they are listed, little-endian; an item of BYTES is four bytes of length, then its data.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..types import CROP_SHAPE, ImageArray
from .problems import Problem

IMAGE, CROPS = "image", "crops"
HEADER = "inference-header-content-length"
DATATYPES = {"f": "FP32", "O": "BYTES"}
"""Kind of a NumPy array that is answered → its datatype."""

_WINDOW = {"gzip": 31, "deflate": 15}  # of zlib, per Content-Encoding


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """What a request asks.

    Attributes:
        id: to be given back; None: it has none.
        images: encoded files; None where it brings crops.
        crops: uint8 (N, 112, 112, 3) RGB; None where it brings images.
        outputs: names that are asked for, each with whether it goes binary; None: all of them.
        binary: whether outputs go binary that don't say so themselves.
    """

    id: str | None = None
    images: tuple[bytes, ...] | None = None
    crops: ImageArray | None = None
    outputs: Mapping[str, bool] | None = None
    binary: bool = False


def unpack(body: bytes, encoding: str, *, most: int) -> bytes:
    """A body as it was before it was compressed.

    Args:
        body: as it came.
        encoding: its Content-Encoding.
        most: bytes that it may have.

    Raises:
        Problem: 415, another encoding; 400, it is damaged; 413, it is larger.
    """
    encoding = encoding.strip().lower() or "identity"
    if encoding == "identity":
        return body
    if encoding not in _WINDOW:
        raise Problem(415, f"Content-Encoding must be gzip, deflate or identity, but got {encoding[:40]!r}")
    stream = zlib.decompressobj(_WINDOW[encoding])
    try:
        data = stream.decompress(body, most + 1)
    except zlib.error as error:
        raise Problem(400, f"the body is no {encoding}: {error}") from error
    if len(data) > most:
        raise Problem(413, f"a body may have at most {most} bytes, but this one has more once it is unpacked")
    if not stream.eof:
        raise Problem(400, f"the body is {encoding} that breaks off")
    return data


def read(body: bytes, header: str | None, *, most_images: int) -> Inference:
    """A request.

    Args:
        body: of the request, not compressed.
        header: ``Inference-Header-Content-Length``; None: the body is all JSON; 0: it is a single image.
        most_images: that a request may hold.

    Raises:
        Problem: 400, with what does not fit.
    """
    if header is not None and not (header.isascii() and header.isdigit() and int(header) <= len(body)):
        raise _bad(f"Inference-Header-Content-Length must be from 0 to {len(body)}, but got {header[:20]!r}")
    n_json = len(body) if header is None else int(header)
    if header is not None and n_json == 0:
        return Inference(images=(body,), binary=True)
    request = _object(_json(body[:n_json]), "the request")
    binary = memoryview(body)[n_json:]
    inputs = request.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1:
        raise _bad(f"inputs must be one tensor, {IMAGE!r} or {CROPS!r}, but got {_said(inputs)}")
    tensor = _object(inputs[0], "an input")
    raw = _binary_part(tensor, binary)
    values: dict[str, Any] = {}
    if tensor.get("name") == IMAGE:
        values["images"] = _images(tensor, raw, most_images)
    elif tensor.get("name") == CROPS:
        values["crops"] = _crops(tensor, raw)
    else:
        raise _bad(f"an input must be {IMAGE!r} or {CROPS!r}, but got {_said(tensor.get('name'))}")
    identity = request.get("id")
    if "id" in request and not isinstance(identity, str):
        raise _bad(f"id must be text, but got {_said(identity)}")
    by_default = _flag(_parameters(request), "binary_data_output", False)
    return Inference(id=identity, outputs=_outputs(request, by_default), binary=by_default, **values)


def write(
    outputs: Mapping[str, NDArray[Any]], inference: Inference, *, model: str
) -> tuple[bytes, dict[str, str]]:
    """An answer.

    Args:
        outputs: name → float32 array, or array of ``bytes``.
        inference: what was asked.
        model: its name.

    Returns:
        Body and headers.

    Raises:
        Problem: 400, an output is asked for that there is not.
    """
    asked = inference.outputs or dict.fromkeys(outputs, inference.binary)
    listed, parts = [], []
    for name, as_binary in asked.items():
        if name not in outputs:
            raise _bad(f"an output must be one of {', '.join(outputs)}, but got {name[:60]!r}")
        values = outputs[name]
        datatype = DATATYPES[values.dtype.kind]
        tensor: dict[str, Any] = {"name": name, "datatype": datatype, "shape": list(values.shape)}
        if as_binary:
            parts.append(_packed(values))
            tensor["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            tensor["data"] = _plain(values)
        listed.append(tensor)
    answer: dict[str, Any] = {"model_name": model, "outputs": listed}
    if inference.id is not None:
        answer["id"] = inference.id
    head = json.dumps(answer).encode()
    if not parts:
        return head, {"content-type": "application/json"}
    headers = {"content-type": "application/octet-stream", HEADER: str(len(head))}
    return b"".join([head, *parts]), headers


# ---------------------------------------------------------------- reading


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        cause = "it is nested too deep" if isinstance(error, RecursionError) else error
        raise _bad(f"the request is not JSON: {cause}") from error


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _bad(f"{what} must be an object, but got {_said(value)}")
    return value


def _parameters(holder: Mapping[str, Any]) -> dict[str, Any]:
    return _object(holder.get("parameters", {}), "parameters")


def _flag(parameters: Mapping[str, Any], name: str, by_default: bool) -> bool:
    value = parameters.get(name, by_default)
    if not isinstance(value, bool):
        raise _bad(f"{name} must be true or false, but got {_said(value)}")
    return value


def _outputs(request: Mapping[str, Any], by_default: bool) -> dict[str, bool] | None:
    outputs = request.get("outputs", [])
    if not isinstance(outputs, list):
        raise _bad(f"outputs must be a list, but got {_said(outputs)}")
    asked = {}
    for output in outputs:
        given = _parameters(_object(output, "an output"))
        if not isinstance(name := output.get("name"), str):
            raise _bad(f"an output must have a name, but got {_said(name)}")
        if "classification" in given:
            raise _bad(f"the output {name[:60]!r} is no classification: leave that parameter out")
        asked[name] = _flag(given, "binary_data", by_default)
    return asked or None


def _binary_part(tensor: Mapping[str, Any], binary: memoryview) -> memoryview | None:
    """The bytes of the one tensor; None where its data stands in the JSON."""
    parameters = _parameters(tensor)
    if "shared_memory_region" in parameters:
        raise _bad("shared memory is not supported: send the data in the request")
    size = parameters.get("binary_data_size")
    if size is None:
        if len(binary):
            raise _bad(f"{len(binary)} bytes follow the JSON, but no input has a binary_data_size")
        return None
    if size != len(binary) or isinstance(size, bool):
        raise _bad(
            f"binary_data_size must be what follows the JSON, {len(binary)} bytes, but got {_said(size)}"
        )
    return binary


def _images(tensor: Mapping[str, Any], raw: memoryview | None, most: int) -> tuple[bytes, ...]:
    n = math.prod(_shape(tensor, "BYTES"))
    if n > most:
        raise Problem(400, f"a request may hold at most {most} images, but its shape says {n}")
    items = _texts(tensor.get("data")) if raw is None else list(_items(raw))
    if len(items) != n:
        raise _bad(f"the shape of {IMAGE!r} says {n} items, but its data holds {len(items)}")
    return tuple(items)


def _texts(data: Any) -> list[bytes]:
    """Items that stand in the JSON: base64, since an image is no text."""
    flat = data
    while isinstance(flat, list) and len(flat) == 1 and isinstance(flat[0], list):
        flat = flat[0]
    if not isinstance(flat, list) or not all(isinstance(text, str) for text in flat):
        raise _bad(f"data of {IMAGE!r} must be texts in base64, or follow the JSON as binary data")
    try:
        return [base64.b64decode(text, validate=True) for text in flat]
    except (binascii.Error, ValueError) as error:
        raise _bad(f"data of {IMAGE!r} must be base64 where it is JSON: {error}") from error


def _items(raw: memoryview) -> Iterator[bytes]:
    start = 0
    while start < len(raw):
        end = start + 4 + int.from_bytes(raw[start : start + 4], "little")
        if end > len(raw) or start + 4 > len(raw):
            raise _bad(f"an item of {IMAGE!r} says it is longer than what was sent")
        yield bytes(raw[start + 4 : end])
        start = end


def _crops(tensor: Mapping[str, Any], raw: memoryview | None) -> ImageArray:
    shape = _shape(tensor, "UINT8")
    if len(shape) != 4 or tuple(shape[1:]) != CROP_SHAPE:
        raise _bad(f"the shape of {CROPS!r} must be [N, 112, 112, 3], but got {_said(shape)}")
    if raw is not None:
        values = np.frombuffer(raw, dtype=np.uint8)
    else:
        values = _whole_numbers(tensor.get("data"))
    if values.size != math.prod(shape):
        raise _bad(f"the shape of {CROPS!r} says {math.prod(shape)} bytes, but its data holds {values.size}")
    return values.reshape(shape)


def _whole_numbers(data: Any) -> ImageArray:
    try:
        values = np.asarray(data)
    except ValueError:  # rows of unlike length
        values = np.empty(0)
    if values.size and (values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 255):
        values = np.empty(0)
    if not isinstance(data, list) or (not values.size and data):
        raise _bad(
            f"data of {CROPS!r} must be whole numbers from 0 to 255, or follow the JSON as binary data"
        )
    return values.astype(np.uint8)


def _shape(tensor: Mapping[str, Any], datatype: str) -> list[int]:
    if tensor.get("datatype") != datatype:
        name = tensor.get("name")
        raise _bad(f"the datatype of {name!r} must be {datatype}, but got {_said(tensor.get('datatype'))}")
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not all(type(n) is int and 0 <= n < 2**31 for n in shape) or not shape:
        raise _bad(f"a shape must be whole numbers from 0 up, but got {_said(shape)}")
    return shape


def _said(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _bad(message: str) -> Problem:
    return Problem(400, message)


# ---------------------------------------------------------------- writing


def _packed(values: NDArray[Any]) -> bytes:
    if values.dtype.kind == "O":
        items: Sequence[bytes] = values.reshape(-1).tolist()
        return b"".join(len(item).to_bytes(4, "little") + item for item in items)
    return values.astype("<f4").tobytes()


def _plain(values: NDArray[Any]) -> list[Any]:
    """Row by row in one list; NaN, which JSON does not know, is null."""
    flat = values.reshape(-1).tolist()
    if values.dtype.kind == "O":
        return [item.decode() for item in flat]
    return [value if math.isfinite(value) else None for value in flat]
