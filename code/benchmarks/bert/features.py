"""Turns questions and paragraphs into BERT's input arrays: WordPiece, sliding windows, and the mapping back to words.

The rule is that of the MLPerf Inference reference (language/bert/create_squad_data.py): [CLS] question [SEP] window [SEP], at
most 384 tokens, a question of at most 64, and for longer paragraphs one feature per window of stride 128. It is computed here
on whole arrays: every distinct word is tokenised once by the `tokenizers` library, and the rest is gather operations.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from code.benchmarks.bert import facts
from code.benchmarks.bert.answer_text import basic_tokens
from code.benchmarks.bert.squad import Squad, words
from code.benchmarks.bert.vocabulary import UNKNOWN, Vocabulary
from code.common.errors import UsageError

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

# A feature's window: its source and its position in the sequence; one row per feature.
SPAN = np.dtype(
    [
        ("question", "<i4"),  # index into Squad.questions
        ("paragraph", "<i4"),  # index into Squad.contexts
        ("document_first", "<i4"),  # the window's first token, counted in the paragraph's tokens
        ("sequence_first", "<i4"),  # the same token's position in the sequence: question length + 2
        ("tokens", "<i4"),  # how many document tokens the window holds
    ]
)

_LONGEST_WORD = 100  # longer ones become [UNK], as in the reference's tokenizer
_CHUNK = 4096


@dataclass(frozen=True)
class Settings:
    """Feature settings; the defaults are MLPerf's."""

    max_seq_length: int = facts.MAX_SEQUENCE
    doc_stride: int = facts.DOC_STRIDE
    max_query_length: int = facts.MAX_QUESTION

    def __post_init__(self) -> None:
        capacity = self.max_seq_length - 3
        if self.doc_stride < 1 or self.max_query_length < 1 or self.max_query_length >= capacity:
            raise UsageError(
                f"these feature settings leave no tokens for a paragraph: {asdict(self)}",
                "a sequence holds the question, a window of the paragraph and three separators; a stride is at least 1",
                "use MLPerf's 384 / 128 / 64, or a max_query_length below max_seq_length - 3",
            )


@dataclass(frozen=True)
class Features:
    """The arrays of a data set of N features, P paragraphs and T paragraph tokens.

    Attributes:
        input_ids, input_mask, segment_ids: int32 [N, max_seq_length], padded with 0.
        lengths: int32 [N], the number of real tokens in each row.
        spans: `SPAN` [N].
        max_context: uint8 [N, ceil(max_seq_length / 8)], `numpy.packbits` of one bit per place: set where this feature shows
            the document token with the most context around it.
        document_words: int32 [T], the word index in its paragraph of every token of every paragraph.
        document_offsets: int64 [P + 1], where each paragraph begins in `document_words`.
    """

    input_ids: Ints
    input_mask: Ints
    segment_ids: Ints
    lengths: Ints
    spans: npt.NDArray[Any]
    max_context: npt.NDArray[np.uint8]
    document_words: Ints
    document_offsets: Longs


def build(squad: Squad, vocabulary: Vocabulary, settings: Settings | None = None, workers: int | None = None) -> Features:
    """All features of a data set, in the order of its questions and their windows.

    A paragraph without tokens gives no feature, as in the reference.

    Args:
        workers: threads that tokenise; None for every core.
    """
    settings = settings or Settings()
    contexts = [words(context) for context in squad.contexts]
    queries = [words(question.text) for question in squad.questions]
    pieces = _WordPieces([*contexts, *queries], vocabulary, workers)
    document, document_word, document_offsets = pieces.tokens(contexts)
    query, _, query_offsets = pieces.tokens(queries)

    paragraphs = np.array([question.paragraph for question in squad.questions], dtype=np.int64)
    query_lengths = np.minimum(np.diff(query_offsets), settings.max_query_length)
    spans = _spans(paragraphs, query_lengths, np.diff(document_offsets)[paragraphs], settings)

    question = spans["question"].astype(np.int64)
    first, tokens = spans["sequence_first"].astype(np.int64), spans["tokens"].astype(np.int64)
    lengths = first + tokens + 1
    rows = np.arange(len(spans))
    places = np.arange(settings.max_seq_length, dtype=np.int32)

    input_ids = np.zeros((len(spans), settings.max_seq_length), dtype=np.int32)
    input_ids[:, 0] = vocabulary.classify
    _copy(input_ids, np.ones_like(rows), query, query_offsets[question], query_lengths[question])
    input_ids[rows, first - 1] = vocabulary.separate
    _copy(input_ids, first, document, document_offsets[spans["paragraph"]] + spans["document_first"], tokens)
    input_ids[rows, lengths - 1] = vocabulary.separate

    real = places < lengths[:, None]
    after_query = places >= first[:, None]
    best = after_query & (places < (lengths - 1)[:, None])
    _keep_max_context(best, spans)
    return Features(
        input_ids=input_ids,
        input_mask=real.astype(np.int32),
        segment_ids=(real & after_query).astype(np.int32),
        lengths=lengths.astype(np.int32),
        spans=spans,
        max_context=np.packbits(best, axis=1),
        document_words=document_word,
        document_offsets=document_offsets,
    )


