"""Score a face whose five landmarks another detector has found already.

python examples/landmarks_in_hand.py photo.jpg x1 y1 x2 y2 x3 y3 x4 y4 x5 y5
"""

import sys

import numpy as np

import fiqa


def main(photo: str, *coordinates: str) -> None:
    # left eye, right eye, nose tip, left and right mouth corner, left and right as seen in the photo
    landmarks = np.array(coordinates, dtype=np.float32).reshape(5, 2)
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    face = fiqa.Face(box=(*low, *high), landmarks=landmarks)
    print(fiqa.Scorer().score(photo, faces=[face]))


if __name__ == "__main__":
    main(*sys.argv[1:])
