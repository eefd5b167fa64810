"""A scorer in → quality over HTTP out, by routes of our own and by the Open Inference Protocol."""

from __future__ import annotations

from .. import lazy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .app import make_app
    from .keys import Keys
    from .server import Listener
    from .settings import Settings

__all__ = ["Keys", "Listener", "Settings", "make_app"]

__getattr__, __dir__, _ = lazy.attach(
    __name__,
    {"app": ["make_app"], "keys": ["Keys"], "server": ["Listener"], "settings": ["Settings"]},
    needs={"app": ("fastapi", "serve"), "server": ("uvicorn", "serve")},
)