class _WordPieces:
    """The pieces of every distinct word, looked up by word.

    A word is tokenised on its own, so nothing around it can change its pieces, and a word that occurs a thousand times is
    tokenised once.
    """

    def __init__(self, texts: Sequence[list[str]], vocabulary: Vocabulary, workers: int | None) -> None:
        self._index: dict[str, int] = {}
        for text in texts:
            for word in text:
                self._index.setdefault(word, len(self._index))
        folded = [_folded(word) for word in self._index]
        distinct = list(dict.fromkeys(folded))
        pieces = dict(zip(distinct, _encode(_tokenizer(vocabulary), distinct, workers), strict=True))
        of_word = [pieces[word] for word in folded]
        self._counts = np.array([len(ids) for ids in of_word], dtype=np.int64)
        self._starts = np.cumsum(self._counts) - self._counts
        self._flat = np.array([piece for ids in of_word for piece in ids], dtype=np.int32)

    def tokens(self, texts: Sequence[list[str]]) -> tuple[Ints, Ints, Longs]:
        """All tokens of `texts` in a row: piece ids [T], each token's word index in its text [T], text offsets [len + 1]."""
        sizes = np.array([len(text) for text in texts], dtype=np.int64)
        flat = np.array([self._index[word] for text in texts for word in text], dtype=np.int64)
        counts = self._counts[flat]
        ids = self._flat[_ragged(self._starts[flat], counts)]
        word = np.repeat(_ragged(np.zeros_like(sizes), sizes), counts).astype(np.int32)
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        return ids, word, ends[np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])]


def _folded(word: str) -> str:
    """The normalised word on which its pieces depend.

    The library's tables of accents, punctuation and controls are from an old Unicode version, and it ignores that a sigma at a
    word's end is written differently; so the few non-ASCII words are cleaned here with Python's tables, as in the reference.
    """
    return word.lower() if word.isascii() else " ".join(basic_tokens(word))


def _tokenizer(vocabulary: Vocabulary) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    tokenizer = Tokenizer(WordPiece(vocabulary.ids, unk_token=UNKNOWN, max_input_chars_per_word=_LONGEST_WORD))
    tokenizer.normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


def _encode(tokenizer: Any, texts: list[str], workers: int | None) -> list[list[int]]:
    """The piece ids of each text, by `workers` threads; the library releases the GIL."""
    chunks = [texts[first : first + _CHUNK] for first in range(0, len(texts), _CHUNK)]

    def encode(chunk: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in tokenizer.encode_batch_fast(chunk, add_special_tokens=False)]

    with _without_own_threads(), ThreadPoolExecutor(max(1, workers or os.cpu_count() or 1)) as pool:
        return [ids for part in pool.map(encode, chunks) for ids in part]


@contextmanager
def _without_own_threads() -> Iterator[None]:
    """Disable the library's thread pool, so that `workers` threads are used."""
    name = "TOKENIZERS_PARALLELISM"
    before = os.environ.get(name)
    os.environ[name] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _spans(paragraphs: Longs, query_lengths: Longs, document_lengths: Longs, settings: Settings) -> npt.NDArray[Any]:
    """The windows of every question: as many of full size as needed, each `doc_stride` tokens further, the last one cut."""
    capacity = settings.max_seq_length - 3 - query_lengths
    step = np.minimum(capacity, settings.doc_stride)
    beyond = np.maximum(document_lengths - capacity, 0)
    windows = np.where(document_lengths > 0, 1 + -(-beyond // step), 0)
    question = np.repeat(np.arange(len(paragraphs)), windows)
    start = _ragged(np.zeros_like(windows), windows) * step[question]
    spans = np.empty(len(question), dtype=SPAN)
    spans["question"] = question
    spans["paragraph"] = paragraphs[question]
    spans["document_first"] = start
    spans["sequence_first"] = query_lengths[question] + 2
    spans["tokens"] = np.minimum(capacity[question], document_lengths[question] - start)
    return spans


def _keep_max_context(best: npt.NDArray[np.bool_], spans: npt.NDArray[Any]) -> None:
    """Clear the places of `best` (bool [N, S]) whose document token another window of the question shows with more context.

    Context is the smaller of the token counts left and right in the window, plus a hundredth of the window's length; the first
    window wins a draw.
    """
    question = spans["question"]
    firsts = np.flatnonzero(np.r_[True, question[1:] != question[:-1]]) if len(question) else np.empty(0, np.int64)
    ends = np.r_[firsts[1:], len(question)]
    for begin, end in zip(firsts, ends, strict=True):
        if end - begin < 2:
            continue
        windows = spans[begin:end]
        start = windows["document_first"].astype(np.int64)[:, None]
        count = windows["tokens"].astype(np.int64)[:, None]
        token = np.arange(int(start[-1, 0] + count[-1, 0]))
        left, right = token - start, start + count - 1 - token
        context = np.where((left >= 0) & (right >= 0), np.minimum(left, right) + 0.01 * count, -1.0)
        winner = context.argmax(axis=0)
        for row, window in enumerate(windows):
            first, size = int(window["document_first"]), int(window["tokens"])
            place = int(window["sequence_first"])
            best[begin + row, place : place + size] = winner[first : first + size] == row


def _ragged(starts: Longs, counts: Longs) -> Longs:
    """Concatenated ranges: start, start + 1, … (count values) for every pair."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()))


def _copy(into: Ints, places: Longs, source: Ints, starts: Longs, counts: Longs) -> None:
    """Copy `counts[n]` elements of `source` from `starts[n]` to row n of `into`, at `places[n]`."""
    at = np.arange(len(into)) * into.shape[1] + places
    into.reshape(-1)[_ragged(at, counts)] = source[_ragged(starts, counts)]
