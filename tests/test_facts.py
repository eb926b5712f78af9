import json
import subprocess
import sys
from typing import Any

import pytest

from bench.errors import ModelError
from bench.modeling.models.facts import Facts


def facts(config: dict[str, Any], **files: object) -> Facts:
    named = {name.replace("__", "/") + ".json": json.dumps(value) for name, value in files.items()}
    return Facts.from_files({"config.json": json.dumps(config), **named})


BERT = {"model_type": "bert", "vocab_size": 30522}
VIT = {"model_type": "vit", "image_size": 224, "num_channels": 3}


@pytest.mark.parametrize(
    ("config", "head", "modality", "pooling"),
    [
        ({**BERT, "architectures": ["BertForMaskedLM"]}, "masked-lm", "text", "mean"),
        ({**BERT, "architectures": ["BertForPreTraining"]}, "masked-lm", "text", "mean"),
        ({**BERT, "architectures": ["BertModel"]}, None, "text", "mean"),
        ({**BERT, "model_type": "xlnet", "architectures": ["XLNetLMHeadModel"]}, None, "text", "last"),
        ({**BERT, "model_type": "xlm", "architectures": ["XLMWithLMHeadModel"]}, None, "text", "last"),
        ({**BERT, "architectures": ["BertForTokenClassification"]}, "token-classification", "text", "mean"),
        ({**BERT, "architectures": ["BertForQuestionAnswering"]}, "question-answering", "text", "mean"),
        ({"model_type": "electra", "vocab_size": 9, "architectures": ["ElectraForPreTraining"]}, None, "text", "mean"),
        ({"model_type": "gpt2", "vocab_size": 9, "architectures": ["GPT2LMHeadModel"]}, "causal-lm", "text", "last"),
        ({"model_type": "gpt2", "vocab_size": 9, "architectures": ["GPT2Model"]}, None, "text", "last"),
        ({"model_type": "llama", "vocab_size": 9, "architectures": ["LlamaForCausalLM"]}, "causal-lm", "text", "last"),
        (
            {"model_type": "llama", "vocab_size": 9, "architectures": ["LlamaForSequenceClassification"]},
            "sequence-classification",
            "text",
            "last",
        ),
        (
            {"model_type": "gemma3_text", "vocab_size": 9, "use_bidirectional_attention": True},
            None,
            "text",
            "mean",
        ),
        (
            {
                "model_type": "t5",
                "vocab_size": 9,
                "is_encoder_decoder": True,
                "architectures": ["T5ForConditionalGeneration"],
            },
            "seq2seq-lm",
            "text",
            "mean",
        ),
        (
            {
                "model_type": "whisper",
                "vocab_size": 9,
                "num_mel_bins": 80,
                "is_encoder_decoder": True,
                "architectures": ["WhisperForConditionalGeneration"],
            },
            "seq2seq-lm",
            "audio",
            "mean",
        ),
        (
            {
                "model_type": "bart",
                "vocab_size": 9,
                "is_encoder_decoder": True,
                "architectures": ["BartForSequenceClassification"],
            },
            "sequence-classification",
            "text",
            "mean",
        ),
        (
            {
                "model_type": "llava",
                "text_config": {},
                "vision_config": {},
                "architectures": ["LlavaForConditionalGeneration"],
            },
            None,
            "image-text",
            "pooler",
        ),
        ({**VIT, "architectures": ["ViTForImageClassification"]}, "image-classification", "image", "cls"),
        (
            {**VIT, "model_type": "deit", "architectures": ["DeiTForImageClassificationWithTeacher"]},
            "image-classification",
            "image",
            "cls",
        ),
        ({**VIT, "model_type": "swin", "architectures": ["SwinModel"]}, None, "image", "mean"),
        ({"model_type": "resnet", "num_channels": 3, "architectures": ["ResNetModel"]}, None, "image", "pooler"),
        (
            {"model_type": "mobilenet_v1", "num_channels": 3, "architectures": ["MobileNetV1ForImageClassification"]},
            "image-classification",
            "image",
            "pooler",
        ),
        (
            {"model_type": "clip", "text_config": {}, "vision_config": {}, "architectures": ["CLIPModel"]},
            "image-text",
            "image-text",
            "pooler",
        ),
        (
            {"model_type": "siglip", "text_config": {}, "vision_config": {}, "architectures": ["SiglipModel"]},
            "image-text",
            "image-text",
            "pooler",
        ),
        ({}, None, None, "mean"),
    ],
)
def test_head_modality_and_pooling(config: dict[str, Any], head: str, modality: str, pooling: str) -> None:
    found = facts(config)
    assert (found.head, found.modality, found.default_pooling()) == (head, modality, pooling)


def test_a_bitnet_is_no_convolution_and_an_mpnet_no_decoder() -> None:
    assert not facts({"model_type": "bitnet", "vocab_size": 9}).convolutional
    assert not facts({"model_type": "mpnet", "vocab_size": 9}).decoder


def test_audio_is_told_by_its_feature_extractor() -> None:
    config = {"model_type": "wav2vec2", "vocab_size": 32, "architectures": ["Wav2Vec2ForCTC"]}
    assert facts(config, preprocessor_config={"sampling_rate": 16000}).modality == "audio"
    assert facts(config, processor_config={"feature_extractor": {"sampling_rate": 16000}}).modality == "audio"


def test_labels_stand_in_the_order_of_their_numbers() -> None:
    classifier = {**BERT, "architectures": ["BertForSequenceClassification"]}
    assert facts({**classifier, "id2label": {"10": "k", "2": "c", "0": "a"}}).labels == ("a", "c", "k")
    assert facts(classifier).labels == ("LABEL_0", "LABEL_1")
    assert facts({**BERT, "architectures": ["BertForMaskedLM"], "id2label": {"0": "a"}}).labels is None


def test_a_sentence_encoder_pools_as_its_modules_say() -> None:
    modules = [{"type": "sentence_transformers.models.Transformer"}, {"type": "sentence_transformers.models.Pooling"}]
    config = {**BERT, "architectures": ["BertModel"]}
    found = facts(config, modules=modules, **{"1_Pooling__config": {"pooling_mode_cls_token": True}})
    assert (found.sentence_encoder, found.modules) == (True, ("Transformer", "Pooling"))
    assert found.default_pooling() == "cls"
    assert facts(config, modules=modules, **{"1_Pooling__config": {"pooling_mode": "lasttoken"}}).pooling == "last"
    assert not facts(config).sentence_encoder


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_a_broken_config_is_named(text: str) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        Facts.from_files({"config.json": text})


@pytest.mark.parametrize(
    ("config", "modules"),
    [
        ({"architectures": 3}, []),
        ({**BERT, "architectures": ["BertForSequenceClassification"], "id2label": {"a": "b"}}, []),
        ({**BERT, "architectures": ["BertForSequenceClassification"], "id2label": ["a"]}, []),
        ({}, ["Pooling"]),
        ({}, [{"path": ""}]),
    ],
)
def test_config_files_of_the_wrong_shape_are_refused(config: dict[str, Any], modules: object) -> None:
    with pytest.raises(ModelError, match="broken"):
        facts(config, modules=modules)


def test_facts_and_plans_import_nothing_heavy() -> None:
    program = (
        "import sys; from bench.contracts import Question; from bench.modeling.models.facts import Facts;"
        "from bench.modeling.inference.choose_way import choose;"
        "choose(Facts.from_files({}), Question('text', ['a'], {}, 'classes', ())); from bench import plugins;"
        "[plugins.load('metrics', n) for n in plugins.names('metrics')];"
        "print(*{'torch', 'transformers', 'sklearn', 'pandas', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
