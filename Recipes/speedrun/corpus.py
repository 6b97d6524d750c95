#!/usr/bin/env python3
"""Makes the text of Recipes/speedrun.yaml from packages of Debian: documentation, dictionaries and books under free licences.

    Recipes/speedrun/corpus.py            # writes runs/speedrun-data/corpus.jsonl and sources.md beside it

Packages are fetched with `apt-get download` and unpacked with `dpkg -x`: nothing is installed, and no root is needed. So it
needs Debian or Ubuntu (12 or 24.04, or later), python3 and about 2 GB of room for the time of unpacking. Elsewhere run it in a container
(`docker run --rm -v "$PWD:/swiftlet" debian:12 sh -c 'apt-get update && apt-get install -y python3 libreadline8 &&
/swiftlet/Recipes/speedrun/corpus.py'`), or give packages that you have: `--packages FOLDER` with the .deb files.

Another release has other versions, and so another text: sources.md tells which, with the checksum of the whole.
"""

import argparse
import collections
import glob
import gzip
import hashlib
import html.parser
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

# A document has at most about so many bytes, cut behind a paragraph, so that what is held out comes from every source.
LONGEST = 8000


def pages(*patterns, without=r"$^"):
    """Documents of HTML (or Mallard) files."""

    def read(folder):
        for pattern in patterns:
            for path in sorted(glob.glob(folder + "/usr/share/" + pattern, recursive=True)):
                if not re.search(without, path):
                    with open(path, encoding="utf-8", errors="replace") as file:
                        parser = PageText()
                        parser.feed(file.read())
                        parser.close()
                    yield parser.paragraphs()

    return read


class PageText(html.parser.HTMLParser):
    """Paragraphs and headings of a page, without code, tables and what leads to other pages."""

    SKIPPED = {"script", "style", "nav", "header", "footer", "pre", "table", "svg", "form", "dt", "info", "screen", "code-block"}
    BLOCKS = {"p", "li", "dd", "div", "blockquote", "section", "ul", "ol", "dl", "body", "item", "note", "hr"}
    HEADINGS = {"h1", "h2", "h3", "h4", "title"}
    FURNITURE = re.compile(
        r"sidebar|related|navheader|navfooter|footer|headerlink|\btoc|breadcrumb|docnav|highlight|legalnotice|copyright|menu"
        r"|page_header|topnav|seealso|versionmodified|literallayout|synopsis|refsynopsis|\bhidden")

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.result, self.text, self.heading = [], [], False
        self.skipped = None  # the name of the tag that is passed over, and how many of it are open

    def handle_starttag(self, tag, attributes):
        if self.skipped:
            if tag == self.skipped[0]:
                self.skipped[1] += 1
            return
        named = " ".join(value or "" for key, value in attributes if key in ("class", "id", "role"))
        if tag in self.SKIPPED or (tag not in ("body", "html", "p", "li") and self.FURNITURE.search(named)):
            if tag in self.SKIPPED:
                self.end()
            self.skipped = [tag, 1]
        elif tag in self.HEADINGS:
            self.end()
            self.heading = True
        elif tag in self.BLOCKS:
            self.end()
        elif tag == "br":
            self.text.append(" ")

    def handle_startendtag(self, tag, attributes):
        # A link of Mallard without a text: the sentence has a gap, so its paragraph is left out.
        if tag == "link" and not self.skipped:
            self.text.append("\ufffd")

    def handle_endtag(self, tag):
        if self.skipped:
            if tag == self.skipped[0]:
                self.skipped[1] -= 1
                if not self.skipped[1]:
                    self.skipped = None
        elif tag in self.BLOCKS or tag in self.HEADINGS:
            self.end()

    def handle_data(self, data):
        if not self.skipped:
            self.text.append(data)

    def end(self):
        text = "".join(self.text)
        if text.strip():
            self.result.append(("# " if self.heading else "") + text)
        self.text, self.heading = [], False

    def paragraphs(self):
        self.end()
        return self.result


