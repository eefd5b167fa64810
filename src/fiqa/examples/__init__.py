"""Two portraits in the public domain that ship with fiqa; the README beside them says whose they are."""

from .portraits import example_crops, example_landmarks, example_paths

__all__ = ["example_crops", "example_landmarks", "example_paths"]
