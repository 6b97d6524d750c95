"""Deterministic text that is hard on tokenizers: English, Chinese, other scripts, code, emoji, combining marks, controls,
all kinds of whitespace, numbers of many scripts, long runs of one class, and added tokens whole, broken and glued."""

import random

WORDS = (
    "the of and to in is that for it as was with be by on not he his but at are this have from or had an they which one you "
    "were all her she there would their we him been has when who will no more if out so up said what its about than into them "
    "can only other time new some could these two may first then do any like my now over such our man me even most made after "
    "also did many off before must well back through years much where your way down should because long each just state those "
    "people too Mr how little good world make very year still see own work men day get here old life both between being under "
    "three never know same last another while us might great go come since against right came take used himself few house "
    "Internationalization antidisestablishmentarianism naïve café résumé coöperate Ångström straße İstanbul ﬁnance ﬆop"
).split()
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "'Ve", "'M", "'LL", "'D", "'ſ", "’s", "'", "''", "'x", "'l", "'r"]
HAN = (
    "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生自会那后能对着事其里所去行过家十用发天如然作方成者多日都三小军二无同么经法当起与好看学进种将还分此心前面又定见只主没公从"
    "深度求索推理模型语言训练龘靐齉鿰㐀䶵〇〆々龥龦鿿"
)
SCRIPTS = [
    (0x3041, 0x3096), (0x30A0, 0x30FF), (0x3099, 0x309C), (0x31F0, 0x31FF), (0xAC00, 0xD7A3), (0x1100, 0x11FF), (0x0E01, 0x0E5B),
    (0x0900, 0x097F), (0x0980, 0x09FE), (0x0B80, 0x0BFA), (0x0600, 0x06FF), (0x0750, 0x077F), (0x0591, 0x05F4), (0x0370, 0x03FF),
    (0x1F00, 0x1FFE), (0x0400, 0x052F), (0x10A0, 0x10FF), (0x0530, 0x058F), (0x1200, 0x137C), (0x13A0, 0x13FD), (0x0F00, 0x0FDA),
    (0x1780, 0x17F9), (0x1000, 0x109F), (0x00A0, 0x024F), (0x0250, 0x02FF), (0x1E00, 0x1EFF), (0x2C00, 0x2DFF), (0xA640, 0xA7CA),
    (0xAB30, 0xABBF), (0xFB00, 0xFB4F), (0xFF00, 0xFFEF), (0x10400, 0x104FF), (0x10C80, 0x10CFF), (0x1D400, 0x1D7FF),
    (0x20000, 0x2A6DF), (0x3400, 0x4DBF), (0xF900, 0xFAFF), (0x2000, 0x206F), (0x2070, 0x214F), (0x2190, 0x2BFF), (0x3000, 0x303F),
]
EMOJI = [
    "😀", "🤖", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇨🇳", "🇩🇪🇫🇷", "❤️", "☺", "✅", "🧑🏿‍🚀", "0️⃣", "🫠", "🪿", "🐍", "🦙", "🐋", "™️", "©",
]
NUMBERS = ["0", "1", "9", "42", "007", "1234567890", "3.14", "½", "Ⅷ", "①", "٣", "५", "²", "〇", "𝟘", "٠١٢٣٤", "零", "৪২", "㊿", "1e-9"]
SPACES = [" ", "  ", "   ", "\t", "\t\t", "\r", "\r\r", " \r", "\u00a0", "\u2003", "\u3000", "\u2028", "\u2029", "\u0085", "\v", "\f",
          "\u1680", "\u202f", "\u200a ", " \u3000 "]
CONTROLS = ["\x00", "\x01", "\x04", "\x06", "\x07", "\x08", "\x13", "\x1b[0m", "\x7f", "\x80", "\x9f", "\u00ad", "\u200b", "\u200c",
            "\u200d", "\u200e", "\u202e", "\u2060", "\ufeff", "\ufffd", "\ufffe", "\uffff", "\ue000", "\U000e0001", "\U000f0000",
            "\U0010ffff", "\u0378", "\U0001d173", "\ufe0f", "\u034f", "\u115f", "\u3164"]
PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + ["...", "—", "“", "”", "‘", "，", "。", "！", "？", "《", "》", "、", "…", "¿", "§",
                                                             "€", "¥", "≤", "→", "«", "==", "!=", "->", "://", "**", "//", "/*", "*/", "||", "＂", "～"]
MARKS = [chr(c) for c in (*range(0x300, 0x315), 0x327, 0x328, 0x338, 0x345, 0x35C, 0x483, 0x5B0, 0x64B, 0x93C, 0x93E, 0x94D, 0xE31,
                          0xE34, 0x1AB0, 0x20D0, 0x20E3, 0x3099, 0x302A, 0xFE20, 0x1D165)]