def pod(pattern, without):
    """Documents of Perl's plain old documentation."""

    def read(folder):
        for path in sorted(glob.glob(folder + pattern)):
            if re.search(without, path):
                continue
            with open(path, encoding="utf-8", errors="replace") as file:
                parts = re.split(r"\n\s*\n", file.read())
            result = []
            for part in parts:
                if part.startswith((" ", "\t", "=for", "=begin", "=encoding", "=cut")):
                    continue
                heading = part.startswith("=head")
                part = re.sub(r"^=\w+\s*", "", part)
                for _ in range(3):
                    part = re.sub(r"L<(?:[^<>|]*\|)?([^<>]*)>", r"\1", part)
                    part = re.sub(r"[XZ]<[^<>]*>", "", part)
                    part = re.sub(r"E<(\w+)>", lambda m: {"lt": "<", "gt": ">"}.get(m[1], ""), part)
                    part = re.sub(r"[BCFIS](?:<< (.*?) >>|<([^<>]*)>)", lambda m: m[1] or m[2] or "", part)
                result.append(("# " if heading else "") + part)
            yield result

    return read


def novels(folder):
    """Vectors of lines in the records of an R data file."""
    paths = glob.glob(folder + "/usr/lib/R/site-library/*/data/Rdata.rdb")
    for path in paths:
        with open(path, "rb") as file:
            data = file.read()
        while len(data) > 4:
            record = zlib.decompressobj()
            content = record.decompress(data[4:])
            data = record.unused_data
            # Each string: its type, its length, its bytes (R Internals, section 1.8).
            lines, place = [], content.find(b"\0\4\0\x09")
            while 0 <= place < len(content) - 8 and content[place:place + 4] == b"\0\4\0\x09":
                count = struct.unpack(">I", content[place + 4:place + 8])[0]
                lines.append(content[place + 8:place + 8 + count].decode("utf-8", "replace"))
                place += 8 + count
            text = "\n".join(lines).replace("_", "").replace("--", " - ")
            yield re.split(r"\n\s*\n", text)


def bible(folder):
    """A document a chapter; the package's own reader unpacks its text."""
    try:
        output = subprocess.run(
            [folder + "/usr/bin/bible", "-l9999", "-p", folder + "/usr/lib", "Gen1:1-Rev22:21"], stdin=subprocess.DEVNULL,
            capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"corpus.py: the reader of the package bible-kjv does not run ({error}); install libreadline8 (apt-get install libreadline8)")
    for chapter in re.split(r"\n(?=[A-Z0-9][A-Za-z0-9 ]+ \d+\n)", output):
        title, _, verses = chapter.strip().partition("\n")
        # Verses one after the other make paragraphs of about 600 bytes.
        result, text = ["# " + title], ""
        for verse in re.findall(r"^\s*\d+ (.+)$", verses, re.M):
            text += verse.strip() + " "
            if len(text) > 600:
                result.append(text)
                text = ""
        yield result + [text]


def dictionary(name, share=1.0, least=200):
    """Entries of a dictionary of dictd; of a large one a share of them, by a checksum of the word."""

    def read(folder):
        with gzip.open(f"{folder}/usr/share/dictd/{name}.dict.dz", "rt", encoding="utf-8", errors="replace") as file:
            entries = re.split(r"\n+(?=\S)", file.read())
        group = []
        for entry in entries:
            word = entry.split("\n")[0][:80]
            if word.startswith("00-database") or zlib.crc32(word.encode()) % 1000 >= share * 1000:
                continue
            entry = re.sub(r"\\[^\\\n]*\\| /[^/ \n]+/(?=[,. ])|<[^<>]*>|\[[^\[\]]*\]|\(\d{4}-\d\d-\d\d\)", "", entry)
            entry = re.sub(r"[{}]|(?m:^\s*Note:)|(?<=\w)\*(?=\w)|--(?= )", "", entry)
            parts = [re.sub(r"\s+", " ", part).strip() for part in re.split(r"\n\s*\n", entry)]
            if sum(map(len, parts)) < least:
                continue
            if len(parts) > 1 and len(parts[0]) < 40:
                parts[1] = parts[0].rstrip(",. ") + ": " + parts[1]
                del parts[0]
            group += parts
            if sum(map(len, group)) > LONGEST / 2:
                yield group
                group = []
        yield group

    return read


