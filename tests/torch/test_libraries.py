"""Networks as their libraries build them, with random weights."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memorize_jax.torch import extract  # noqa: E402
from tests.torch.networks import by_hand  # noqa: E402

pytestmark = pytest.mark.slow
IMAGES = torch.randn(5, 3, 64, 64, generator=torch.Generator().manual_seed(0))
IDS = torch.randint(5, 50, (4, 7), generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[1] * 7, [1] * 4 + [0] * 3, [0] * 2 + [1] * 5, [1] * 7])
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 20}


def extracted(model, inputs=IMAGES, **options):
    return extract(model, inputs, progress=False, **options).layers


def test_residual_networks():
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    model = models.resnet18(weights=None)
    found = extracted(model)
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)]
    assert list(found) == ["relu", *blocks, "fc"]
    for name, values in by_hand(model, list(found), [IMAGES]).items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    mean = extracted(model, pool="mean")
    np.testing.assert_allclose(mean["layer2.1"], found["layer2.1"].mean((2, 3)), rtol=1e-5)
    # The stem, sixteen blocks, the output.
    assert len(extracted(models.resnet50(weights=None), inputs=IMAGES[:2], pool="mean")) == 18


def test_vision_transformers():
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    model = models.VisionTransformer(64, 16, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=20, num_classes=7)
    found = extracted(model, pool="cls")
    assert list(found) == [*(f"encoder.layers.encoder_layer_{n}" for n in range(2)), "heads.head"]
    whole = by_hand(model, list(found)[:2], [IMAGES])
    for name, values in whole.items():
        np.testing.assert_array_equal(found[name], values[:, 0], err_msg=name)
    with pytest.raises(ValueError, match=r"layer 'features.1.0' returns .*looks like channels last"):
        extracted(models.swin_t(weights=None), IMAGES[:2], pool="mean")


def test_networks_of_timm():
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=2)
    assert list(extracted(model, pool="mean")) == ["patch_embed", "blocks.0", "blocks.1", "head"]
    stages = list(extracted(timm.create_model("convnext_atto"), IMAGES[:2], pool="mean"))
    assert stages[:3] == ["stages.0.blocks.0", "stages.0.blocks.1", "stages.1.blocks.0"]
    assert len(stages) == 13


def test_networks_of_hugging_face():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    texts = {"input_ids": IDS, "attention_mask": MASK, "labels": torch.arange(4)}
    encoder = transformers.BertModel(transformers.BertConfig(vocab_size=60, **SMALL)).eval()
    found = extract(encoder, [texts], pool="mean", progress=False)
    assert list(found.layers) == ["embeddings", "encoder.layer.0", "encoder.layer.1", "pooler"]
    assert found.labels.tolist() == [0, 1, 2, 3]
    with torch.no_grad():
        states = encoder(IDS, MASK, output_hidden_states=True).hidden_states
    expected = np.asarray([state[mask].mean(0) for state, mask in zip(states[2], MASK.bool(), strict=True)])
    np.testing.assert_allclose(found.layers["encoder.layer.1"], expected, atol=1e-6)
    sizes = {"vocab_size": 60, "n_embd": 16, "n_layer": 2, "n_head": 2, "bos_token_id": 0, "eos_token_id": 0}
    decoder = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes))
    last = extract(decoder, [texts | {"labels": torch.arange(4)}], pool="last", progress=False).layers
    assert list(last) == ["transformer.h.0", "transformer.h.1", "lm_head"]
    with torch.no_grad():
        logits = decoder.eval()(input_ids=IDS, attention_mask=MASK).logits
    np.testing.assert_allclose(last["lm_head"], logits[range(4), [6, 3, 6, 6]].numpy(), atol=1e-5)
    images = transformers.ViTModel(transformers.ViTConfig(image_size=64, **SMALL))
    assert len(extracted(images, {"pixel_values": IMAGES}, pool="cls")) == 4
    sequences = transformers.T5EncoderModel(
        transformers.T5Config(vocab_size=60, d_model=16, d_ff=20, num_layers=2, num_heads=2, d_kv=8)
    )
    assert list(extract(sequences, [texts], pool="mean", progress=False).layers)[:2] == [
        "encoder.block.0",
        "encoder.block.1",
    ]


def test_compiled_networks():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU())
    x = torch.randn(5, 6)
    np.testing.assert_array_equal(extracted(torch.compile(model), x)["1"], extracted(model, x)["1"])
    model[1] = torch.compile(model[1])
    with pytest.raises(ValueError, match=r"module '1' is compiled, .*; extract before torch.compile"):
        extracted(model, x)
