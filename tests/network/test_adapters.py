"""What is refused of foreign networks, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.network.foreign import (
    HALF,
    SMALL,
    StandIn,
    StandInBlock,
    build,
)
from torch import Tensor, nn

from fiqa.errors import UsageError
from fiqa.network import ViTConfig, adapt, describe, flops


def test_costs_are_those_of_the_same_network_of_ours() -> None:
    card = describe(adapt(StandIn(class_token=False)))
    same = ViTConfig(width=24, depth=3, heads=4, mlp_width=40, image_size=48, patch_size=8)
    assert card.gflops == pytest.approx(flops(same), abs=1e-6)


def test_our_own_network_is_returned_unchanged(make_vit: Callable[..., Any]) -> None:
    vit = make_vit()
    assert adapt(vit) is vit
    with pytest.raises(UsageError, match="mean"):
        adapt(vit, mean=(0, 0, 0))


@pytest.mark.parametrize("wrong", [42, None, np.zeros(3), nn.Linear(2, 2), nn.TransformerEncoderLayer(8, 2)])
def test_another_object_is_refused_by_name(wrong: Any) -> None:
    with pytest.raises(
        UsageError, match=rf"{type(wrong).__name__}.*accepted: .*timm.*CLIPVisionModel.*Dinov2"
    ):
        adapt(wrong)


def test_a_text_model_is_refused() -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    with pytest.raises(UsageError, match="image_size"):
        adapt(transformers.BertModel(transformers.BertConfig(**size)))


def test_a_model_with_tokens_after_the_patches_is_refused() -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.YolosConfig(
        **SMALL,
        image_size=[48, 48],
        intermediate_size=40,
        num_detection_tokens=5,
        use_mid_position_embeddings=False,
    )
    with pytest.raises(UsageError, match=r"not 1 tokens and 6×6 patches"):
        adapt(transformers.YolosModel(config), mean=HALF[0], std=HALF[1])


def test_a_block_that_computes_something_else_is_refused() -> None:
    class Parallel(StandInBlock):
        def forward(self, x: Tensor) -> Tensor:  # attention and MLP side by side: the same attributes
            return x + self.attn(self.norm1(x)) + self.mlp(self.norm2(x))

    model = StandIn()
    model.blocks[1] = Parallel(24, 4, scaled=False, qk_norm=False, scale_norm=False)
    with pytest.raises(UsageError, match="differs from a plain ViT"):
        adapt(model)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mean": (0.5, 0.5)}, "three"),
        ({"std": (0.5, 0.0, 0.5)}, "positive"),
    ],
)
def test_a_wrong_normalisation_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        adapt(StandIn(), **given)


def test_an_unknown_model_type_must_be_given_its_normalisation() -> None:
    model = build("vit")
    model.config = SimpleNamespace(**{**model.config.to_dict(), "model_type": "vit_of_tomorrow"})
    with pytest.raises(UsageError, match="give mean="):
        adapt(model)


def test_other_precisions_and_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"torch\.bfloat16.*float\(\)"):
        adapt(StandIn().bfloat16())
    model = StandIn()
    model.patch_embed.img_size = (48, 64)
    with pytest.raises(UsageError, match="square"):
        adapt(model)
