"""Writes SQuAD v1.1 data sets about places and people that do not exist.

A paragraph speaks of one to several subjects, often two of one kind, states facts about them in changing words between
sentences that only distract, and every question asks for one fact of one subject: to answer it, a model must match the
question's subject and relation to the text and copy the value. Everything follows from a seed; nothing is learnt by heart,
because names and values are drawn anew for every paragraph. Lengths follow SQuAD v1.1's dev set.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from code.benchmarks.bert.tiny.facts import Kind, Sentence, kinds
from code.benchmarks.words import NAMES, PLACES, TYPES, WOMEN, Dice, town

GENERATOR_VERSION = 1
DEV_SEED = "dev"
QUESTIONS, FEATURES, ARTICLES = 10_570, 10_833, 48
MAX_SEQUENCE, STRIDE, MAX_QUERY, SPECIAL = 384, 128, 64, 3

# SQuAD v1.1 dev: context length in word pieces at these shares of paragraphs (measured), up to what fits in one window.
_LENGTHS = ((0.0, 24), (0.01, 38), (0.1, 92), (0.25, 113), (0.5, 142), (0.75, 182), (0.9, 238), (0.97, 290), (1.0, 344))
# Contexts of several windows: as in SQuAD, half of them just over one window, a few of five.
_LONG_LENGTHS = ((0.0, 366), (0.5, 440), (0.8, 580), (1.0, 800))
# Questions per paragraph: SQuAD's mean is 5.1, a few paragraphs have many.
_ASKED = ((0.0, 2), (0.15, 4), (0.6, 5), (0.85, 5.99), (0.97, 9), (1.0, 15))
_LEADS = ("According to old records, ", "By most accounts, ", "As far as anyone knows, ", "In the words of one guide, ",
          "For the record, ", "It is often said that ", "Visitors learn that ")  # fmt: skip

# The longest context and the room that a question is given beside a context of one window, in word pieces.
_LONGEST, _QUERY_ROOM = 820, 32

Count = Callable[[str], int]


@dataclass
class Subject:
    """Something a paragraph speaks of, with what is still unsaid about it."""

    kind: Kind
    name: str
    unsaid: list[Sentence]


@dataclass(frozen=True)
class Fact:
    """A stated value: text[start : start + len(answer)] == answer."""

    subject: Subject
    relation: str
    answer: str
    start: int


@dataclass
class Draft:
    """A paragraph being written."""

    text: str = ""
    pieces: int = 0
    facts: list[Fact] = field(default_factory=list)
    last: Subject | None = None


def _quantile(table: tuple[tuple[float, float], ...], share: float) -> float:
    for (low, a), (high, b) in itertools.pairwise(table):
        if share <= high:
            return a + (b - a) * (share - low) / (high - low)
    return table[-1][1]


def windows(context: int, question: int) -> int:
    """Features that a context of so many pieces gives for a question of so many, by BERT's sliding window."""
    capacity = MAX_SEQUENCE - SPECIAL - min(question, MAX_QUERY)
    start, count = 0, 1
    while context - start > capacity:
        start, count = start + min(STRIDE, capacity), count + 1
    return count


def _new_subject(dice: Dice, present: list[Subject]) -> Subject:
    every, _ = kinds()
    kind = dice.pick(present).kind if present and dice.chance(0.5) else dice.pick(every)
    name = NAMES[kind.name](dice)
    while any(name == other.name or (name.split()[-1] == other.name.split()[-1] and kind.name == "person") for other in present):
        name = NAMES[kind.name](dice)
    return Subject(kind, name, dice.shuffled(kind.sentences))


def _mention(dice: Dice, draft: Draft, subject: Subject, at_start: bool) -> str:
    """The subject's name, or, right after a sentence about it, sometimes a pronoun or its short form."""
    if at_start and draft.last is subject and dice.chance(0.22):
        female = subject.kind.name == "person" and _is_woman(subject.name)
        plain = "She" if female else subject.kind.pronoun
        return subject.kind.noun if subject.kind.noun != "-" and dice.chance(0.4) else plain
    if subject.kind.name == "person" and draft.last is not None and dice.chance(0.25) and subject.name in draft.text:
        return subject.name.split()[-1]
    return subject.name


def _is_woman(name: str) -> bool:
    return any(part in WOMEN for part in name.split())


def _render(dice: Dice, draft: Draft, subject: Subject | None, sentence: Sentence) -> tuple[str, list[tuple[str, int, int]]]:
    """The sentence with every slot filled, and (relation, start, end) of its values."""
    text, spans = sentence.parts[0], []
    lead = dice.pick(_LEADS) if subject is not None and not text and sentence.slots[0] == "S" and dice.chance(0.12) else ""
    text += lead
    for slot, after in zip(sentence.parts[1::2], sentence.parts[2::2], strict=True):
        if slot == "S":
            assert subject is not None
            value = _mention(dice, draft, subject, at_start=not text)
        else:
            kind = slot[1:] if slot.startswith("~") else subject.kind.types[slot] if subject else slot
            value = TYPES[kind](dice)
            if not slot.startswith("~"):
                spans.append((slot, *_answer_in(value, len(text))))
        after = after[1:] if value.endswith(".") and after == "." else after
        text += value + after
    return text[0].upper() + text[1:], spans


def _answer_in(value: str, offset: int) -> tuple[int, int]:
    """Where the answer in a value that begins at `offset` starts and ends: without quotes and article."""
    quoted = 1 if value.startswith('"') else 0
    article = 4 if value.startswith("the ") else 0
    return offset + quoted + article, offset + len(value) - quoted


