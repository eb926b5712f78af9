"""What a model is, read from its small config files alone: nothing heavy is imported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bench.contracts import Modality
from bench.errors import ModelError

Reads = Modality | Literal["image-text"]
"""What a model takes: inputs of one modality, or both images and texts, each through a tower of its own."""
Head = Literal[
    "masked-lm", "causal-lm", "sequence-classification", "image-classification", "seq2seq-lm", "image-text",
    "token-classification", "question-answering", "semantic-segmentation", "endpoint",
]  # fmt: skip
Pooling = Literal["mean", "cls", "last", "pooler"]

_HEADS: tuple[tuple[str, Head], ...] = (
    ("ForMaskedLM", "masked-lm"),
    ("BertForPreTraining", "masked-lm"),
    ("ForCausalLM", "causal-lm"),
    ("LMHeadModel", "causal-lm"),
    ("ForSequenceClassification", "sequence-classification"),
    ("ForImageClassification", "image-classification"),
    ("ForImageClassificationWithTeacher", "image-classification"),
    ("ForTokenClassification", "token-classification"),
    ("ForSemanticSegmentation", "semantic-segmentation"),
    ("ForQuestionAnswering", "question-answering"),
    ("ForQuestionAnsweringSimple", "question-answering"),
    ("CLIPModel", "image-text"),
    ("MetaClip2Model", "image-text"),
    ("SiglipModel", "image-text"),
    ("Siglip2Model", "image-text"),
    ("Endpoint", "endpoint"),  # what the source `endpoint` says of its models, whose files nobody has
)
_LABELLED = ("sequence-classification", "image-classification", "token-classification", "semantic-segmentation")
_SEQ2SEQ = ("ForConditionalGeneration", "MTModel", "BartModel", "T5Model")
"""A bare BART or T5 counts: the head that its files lack is its embedding."""
_DECODERS = (
    *("gpt", "openai-gpt", "llama", "mistral", "mixtral", "ministral", "qwen", "gemma", "phi", "opt", "bloom"),
    *("falcon", "mpt", "olmo", "granite", "smollm", "stablelm", "deepseek", "cohere", "starcoder", "codegen", "mamba"),
)
_ANY_ORDER = ("xlnet", "xlm", "flaubert")
"""They end in a head as causal models do, but read a text in another order, or both ways."""
_CONVOLUTIONAL = (
    *("resnet", "regnet", "mobilenet", "mobilevit", "convnext", "dinov3_convnext", "efficientnet", "bit", "poolformer"),
    *("hgnet", "vgg", "densenet"),
)
_TIMM = "timm_wrapper"
_TIMM_TRANSFORMERS = (
    *(
        "vit",
        "deit",
        "beit",
        "eva",
        "swin",
        "cait",
        "xcit",
        "pit",
        "tnt",
        "twins",
        "volo",
        "hiera",
        "flexivit",
        "samvit",
    ),
    *("naflexvit", "mvitv2", "mixer", "resmlp", "gmlp", "test_vit", "sequencer", "aimv2", "csatv2"),
)
"""The rest of timm's architectures are convolutional, or begin as such."""
_OWN_POOLING = ("retrain-bench-network", _TIMM)
"""Models of images that give one vector an image by themselves, whatever their architecture."""
_CLS_IMAGE = ("vit", "deit", "dinov2", "dinov3_vit")
_AUDIO_KEYS = {"num_mel_bins", "feat_extract_norm", "sampling_rate"}
_IMAGE_KEYS = {"image_size", "num_channels", "vision_config", "image_mean", "image_processor_type", "image_processor"}
_ST_POOLING: dict[str, Pooling] = {
    "mean": "mean",
    "mean_tokens": "mean",
    "cls": "cls",
    "cls_token": "cls",
    "lasttoken": "last",
}


