"""Conversations and shots as prompts of models that write: what exactly is read, learnt and kept."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from source_target import built, paired, source, target
from tiny_models import CHATML, chat_model, tiny_causal, tiny_seq2seq

from bench.data.content import digest
from bench.errors import DataError, NotApplicable
from bench.modeling.encoding.arrays import IGNORE_INDEX
from bench.modeling.encoding.source_target_arrays import loss
from bench.modeling.encoding.text import tokenizer_for
from bench.modeling.models.facts import Facts
from bench.modeling.prompts import conversations
from bench.modeling.prompts.conversations import Source, Turn
from bench.modeling.prompts.generation_prompt import ends_at_a_blank_line
from bench.tasks.text_generation import TextGeneration

text_generation = TextGeneration()

CPU = torch.device("cpu")
TALK = (Turn("system", "be good"), Turn("user", "the film?"), Turn("assistant", "a joy"), Turn("user", "the end?"))


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_of_a_conversation_the_answer_alone_is_learnt(family: str, tmp_path: Path) -> None:
    folder = chat_model(tmp_path / "model", family)
    other = (Turn("user", "dull"),)
    data = paired(folder, [TALK, other], [["it is good"], ["joy"]], max_source=200)
    tokenizer = tokenizer_for(folder)
    read = (
        "<|im_start|>system\nbe good<|im_end|>\n<|im_start|>user\nthe film?<|im_end|>\n<|im_start|>assistant\na joy"
        "<|im_end|>\n<|im_start|>user\nthe end?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert tokenizer.decode(source(data, 0)) == read
    batch = data.batch(np.array([0, 1]), CPU)
    learnt = [row[row != IGNORE_INDEX].tolist() for row in batch["labels"]]
    assert [tokenizer.decode(row) for row in learnt] == ["it is good<|im_end|>", "joy<|im_end|>"]
    assert batch["input_ids"][0].tolist() == [*source(data, 0), *target(data, 0)]
    model = built(folder)
    ids = torch.tensor([[*source(data, 0), *target(data, 0)]])
    each = model(ids).logits[0, :-1].log_softmax(-1)[range(ids.shape[1] - 1), ids[0, 1:]]
    expected = -each[len(source(data, 0)) - 1 :].sum()
    torch.testing.assert_close(loss(model, data.batch(np.array([0]), CPU)), expected, rtol=1e-4, atol=1e-4)


def test_without_a_chat_template_turns_are_lines(tmp_path: Path) -> None:
    for family in ("llama", "t5"):
        (tmp_path / family).mkdir()
    tiny_causal("llama", tmp_path / "llama")
    tiny_seq2seq("t5", tmp_path / "t5")
    read = "System: be good\nUser: the film?\nAssistant: a joy\nUser: Say the end?\nAssistant:"
    for family, options in (("llama", {"max_source": 45, "max_target": 4}), ("t5", {"max_source": 200})):
        data = paired(tmp_path / family, [TALK], [["good"]], template="Say {text}", **options)
        text = tokenizer_for(tmp_path / family).decode(source(data, 0), skip_special_tokens=True)
        # 45 tokens hold no earlier turns
        assert text == (read if family == "t5" else "System: be good\nUser: Say the end?\nAssistant:")


def test_the_first_exchanges_of_a_long_conversation_go_first(tmp_path: Path) -> None:
    folder = chat_model(tmp_path / "model")
    tokenizer = tokenizer_for(folder)
    long: Source = (*TALK[:3], Turn("user", "the plot?"), Turn("assistant", "dull"), TALK[3])
    read = {}
    for room in (400, 60, 40, 29):
        data = paired(folder, [long], [["good"]], max_source=room)
        read[room] = tokenizer.decode(source(data, 0))
        assert len(source(data, 0)) <= room
    assert "the film?" in read[400]
    assert "the film?" not in read[60]
    assert "the plot?" in read[60]
    assert "the plot?" not in read[40]
    assert read[40].startswith("<|im_start|>system\nbe good")
    assert "the end?" in read[40]
    assert read[29].endswith("<|im_end|>\n<|im_start|>assistant\n")
    assert "the end?" not in read[29]


def test_shots_are_earlier_turns_of_a_chat(tmp_path: Path) -> None:
    folder = chat_model(tmp_path / "model")
    shots = [("dull", "bad"), (TALK, "a start")]
    data = paired(folder, ["the end", TALK], [["x"], ["y"]], template="Say {text}", shots=shots, max_source=120)
    text = [tokenizer_for(folder).decode(source(data, i)) for i in range(2)]
    roles = [part.partition("\n")[0] for part in text[0].split("<|im_start|>")[1:]]
    assert roles == ["user", "assistant"] * 3 + ["user", "assistant"]
    assert text[0].startswith("<|im_start|>user\nSay dull<|im_end|>\n<|im_start|>assistant\nbad<|im_end|>\n")
    assert text[0].endswith("a start<|im_end|>\n<|im_start|>user\nSay the end<|im_end|>\n<|im_start|>assistant\n")
    assert "system" not in text[0]
    assert text[1].startswith("<|im_start|>system\nbe good<|im_end|>\n<|im_start|>user\nSay dull<|im_end|>")
    assert text[1].count("system") == 1


def test_shots_are_text_before_a_text(tmp_path: Path) -> None:
    folder = chat_model(tmp_path / "model", template=None)
    tokenizer = tokenizer_for(folder)
    shots = [("dull", "bad"), ("a joy", "good")]
    for template, gap in (("{text}", "\n"), ("{text} =\n", "")):
        data = paired(folder, ["the end"], [["start"]], template=template, shots=shots)
        filled = [template.replace("{text}", text) + gap for text in ("dull", "a joy", "the end")]
        assert tokenizer.decode(source(data, 0)) == f"{filled[0]}bad\n\n{filled[1]}good\n\n{filled[2]}"
        assert tokenizer.decode(target(data, 0)) == "start<|im_end|>"


def test_long_shots_leave_the_asked_text_whole(tmp_path: Path) -> None:
    folder = chat_model(tmp_path / "model", template=None)
    tokenizer = tokenizer_for(folder)
    shots = [("dull film " * 90, "bad"), ("a joy " * 3, "good")]
    asked = ["the end " * 90 + "is it", "good"]
    data = paired(folder, asked, [["start"]] * 2, shots=shots, max_source=300, max_target=40)
    read = [tokenizer.decode(source(data, i)) for i in range(2)]
    assert (data.source_lengths <= 360).all()
    assert read[0].endswith(f"good\n\n{asked[0]}\n")
    assert 0 < read[0].count("dull") < read[1].count("dull")
    assert "a joy a joy a joy" in read[1]
    assert "bad\n\n" in read[0]
    with pytest.raises(NotApplicable, match="lower k"):
        paired(folder, asked, [["start"]] * 2, shots=[("dull", "bad")] * 400, max_source=300, max_target=40)


def test_only_a_plain_decoder_after_shots_stops_at_a_blank_line(tmp_path: Path) -> None:
    folder = chat_model(tmp_path / "model", template=None)
    decoder, tokenizer = (
        Facts.from_files({"config.json": (folder / "config.json").read_text()}),
        tokenizer_for(folder),
    )
    assert ends_at_a_blank_line(decoder, tokenizer, [("a", "b")])
    assert not ends_at_a_blank_line(decoder, tokenizer, [])
    assert not ends_at_a_blank_line(decoder, tokenizer, [("a", "b\n\nc")])
    tokenizer.chat_template = CHATML
    assert not ends_at_a_blank_line(decoder, tokenizer, [("a", "b")])


def test_a_chat_template_that_refuses_is_a_reason(tmp_path: Path) -> None:
    refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}x"
    folder = chat_model(tmp_path / "model", template=refusing)
    with pytest.raises(NotApplicable, match="refuses the conversation: no system here"):
        paired(folder, [TALK], [["good"]], max_source=200)


def test_conversations_are_read_from_data() -> None:
    talk = [turn._asdict() for turn in TALK]
    rows = [{"messages": [*talk, {"role": "assistant", "content": f"no {i}"}], "prompt": talk} for i in range(2)]
    table = datasets.Dataset.from_list([row | {"answer": ["yes", "aye"]} for row in rows])
    parameters = text_generation.Parameters()
    whole = text_generation.examples(table, {"messages": "messages"}, parameters, "here")
    assert list(whole.inputs) == [TALK, TALK]
    assert whole.targets == [["no 0"], ["no 1"]]
    both = text_generation.examples(table, {"prompt": "prompt", "answer": "answer"}, parameters, "here")
    assert list(both.inputs) == [TALK, TALK]
    assert both.targets == [["yes", "aye"]] * 2
    assert text_generation.baseline(TALK) == "the end?"
    assert text_generation.baseline("as it is") == "as it is"
    with pytest.raises(DataError, match="give messages alone under columns"):
        text_generation.examples(table, {"messages": "messages", "prompt": "prompt"}, parameters, "here")


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "row 0, column 'm': the last message must be by the assistant, found none"),
        ([("user", "a")], "found one by the user"),
        ([("assistant", "a")], "no answer to a user's message"),
        ([("user", "a"), ("assistant", " ")], "no answer to a user's message"),
        ([("user", "a"), ("robot", "b")], "message 1: expected {role, content}"),
        ([("user", "a"), ("system", "b"), ("assistant", "c")], "message 1: expected {role, content}"),
        ([("user", None), ("assistant", "b")], "message 0: expected {role, content}"),
    ],
)
def test_what_is_no_conversation_says_where(messages: list[tuple[str, str]], said: str) -> None:
    turns = datasets.List({"role": datasets.Value("string"), "content": datasets.Value("string")})
    rows = [{"m": [{"role": role, "content": content} for role, content in messages]}]
    table = datasets.Dataset.from_list(rows, datasets.Features({"m": turns}))
    with pytest.raises(DataError) as caught:
        text_generation.examples(table, {"messages": "m"}, text_generation.Parameters(), "here")
    assert said in str(caught.value)


def test_a_conversation_has_a_key_of_its_own() -> None:
    keys = {digest(value) for value in (TALK, TALK[1:], TALK[:2], ("a", "b"), "a", (Turn("a", "b"),))}
    assert len(keys) == 6
    assert digest(TALK) == digest(tuple(Turn(*turn) for turn in json.loads(json.dumps(TALK))))
    assert conversations.asked(TALK) == "the end?"
