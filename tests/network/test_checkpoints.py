"""Published checkpoints: every layout, wrapper and damage."""

from __future__ import annotations

import io
import os
import zipfile

import pytest
import torch
from tests.network.checkpoint_files import HEADS, safetensors_torch, same, save

from fiqa.errors import CheckpointMismatch, DataError, UnknownName, UsageError
from fiqa.network import PRESETS, load_checkpoint, read_state_dict, record
from fiqa.network.layouts import LAYOUTS, infer_config, recognise

_VITS = {
    "arcface_torch_vit_t": ("arcface", "arcface-vit-t"),
    "arcface_torch_vit_s": ("arcface", "arcface-vit-s"),
    "arcface_torch_vit_b": ("arcface", "arcface-vit-b"),
    "arcface_torch_vit_l": ("arcface", "arcface-vit-l"),
    "cvlface_vit_small": ("arcface", "cvlface-vit-s"),
    "cvlface_vit_base": ("arcface", "cvlface-vit-b"),
    "vitfiqa_s_token": ("vitfiqa-token", "vitfiqa-s-token"),
    "vitfiqa_s_crfiqa": ("vitfiqa-crfiqa", "vitfiqa-s-crfiqa"),
    "vitfiqa_s_full": ("vitfiqa-full", "vitfiqa-s-full"),
}


@pytest.fixture(scope="module")
def layouts(published_layouts):
    return published_layouts


@pytest.mark.parametrize("name", _VITS)
def test_a_published_layout_gives_its_config(name, layouts):
    from fiqa.network import ViT

    published = layouts[name]["config"]
    layout_name, preset_name = _VITS[name]
    shapes = {key: tuple(shape) for key, shape in layouts[name]["keys"].items()}
    layout, preset = recognise(shapes), PRESETS[preset_name]
    assert layout.name == layout_name == preset.layout
    config = infer_config(layout, shapes, preset.heads)
    assert preset.heads == published["num_heads"]
    assert config.width == published["embed_dim"]
    assert config.depth == published["depth"]
    assert config.patch_size == published["patch_size"]
    assert config.mlp_width == published["embed_dim"] * published["mlp_ratio"]
    assert config.embedding == published["num_classes"]
    assert config.image_size == published["img_size"]
    assert preset.shape == (config.width, config.depth, config.mlp_width, config.patch_size)
    assert (config.head, config.activation, config.qkv_bias) == ("flatten", "relu6", False)
    mode = published.get("mode")
    assert config.quality == {None: None, "token": "token", "crfiqa": "embedding", "full": "embedding"}[mode]
    assert config.quality_token == (mode in ("token", "full"))
    assert config.head_sees_prefix == (mode == "full")
    with torch.device("meta"):
        ours = {key: tuple(tensor.shape) for key, tensor in ViT(config).state_dict().items()}
    theirs = {layout.rename(key): shape for key, shape in shapes.items()}
    unused = {key for key in theirs if key == "mask_token" or key.startswith("early_norms")}
    assert ours == {key: shape for key, shape in theirs.items() if key not in unused}


def test_every_vit_among_the_published_layouts_is_tested(layouts):
    assert {name for name, entry in layouts.items() if "config" in entry} == set(_VITS)


@pytest.mark.parametrize("name", ["iresnet50", "curricularface_ir101", "crfiqa_iresnet50"])
def test_another_network_is_no_layout_of_ours(name, layouts):
    shapes = {key: tuple(shape) for key, shape in layouts[name]["keys"].items()}
    with pytest.raises(CheckpointMismatch, match=r"no checkpoint of a known layout .* is missing"):
        recognise(shapes)


@pytest.mark.parametrize("name", ["fr_vit", "vitfiqa_token", "vitfiqa_crfiqa", "vitfiqa_full"])
def test_the_small_reference_networks_load_whole(name, golden_vit, golden_config):
    vit = golden_vit(name)
    published = golden_config(name)
    card = vit.card
    assert (card.depth, card.width, card.heads) == (published["depth"], published["embed_dim"], 4)
    assert card.exits == (name != "fr_vit")
    assert card.embedding == published["num_classes"]
    assert not any(parameter.requires_grad for parameter in vit.parameters())
    assert not vit.training
    assert {tensor.dtype for tensor in vit.parameters()} == {torch.float32}


