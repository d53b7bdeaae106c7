"""Features are those of the MLPerf reference, token for token."""

from __future__ import annotations

import hashlib
import random
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.benchmarks.bert import features, squad, vocabulary
from code.benchmarks.bert.features import Features, Settings
from code.benchmarks.bert.squad import Question, Squad
from code.common.errors import MissingError, UsageError

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
PIECES = [
    "un",
    "##aff",
    "##able",
    "who",
    "the",
    "nor",
    "##man",
    "##s",
    "resume",
    ",",
    ".",
    "?",
    "1",
    "##0",
    "##6",
    "東",
    "京",
    "οδος",
]
PIECES += ["##,", "a", "##b", "##c", "d", "e", "##f", "##5", "-"]


@pytest.fixture
def vocab(tmp_path: Path) -> vocabulary.Vocabulary:
    path = tmp_path / "vocab.txt"
    path.write_text("".join(f"{piece}\n" for piece in SPECIAL + PIECES), encoding="utf-8")
    return vocabulary.read(path)


def one(context: str, question: str) -> Squad:
    return Squad((context,), (Question("q", question, ("x",), 0),))


def tokens(built: Features, vocab: vocabulary.Vocabulary, row: int = 0) -> list[str]:
    return [vocab.pieces[piece] for piece in built.input_ids[row, : built.lengths[row]]]


def word_of_places(built: Features, row: int) -> dict[int, int]:
    """The reference's token_to_orig_map."""
    span = built.spans[row]
    first = int(span["sequence_first"])
    begin = int(built.document_offsets[span["paragraph"]]) + int(span["document_first"])
    return {first + n: int(built.document_words[begin + n]) for n in range(int(span["tokens"]))}


def max_context(built: Features, row: int) -> set[int]:
    width = built.input_ids.shape[1]
    return set(np.flatnonzero(np.unpackbits(built.max_context[row], count=width)).tolist())


def plain(data: Squad, vocab: vocabulary.Vocabulary, settings: Settings) -> list[dict[str, Any]]:
    """The rule, word by word and token by token, as slowly as it is written down (ASCII and accents only)."""

    def pieces_of(word: str) -> list[str]:
        letters = [c for c in unicodedata.normalize("NFD", word.lower()) if unicodedata.category(c) != "Mn"]
        spaced = "".join(f" {c} " if c in ",.?-" else c for c in letters)
        out: list[str] = []
        for part in spaced.split():
            found: list[str] = []
            rest = part
            while rest:
                for end in range(len(rest), 0, -1):
                    piece = ("##" if found else "") + rest[:end]
                    if piece in vocab.ids:
                        found.append(piece)
                        rest = rest[end:]
                        break
                else:
                    found, rest = ["[UNK]"], ""
            out += found
        return out

    out = []
    for number, question in enumerate(data.questions):
        query = [piece for word in question.text.split() for piece in pieces_of(word)][: settings.max_query_length]
        document = [(piece, n) for n, word in enumerate(data.contexts[question.paragraph].split()) for piece in pieces_of(word)]
        room = settings.max_seq_length - 3 - len(query)
        windows: list[tuple[int, int]] = []
        start = 0
        while start < len(document):
            size = min(room, len(document) - start)
            windows.append((start, size))
            if start + size == len(document):
                break
            start += min(size, settings.doc_stride)
        for number_of_window, (start, size) in enumerate(windows):
            sequence = ["[CLS]", *query, "[SEP]"]
            words, best = {}, set()
            for token in range(start, start + size):
                contexts = [min(token - s, s + n - 1 - token) + 0.01 * n if s <= token < s + n else -1.0 for s, n in windows]
                if contexts.index(max(contexts)) == number_of_window:
                    best.add(len(sequence))
                words[len(sequence)] = document[token][1]
                sequence.append(document[token][0])
            sequence.append("[SEP]")
            out.append({"question": number, "tokens": sequence, "words": words, "best": best, "query": len(query)})
    return out


def test_one_window(vocab: vocabulary.Vocabulary) -> None:
    built = features.build(one("The Normans, unaffable résumé.", "Who?"), vocab, Settings(24, 8, 6))
    assert tokens(built, vocab) == (
        ["[CLS]", "who", "?", "[SEP]", "the", "nor", "##man", "##s", ",", "un", "##aff", "##able", "resume", ".", "[SEP]"]
    )
    assert built.lengths.tolist() == [15]
    assert built.input_ids[0, 15:].tolist() == [0] * 9
    assert built.input_mask[0].tolist() == [1] * 15 + [0] * 9
    assert built.segment_ids[0].tolist() == [0] * 4 + [1] * 11 + [0] * 9
    assert word_of_places(built, 0) == {4: 0, 5: 1, 6: 1, 7: 1, 8: 1, 9: 2, 10: 2, 11: 2, 12: 3, 13: 3}
    assert max_context(built, 0) == set(range(4, 14))
    assert {array.dtype for array in (built.input_ids, built.input_mask, built.segment_ids, built.lengths)} == {np.dtype("int32")}


def test_what_is_no_word_gives_no_token(vocab: vocabulary.Vocabulary) -> None:
    built = features.build(one("the \u200b\u0301 東京 ΟΔΟΣ zzz", "who"), vocab, Settings(24, 8, 6))
    assert tokens(built, vocab) == ["[CLS]", "who", "[SEP]", "the", "東", "京", "οδος", "[UNK]", "[SEP]"]
    assert word_of_places(built, 0) == {3: 0, 4: 2, 5: 2, 6: 3, 7: 4}


