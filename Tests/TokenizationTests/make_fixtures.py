"""Makes Fixtures/: for every pre-tokenizer a vocabulary cut down to its bytes and first merges, as tokenizer.json, and what
`tokenizers` makes of texts that are hard on it.

    python make_fixtures.py --llama-cpp DIR --smollm FILE.gguf --deepseek-v3 tokenizer.json

DIR is llama.cpp's source, whose models/ hold vocabulary-only GGUF files. Needs `tokenizers` and `gguf`.
"""

import argparse
import json
import os

from tokenizers import AddedToken, Tokenizer, normalizers

import mixed_text
import oracle

HERE = os.path.dirname(os.path.abspath(__file__))
MERGES = 3500
GENERATED = 260

HAND_WRITTEN = [
    "", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\r\n\r\n", " \n", "\n ", "\t\n\t", " \r\n  x", "a\n", "a\n\n\nb", "a \n b", "   \n\n   ", "a  ", " a", "  a",
    "   a", "\ta", "\t\ta", "a\u00a0b", "a\u3000b", "\u3000\u3000的", "  的", "的  ", " 。", "a\u2028b", "Hello, world!", "Hello,world", "I'm you're he'LL we'Ve 'Tis 'S 'ſ x'd",
    "''s", "' s", "'", "'re", "'rE", "'r", "can't've", "3.14159", "1234567890", "1 2  3   4", "１２３", "½¾①Ⅷ", "a1b22c333d4444", "٣٤٥٦", "+1-2*3/4=5", "$100 €5 ¥7",
    "foo_bar-baz.qux", "!important ?what .dot -dash _under", "!!important", "a!b", " !a", "(a)", "((a))", "a->b", "x+=1;\n", "if (x) {\n\treturn;\n}\n", "//comment\n", "...\n\n...", "!\n\n!",
    "!\r\n\r\n", "深度求索", "深度 求索", "深度，求索。", "R1模型和V3模型", "ひらがなカタカナ漢字", "ア゠イ・ウ", "゠", "か\u3099き\u309a", "゛゜", "\u3040\u3097あ\u3098", "ー・ー", "한국어 텍스트", "ภาษาไทย",
    "हिन्दी में", "العربية", "עִבְרִית", "Ελληνικά", "Русский язык", "ÀÉÎõü", "e\u0301e\u0301", "\u0301", " \u0301", "a\u0301\u0302\u0303b", "Å\u212bA\u030a", "ﬁ ﬂ ﬆ", "ſtraße", "İi̇ıI", "😀", " 😀",
    "👩‍👩‍👧‍👦!", "🇨🇳🇩🇪", "1️⃣2️⃣", "\u200b\u200c\u200d", "\u200ba", "a\u200b", "\u200b\u200ba", "\u200b \u200b", "\x00", "\x00a", "\x00\x01", "\x00 \x00", "\x04\x06\x13", "a\x04b", "\x7f\x80\x9f", "\ufeffBOM",
    "\ufffd", "\uffff", "\U0010ffff", "\ue000\ue001a", "\u0378", "\u0378\u0379的", "的\u0378", "1\u200b1", "\u200b1", "的\u200b的", "‘quoted’ “text”", "a‘b", "《书》", "~～", "：；", "ø ö ú", "÷", "héllo naïve", "ℌℐ K Ω",
    "𝒳𝓎 𝟙𝟚", "𐐀𐐨", "𠀀𠀁", "㐀㐁", "龥龦", "ࠀ", "豈", "ꙮ", "ᏣᎳᎩ", "Ⴀა", "<", "<<", "<|", "<｜", "a<b>c", "\t", "\v\f", "\u0085", " \u0085a", "\r", "\r\r", "a\rb", "    def f(x):\n        return x  # 注释\n",
    " " * 63 + "x", " " * 64, " " * 65 + "\n", "a" * 64, "a" * 65, "ab" * 100, "0" * 100, "!" * 100, "的" * 70, "\n" * 70, "\t" * 70 + "x", "\u0301" * 70, "é" * 70, "😀" * 30, "'s" * 40,
]


def truncate(pre, tokens, merges, added):
    """The bytes' tokens, the results of the first merges, then the added tokens."""
    present = set(tokens)
    kept = [t for t in tokens if len(t) == 1 and (t, False) not in added]
    order = set(kept)
    used = []
    for left, right in merges[:MERGES]:
        assert left in present and right in present
        if left in order and right in order:
            used.append((left, right))
            if left + right not in order:
                order.add(left + right)
                kept.append(left + right)
    tokenizer = oracle.build(pre, kept, used, added)
    return tokenizer


def write(name, tokenizer):
    added = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    tokenizer.save(os.path.join(HERE, "Fixtures", f"{name}.tokenizer.json"), pretty=False)
    texts = list(HAND_WRITTEN)
    for token in added[:8]:
        texts += [token, f"a{token}b", f" {token} ", token + token, token[:-1], token[1:], f"\n{token}\n\n{token}1"]
    texts += [t for t in mixed_text.texts(GENERATED + 12, added, seed=name, newlines=True)][12:]
    cases = []
    for text in texts:
        case = {"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids}
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = False
        if plain != case["ids"]:
            case["plain"] = plain
        if tokenizer.normalizer is not None:
            normalizer, tokenizer.normalizer = tokenizer.normalizer, normalizers.Sequence([])
            case["raw"] = tokenizer.encode(text, add_special_tokens=False).ids
            tokenizer.normalizer = normalizer
            if case["raw"] == case["ids"]:
                del case["raw"]
        # In scalars.
        case["pieces"] = [end - start for _, (start, end) in tokenizer.pre_tokenizer.pre_tokenize_str(text)]
        cases.append(case)
    with open(os.path.join(HERE, "Fixtures", f"{name}.cases.json"), "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama-cpp", required=True)
    parser.add_argument("--smollm", required=True)
    parser.add_argument("--deepseek-v3", required=True)
    arguments = parser.parse_args()
    for name in ("gpt-2", "smollm", "llama-bpe", "qwen2", "deepseek-llm", "deepseek-coder"):
        path = arguments.smollm if name == "smollm" else f"{arguments.llama_cpp}/models/ggml-vocab-{name}.gguf"
        pre, tokens, merges, types = oracle.read_gguf(path)
        assert pre == name
        added = [(t, k != 4) for t, k in zip(tokens, types) if k in (2, 3, 4) and not t.startswith("[PAD")][:24]
        ordinary = [t for t, k in zip(tokens, types) if k == 1]
        tokenizer = truncate(pre, ordinary, merges, added)
        if name == "qwen2":
            tokenizer.normalizer = normalizers.NFC()
        write(name, tokenizer)
    with open(arguments.deepseek_v3) as file:
        whole = json.load(file)
    model = whole["model"]
    tokenizer = truncate("deepseek-v3", sorted(model["vocab"], key=model["vocab"].get), [m.split(" ") for m in model["merges"]], [])
    for token in whole["added_tokens"]:
        if "place" not in token["content"]:
            entry = AddedToken(token["content"], special=token["special"], normalized=token["normalized"])
            (tokenizer.add_special_tokens if token["special"] else tokenizer.add_tokens)([entry])
    tokenizer.add_tokens([AddedToken("<word>", single_word=True), AddedToken("<both>", lstrip=True, rstrip=True)])
    write("deepseek-v3", tokenizer)


if __name__ == "__main__":
    main()