def test_the_embedded_model_s_first_weights_load(shared):
    file = shared / "models" / "first_vit.safetensors"
    vit = load_checkpoint(file, heads=4)
    assert (vit.config.stem, vit.config.quality, vit.config.head) == ("conv", "token", "mean")
    assert (vit.depth, vit.config.width, vit.card.embedding) == (12, 128, 512)


@pytest.mark.parametrize(
    "prefix", ["", "module.", "net.", "backbone.", "model.", "module.net.", "model.backbone."]
)
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_wrappers_and_prefixes_do_not_matter(prefix, wrapper, state, tmp_path, golden_vit):
    bare = {prefix + key.removeprefix("net."): tensor for key, tensor in state.items()}
    path = save({wrapper: bare, "epoch": 3} if wrapper else bare, tmp_path)
    assert same(load_checkpoint(path, heads=HEADS), golden_vit("fr_vit"))


@pytest.mark.parametrize("name", ["old.pt", "m.pth", "m.bin", "m.safetensors"])
def test_every_file_format_gives_the_same_network(name, state, tmp_path, golden_vit):
    path = tmp_path / name
    if name.endswith(".safetensors"):
        safetensors_torch.save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=name != "old.pt")
    assert same(load_checkpoint(path, heads=HEADS), golden_vit("fr_vit"))


def test_the_number_of_heads_is_never_guessed(state, tmp_path):
    with pytest.raises(UsageError, match="does not say how many attention heads it has: give heads"):
        load_checkpoint(save(state, tmp_path))


def test_unknown_heads_of_a_published_shape_name_the_preset(layouts, tmp_path):
    shapes = layouts["cvlface_vit_base"]["keys"]
    state = {key: torch.zeros(1).expand(shape) if shape else torch.tensor(0) for key, shape in shapes.items()}
    # saved as one number a tensor: the loader only looks at shapes before it asks for the heads
    with pytest.raises(UsageError, match=r"those of cvlface-vit-b \(16\)"):
        load_checkpoint(save(state, tmp_path))


def test_heads_that_do_not_divide_the_width_are_refused(state, tmp_path):
    with pytest.raises(UsageError, match="width 32 is not a multiple of the number of heads 5"):
        load_checkpoint(save(state, tmp_path), heads=5)


def test_a_missing_key_is_named(state, tmp_path):
    del state["net.blocks.3.mlp.fc2.bias"], state["net.blocks.4.norm1.weight"]
    message = r"layout that fits best is arcface, but 2 keys are missing, first 'blocks.3.mlp.fc2.bias'"
    with pytest.raises(CheckpointMismatch, match=message):
        load_checkpoint(save(state, tmp_path), heads=HEADS)


def test_an_unexpected_key_is_named(state, tmp_path):
    state["net.blocks.2.gamma"] = torch.zeros(3)
    with pytest.raises(CheckpointMismatch, match=r"1 are unexpected, first 'blocks.2.gamma'"):
        load_checkpoint(save(state, tmp_path), heads=HEADS)


def test_a_renamed_key_is_both_missing_and_unexpected(state, tmp_path):
    state["net.blocks.1.attn.out.weight"] = state.pop("net.blocks.1.attn.proj.weight")
    message = (
        r"1 keys are missing, first 'blocks.1.attn.proj.weight' .*1 are unexpected, first 'blocks.1.attn.out"
    )
    with pytest.raises(CheckpointMismatch, match=message):
        load_checkpoint(save(state, tmp_path), heads=HEADS)


def test_a_wrong_shape_is_named(state, tmp_path):
    state["net.blocks.5.attn.proj.weight"] = torch.zeros(32, 31)
    with pytest.raises(
        CheckpointMismatch, match=r"'blocks.5.attn.proj.weight' is \(32, 31\), not \(32, 32\)"
    ):
        load_checkpoint(save(state, tmp_path), heads=HEADS)


@pytest.mark.parametrize(
    "key", ["net.pos_embed", "net.patch_embed.proj.weight", "net.blocks.0.mlp.fc1.weight"]
)
def test_a_key_that_the_config_is_read_from_may_be_missing_too(key, state, tmp_path):
    del state[key]
    with pytest.raises(CheckpointMismatch, match="missing"):
        load_checkpoint(save(state, tmp_path), heads=HEADS)


def test_a_block_left_out_in_the_middle_is_missing(state, tmp_path):
    state = {key: tensor for key, tensor in state.items() if not key.startswith("net.blocks.2.")}
    with pytest.raises(CheckpointMismatch, match=r"first 'blocks.2.norm1.weight'"):
        load_checkpoint(save(state, tmp_path), heads=HEADS)


