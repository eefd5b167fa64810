"""Five landmarks in → the 112×112 ArcFace crop out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from ..errors import ImageError, UsageError
from ..types import CROP_SHAPE, CROP_SIZE, TEMPLATE, ImageArray


def similarity(points: ArrayLike, target: ArrayLike = TEMPLATE) -> NDArray[np.float64]:
    """The rotation, scale and shift that bring ``points`` (n, 2) nearest to ``target`` (n, 2).

    Least squares in closed form: S. Umeyama, IEEE TPAMI 13(4), 1991, equations 40 to 43.

    Returns:
        (2, 3) float64 M such that M @ (x, y, 1) lies near the target.

    Raises:
        UsageError: the points are not two or more (x, y) pairs, or all of them coincide.
    """
    source, goal = np.asarray(points, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if source.shape != goal.shape or source.ndim != 2 or source.shape[1] != 2 or len(source) < 2:
        raise UsageError(f"points and target must both be (n, 2), but got {source.shape} and {goal.shape}")
    source_mean, goal_mean = source.mean(axis=0), goal.mean(axis=0)
    source_0, goal_0 = source - source_mean, goal - goal_mean
    spread = np.square(source_0).sum()
    if not spread > 1e-12:
        raise UsageError("the landmarks coincide, so no face can be aligned by them")
    u, singular, vt = np.linalg.svd(goal_0.T @ source_0)
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])  # a rotation, never a mirror image
    linear = (u * sign) @ vt * ((singular * sign).sum() / spread)
    return np.column_stack([linear, goal_mean - linear @ source_mean])


def align(image: ImageArray, landmarks: ArrayLike) -> ImageArray:
    """The face as recognition networks expect it.

    Bilinear, as the crops that such networks are trained on; where a face has to shrink to half its size or
    less, the pixels are first averaged in blocks, or fine structure would turn into noise. Outside the image
    the crop is black.

    Args:
        image: (H, W, 3) uint8 RGB.
        landmarks: (5, 2) in pixels, 0 being the centre of the first pixel: left eye, right eye, nose tip,
            left and right mouth corner, left and right as seen in the image.

    Returns:
        (112, 112, 3) uint8 RGB.

    Raises:
        ImageError: status ``no_face``: the landmarks coincide.
    """
    try:
        forward = similarity(landmarks)
    except UsageError as error:
        raise ImageError("no_face", str(error)) from error
    linear = np.linalg.inv(forward[:, :2])
    # Pillow counts from the corner of the first pixel, landmarks from its centre.
    shift = linear @ (-0.5 - forward[:, 2]) + 0.5
    picture = Image.fromarray(image)
    block = int(math.sqrt(abs(np.linalg.det(linear))))
    if block >= 2:
        corners = linear @ (np.array([[0, 1, 0, 1], [0, 0, 1, 1]]) * CROP_SIZE) + shift[:, None]
        low = np.clip(np.floor(corners.min(axis=1)) - 2 * block, 0, picture.size).astype(int)
        high = np.clip(np.ceil(corners.max(axis=1)) + 2 * block, 0, picture.size).astype(int)
        if (high <= low).any():
            return np.zeros((CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
        picture = picture.reduce(block, box=(int(low[0]), int(low[1]), int(high[0]), int(high[1])))
        linear, shift = linear / block, (shift - low) / block
    coefficients = (linear[0, 0], linear[0, 1], shift[0], linear[1, 0], linear[1, 1], shift[1])
    size = (CROP_SIZE, CROP_SIZE)
    crop = picture.transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    return np.asarray(crop)


def whole_as_crop(image: ImageArray) -> ImageArray:
    """A whole image (H, W, 3) uint8 RGB as a crop (112, 112, 3), whatever its shape.

    Pillow's bicubic filter, which averages where it shrinks; an image that is 112×112 stays as it is.
    """
    if image.shape == CROP_SHAPE:
        return image
    size = (CROP_SIZE, CROP_SIZE)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