@dataclass(frozen=True)
class Facts:
    """What a model's config files say.

    head: what its weights end in, None for a bare encoder. labels: the classification head's words in the order of
    its logits. modules: the sentence-transformers modules it consists of. pooling: what those name, if anything.
    random: its weights are random (`bench.model_sources.random`). problem: what the classification head was trained
    for, in transformers' words, where the config says it.
    """

    model_type: str
    architectures: tuple[str, ...]
    modality: Reads | None
    head: Head | None
    labels: tuple[str, ...] | None
    modules: tuple[str, ...]
    pooling: Pooling | None
    decoder: bool
    convolutional: bool
    random: bool = False
    problem: str | None = None

    @property
    def sentence_encoder(self) -> bool:
        """Whether the folder has a modules.json."""
        return bool(self.modules)

    @classmethod
    def from_files(cls, files: Mapping[str, str]) -> Facts:
        """Facts from {path in the model's folder: text}. Raises ModelError where these are broken."""
        try:
            return cls._from_files(files)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise ModelError(f"the model's config files are broken ({error!r}); download the model again") from error

    @classmethod
    def _from_files(cls, files: Mapping[str, str]) -> Facts:
        config = _of_timm(_read(files, "config.json"))
        processors = _read(files, "preprocessor_config.json") | _read(files, "processor_config.json")
        model_type = str(config.get("model_type", ""))
        architectures = tuple(config.get("architectures") or ())
        head = _head(architectures, config)
        modality = _modality(head, config, processors)
        modules = json.loads(files.get("modules.json", "[]"))
        bidirectional = config.get("use_bidirectional_attention") or config.get("is_encoder_decoder")
        return cls(
            model_type=model_type,
            architectures=architectures,
            modality=modality,
            head=head,
            labels=_labels(config) if head in _LABELLED else None,
            modules=tuple(module["type"].rsplit(".", 1)[-1] for module in modules),
            pooling=sentence_pooling(_read(files, "1_Pooling/config.json")),
            decoder=head == "causal-lm" or (model_type.startswith(_DECODERS) and not bidirectional),
            convolutional=modality == "image" and _convolutional(model_type, config),
            random=config.get("random_weights") is True,
            problem=config.get("problem_type"),
        )

    def default_pooling(self) -> Pooling:
        """How token states (or a feature map) become one vector where the suite does not say."""
        if self.pooling:
            return self.pooling
        own = (*_OWN_POOLING, "_vision_model")
        if self.convolutional or self.modality == "image-text" or self.model_type.endswith(own):
            return "pooler"
        if self.modality == "image":
            return "cls" if self.model_type.startswith(_CLS_IMAGE) else "mean"
        return "last" if self.decoder or self.model_type in _ANY_ORDER else "mean"


def sentence_pooling(config: Mapping[str, Any]) -> Pooling | None:
    """The pooling that a sentence-transformers pooling config names; None where it is none of ours."""
    prefix = "pooling_mode_"
    modes = [key.removeprefix(prefix) for key, value in config.items() if key.startswith(prefix) and value is True]
    named = config.get("pooling_mode")
    modes = [named] if isinstance(named, str) else modes
    return _ST_POOLING.get(modes[0]) if len(modes) == 1 else None


def _read(files: Mapping[str, str], name: str) -> dict[str, Any]:
    try:
        return {**json.loads(files.get(name, "{}"))}
    except (RecursionError, TypeError, ValueError) as error:
        raise ModelError(f"the model's {name} is no JSON object ({error}); download the model again") from error


def _head(architectures: tuple[str, ...], config: dict[str, Any]) -> Head | None:
    for architecture in architectures:
        for ending, head in _HEADS:
            if architecture.endswith(ending):
                return None if head == "causal-lm" and config.get("model_type") in _ANY_ORDER else head
        seq2seq = architecture.endswith(_SEQ2SEQ) or architecture == "EncoderDecoderModel"
        if seq2seq and config.get("is_encoder_decoder"):
            return "seq2seq-lm"
    return None


def _modality(head: Head | None, config: dict[str, Any], processors: dict[str, Any]) -> Reads | None:
    if head in ("image-classification", "semantic-segmentation"):
        return "image"
    if head in ("sequence-classification", "masked-lm", "endpoint"):
        return "text"
    keys = config.keys() | processors.keys()
    if keys & _AUDIO_KEYS or "sampling_rate" in str(processors.get("feature_extractor")):
        return "audio"
    text, image = bool(keys & {"vocab_size", "text_config"}), bool(keys & _IMAGE_KEYS)
    if text and image:
        return "image-text"
    return "text" if text else "image" if image else None


def _of_timm(config: dict[str, Any]) -> dict[str, Any]:
    """A config that timm wrote, in transformers' words; any other as it is."""
    timm = config.get("model_type") == _TIMM or {"architecture", "pretrained_cfg"} <= config.keys()
    if not timm:
        return config
    classes = config.get("num_classes") or config.get("pretrained_cfg", {}).get("num_classes") or 0
    words = config.get("label_names") or [f"LABEL_{number}" for number in range(classes)]
    known = {"id2label": {str(number): word for number, word in enumerate(words)}} if classes else {}
    head = "TimmWrapperForImageClassification" if classes else "TimmWrapperModel"
    return {**config, "model_type": _TIMM, "architectures": [head], "image_size": None, **known}


def _convolutional(model_type: str, config: dict[str, Any]) -> bool:
    if model_type == _TIMM:
        return not str(config["architecture"]).startswith(_TIMM_TRANSFORMERS)
    return config.get("convolutional") is True or model_type.startswith(_CONVOLUTIONAL)


def _labels(config: dict[str, Any]) -> tuple[str, ...]:
    # transformers leaves id2label out of the file where it is the default
    words = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    return tuple(str(words[key]) for key in sorted(words, key=int))