def verse_and_prose(folder):
    """A dictionary that is read rather than looked into (Ambrose Bierce)."""
    for path in glob.glob(folder + "/usr/share/dictd/*.dict.dz"):
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
            yield re.split(r"\n\s*\n", file.read().replace("_", "").replace("--", " - "))


def wordnet(folder):
    """Words and their glosses; neighbours in the files are of one kind."""
    for part in ("noun", "verb", "adj", "adv"):
        group = []
        with open(f"{folder}/usr/share/wordnet/data.{part}", encoding="utf-8") as file:
            for line in file:
                if line.startswith(" "):
                    continue
                fields, _, gloss = line.partition(" | ")
                fields = fields.split()
                words = [fields[4 + 2 * i].replace("_", " ") for i in range(int(fields[3], 16))]
                words = [re.sub(r"\(.\)$", "", word) for word in words]
                group.append(f"{words[0]}{' (or ' + words[1] + ')' if len(words) > 1 else ''}: {gloss.strip().rstrip(';')}.")
                if len(group) == 40:
                    yield group
                    group = []
        yield group


def roguelike(folder):
    """What things and creatures of a game look like."""
    for path in sorted(glob.glob(folder + "/usr/share/crawl/dat/descript/*.txt")):
        with open(path, encoding="utf-8") as file:
            entries = re.split(r"(?m)^%%%%$", re.sub(r"(?m)^#.*$", "", file.read()))
        group = []
        for entry in entries:
            name, _, text = re.sub(r"(?s)\{\{.*?\}\}", "", entry).strip().partition("\n")
            parts = re.split(r"\n\s*\n", text.strip())
            if text.strip() and "<" not in text:
                group += ["# " + name] + parts
        yield group


