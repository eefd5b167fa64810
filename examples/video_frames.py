"""The best of many frames that are arrays already, as a camera or a video library gives them.

python examples/video_frames.py frame.png [frame.png …]
"""

import sys

import numpy as np
from PIL import Image

import fiqa


def best(frames):
    """The best frame's number and quality; frames are uint8 (H, W, 3), RGB (of BGR give frame[..., ::-1])."""
    qualities = fiqa.Scorer().stream(frames, keep=("crop",))
    scored = [(quality.score, i, quality) for i, quality in enumerate(qualities) if quality.ok]
    return max(scored, default=(None, None, None))[1:]


if __name__ == "__main__":
    number, quality = best(np.asarray(Image.open(path).convert("RGB")) for path in sys.argv[1:])
    print(f"frame {number} is the best" if quality else "no frame shows a face", quality or "")
