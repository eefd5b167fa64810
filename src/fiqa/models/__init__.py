"""A name, a path or an object in → a model that an engine can open out; and the embedded weights."""

from .catalog import DEFAULT, Keep, Model, embedded, find

__all__ = ["DEFAULT", "Keep", "Model", "embedded", "find"]