Source = collections.namedtuple("Source", "package read licence")
# A package's name may end in a pattern of its version: the newest is taken. `licence` is of the texts that are taken, as the package's
# copyright file says.
SOURCES = [
    Source("r-cran-janeaustenr", novels, "the novels: public domain; the package: MIT"),
    Source("bible-kjv", bible, "the text: public domain; the package: GPL-2+"),
    Source("dict-gcide", dictionary("gcide", share=0.25, least=400), "GPL-1+"),
    Source("dict-foldoc", dictionary("foldoc"), "GFDL-1.1+, no invariant sections"),
    Source("dict-jargon", dictionary("jargon"), "public domain"),
    Source("dict-devil", verse_and_prose, "public domain"),
    Source("wordnet-base", wordnet, "WordNet 3.0"),
    Source("crawl-common", roguelike, "GPL-2+"),
    Source("debian-handbook", pages("doc/debian-handbook/html/en-US/*.html"), "GPL-2+ or CC-BY-SA-3.0"),
    Source("debian-reference-en", pages("debian-reference/*.en.html"), "GPL-2+"),
    Source("debian-policy", pages("doc/debian-policy/policy.html/*.html", "doc/debian-policy/fhs/*.html"), "GPL-2+"),
    Source("developers-reference", pages("developers-reference/*.html"), "GPL-2+"),
    Source("installation-guide-amd64", pages("doc/installation-guide-amd64/en/*.html"), "GPL-2"),
    Source("debian-faq", pages("doc/debian/FAQ/*.html"), "GPL-2+"),
    Source("debian-history", pages("doc/debian-history/docs/*.html", without=r"\.(?!en\.)\w\w(-\w\w)?\.html"), "GPL-2+"),
    Source("harden-doc", pages("doc/harden-doc/html/en-US/*.html"), "GPL-2"),
    Source("gnome-user-docs", pages("help/C/gnome-help/*.page"), "CC-BY-SA-3.0"),
    Source("libreoffice-help-en-us", pages("libreoffice/help/en-US/text/**/*.html"), "MPL-2.0"),
    Source("git-doc", pages("doc/git/html/**/*.html", "doc/git-doc/**/*.html", without="RelNotes"), "GPL-2"),
    Source("perl-doc", pod("/usr/share/perl/*/pod/*.pod", r"delta|perltoc|perluniprops|perlapi|perlcn|perljp|perlko|perltw|perlhist"), "GPL-1+ or Artistic"),
    Source("python3.*-doc", pages("doc/python3*/html/**/*.html", without=r"whatsnew/changelog|genindex|/_static|copyright|license"), "PSF-2"),
    Source("python-django-doc", pages("doc/python-django-doc/html/**/*.html", without="genindex|/_static"), "BSD-3-Clause"),
    Source("rust-doc", pages(
        *[f"doc/rust-doc/html/{book}/**/*.html" for book in (
            "book", "reference", "rust-by-example", "edition-guide", "nomicon", "embedded-book", "rustc", "rustdoc")],
        without=r"print\.html|first-edition|second-edition|2018-edition"), "MIT or Apache-2.0"),
    Source("c++-annotations-html", pages("doc/c++-annotations/html/*.html"), "GPL-2+"),
    Source("postgresql-doc-*", pages("doc/postgresql-doc-*/html/*.html", without=r"/release|biblio|bookindex|features-sql"), "PostgreSQL"),
    Source("sqlite3-doc", pages("doc/sqlite3/**/*.html", without="releaselog|/changes|news|chronology"), "public domain"),
    Source("apache2-doc", pages("doc/apache2-doc/manual/en/**/*.html"), "Apache-2.0"),
    Source("linux-doc-6.*", pages("doc/linux-doc*/html/**/*.html", without="/translations/|/hwmon/|genindex|/media/"), "GPL-2"),
]


def cleaned(paragraphs):
    """Prose alone, a paragraph a string; a heading stays if a paragraph follows it."""
    result, heading = [], None
    for paragraph in paragraphs:
        text = re.sub(r"[\s\u00a0\u200b\u00ad]+", " ", paragraph).replace("¶", "").strip()
        for odd, plain in (("“", '"'), ("”", '"'), ("’", "'"), ("‘", "'"), ("—", " - "), ("–", "-"), ("…", "..."), ("``", '"'), ("''", '"')):
            text = text.replace(odd, plain)
        if text.startswith("# "):
            title = re.sub(r"^(Chapter |Appendix )?[\dA-Z]*(\.\d+)*[.:]? (?=[A-Z])", "", text[2:]).strip()
            heading = title if 3 < len(title) < 80 and title.isascii() else None
            continue
        letters = sum(c.isalpha() or c == " " for c in text)
        words = re.findall(r"\b[a-z]{2,}\b", text)
        plain = sum(c.isascii() for c in text)
        if (
            len(text) < 40 or len(words) < 6 or text[-1] not in ".!?:;)\"'" or letters < 0.87 * len(text)
            or plain < 0.985 * len(text) or "\ufffd" in text
        ):
            continue
        if heading:
            result.append((heading, True))
            heading = None
        result.append((text, False))
    return result