def test_characters_newer_than_the_library_are_known(vocab: vocabulary.Vocabulary) -> None:
    # U+1ABF is an accent, U+2E43 and U+2E4F are punctuation; all were added to Unicode after 2015.
    built = features.build(one("th\u1abfe who\u2e4fthe who\u2e43the", "who"), vocab, Settings(24, 8, 6))
    assert tokens(built, vocab)[3:-1] == ["the", "who", "[UNK]", "the", "who", "[UNK]", "the"]


def test_special_pieces_in_a_text_are_only_text(vocab: vocabulary.Vocabulary) -> None:
    built = features.build(one("[SEP] the", "[CLS]"), vocab, Settings(24, 8, 6))
    assert tokens(built, vocab).count("[SEP]") == 2
    assert tokens(built, vocab).count("[CLS]") == 1


def test_a_long_question_is_cut(vocab: vocabulary.Vocabulary) -> None:
    built = features.build(one("the", "who who who who who who who who"), vocab, Settings(24, 8, 6))
    assert tokens(built, vocab) == ["[CLS]", *["who"] * 6, "[SEP]", "the", "[SEP]"]


def test_a_paragraph_without_a_token_gives_no_feature(vocab: vocabulary.Vocabulary) -> None:
    data = Squad(("\u200b", "the"), (Question("p", "who", ("x",), 0), Question("q", "who", ("x",), 1)))
    built = features.build(data, vocab, Settings(24, 8, 6))
    assert built.spans["question"].tolist() == [1]


@pytest.mark.parametrize("workers", [1, 3, None])
def test_windows_and_max_context_follow_the_rule(vocab: vocabulary.Vocabulary, workers: int | None) -> None:
    draw = random.Random(11)
    alphabet = ["the", "Normans,", "unaffable", "a", "abc", "1066", "zz", "d-e.f", "Résumé", "ef5", "1,5"]
    contexts = tuple(" ".join(draw.choices(alphabet, k=draw.randint(1, 60))) for _ in range(40))
    questions = tuple(
        Question(f"q{n}", " ".join(draw.choices(alphabet, k=draw.randint(1, 5))), ("x",), n // 2) for n in range(80)
    )
    data = Squad(contexts, questions)
    for settings in (Settings(24, 8, 6), Settings(30, 5, 10), Settings(16, 100, 4)):
        built = features.build(data, vocab, settings, workers)
        expected = plain(data, vocab, settings)
        assert len(expected) == len(built.lengths) > len(questions)
        for row, want in enumerate(expected):
            assert tokens(built, vocab, row) == want["tokens"]
            assert word_of_places(built, row) == want["words"]
            assert max_context(built, row) == want["best"]
            assert built.spans["question"][row] == want["question"]
            assert built.segment_ids[row].sum() == len(want["tokens"]) - want["query"] - 2


def test_settings_that_leave_no_room_are_refused() -> None:
    with pytest.raises(UsageError, match="leave no tokens"):
        Settings(max_seq_length=64, max_query_length=61)
    with pytest.raises(UsageError, match="leave no tokens"):
        Settings(doc_stride=0)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "a"], "is already on line 5"),
        (["[PAD]", "[UNK]", "[CLS]", "", "[SEP]"], "is empty"),
        (["[PAD]", "[UNK]", "[SEP]"], "it lacks the piece [CLS]"),
        (["[UNK]", "[PAD]", "[CLS]", "[SEP]"], "must be the first line"),
    ],
)
def test_a_file_that_is_no_vocabulary_is_refused(tmp_path: Path, lines: list[str], said: str) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        vocabulary.read(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"vocab\.txt"):
        vocabulary.read(tmp_path / "vocab.txt")


# SHA-256 of the arrays' bytes (little-endian). They were compared with the MLPerf reference's own features, every token, mask,
# segment, token_to_orig_map and token_is_max_context of all 10,833.
DEV_SET = {
    "input_ids": "b75291371c078f3114d60dfd077a761037b5869761c0414a49cdc7e8b051605c",
    "input_mask": "9634bbdf85592ffd5aab26166a5ec089638e9641bd30cb4e3116faaecd394cee",
    "segment_ids": "e3923a65eeb01663acb1500587984717b638ff0148421191b79eec1042d4ef87",
    "lengths": "3fe4f3dae9df14816777952c8c78d9908902ecd1f3e55186a263e2b3a49e75fc",
    "spans": "c9bc61d38465634b67b875d19afa098b819103d8e8f5f7397d107436df59ed6b",
    "max_context": "8a4f38bf4e36dcda97fcaf272829cb8723baaf1603f4ad6dba70f8e782e01bb0",
    "document_words": "c522ea244088567b433ddf127d10e0b61f8103fdfa17aafa1889e0d0efa8529c",
    "document_offsets": "ffb585a45b30133152d63ce08da94693ffba8d02780f6424816ae5159535dd25",
}


@pytest.mark.full
def test_the_whole_dev_set_is_the_reference_s(shared: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared / "data/squad/dev-v1.1.json.zip") as archive:
        archive.extract("dev-v1.1.json", tmp_path)
    real = vocabulary.read(shared / "data/bert_vocab/vocab.txt")
    assert len(real.pieces) == 30522
    built = features.build(squad.read(tmp_path / "dev-v1.1.json"), real)
    assert built.input_ids.shape == (10833, 384)
    digests = {name: hashlib.sha256(np.ascontiguousarray(getattr(built, name)).tobytes()).hexdigest() for name in DEV_SET}
    assert digests == DEV_SET