def _add(dice: Dice, draft: Draft, subject: Subject | None, sentence: Sentence, count: Count, limit: int) -> bool:
    """Append the sentence unless the paragraph would exceed `limit` pieces."""
    text, spans = _render(dice, draft, subject, sentence)
    pieces = count(text)
    if draft.pieces + pieces > limit:
        return False
    offset = len(draft.text) + (1 if draft.text else 0)
    draft.text = f"{draft.text} {text}" if draft.text else text
    draft.pieces += pieces
    if subject is not None:
        for relation, start, end in spans:
            draft.facts.append(Fact(subject, relation, text[start:end], offset + start))
        said = sentence.relations
        subject.unsaid = [other for other in subject.unsaid if not other.relations & said]
    draft.last = subject
    return True


def write_paragraph(dice: Dice, target: int, limit: int, count: Count) -> Draft:
    """A paragraph of about `target` pieces, never more than `limit`, and the facts it states."""
    _, scenery = kinds()
    draft = Draft()
    subjects = [_new_subject(dice, [])]
    wanted = 1 + dice.below(2) + target // 90
    while draft.pieces < target:
        if len(subjects) < wanted and dice.chance(0.5):
            subjects.append(_new_subject(dice, subjects))
        if draft.facts and dice.chance(0.18):
            added = _add(dice, draft, None, dice.pick(scenery.sentences), count, limit)
        else:
            ready = [subject for subject in subjects if subject.unsaid]
            if not ready:
                wanted += 1
                subjects.append(_new_subject(dice, subjects))
                continue
            subject = draft.last if draft.last in ready and dice.chance(0.5) else dice.pick(ready)
            assert subject is not None
            added = _add(dice, draft, subject, subject.unsaid[0], count, limit)
        if not added:
            break
    return draft


def _questions(dice: Dice, draft: Draft, wanted: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for fact in dice.shuffled(draft.facts)[:wanted]:
        question = dice.pick(fact.subject.kind.questions[fact.relation]).replace("{S}", fact.subject.name)
        answers = [{"text": fact.answer, "answer_start": fact.start}]
        short = fact.answer.split()[-1 if fact.subject.kind.types[fact.relation] == "person" else 0]
        if len(short) < len(fact.answer) and fact.subject.kind.types[fact.relation] in ("money", "distance", "person"):
            at = fact.start + (len(fact.answer) - len(short) if fact.answer.endswith(short) else 0)
            answers.append({"text": short, "answer_start": at})
        yield question, answers


@dataclass(frozen=True)
class Paragraph:
    """A context with its questions in SQuAD's form, and for each the windows that it costs beyond the first."""

    context: str
    questions: list[dict[str, Any]]
    extra: list[int]


def paragraph(
    seed: str, index: int, count: Count, *, long: bool = False, longest: int | None = None, asked: int | None = None
) -> Paragraph:
    """Paragraph number `index` of the data set `seed`; `count` counts word pieces.

    `long` ones need several windows. Training may ask for shorter contexts than `longest` and for other than SQuAD's
    number of questions.
    """
    dice = Dice(f"{GENERATOR_VERSION}/{seed}/{'long' if long else 'short'}/{index}")
    target = int(_quantile(_LONG_LENGTHS if long else _LENGTHS, dice.fraction()))
    target = target if longest is None else min(target, dice.between(_LENGTHS[0][1], longest))
    draft = write_paragraph(dice, target, _LONGEST if long else MAX_SEQUENCE - SPECIAL - _QUERY_ROOM, count)
    entries: list[dict[str, Any]] = []
    extra: list[int] = []
    wanted = int(_quantile(_ASKED, dice.fraction()))
    for question, answers in _questions(dice, draft, wanted if asked is None else asked):
        identity = hashlib.sha256(f"{seed}/{long}/{index}/{len(entries)}".encode()).hexdigest()[:24]
        entries.append({"id": identity, "question": question, "answers": answers})
        extra.append(windows(draft.pieces, count(question)) - 1)
    return Paragraph(draft.text, entries, extra)


def _long_paragraphs(seed: str, count: Count, budget: int) -> list[Paragraph]:
    """Paragraphs whose questions cost exactly `budget` windows beyond one each."""
    chosen, index = [], 0
    while budget:
        whole = paragraph(seed, index, count, long=True)
        kept = []
        for entry, extra in zip(whole.questions, whole.extra, strict=True):
            if extra <= budget:
                kept.append((entry, extra))
                budget -= extra
        if kept:
            chosen.append(Paragraph(whole.context, [entry for entry, _ in kept], [extra for _, extra in kept]))
        index += 1
    return chosen


def data_set(seed: str, count: Count, questions: int, features: int, articles: int) -> dict[str, Any]:
    """A SQuAD v1.1 data set of exactly so many questions and features (windows), its paragraphs spread over `articles`."""
    paragraphs = _long_paragraphs(seed, count, features - questions)
    missing, index = questions - sum(len(p.questions) for p in paragraphs), 0
    while missing > 0:
        short = paragraph(seed, index, count)
        paragraphs.append(Paragraph(short.context, short.questions[:missing], short.extra[:missing]))
        missing, index = missing - len(short.questions), index + 1
    dice = Dice(f"{GENERATOR_VERSION}/{seed}/order")
    ordered = dice.shuffled(paragraphs)
    data = []
    for number in range(articles):
        part = ordered[number * len(ordered) // articles : (number + 1) * len(ordered) // articles]
        entries = [{"context": p.context, "qas": p.questions} for p in part]
        data.append({"title": f"{town(dice)}_{dice.pick(PLACES)}", "paragraphs": entries})
    return {"version": "1.1", "data": data}


def dev_set(count: Count) -> dict[str, Any]:
    """The evaluation set: 10,570 questions that give 10,833 features at 384/128/64, as SQuAD v1.1's dev set does."""
    return data_set(DEV_SEED, count, QUESTIONS, FEATURES, ARTICLES)
