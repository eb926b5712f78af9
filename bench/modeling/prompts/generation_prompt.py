"""What a model reads before it writes: a filled template or a conversation, and examples with their answers before it.

A decoder with a chat template reads turns, the examples as earlier ones. Any other model reads text: each example's
source, a newline, its answer and a blank line; then what is asked, and the newline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from bench.errors import NotApplicable
from bench.modeling.models.facts import Facts
from bench.modeling.models.generation_models import writer
from bench.modeling.prompts import conversations, fill_template
from bench.modeling.prompts import few_shot_examples as examples
from bench.modeling.prompts.conversations import Source, Turn

Shot: TypeAlias = tuple[Source, str]
Open: TypeAlias = tuple[Callable[[str], Source], str]
"""What puts a text into its source, and the text, which may still be cut."""


def chats(facts: Facts, tokenizer: Any) -> bool:
    """Whether the model reads turns."""
    return writer(facts) == "decoder" and tokenizer.chat_template is not None


def ends_at_a_blank_line(facts: Facts, tokenizer: Any, shots: Sequence[Shot]) -> bool:
    """Whether the answer ends at a blank line: what a model writes after it is an example of its own."""
    alone = writer(facts) == "decoder" and not chats(facts, tokenizer)
    return alone and bool(shots) and not any(examples.BLANK in answer for _, answer in shots)


def prompted(
    tokenizer: Any, sources: Sequence[Source], template: str, chat: bool, most: int, shots: Sequence[Shot], longest: int
) -> list[str]:
    """The prompts, cut at the ends of what is asked; of a conversation its first exchanges go before that.

    most: tokens of one source, a shot's too; longest: tokens of the whole prompt.
    """
    build = partial(_turns, tokenizer, template) if chat else partial(_text, template)
    alone: Callable[[Source], str] = partial(build, ())
    sources = _cut(tokenizer, sources, alone, most)
    if not shots:
        return [alone(source) for source in sources]
    own = _cut(tokenizer, [source for source, _ in shots], alone, most)
    answers = [answer for _, answer in shots]
    return _after(tokenizer, build, list(map(_open, own)), answers, list(map(_open, sources)), longest)


def wrapped(
    tokenizer: Any,
    sources: Sequence[Source],
    around: Sequence[tuple[str, str]],
    chat: bool,
    most: int,
    shots: Sequence[Shot],
    longest: int,
) -> list[str]:
    """As `prompted`, of texts. around: (before, after) each of them, then each of the shots."""
    build = partial(_turns, tokenizer, "{text}") if chat else partial(_text, "{text}")

    def fill(before: str, after: str, text: str) -> Source:
        return before + text + after

    def alone(own: Callable[[str], Source], text: str) -> str:
        return build((), own(text))

    fills = [partial(fill, before, after) for before, after in around]
    wraps = [partial(alone, own) for own in fills]
    texts = [conversations.asked(source) for source in (*sources, *(source for source, _ in shots))]
    cut = fill_template.cut(tokenizer, texts, wraps, most) if tokenizer.is_fast else texts
    if not shots:
        return [wrap(text) for wrap, text in zip(wraps, cut, strict=True)]
    opened, answers = list(zip(fills, cut, strict=True)), [answer for _, answer in shots]
    return _after(tokenizer, build, opened[len(sources) :], answers, opened[: len(sources)], longest)


def _open(source: Source) -> Open:
    return partial(conversations.asking, source), conversations.asked(source)


def _after(
    tokenizer: Any,
    build: Callable[[Sequence[Shot], Source], str],
    shots: Sequence[Open],
    answers: Sequence[str],
    asked: Sequence[Open],
    longest: int,
) -> list[str]:
    """What is asked after the shots, each prompt cut to `longest` tokens, the shots first."""

    def after(fill: Callable[[str], Source], cut: Sequence[str], text: str) -> str:
        before = [own(words) for (own, _), words in zip(shots, cut, strict=True)]
        return build(list(zip(before, answers, strict=True)), fill(text))

    texts, found = [text for _, text in shots], []
    for fill, text in asked:
        whole = partial(after, fill)
        fitted = examples.fit(tokenizer, texts, whole, [text], longest)
        found.append(whole(*fitted[0]))
    return found


def _cut(tokenizer: Any, sources: Sequence[Source], build: Callable[[Source], str], most: int) -> list[Source]:
    if all(isinstance(source, str) for source in sources):
        return list(
            fill_template.cut(tokenizer, [str(s) for s in sources], build, most) if tokenizer.is_fast else sources
        )
    return [_cut_one(tokenizer, source, build, most) for source in sources]


def _cut_one(tokenizer: Any, source: Source, build: Callable[[Source], str], most: int) -> Source:
    while not isinstance(source, str) and len(tokenizer(build(source), verbose=False)["input_ids"]) > most:
        fewer = conversations.later(source)
        if fewer == source:
            break
        source = fewer
    whole = partial(conversations.asking, source)
    text = conversations.asked(source)
    return whole(
        fill_template.cut(tokenizer, [text], lambda cut: build(whole(cut)), most)[0] if tokenizer.is_fast else text
    )


def _filled(template: str, source: Source) -> Source:
    return conversations.asking(source, template.replace("{text}", conversations.asked(source)))


def _text(template: str, shots: Sequence[Shot], source: Source) -> str:
    def words(one: Source) -> str:
        filled = _filled(template, one)
        return filled if isinstance(filled, str) else conversations.plain(filled)

    def gap(text: str, one: Source) -> str:
        return "" if text.endswith("\n") else "\n" if isinstance(one, str) else " "

    before = []
    for shot, answer in shots:
        read = words(shot)
        before.append(read + gap(read, shot) + answer + examples.BLANK)
    last = words(source)
    return "".join(before) + last + (gap(last, source).strip(" ") if shots else "")


def _turns(tokenizer: Any, template: str, shots: Sequence[Shot], source: Source) -> str:
    import jinja2

    def turns(one: Source) -> list[Turn]:
        filled = _filled(template, one)
        return [Turn("user", filled)] if isinstance(filled, str) else list(filled)

    last = turns(source)
    start = 1 if last[0].role == "system" else 0  # one system's turn, what is asked has it
    whole = last[:start]
    for shot, answer in shots:
        whole += [turn for turn in turns(shot) if turn.role != "system"] + [Turn("assistant", answer)]
    messages = [turn._asdict() for turn in whole + last[start:]]
    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    except jinja2.TemplateError as error:
        raise NotApplicable(f"the model's chat template refuses the conversation: {error}") from error
