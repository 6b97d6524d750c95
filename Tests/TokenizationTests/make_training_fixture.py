"""Makes Fixtures/training.json: vocabularies that `tokenizers` trains on small corpora, and what they make of texts.

    python make_training_fixture.py

Needs `tokenizers`. Two corpora: the mixed text of mixed_text.py, and words of few letters, where one token comes from several pairs
and most counts are equal.
"""

import json
import os
import random

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

import mixed_text
import oracle

HERE = os.path.dirname(os.path.abspath(__file__))


def train(pre, size, minimum, special, texts, by_line):
    tokenizer = Tokenizer(models.BPE(ignore_merges=pre == "llama-bpe"))
    tokenizer.pre_tokenizer = oracle.PRE_TOKENIZERS[pre]()
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=minimum, special_tokens=special, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    sequences = [line for text in texts for line in text.splitlines(keepends=True)] if by_line else texts
    tokenizer.train_from_iterator(sequences, trainer)
    return tokenizer


def lines(texts):
    """Whether Python and `tokenizers` agree on what a line is."""
    return [text for text in texts if text.splitlines() == text.removesuffix("\n").split("\n")]


def main():
    mixed = lines([text for text in mixed_text.texts(400, seed="training", newlines=True)][12:])
    mixed = [text for text in mixed if len(text) < 800][:220]
    r = random.Random(5)
    few = [" ".join("".join(r.choices("abc", k=r.randint(1, 14))) for _ in range(300))]
    runs = [" ".join("a" * r.randint(1, 20) + "b" * r.randint(0, 3) for _ in range(200))]
    corpora = {"mixed": mixed, "few letters": few, "runs": runs}
    cases = []
    for corpus, pre, size, minimum, special, by_line in [
        ("mixed", "gpt-2", 700, 0, ["<s>", "</s>"], False),
        ("mixed", "gpt-2", 700, 2, [], True),
        ("mixed", "smollm", 500, 2, ["<｜end▁of▁sentence｜>"], False),
        ("mixed", "llama-bpe", 600, 0, ["<s>", "the", "ing"], False),
        ("mixed", "qwen2", 100_000, 3, ["<s>"], False),
        ("mixed", "deepseek-llm", 500, 2, ["<s>"], False),
        ("mixed", "deepseek-coder", 500, 2, ["<s>"], False),
        ("mixed", "deepseek-v3", 800, 2, ["<s>"], False),
        ("few letters", "gpt-2", 900, 0, ["abc", "ba", "cab", "<s>"], False),
        ("few letters", "gpt-2", 100_000, 0, [], False),
        ("runs", "gpt-2", 100_000, 0, ["aaa"], False),
    ]:
        tokenizer = train(pre, size, minimum, special, corpora[corpus], by_line)
        model = json.loads(tokenizer.to_str())["model"]
        cases.append({
            "corpus": corpus, "preTokenizer": pre, "size": size, "minimumFrequency": minimum, "specialTokens": special,
            "byLine": by_line, "tokens": sorted(model["vocab"], key=model["vocab"].get), "merges": [" ".join(m) for m in model["merges"]],
            "ids": [tokenizer.encode(text, add_special_tokens=False).ids for text in corpora[corpus][:12]],
        })
    with open(os.path.join(HERE, "Fixtures", "training.json"), "w") as file:
        json.dump({"corpora": corpora, "cases": cases}, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