def test_half_a_recognition_head_is_not_loaded_partly(state, tmp_path):
    del state["net.feature.3.running_var"]
    with pytest.raises(CheckpointMismatch, match=r"first 'head.norm2.running_var'"):
        load_checkpoint(save(state, tmp_path), heads=HEADS)


def test_a_preset_must_be_what_the_file_is(state, tmp_path):
    path = save(state, tmp_path)
    with pytest.raises(
        CheckpointMismatch, match=r"cvlface-vit-b is arcface .* \(512, 24, 1536, 8\).*\(32, 6, 96, 8\)"
    ):
        load_checkpoint(path, preset="cvlface-vit-b")
    with pytest.raises(UsageError, match="cvlface-vit-b has 16 heads, but got heads=8"):
        load_checkpoint(path, preset="cvlface-vit-b", heads=8)
    with pytest.raises(UnknownName, match="Did you mean 'cvlface-vit-b'"):
        load_checkpoint(path, preset="cvlface-vitb")


def test_the_recognition_head_stays_out_when_no_one_asks(golden_path, golden):
    file = golden_path("vitfiqa_crfiqa")
    images = torch.from_numpy(golden("vitfiqa_crfiqa")["images_rgb"])
    whole, exits, blocks = (
        load_checkpoint(file, heads=HEADS, keep=keep) for keep in ("all", "exits", "blocks")
    )
    assert exits.head is None
    assert exits.has_exits
    assert (exits.card.exits, exits.card.embedding) == (True, 0)
    assert blocks.head is None
    assert not blocks.has_exits
    assert (blocks.card.exits, blocks.card.embedding) == (False, 0)
    names = ("exit/3", "exit/6")
    want, got = record(whole, images, names), record(exits, images, names)
    assert all(torch.equal(want[name], got[name]) for name in names)
    for vit in (exits, blocks):
        with pytest.raises(UsageError, match="no recognition head"):
            record(vit, images, ["embedding"])


class _Evil:
    def __reduce__(self):
        return os.system, ("touch owned",)


def test_code_in_a_pickle_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = save({"state_dict": _Evil()}, tmp_path)
    with pytest.raises(DataError, match=r"save the network's state_dict\(\) alone"):
        load_checkpoint(path, heads=HEADS)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
def test_a_truncated_file_is_a_data_error(share, name, state, tmp_path):
    path = tmp_path / name
    if name.endswith(".pt"):
        torch.save(state, path)
    else:
        safetensors_torch.save_file(state, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=name):
        load_checkpoint(path, heads=HEADS)


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("readme.txt", "hello")
    return buffer.getvalue()


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\x80\x02}q\x00.", b"\x89PNG\r\n\x1a\n" * 40, _zip()])
@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
def test_what_is_no_checkpoint_is_a_data_error(content, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError):
        load_checkpoint(path, heads=HEADS)


@pytest.mark.parametrize(
    "values", [[torch.zeros(2)], {"state_dict": {"a": 1}}, {"a": "text"}, torch.zeros(3), {}]
)
def test_a_file_without_a_state_dict_is_a_data_error(values, tmp_path):
    with pytest.raises(DataError, match="holds no"):
        load_checkpoint(save(values, tmp_path), heads=HEADS)


def test_a_missing_file_and_a_folder_are_data_errors(tmp_path):
    with pytest.raises(DataError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "nothing.pt", heads=HEADS)
    with pytest.raises(DataError, match="no checkpoint at"):
        load_checkpoint(tmp_path, heads=HEADS)


def test_tensors_of_something_else_name_the_nearest_layout(tmp_path):
    with pytest.raises(
        CheckpointMismatch, match=r"the nearest is .* is missing; the first of its 1 keys is 'weight'"
    ):
        load_checkpoint(save({"weight": torch.zeros(2)}, tmp_path), heads=HEADS)


def test_reading_says_what_was_in_the_file(state, tmp_path):
    found, metadata = read_state_dict(save(state, tmp_path))
    assert set(found) == {key.removeprefix("net.") for key in state}
    assert metadata == {}


def test_layout_names_are_their_keys():
    assert all(name == layout.name for name, layout in LAYOUTS.items())
    assert all(preset.layout in LAYOUTS for preset in PRESETS.values())
