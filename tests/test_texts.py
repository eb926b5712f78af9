"""Models that answer with text: their tokens, loss, answers and adapters, on tiny random models of every kind."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch
import transformers
from source_target import SOURCES, built, paired, source, target
from tiny_models import tiny_bert, tiny_causal, tiny_image, tiny_roberta, tiny_seq2seq

from bench.errors import ModelError, NotApplicable
from bench.modeling.encoding.arrays import IGNORE_INDEX
from bench.modeling.encoding.source_target_arrays import Pairs, loss
from bench.modeling.encoding.text import tokenizer_for
from bench.modeling.inference.generation import generate
from bench.modeling.models.facts import Facts
from bench.modeling.models.generation_models import Decoding, writer
from bench.modeling.models.generator import decoder_blocks

CPU = torch.device("cpu")
SEQ2SEQ = ("t5", "marian", "bart", "mbart")
JOINED = ("bert", "roberta")
FAMILIES = (*SEQ2SEQ, "gpt2", "llama", "bert", "roberta")


def folder_for(family: str, folder: Path) -> Path:
    if family in SEQ2SEQ:
        tiny_seq2seq(family, folder)
    elif family == "bert":
        tiny_bert("BertForMaskedLM", folder)
    elif family == "roberta":
        tiny_roberta(folder)
    else:
        tiny_causal(family, folder)
    return folder


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(family: str, tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return folder_for(family, tmp_path / "model")


def write(model: Any, folder: Path, data: Pairs, batch_size: int = 3, **settings: Any) -> Any:
    ticks: list[tuple[int, int | None]] = []
    written = generate(
        model, tokenizer_for(folder), data, np.arange(len(data.lengths)), device=CPU, batch_size=batch_size,
        settings=Decoding(**{"max_new_tokens": 12, **settings}), tick=lambda *at: ticks.append(at),
    )  # fmt: skip
    count = -(-len(data.lengths) // batch_size)
    assert ticks == [(i + 1, count) for i in range(count)]
    return written


def steps(model: Any, data: Pairs) -> Any:
    """The logits of six generated tokens."""
    how = {"max_new_tokens": 6, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}
    with torch.no_grad():
        return model.generate(**data.sources(np.arange(4), CPU), **how).logits


def test_the_first_reference_is_learnt_and_nothing_but_it(family: str, folder: Path) -> None:
    data, tokenizer = paired(folder, template="{text}\n"), tokenizer_for(folder)
    assert data.source.dtype == data.target.dtype == np.int32
    assert data.weights.dtype == data.lengths.dtype == np.int64
    batch = data.batch(np.array([4, 2]), CPU)
    learnt = (batch["labels"] != IGNORE_INDEX).sum(-1)
    assert learnt.tolist() == data.weights[[4, 2]].tolist()
    words = tokenizer.decode(batch["labels"][0][batch["labels"][0] != IGNORE_INDEX], skip_special_tokens=True)
    assert words.replace(" ", "") == "dneeht"
    if data.joint:
        assert (
            batch["input_ids"][batch["labels"] != IGNORE_INDEX] == batch["labels"][batch["labels"] != IGNORE_INDEX]
        ).all()
        assert tokenizer.decode(source(data, 4)) == "the end\n"
        assert target(data, 4)[-1] == tokenizer.eos_token_id
    elif family in JOINED:
        assert target(data, 4)[-1] == tokenizer.sep_token_id
        assert tokenizer.cls_token_id not in target(data, 4)


def test_a_trial_may_give_an_example_the_target_of_another(folder: Path) -> None:
    data = paired(folder)
    own, noisy = data.batch(np.array([1, 2]), CPU), data.batch(np.array([1, 2]), CPU, target_rows=np.array([2, 2]))
    for row in noisy["labels"]:
        assert row[row != IGNORE_INDEX].tolist() == target(data, 2)
    first = noisy["input_ids"][0].tolist()
    assert first[: len(source(data, 1))] == own["input_ids"][0].tolist()[: len(source(data, 1))] == source(data, 1)


def test_the_loss_is_transformers_own_times_the_tokens(folder: Path) -> None:
    data, model = paired(folder), built(folder)
    batch = data.batch(np.arange(5), CPU)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        own = model(**{name: tensor for name, tensor in batch.items() if name != "keep"}).loss * data.weights[:5].sum()
    own.backward()
    gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    found = loss(model, batch)
    found.backward()
    for parameter, gradient in zip([p for p in model.parameters() if p.grad is not None], gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-4)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, own, rtol=1e-5, atol=1e-5)
    parts = sum(loss(model, data.batch(np.array([i]), CPU)) for i in range(5))
    torch.testing.assert_close(found, parts, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("beams", [1, 4])
def test_the_batch_size_changes_no_answer(folder: Path, beams: int) -> None:
    data, model = paired(folder), built(folder)
    once = write(model, folder, data, 1, beams=beams)
    assert len(set(once.texts)) > 3
    for size in (3, 8):
        other = write(model, folder, data, size, beams=beams)
        assert other.texts == once.texts
        assert other.tokens.tolist() == once.tokens.tolist()
    assert once.tokens.max() <= 12


def test_a_decoder_writes_what_a_plain_loop_writes(tmp_path: Path) -> None:
    folder = folder_for("llama", tmp_path)
    data, model, tokenizer = paired(folder), built(folder), tokenizer_for(folder)
    written = write(model, folder, data, 4)
    for i, text in enumerate(written.texts):
        ids = source(data, i)
        start = len(ids)
        while len(ids) < start + 12 and (len(ids) == start or ids[-1] != tokenizer.eos_token_id):
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
        assert tokenizer.decode(ids[start:], skip_special_tokens=True).strip() == text
        assert written.tokens[i] == len(ids) - start


def test_what_is_learnt_is_written(family: str, folder: Path) -> None:
    """Training and generation agree on where an answer starts and ends."""
    texts = ["dull", "the end", "good"]
    data, model = paired(folder, texts, [["joy"], ["a film"], ["start it"]]), built(folder, dropout=0.0)
    with torch.no_grad():
        for parameter in model.parameters():  # as drawn they are too large to learn from
            parameter.mul_(0.2 if parameter.ndim > 1 else 1.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(150):
        total = loss(model, data.batch(np.arange(3), CPU)) / data.weights.sum()
        total.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert total.item() < 0.1
    written = write(model, folder, data, 2, max_new_tokens=30)
    assert written.texts == ["joy", "a film", "start it"]
    extra = 1 if family == "mbart" else 0  # its target ends with the language, after the end
    assert written.tokens.tolist() == (data.weights - extra).tolist()


def test_lora_trains_and_merges(folder: Path) -> None:
    data, model = paired(folder), built(folder, dropout=0.0)
    config = peft.LoraConfig(target_modules="all-linear", init_lora_weights=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fan_in_fan_out is set to False")
        adapted: Any = peft.get_peft_model(model, config)
    wrapped = [name for name, module in adapted.named_modules() if isinstance(module, peft.tuners.lora.LoraLayer)]
    assert wrapped
    assert not isinstance(adapted.get_output_embeddings(), peft.tuners.lora.LoraLayer)
    if adapted.config.is_encoder_decoder:
        assert {"encoder", "decoder"} <= {part for name in wrapped for part in name.split(".")}
    batch = data.batch(np.arange(5), CPU)
    before = loss(adapted, batch)
    before.backward()
    trained = [p for p in adapted.parameters() if p.requires_grad]
    assert all(p.grad is not None for p in trained)
    torch.optim.SGD(trained, lr=1e-3).step()
    after = loss(adapted, batch)
    assert after < before
    texts, logits = write(adapted, folder, data).texts, steps(adapted, data)
    merged = adapted.merge_and_unload()
    torch.testing.assert_close(steps(merged, data), logits, rtol=1e-4, atol=1e-4)
    assert write(merged, folder, data).texts == texts


def test_the_blocks_that_write_come_after_all_that_reads(folder: Path) -> None:
    model = built(folder)
    stack = decoder_blocks(model)
    assert stack is not None
    assert len(stack) == 2
    names = {p: name for name, p in model.named_parameters()}
    order = [names[p] for p in model.parameters()]
    first = order.index(names[next(stack.parameters())])
    assert not any(name.startswith(("encoder.", "model.encoder.")) for name in order[first:])


def test_random_weights_follow_the_seed_and_the_config(family: str, folder: Path) -> None:
    (folder / "generation_config.json").write_text(json.dumps({"num_beams": 3, "max_new_tokens": 7}))
    one, same, other = (built(folder, pretrained=False, seed=seed, dtype="bfloat16") for seed in (1, 1, 2))
    assert all(p.dtype == torch.float32 for p in one.parameters())
    state = other.state_dict()
    assert all(torch.equal(p, q) for p, q in zip(one.parameters(), same.parameters(), strict=True))
    assert not all(torch.equal(p, state[name]) for name, p in one.named_parameters())
    if family not in JOINED:
        for model in (one, built(folder)):
            assert (model.generation_config.num_beams, model.generation_config.max_new_tokens) == (3, 7)
        assert one.config.to_dict().keys() == built(folder).config.to_dict().keys()


@pytest.mark.parametrize("tie", [False, True])
def test_two_berts_are_joined(tmp_path: Path, tie: bool) -> None:
    bert, _ = tiny_bert("BertForMaskedLM", tmp_path)
    model, again, other = (built(tmp_path, seed=seed, tie=tie) for seed in (0, 0, 1))
    own = bert.bert.state_dict()
    for part in (model.encoder, model.decoder.bert):
        found = part.state_dict()
        assert all(torch.equal(found[name], weight) for name, weight in own.items())
    states = again.state_dict(), other.state_dict()
    differ = {name for name, weight in model.state_dict().items() if not torch.equal(weight, states[1][name])}
    assert differ
    assert all("crossattention" in name for name in differ)
    assert all(torch.equal(weight, states[0][name]) for name, weight in model.state_dict().items())
    sizes = [sum(p.numel() for p in m.parameters()) for m in (model, bert)]
    crossed = sum(p.numel() for name, p in model.named_parameters() if "crossattention" in name)
    assert (sizes[0] - crossed == sizes[1]) == tie
    assert model.decoder.get_output_embeddings().weight is model.decoder.get_input_embeddings().weight
    if tie:
        return
    model.save_pretrained(tmp_path / "saved")
    tokenizer_for(tmp_path).save_pretrained(tmp_path / "saved")
    data = paired(tmp_path)
    assert write(built(tmp_path / "saved"), tmp_path, data).texts == write(model, tmp_path, data).texts


def test_a_config_of_old_keeps_its_way_of_writing(tmp_path: Path) -> None:
    """Models from before generation_config.json have beams in config.json."""
    folder = folder_for("bart", tmp_path)
    (folder / "generation_config.json").unlink()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_beams": 3, "max_length": 9}))
    for pretrained in (True, False):
        model = built(folder, pretrained=pretrained)
        assert model.generation_config.num_beams == 3
        assert write(model, folder, paired(folder), max_new_tokens=None).tokens.max() <= 9


def test_a_decoder_stops_at_the_end_it_learns(tmp_path: Path) -> None:
    folder = folder_for("gpt2", tmp_path)
    (folder / "generation_config.json").write_text('{"eos_token_id": 5}')
    assert built(folder).generation_config.eos_token_id == [5, tokenizer_for(folder).eos_token_id]


def test_a_chat_template_is_used(tmp_path: Path) -> None:
    folder = folder_for("llama", tmp_path)
    tokenizer = tokenizer_for(folder)
    tokenizer.chat_template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}<bot>{% endif %}"
    )
    tokenizer.save_pretrained(folder)
    data = paired(folder, template="Say {text}")
    assert tokenizer.decode(source(data, 1)) == "<user>Say dull\n<bot>"
    assert target(data, 1) == [*tokenizer("llud")["input_ids"], tokenizer.eos_token_id]


def test_long_texts_are_cut_inside_the_template(family: str, folder: Path) -> None:
    long = "a good joy " * 50
    data, tokenizer = (
        paired(folder, [long], [[long]], template="joy: {text} dull", max_target=30),
        tokenizer_for(folder),
    )
    assert data.weights[0] == 30
    assert data.lengths[0] <= (64 if data.joint else 70)
    words = tokenizer.decode(source(data, 0), skip_special_tokens=True)
    assert words.endswith("dull")
    assert words.startswith("joy")
    written = write(built(folder), folder, data, max_new_tokens=1000)
    assert (written.tokens[0] < 64) == (family != "t5")


def test_the_language_to_write_is_marked(tmp_path: Path) -> None:
    data = paired(folder_for("mbart", tmp_path))
    tokenizer = tokenizer_for(tmp_path)
    code = tokenizer.convert_tokens_to_ids("ro_RO")
    assert data.start == {"decoder_start_token_id": code}
    assert target(data, 0)[-2:] == [tokenizer.eos_token_id, code]
    assert source(data, 0)[-1] == tokenizer.convert_tokens_to_ids("en_XX")
    nllb = transformers.NllbTokenizer()
    nllb.add_tokens(["joy", "dull"])
    nllb.save_pretrained(tmp_path)
    data = paired(tmp_path, languages=("eng_Latn", "fra_Latn"))
    code = tokenizer_for(tmp_path).convert_tokens_to_ids("fra_Latn")
    assert data.start == {"forced_bos_token_id": code}
    assert target(data, 0)[0] == code


def test_marian_has_pieces_for_each_side(tmp_path: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    chinese = ["这部电影是一种快乐", "无聊", "电影的情节很长", "好的快乐"]
    vocabulary = {"</s>": 0, "<unk>": 1, ">>cmn<<": 2}
    for side, texts, size in (("source", SOURCES, 60), ("target", chinese, 40)):
        (tmp_path / side).write_text("\n".join(texts * 3))
        sentencepiece.SentencePieceTrainer.train(
            input=str(tmp_path / side), model_prefix=str(tmp_path / side), vocab_size=size, hard_vocab_limit=False,
            minloglevel=2,
        )  # fmt: skip
        (tmp_path / f"{side}.model").rename(tmp_path / f"{side}.spm")
        pieces = sentencepiece.SentencePieceProcessor(str(tmp_path / f"{side}.spm"))
        for i in range(pieces.GetPieceSize()):
            vocabulary.setdefault(pieces.IdToPiece(i), len(vocabulary))
    vocabulary["<pad>"] = len(vocabulary)
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    (tmp_path / "config.json").write_text(
        '{"model_type": "marian", "architectures": ["MarianMTModel"], "is_encoder_decoder": true, "vocab_size": 99}'
    )
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "MarianTokenizer"}')
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Recommended: pip install sacremoses")
        data = paired(tmp_path, SOURCES[:4], [[text] for text in chinese], template=">>cmn<< {text}")
        tokenizer = tokenizer_for(tmp_path)
    assert [source(data, i)[0] for i in range(4)] == [2] * 4
    assert [source(data, i)[-1] for i in range(4)] == [target(data, i)[-1] for i in range(4)] == [0] * 4
    options = {"skip_special_tokens": True, "use_source_tokenizer": False}
    assert [tokenizer.decode(target(data, i), **options) for i in range(4)] == chinese


@pytest.mark.parametrize(
    ("config", "how"),
    [
        ({"model_type": "bart", "is_encoder_decoder": True, "architectures": ["BartModel"]}, "encoder-decoder"),
        ({"model_type": "mt5", "is_encoder_decoder": True, "architectures": ["MT5Model"]}, "encoder-decoder"),
        ({"model_type": "t5", "architectures": ["T5EncoderModel"]}, None),
        ({"model_type": "gpt2", "architectures": ["GPT2Model"]}, "decoder"),
        ({"model_type": "xlm-roberta", "architectures": ["XLMRobertaForMaskedLM"]}, "joined"),
        ({"model_type": "distilbert", "architectures": ["DistilBertForMaskedLM"]}, None),
        (
            {
                "model_type": "whisper",
                "is_encoder_decoder": True,
                "architectures": ["WhisperForConditionalGeneration"],
                "num_mel_bins": 80,
            },
            None,
        ),
    ],
)
def test_who_can_write(config: dict[str, Any], how: str | None) -> None:
    assert writer(Facts.from_files({"config.json": json.dumps({"vocab_size": 9, **config})})) == how


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    image, sentence, llama, t5 = (tmp_path / name for name in ("image", "sentence", "llama", "t5"))
    for each in (image, sentence, llama, t5):
        each.mkdir()
    tiny_image("vit", image)
    tiny_bert("BertModel", sentence)
    (sentence / "modules.json").write_text('[{"type": "sentence_transformers.models.Transformer"}]')
    for each in (image, sentence):
        with pytest.raises(ModelError, match="answer with text"):
            built(each)
    with pytest.raises(NotApplicable, match="max_target is 64; lower it"):
        paired(folder_for("llama", llama), max_target=200)
    with pytest.raises(ModelError, match="marks no languages"):
        paired(folder_for("t5", t5), languages=("en", "ro"))
    mbart = tmp_path / "mbart"
    mbart.mkdir()
    folder_for("mbart", mbart)
    for languages, message in ((None, "name source"), (("en_XX", "xx_XX"), "does not know")):
        with pytest.raises(ModelError, match=message):
            paired(mbart, languages=languages)