CODE = [
    "def {a}(self, {b}: int = {n}) -> str:", "    return f\"{{{a}}}: {{{b}!r}}\\n\"", "for (int {a} = 0; {a} < {n}; ++{a}) {{", "}}",
    "\tif err := {a}.{b}(); err != nil {{", "let {a}: [{b}]? = nil // {w}", "#include <{a}/{b}.h>", "SELECT {a}, {b} FROM {w} WHERE id={n};",
    "<div class=\"{a}-{b}\" id='{n}'>{w}</div>", "{a}_{b}={n}&{w}%20", "        self.{a}[{n}:-1] += {b} ** {n}  # {w}",
    "https://{a}.example.org/{b}?q={n}#{w}", "{{\"{a}\": {n}, \"{b}\": [null, true, \"{w}\"]}}", "$({a} | grep -E '^{b}+$' > /tmp/{w}.{n})",
    "{a}::{b}<{w}>&& x = {a}->{b}[{n}];", "camelCase{w}HTTPServer{n} snake_{a}_{b} SCREAMING_{w}", "\\begin{{{a}}} $x_{{{n}}}^2$ \\end{{{a}}}",
]


def _english(r):
    words = []
    for _ in range(r.randint(1, 14)):
        word = r.choice(WORDS)
        case = r.random()
        word = word.upper() if case < 0.06 else word.capitalize() if case < 0.2 else word
        if r.random() < 0.12:
            word += r.choice(CONTRACTIONS)
        if r.random() < 0.15:
            word += r.choice(PUNCTUATION)
        words.append(word)
    return r.choice([" ", " ", " ", " ", "  "]).join(words)


def _scalars(r, first, last, count):
    return "".join(chr(c) for c in (r.randint(first, last) for _ in range(count)) if not 0xD800 <= c < 0xE000)


def _code(r):
    line = r.choice(CODE).format(a=r.choice(WORDS), b=r.choice(WORDS), w=r.choice(WORDS), n=r.choice(NUMBERS))
    return " " * r.choice([0, 0, 2, 4, 7, 8, 16]) + line


def _marked(r):
    return "".join(r.choice("aeiouAEoO가だ的 ก.1") + "".join(r.choices(MARKS, k=r.choice([0, 1, 1, 2, 3]))) for _ in range(r.randint(1, 9)))


def _anything(r):
    text = ""
    while not text:
        text = _scalars(r, 0, r.choice([0x7F, 0xFF, 0x2FFF, 0xFFFF, 0x1FFFF, 0x10FFFF]), r.randint(1, 9))
    return text


def _script(r):
    return _scalars(r, *r.choice(SCRIPTS), r.randint(1, 12))


def _symbols(r):
    pool = r.choice([EMOJI, NUMBERS, SPACES, CONTROLS, PUNCTUATION, PUNCTUATION, NUMBERS])
    return "".join(r.choices(pool, k=r.randint(1, 5)))


def _added(r, added):
    token = r.choice(added)
    kind = r.random()
    if kind < 0.6:
        return token
    cut = r.randint(0, len(token))
    return token[:cut] if kind < 0.7 else token[cut:] if kind < 0.8 else token[:cut] + token if kind < 0.9 else token + token[cut:]


def _run(r):
    unit = r.choice([r.choice("aZ .-=_0'\t的あé́ก한\u200d\x00½！、ø"), r.choice(WORDS), r.choice(EMOJI), r.choice(["ab", " a", "\r ", "'s", "1a", "的 ", "!a"])])
    return unit * r.choice([10, 63, 64, 65, 100, 100, 300, 1000])


def fragment(r, added):
    kind = r.random()
    if kind < 0.30:
        return _english(r)
    if kind < 0.42:
        return "".join(r.choices(HAN, k=r.randint(1, 25))) + r.choice(["，", "。", "", "", "？"])
    if kind < 0.54:
        return _code(r)
    if kind < 0.64:
        return _script(r)
    if kind < 0.78:
        return _symbols(r)
    if kind < 0.85:
        return _marked(r)
    if kind < 0.91:
        return _anything(r)
    if kind < 0.975 and added:
        return _added(r, added)
    return _run(r) if r.random() < 0.2 else _english(r)


def text(r, added, newlines=False):
    """One text of a few fragments, without line feeds unless they are asked for."""
    separators = ["", "", " ", " ", *SPACES] + (["\n", "\n\n", "\r\n", " \n", "\n  ", "\n"] if newlines else [])
    parts = []
    for _ in range(r.choice([1, 1, 1, 2, 2, 3, 4])):
        parts += [fragment(r, added), r.choice(separators) if r.random() < 0.5 else ""]
    joined = "".join(parts)
    return joined if newlines else joined.replace("\n", " ")


def texts(count, added=(), seed=0, newlines=False):
    """`count` texts, a few of them runs of one class of up to 200,000 scalars."""
    r = random.Random(seed)
    added = [token for token in added if "\n" not in token]
    long_runs = [unit * n for unit, n in [("a", 200_000), (" ", 100_000), ("0", 50_000), ("!", 50_000), ("的", 30_000), ("é", 30_000),
                                          ("\u0301", 20_000), ("\x01", 20_000), ("😀", 20_000), ("ab", 50_000), ("\t", 50_000), ("'s", 30_000)]]
    for index in range(count):
        if index < len(long_runs):
            yield long_runs[index] + r.choice(["", "x", " ", "1"])
        else:
            yield text(r, added, newlines)
