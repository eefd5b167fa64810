"""fiqa: how useful is a face image for recognition?

The quality comes from one forward pass of a Vision Transformer. ``Scorer`` scores images; the rest is for
those who bring their own networks. Names are imported when first used, so ``import fiqa`` is instant.
"""

from __future__ import annotations

from . import lazy

__version__ = "0.2.0.dev0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .budget import Budget
    from .errors import FiqaError
    from .evidence import Evidence
    from .faces import LandmarksCsv
    from .graph import export
    from .methods import METHODS
    from .network import ViT, ViTConfig, load_checkpoint, save_checkpoint
    from .pipeline import score_to
    from .reasons import Policy
    from .scorer import Scorer
    from .types import Face, ModelCard, Quality, Reason

__all__ = [
    "METHODS",
    "Budget",
    "Evidence",
    "Face",
    "FiqaError",
    "LandmarksCsv",
    "ModelCard",
    "Policy",
    "Quality",
    "Reason",
    "Scorer",
    "ViT",
    "ViTConfig",
    "__version__",
    "export",
    "load_checkpoint",
    "save_checkpoint",
    "score_to",
]


__getattr__, __dir__, _ = lazy.attach(
    __name__,
    {
        "budget": ["Budget"],
        "errors": ["FiqaError"],
        "evidence": ["Evidence"],
        "faces": ["LandmarksCsv"],
        "graph": ["export"],
        "methods": ["METHODS"],
        "network": ["ViT", "ViTConfig", "load_checkpoint", "save_checkpoint"],
        "pipeline": ["score_to"],
        "reasons": ["Policy"],
        "scorer": ["Scorer"],
        "types": ["Face", "ModelCard", "Quality", "Reason"],
    },
    eager=["__version__"],
)
