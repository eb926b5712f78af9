"""Each way against its formula written out one example at a time, without padding, on tiny random models."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
import transformers
from tiny_models import (
    LABELS,
    TEMPLATES,
    TEXTS,
    bytes_bpe,
    images,
    tiny_bert,
    tiny_causal,
    tiny_image_text,
    tiny_roberta,
    wordpiece,
)
from tiny_tasks import bare_context, question
from zeroshot_answers import answer, by_hand, softmaxed

from bench import plugins
from bench.errors import ModelError, NotApplicable, UsageError
from bench.modeling.inference import zero_shot
from bench.modeling.inference.choose_way import choose
from bench.modeling.inference.zero_shot import Settings
from bench.modeling.models.facts import Facts
from bench.modeling.prompts import fill_template
from bench.zeroshot.likelihood import label_rows

CPU = torch.device("cpu")
HUB = Path(__file__).parents[2] / "shared" / "hub"
cloze, entailment, label_prompts, likelihood, own_head, similarity = (
    plugins.load("zeroshot", name)
    for name in ("cloze", "entailment", "label-prompts", "likelihood", "own-head", "similarity")
)


def facts_of(folder: Path) -> Facts:
    return Facts.from_files({str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*.json")})


@torch.inference_mode()
def test_cloze_is_the_mean_over_the_label_s_masks(tmp_path: Path) -> None:
    model, tokenizer = tiny_bert("BertForMaskedLM", tmp_path)
    assert choose(facts_of(tmp_path), question(LABELS)) == ("cloze", None)
    found = answer(cloze, tmp_path, TEXTS, LABELS, TEMPLATES)

    def score(template: str, text: str, label: str) -> float:
        wanted = tokenizer(label, add_special_tokens=False)["input_ids"]
        whole = template if "{text}" in template else "{text} " + template
        masked = whole.replace("{label}", "[MASK]" * len(wanted)).replace("{text}", text.replace("[MASK]", ""))
        ids = torch.tensor([tokenizer(masked)["input_ids"]])
        places = (ids[0] == tokenizer.mask_token_id).nonzero()[:, 0]
        each = model(ids).logits[0].log_softmax(-1)[places]
        return float(sum(each[i, token] for i, token in enumerate(wanted)) / len(wanted))

    assert len(tokenizer("very good", add_special_tokens=False)["input_ids"]) > 1
    for number, template in enumerate(TEMPLATES):
        expected = by_hand(lambda text, label, t=template: score(t, text, label))  # type: ignore[misc]
        np.testing.assert_allclose(found[number], expected, atol=1e-5)


@torch.inference_mode()
def test_cloze_gives_a_byte_tokenizer_s_label_the_space_before_it(tmp_path: Path) -> None:
    tokenizer = bytes_bpe(tmp_path)
    mask = tokenizers.AddedToken("<mask>", lstrip=True, special=True)  # as RoBERTa's: it swallows that space
    tokenizer.add_special_tokens({"mask_token": mask, "pad_token": "<pad>"})
    tokenizer.save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = transformers.RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=70,
        pad_token_id=1,  # where this architecture starts to count positions
        initializer_range=0.5,
    )
    model = transformers.RobertaForMaskedLM(config).eval()
    model.save_pretrained(tmp_path)
    found = answer(cloze, tmp_path, ["the film", "dull"], ["bad", "good"], ["{text} It was {label}."])[0]
    for row, text in enumerate(["the film", "dull"]):
        scores = []
        for label in ("bad", "good"):
            wanted = tokenizer(" " + label)["input_ids"]
            before, after = tokenizer(f"{text} It was")["input_ids"], tokenizer(".")["input_ids"]
            masks = [tokenizer.mask_token_id] * len(wanted)
            each = model(torch.tensor([before + masks + after])).logits[0, len(before) :].log_softmax(-1)
            scores.append(float(sum(each[i, token] for i, token in enumerate(wanted)) / len(wanted)))
        np.testing.assert_allclose(found[row], softmaxed([scores])[0], atol=1e-5)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@torch.inference_mode()
def test_likelihood_is_the_mean_over_the_label_s_tokens(family: str, tmp_path: Path) -> None:
    model, tokenizer = tiny_causal(family, tmp_path)
    assert choose(facts_of(tmp_path), question(LABELS)) == ("likelihood", None)
    templates = [TEMPLATES[0], "{text} = {label}"]

    def score(stem: str, label: str) -> float:
        before = tokenizer(stem)["input_ids"]
        label_ids = tokenizer(" " + label)["input_ids"]
        assert tokenizer(f"{stem} {label}")["input_ids"] == before + label_ids
        each = model(torch.tensor([before + label_ids])).logits[0].log_softmax(-1)
        return float(sum(each[len(before) + i - 1, token] for i, token in enumerate(label_ids)) / len(label_ids))

    expected = [by_hand(lambda text, label, e=end: score(f"{text} {e}", label)) for end in ("It was", "=")]  # type: ignore[misc]
    np.testing.assert_allclose(answer(likelihood, tmp_path, TEXTS, LABELS, templates), expected, atol=1e-5)

    def corrected(text: str, label: str, end: str) -> float:
        return score(f"{text} {end}", label) - score(end, label)

    expected = [by_hand(lambda text, label, e=end: corrected(text, label, e)) for end in ("It was", "=")]  # type: ignore[misc]
    found = answer(likelihood, tmp_path, TEXTS, LABELS, templates, prior=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_label_that_merges_with_what_stands_before_it_is_still_scored_whole(tmp_path: Path) -> None:
    tokenizer = bytes_bpe(tmp_path)
    rows, starts = label_rows(tokenizer, "a go{label}"[:4], [("", "x")], ["od"])
    assert tokenizer.decode(rows[0][starts[0] :]).endswith("od")
    rows, starts = label_rows(tokenizer, "{text} ", [("", "")], ["good"])
    assert rows[0][0] == tokenizer.bos_token_id
    assert (tokenizer.decode(rows[0][1:]), starts) == ("good", [1])


def test_a_causal_model_cannot_look_back_from_the_text_to_the_label(tmp_path: Path) -> None:
    tiny_causal("gpt2", tmp_path)
    with pytest.raises(UsageError, match="before"):
        answer(likelihood, tmp_path, TEXTS, LABELS, ["{label}: {text}"])


@pytest.mark.parametrize("names", [["ENTAILMENT", "neutral", "contradiction"], ["not_entailment", "entailment"]])
@torch.inference_mode()
def test_entailment_is_the_probability_of_entailment(names: list[str], tmp_path: Path) -> None:
    model, tokenizer = tiny_bert("BertForSequenceClassification", tmp_path, id2label=dict(enumerate(names)))
    assert choose(facts_of(tmp_path), question(LABELS)) == ("entailment", None)
    column = 0 if names[0] == "ENTAILMENT" else 1
    template = "{text} It was {label}."

    def score(text: str, label: str) -> float:
        encoded = tokenizer(text, f"It was {label}.", return_tensors="pt")
        assert encoded["token_type_ids"].max() == 1
        return float(model(**encoded).logits[0].log_softmax(-1)[column])

    expected = by_hand(score)
    np.testing.assert_allclose(answer(entailment, tmp_path, TEXTS, LABELS, [template])[0], expected, atol=1e-5)


@pytest.mark.parametrize("mode", ["mean_tokens", "cls_token"])
@torch.inference_mode()
def test_similarity_is_a_softmax_of_scaled_cosines(mode: str, tmp_path: Path) -> None:
    model, tokenizer = tiny_bert("BertModel", tmp_path)
    for path, kind in (("", "Transformer"), ("1_Pooling", "Pooling")):
        (tmp_path / path).mkdir(exist_ok=True)
        modules = json.loads((tmp_path / "modules.json").read_text()) if (tmp_path / "modules.json").exists() else []
        modules.append({"idx": len(modules), "path": path, "type": f"sentence_transformers.models.{kind}"})
        (tmp_path / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{mode}": True}))
    assert choose(facts_of(tmp_path), question(LABELS)) == ("similarity", None)

    def embed(text: str) -> torch.Tensor:
        states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        return states.mean(0) if mode == "mean_tokens" else states[0]

    expected = by_hand(
        lambda text, label: 20 * float(torch.cosine_similarity(embed(text), embed(f"So {label}"), dim=0))
    )
    np.testing.assert_allclose(answer(similarity, tmp_path, TEXTS, LABELS, ["So {label}"])[0], expected, atol=1e-4)


@pytest.mark.parametrize("family", ["clip", "siglip"])
@torch.inference_mode()
def test_label_prompts_give_the_model_s_own_logits(family: str, tmp_path: Path) -> None:
    model, tokenizer, processor = tiny_image_text(family, tmp_path)
    assert choose(facts_of(tmp_path), question(LABELS, modality="image")) == ("label-prompts", None)
    found = answer(label_prompts, tmp_path, images(), LABELS, ["a {label}", "film of {label}"])
    for number, start in enumerate(("a", "film of")):
        padding: Any = {"padding": "max_length", "max_length": 12} if family == "siglip" else {"padding": True}
        text = tokenizer([f"{start} {label}" for label in LABELS], truncation=True, return_tensors="pt", **padding)
        for row, image in enumerate(images()):
            pixels = processor(image.convert("RGB"), return_tensors="pt")["pixel_values"]
            mask = {} if family == "siglip" else {"attention_mask": text["attention_mask"]}
            own = model(input_ids=text["input_ids"], pixel_values=pixels, **mask).logits_per_image[0]
            np.testing.assert_allclose(found[number, row], own.log_softmax(-1), atol=1e-5)


@torch.inference_mode()
def test_own_head_over_images_puts_its_labels_in_the_task_s_order(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
        id2label={0: "Cat", 1: "DOG", 2: "owl"},
        initializer_range=0.5,
    )
    model = transformers.ViTForImageClassification(config).eval()
    model.save_pretrained(tmp_path)
    processor = transformers.ViTImageProcessor(size={"height": 16, "width": 16})
    processor.save_pretrained(tmp_path)
    assert choose(facts_of(tmp_path), question(["owl", "cat", "dog"], modality="image")) == ("own-head", None)
    found = answer(own_head, tmp_path, images(), ["owl", "cat", "dog"], [""])[0]
    for row, image in enumerate(images()):
        logits = model(**processor(image.convert("RGB"), return_tensors="pt")).logits[0]
        np.testing.assert_allclose(found[row], logits[[2, 0, 1]].log_softmax(-1), atol=1e-5)


@torch.inference_mode()
def test_own_head_sums_the_labels_that_its_map_joins_and_drops_the_rest(tmp_path: Path) -> None:
    names = ["1 star", "2 stars", "3 stars", "4 stars", "5 stars"]
    mapped = {"1 star": "bad", "2 Stars": "bad", "4 stars": "good", "5 stars": "Good"}
    model, tokenizer = tiny_bert("BertForSequenceClassification", tmp_path, id2label=dict(enumerate(names)))
    with torch.no_grad():
        model.classifier.bias[2] = 500.0  # a dropped label may be ever so sure
    model.save_pretrained(tmp_path)
    assert choose(facts_of(tmp_path), question(["good", "bad"], label_map=mapped)) == ("own-head", None)
    pairs = [(text, "a good end") for text in TEXTS]
    found = answer(own_head, tmp_path, pairs, ["good", "bad"], [""], label_map=mapped)[0]
    for row, (first, second) in enumerate(pairs):
        p = model(**tokenizer(first, second, return_tensors="pt")).logits[0].double()[[0, 1, 3, 4]].softmax(-1)
        np.testing.assert_allclose(np.exp(found[row]), [p[2] + p[3], p[0] + p[1]], atol=1e-5)


def test_a_gpt2_classifier_without_padding_token_runs_in_batches(tmp_path: Path) -> None:
    tokenizer = bytes_bpe(tmp_path)
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_embd=16, n_layer=1, n_head=2, n_positions=64, id2label={0: "a", 1: "b"}
    )
    config.pad_token_id = None
    transformers.GPT2ForSequenceClassification(config).save_pretrained(tmp_path)
    answer(own_head, tmp_path, TEXTS, ["b", "a"], [""])


def test_only_the_text_is_cut(tmp_path: Path) -> None:
    for tokenizer in (wordpiece(tmp_path), bytes_bpe(tmp_path)):
        for text in (*(" ".join(TEXTS[:i]) for i in range(1, 5)), "🤖" * 30, ""):
            (short,) = fill_template.cut(
                tokenizer, [text], lambda t: fill_template.fill("{text} It was {label}.", t, "bad"), 18
            )
            length = len(tokenizer(f"{short} It was bad.".strip())["input_ids"])
            assert text.startswith(short)
            assert length <= 18
            assert short == text or length >= 14
    with pytest.raises(NotApplicable, match="max_length is 4"):
        fill_template.cut(tokenizer, [TEXTS[0]], lambda t: f"{t} It was not very good.", 4)


@pytest.mark.parametrize("way", [cloze, likelihood, entailment, similarity])
def test_long_texts_keep_their_question(way: Any, tmp_path: Path) -> None:
    kinds = {cloze: "BertForMaskedLM", entailment: "BertForSequenceClassification", similarity: "BertModel"}
    if way is likelihood:
        tiny_causal("gpt2", tmp_path)
    else:
        tiny_bert(kinds[way], tmp_path, id2label={0: "entailment", 1: "other"})
        (tmp_path / "modules.json").write_text(json.dumps([{"path": "pool", "type": "x.Pooling"}]))
        (tmp_path / "pool").mkdir()
        (tmp_path / "pool" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    texts = [" ".join(TEXTS[:3]) * 5, TEXTS[1]]
    found = answer(way, tmp_path, texts, LABELS, ["{text} It was {label}."], max_length=1000)
    assert np.ptp(found[0, 0]) > 1e-3


def test_a_roberta_is_asked_no_more_than_it_has_positions_for(tmp_path: Path) -> None:
    tiny_roberta(tmp_path)  # 65 positions, of which the padding token's number takes one; its tokenizer knows no limit
    answer(cloze, tmp_path, [" ".join(TEXTS) * 5, TEXTS[1]], LABELS, ["{text} It was {label}."], max_length=1000)


@pytest.mark.parametrize("template", ["{text} It was.", "{label} or {label}", "{text} {text} {label}"])
def test_a_template_without_its_one_label_is_refused(template: str) -> None:
    with pytest.raises(UsageError, match="label"):
        fill_template.with_text(template)


def test_weights_that_are_not_there_never_answer(tmp_path: Path) -> None:
    tiny_bert("BertModel", tmp_path)
    with pytest.raises(ModelError, match=r"classifier.*random"):
        zero_shot.load("AutoModelForSequenceClassification", tmp_path, CPU, torch.float32)


def test_weights_in_half_precision_take_images(tmp_path: Path) -> None:
    tiny_image_text("clip", tmp_path)
    loaded = label_prompts.load(bare_context(tmp_path, LABELS, dtype="bfloat16"))
    how = Settings({}, CPU, batch_size=2, max_length=9)
    assert np.isfinite(label_prompts.log_probabilities(loaded, images(), LABELS, ["{label}"], how)).all()


def test_autocast_is_entered(tmp_path: Path) -> None:
    tiny_bert("BertForMaskedLM", tmp_path)
    entered = []

    def autocast() -> Any:
        entered.append(1)
        return nullcontext()

    answer(cloze, tmp_path, TEXTS, LABELS, TEMPLATES[:1], autocast=autocast)
    assert entered


BARE = {"model_type": "bert", "vocab_size": 9, "architectures": ["BertModel"]}
CLASSIFIER = {"model_type": "bert", "vocab_size": 9, "architectures": ["BertForSequenceClassification"]}


def reason(config: dict[str, Any], modality: Any, labels: list[str], **label_map: str) -> str:
    name, why = choose(
        Facts.from_files({"config.json": json.dumps(config)}), question(labels, modality=modality, label_map=label_map)
    )
    assert name is None
    return str(why)


def test_why_no_way_applies() -> None:
    assert "cloze: it is no masked language model" in reason(BARE, "text", LABELS)
    assert "LABEL_0, LABEL_1 do not fit the task's; give the task a label_map" in reason(CLASSIFIER, "text", LABELS)
    half = {**CLASSIFIER, "id2label": {"0": "bad", "1": "other"}}
    assert "do not fit" in reason(half, "text", ["bad", "good"])
    wrong = reason(half, "text", ["bad", "good"], other="godo")
    assert "label_map names 'godo', which is no label of the task; did you mean 'good'?" in wrong
    assert "'otter', which is no label of its head; did you mean 'other'?" in reason(
        half, "text", ["bad", "good"], otter="good"
    )
    assert "no image-classification head" in reason(CLASSIFIER, "image", ["LABEL_0", "LABEL_1"])
    dense = [{"type": f"sentence_transformers.models.{kind}"} for kind in ("Transformer", "Pooling", "Dense")]
    files = {"config.json": json.dumps(BARE), "modules.json": json.dumps(dense)}
    assert "module Dense is not supported" in str(choose(Facts.from_files(files), question(LABELS))[1])


def test_a_sentence_encoder_is_never_asked_through_a_leftover_language_model_head() -> None:
    config = json.dumps({"model_type": "qwen3", "vocab_size": 9, "architectures": ["Qwen3ForCausalLM"]})
    modules = json.dumps([{"type": "sentence_transformers.models.Transformer"}])
    facts = Facts.from_files({"config.json": config, "modules.json": modules})
    assert choose(facts, question(LABELS)) == ("similarity", None)


@pytest.mark.parametrize("name", plugins.names("zeroshot"))
def test_contract(name: str) -> None:
    way = plugins.load("zeroshot", name)
    assert way.VERSION >= 1
    different = {fill_template.with_text(template) for template in way.TEMPLATES if template}
    assert len(different) in (0, 1, 3, 4)


@pytest.mark.hub
@pytest.mark.skipif(not HUB.exists(), reason="the local Hub mirror is absent")
def test_a_real_sentence_encoder_tells_news_apart() -> None:
    import pandas as pd

    folder = HUB / "models/sentence-transformers/all-MiniLM-L6-v2"
    news = pd.read_parquet(HUB / "datasets/fancyzhx/ag_news/data/test-00000-of-00001.parquet").head(100)
    labels = ["world politics", "sports", "business", "science and technology"]
    assert choose(facts_of(folder), question(labels)) == ("similarity", None)
    found = answer(similarity, folder, list(news["text"]), labels, similarity.TEMPLATES, max_length=64)
    accuracies = (found.argmax(-1) == news["label"].to_numpy()).mean(-1)
    majority = news["label"].value_counts(normalize=True).max()
    assert (accuracies > majority + 0.25).all(), (accuracies, majority)


@pytest.mark.hub
@pytest.mark.skipif(not HUB.exists(), reason="the local Hub mirror is absent")
def test_a_real_causal_model_runs() -> None:
    folder = HUB / "models/mirror/stories260k-llama"
    assert choose(facts_of(folder), question(LABELS)) == ("likelihood", None)
    texts = ["Lily found a big red ball. She was very", "The dog was lost and Tim was very"]
    found = answer(likelihood, folder, texts, ["happy", "sad", "xylophone"], ["{text} {label}."])
    assert (found.argmax(-1) != 2).all()