def documents(paragraphs, seen):
    """What was not seen before, in documents of at most about LONGEST bytes."""
    document, size, lines = [], 0, []
    for text, is_heading in cleaned(paragraphs):
        if is_heading:
            lines.append(text)
            continue
        # Two paragraphs that differ in digits, signs and cases alone count as one.
        key = hashlib.blake2b(re.sub(r"[^a-z]+", "", text.lower()).encode(), digest_size=8).digest()
        if key in seen:
            lines = []
            continue
        seen.add(key)
        document += lines + [text]
        size += len(text)
        lines = []
        if size > LONGEST:
            yield "\n\n".join(document)
            document, size = [], 0
    if size >= 300:
        yield "\n\n".join(document)


def fetch(folder):
    """Downloads the packages; returns their names as this release has them."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        sys.exit("corpus.py: there is no apt-get here: use Debian or Ubuntu, or a container of it (see --help)")
    known = subprocess.run(["apt-cache", "pkgnames"], capture_output=True, text=True, check=True).stdout.split()
    names = []
    for source in SOURCES + [Source("bible-kjv-text", None, "")]:
        pattern = re.compile(re.escape(source.package).replace(r"\*", r"(\d+)") + "$")
        found = [(int(match[1]) if match.groups() else 0, name) for name in known if (match := pattern.match(name))]
        if not found:
            sys.exit(f"corpus.py: this release has no package {source.package}; run 'apt-get update' first, or use Debian 12")
        names.append(max(found)[1])
    subprocess.run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", *names], cwd=folder, check=True)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=os.path.join(here, "../../runs/speedrun-data"), help="folder of the text (runs/speedrun-data)")
    parser.add_argument("--packages", help="a folder of .deb files, instead of downloading")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="swiftlet-corpus-") as temporary:
        packages = options.packages or temporary
        if not options.packages:
            fetch(packages)
        rows, seen, lines, sizes = [], set(), [], [0, 0]
        for source in SOURCES:
            debs = sorted(glob.glob(f"{packages}/{source.package}_*.deb"))
            if not debs:
                sys.exit(f"corpus.py: there is no {source.package}_*.deb in {packages}")
            unpacked = os.path.join(temporary, "unpacked")
            texts = sorted(glob.glob(f"{packages}/bible-kjv-text_*.deb")) if source.read is bible else []
            for deb in debs[-1:] + texts:
                subprocess.run(["dpkg", "-x", deb, unpacked], check=True)
            count = size = 0
            for paragraphs in source.read(unpacked):
                for text in documents(paragraphs, seen):
                    lines.append(json.dumps({"text": text, "package": source.package}, ensure_ascii=False) + "\n")
                    count += 1
                    size += len(text.encode())
            shutil.rmtree(unpacked)
            if not count:
                sys.exit(f"corpus.py: found no text in {debs[-1]}; another version of the package may keep it elsewhere")
            name, version = os.path.basename(debs[-1]).split("_")[:2]
            rows.append(f"| {name} | {version.replace('%3a', ':')} | {source.licence} | {count} | {size / 1e6:.2f} |")
            print(rows[-1], flush=True)
            sizes = [sizes[0] + count, sizes[1] + size]
    # In an order of chance, so that any part of the file has something of everything.
    lines.sort(key=lambda line: hashlib.blake2b(line.encode()).digest())
    whole = "".join(lines).encode()
    path = os.path.join(options.out, "corpus.jsonl")
    with open(path + ".part", "wb") as file:
        file.write(whole)
    os.replace(path + ".part", path)
    checksum = hashlib.sha256(whole).hexdigest()
    table = "| package | version | licence of the text | documents | MB |\n|---|---|---|---|---|\n" + "\n".join(rows)
    table += f"\n| all | | | {sizes[0]} | {sizes[1] / 1e6:.2f} |\n\nsha256 of corpus.jsonl: {checksum}\n"
    with open(os.path.join(options.out, "sources.md"), "w", encoding="utf-8") as file:
        file.write(table)
    print(f"{os.path.relpath(path)}: {sizes[0]} documents, {sizes[1] / 1e6:.1f} MB, sha256 {checksum}")


if __name__ == "__main__":
    main()
