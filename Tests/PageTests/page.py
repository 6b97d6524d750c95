"""Drives the chat page and the dashboard of `swiftlet serve` in a real browser, with the small real model: one check a capability.

    python3 Tests/PageTests/page.py --swiftlet .build/release/swiftlet [--model smollm2] [--chromium /usr/bin/chromium] [check …]

Needs the package playwright (`make page-tests` installs it) and a Chromium.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import traceback

from playwright.sync_api import sync_playwright

from support import CHECKS, FAILED, LONG, PHONE, Server, check, eventually, give, visit


@check
def an_answer_is_streamed_and_counted(browser, server):
    with visit(browser, server.url) as visitor:
        page = visitor.page
        assert page.is_visible("#empty") and page.locator(".starter").count() == 4
        visitor.set(temperature=0)
        visitor.ask("What is the capital of France?")
        assert "Paris" in visitor.answer(), visitor.answer()
        numbers = page.inner_text(".of-model .numbers")
        assert "tokens/s" in numbers and " s" in numbers and "$" not in numbers, numbers
        assert not page.is_visible("#empty")
        assert page.inner_text("#title") == "What is the capital of France?"
        assert "France" in page.inner_text("#chats [aria-current]")
        # It is read out.
        assert "Paris" in page.inner_text("#announcements")
        # A starter fills the field, and nothing is sent yet.
        page.click("#new-chat")
        page.locator(".starter").first.click()
        assert page.input_value("#prompt") and page.locator(".message").count() == 0


@check
def stopping_keeps_what_there_is(browser, server):
    with visit(browser, server.url) as visitor:
        page = visitor.page
        for way in ["button", "key"]:
            page.click("#new-chat")
            visitor.ask(LONG, waits=False)
            page.wait_for_function("() => document.querySelector('.of-model .bubble .text').innerText.length > 40")
            assert page.get_attribute("#send", "aria-label") == "Stop"
            if way == "button":
                page.click("#send")
            else:
                page.keyboard.press("Escape")
            visitor.wait()
            text = visitor.answer()
            assert len(text) > 40
            assert "You stopped this answer." in page.inner_text(".of-model .notice")
            eventually(lambda: server.metric("swiftlet_batch_size") == 0, 10)
        page.click(".notice button:has-text('Go on')")
        page.wait_for_function("n => document.querySelector('.of-model .bubble .text').innerText.length > n + 20", arg=len(text))
        page.keyboard.press("Escape")
        visitor.wait()
        assert page.locator(".of-model").count() == 1 and visitor.answer().startswith(text[:40])


@check
def chats_outlive_page_and_browser(browser, server):
    with visit(browser, server.url) as visitor:
        visitor.ask("Name three colours.")
        answer, address = visitor.answer(), visitor.page.url
        visitor.reload()
        assert visitor.answer() == answer
    # Another browser, which remembers nothing.
    with visit(browser, server.url) as visitor:
        visitor.page.click("#chats a:has-text('Name three colours.')")
        visitor.page.wait_for_selector(".of-model")
        assert visitor.answer() == answer and visitor.page.url == address


@check
def what_is_written_outlives_the_page(browser, server):
    with visit(browser, server.url) as visitor:
        visitor.page.fill("#prompt", "half a thou")
        visitor.reload()
        assert visitor.page.input_value("#prompt") == "half a thou"
        # In another chat there is something else in the field.
        visitor.ask("Say hi.")
        visitor.page.fill("#prompt", "for this chat")
        visitor.page.click("#new-chat")
        assert visitor.page.input_value("#prompt") == ""
        visitor.page.click("#chats a:has-text('Say hi.')")
        visitor.page.wait_for_selector(".of-model")
        assert visitor.page.input_value("#prompt") == "for this chat"


@check
def editing_and_asking_again_make_branches(browser, server):
    with visit(browser, server.url) as visitor:
        page = visitor.page
        visitor.set(maxTokens=60)
        visitor.ask("What is the capital of France?")
        first = visitor.answer()
        visitor.ask("And of Italy?")
        page.locator(".of-user").first.hover()
        page.locator(".of-user [data-action=edit]").first.click()
        page.fill(".editor-field", "What is the capital of Spain?")
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.querySelectorAll('.message').length === 2")
        visitor.wait()
        assert "2 / 2" in page.inner_text(".of-user .versions")
        second = visitor.answer()
        assert second != first
        page.click(".of-user [data-action=previous]")
        page.wait_for_function("() => document.querySelectorAll('.message').length === 4")
        assert visitor.answer(0) == first and "1 / 2" in page.inner_text(".of-user .versions")
        # An answer beside the last one.
        page.locator(".of-model [data-action=again]").last.click()
        visitor.wait()
        assert "2 / 2" in page.locator(".of-model .versions").inner_text()
        visitor.reload()
        assert page.locator(".message").count() == 4 and page.locator(".versions").count() == 2
        page.click(".of-user [data-action=next]")
        page.wait_for_function("() => document.querySelectorAll('.message').length === 2")
        assert visitor.answer() == second


@check
def three_languages(browser, server):
    for locale, tag, new_chat in [("zh-TW", "zh-Hant", "新對話"), ("zh-CN", "zh-Hans", "新对话"), ("de-DE", "en", "New chat")]:
        with visit(browser, server.url, locale=locale) as visitor:
            assert visitor.page.get_attribute("html", "lang") == tag
            assert visitor.page.inner_text("#new-chat") == new_chat
    with visit(browser, server.url) as visitor:
        page = visitor.page
        visitor.ask("Say hi.")
        page.select_option("#language", "zh-Hant")
        assert page.inner_text("#new-chat") == "新對話"
        assert page.get_attribute("#prompt", "placeholder") == "輸入訊息"
        assert page.get_attribute(".of-model [data-action=again]", "aria-label") == "重新回答"
        visitor.reload()
        assert page.get_attribute("html", "lang") == "zh-Hant"
        # Every language has every word.
        lacking = page.evaluate("""async () => {
          const { languages } = await import('/page/languages.js');
          const keys = Object.keys(languages.en.words);
          return Object.entries(languages).flatMap(([tag, { words }]) => keys.filter((key) => !words[key]).map((key) => `${tag}: ${key}`));
        }""")
        assert lacking == [], lacking


@check
def a_phone(browser, server):
    with visit(browser, server.url, **PHONE) as visitor:
        page = visitor.page

        def fits():
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the screen"

        fits()
        assert not page.is_visible("#sidebar")
        page.tap("#menu")
        assert page.is_visible("#sidebar")
        fits()
        # The drawer keeps the focus, and Escape closes it.
        assert page.evaluate("document.querySelector('main').inert")
        page.keyboard.press("Escape")
        assert not page.is_visible("#sidebar")
        page.fill("#prompt", "Write a Python function that adds two numbers.")
        page.tap("#send")
        page.wait_for_selector(".of-model[aria-busy=false]", timeout=120_000)
        fits()
        # There is one Enter on the screen, for a new line.
        page.tap(".of-user [data-action=edit]")
        page.fill(".editor-field", "Write")
        page.press(".editor-field", "Enter")
        assert page.input_value(".editor-field") == "Write\n"
        page.tap(".editor .button")
        page.tap("#menu")
        page.tap("#chats a >> nth=0")
        assert not page.is_visible("#sidebar")
        page.tap("#settings")
        assert page.is_visible("dialog")
        fits()


@check
def nothing_becomes_markup(browser, server):
    attack = "<img src=x onerror=\"alert('hacked')\"><script>alert('hacked')</script><svg onload=alert(1)>"
    markdown = "\n\n".join([
        attack, "[click](javascript:alert(1)) [data](data:text/html,hi) ![pic](https://evil.example/p.png)", "<https://ok.example/>", f"`{attack}`",
        f"```html\n{attack}\n```", f"| {attack} |\n|---|\n| {attack} |", f"$\\text{{{attack}}}$ $\\{attack}$ $\\constructor \\__proto__$", f"# {attack}",
        f"> - {attack}", "[x](https://e.example/\"onmouseover=alert(1))", "[y](https://e.example 'onclick=alert(1)')",
    ])
    server.keep_chat("attack", attack, [
        ("user", attack, {"files": [{"name": attack, "text": attack}]}),
        ("assistant", markdown, {"model": attack, "finish": "stop", "usage": {"completion": attack}}),
        ("assistant", markdown, {"error": {"kind": "server", "status": 400, "text": attack}, "model": attack}),
    ])
    with visit(browser, server.url, "/#attack", allowed=("TrustedHTML",)) as visitor:
        page = visitor.page
        page.wait_for_selector(".of-model")
        assert page.locator("#messages img, #messages script, #messages svg [onload], #messages iframe, #chats img").count() == 0
        attributes = page.evaluate(
            "[...document.querySelectorAll('*')].flatMap((node) => [...node.attributes].map((a) => a.name)).filter((name) => /^on/.test(name))")
        assert attributes == []
        addresses = page.eval_on_selector_all("#messages a", "links => links.map((link) => [link.href, link.rel])")
        assert addresses and all(url.startswith("https://") and "noopener" in rel for url, rel in addresses), addresses
        assert "onerror" in page.inner_text("#messages")
        # What the visitor sends, and names files.
        page.set_input_files("#file-input", {"name": attack.replace("/", "_"), "mimeType": "text/plain", "buffer": attack.encode()})
        page.wait_for_selector("#attached li")
        visitor.set(maxTokens=60)
        visitor.ask(attack)
        page.click("#chats [aria-current] >> xpath=../button")
        page.click("[role=menuitem]:has-text('Rename')")
        page.fill("dialog input", attack)
        page.press("dialog input", "Enter")
        page.fill("#search", "<img")
        page.wait_for_selector("#chats .excerpt")
        assert page.locator("#sidebar img").count() == 1
        # Inline code is refused by the browser too.
        blocked = page.evaluate("""() => new Promise((resolve) => {
          addEventListener('securitypolicyviolation', (event) => resolve(event.violatedDirective));
          try { document.body.innerHTML = '<b>x</b>'; resolve('allowed'); } catch { resolve('refused'); }
        })""")
        assert blocked == "refused", blocked


@check
def answers_are_shown_without_tags(browser, server):
    answers = ["<answer>**913**</answer>\n", "<answer>91", "Write <answer> first."]
    server.keep_chat("tags", "Tags", [(role, text, {"finish": "stop"}) for answer in answers for role, text in [("user", "Sum."), ("assistant", answer)]])
    with visit(browser, server.url, "/#tags") as visitor:
        page = visitor.page
        page.wait_for_selector(".of-model")
        assert page.locator(".of-model .bubble").all_inner_texts() == ["913", "91", "Write <answer> first."]
        assert page.locator(".of-model strong").count() == 1
        visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.locator(".of-model [data-action=copy]").first.click()
        assert page.evaluate("navigator.clipboard.readText()") == "**913**"


@check
def markdown_and_mathematics(browser, server):
    text = "\n\n".join([
        "# Title", "Some **bold**, *slanted*, ~~gone~~ and `code`; **粗體**字。 It costs $5 or $10.", "1. one\n   - inner\n2. two", "> quoted",
        "| a | b |\n|:--|--:|\n| 1 | `x|y` |", "```python\ndef f(x):\n    return x  # twice\n```", "Inline $a^2+b_1$ and \\(\\frac{1}{2}\\).",
        "$$\\int_0^1 \\sqrt{x}\\,dx = \\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}$$", "\\[ \\unknowncommand{x} \\]", "- [x] done", "---",
    ])
    server.keep_chat("markdown", "Markdown", [("user", "Show.", {}), ("assistant", text, {"finish": "stop"})])
    with visit(browser, server.url, "/#markdown") as visitor:
        page = visitor.page
        page.wait_for_selector(".of-model")
        expected = {
            "h3": 1, "strong": 2, "em": 1, "del": 1, "ol > li": 2, "ol ul > li": 1, "blockquote": 1, "td": 2, "th": 2, "pre": 1, "math": 3, "mfrac": 1,
            "mtable": 1, "msqrt": 1, ".math-source": 1, "input[type=checkbox]": 1, "hr": 1, ".code-keyword": 2, ".code-comment": 1,
        }
        found = {selector: page.locator(f".of-model .bubble {selector}").count() for selector in expected}
        assert found == expected, found
        assert "$5 or $10" in page.inner_text(".of-model")
        assert page.evaluate("document.querySelector('math').namespaceURI") == "http://www.w3.org/1998/Math/MathML"
        visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.click(".copy-button")
        page.wait_for_selector(".copy-button:has-text('Copied')")
        assert page.evaluate("navigator.clipboard.readText()") == "def f(x):\n    return x  # twice"


@check
def any_text_is_shown(browser, server):
    # Pieces of Markdown and TeX in any order, and what makes careless parsers slow.
    with visit(browser, server.url) as visitor:
        problems = visitor.page.evaluate("""async () => {
          const { showMarkdown } = await import('/page/markdown.js');
          const pieces = ['*', '**', '_', '`', '```', '$', '$$', '\\\\(', '\\\\)', '\\\\[', '\\\\]', '[', '](', ')', 'https://x.yz', '|', '|-|', '\\n', '\\n\\n', '- ', '1. ',
            '> ', '# ', '~~', '<br>', '&amp;', '\\\\frac', '{', '}', '^', '_', '&', '\\\\\\\\', '\\\\begin{pmatrix}', '\\\\end{pmatrix}', '\\\\left(', '\\\\right)', '\\\\sqrt', 'a', '字', ' ', '    ', '---', '\\\\text{'];
          let state = 7;
          const random = (count) => (state = (state * 48271) % 2147483647) % count;
          const problems = [];
          const node = document.createElement('div');
          for (let round = 0; round < 3000; round += 1) {
            const text = Array.from({ length: 1 + random(40) }, () => pieces[random(pieces.length)]).join('');
            try { showMarkdown(node, text); } catch (error) { problems.push(`${JSON.stringify(text)}: ${error}`); }
          }
          const hard = ['*', '[', '$', '`', '**a', '_a*', '[a](', '\\\\(', '$a', '~~', '> ', '- ', '|', '\\\\frac{', '<', '&', '# ', '\\n', '\\n- a\\n', '\\n\\\\[', '![', '(', '** ', '$$', 'https://', '1. a\\n'];
          for (const piece of hard) {
            const start = performance.now();
            try { showMarkdown(document.createElement('div'), piece.repeat(10000)); } catch (error) { problems.push(`${piece}: ${error}`); }
            const time = performance.now() - start;
            if (time > 5000) problems.push(`${JSON.stringify(piece)} took ${Math.round(time)} ms`);
          }
          return problems;
        }""")
        assert problems == [], "\n".join(problems[:20])


@check
def thoughts_are_folded(browser, server):
    with tempfile.TemporaryDirectory() as data:
        thinker = Server(server.command, server.model, data, "--template", "deepseek-r1")
        try:
            with visit(browser, thinker.url) as visitor:
                page = visitor.page
                visitor.set(thinking="256", maxTokens=300)
                visitor.ask("Why is the sky blue?", waits=False)
                page.wait_for_selector(".thought[open].thinking")
                page.wait_for_function("() => /Thinking · [0-9.]+ s · [0-9]+ token/.test(document.querySelector('.thought-caption').textContent)")
                visitor.wait()
                assert page.locator(".thought[open]").count() == 0
                assert page.inner_text(".thought-caption").startswith("Thought · ")
                page.click(".thought summary")
                assert page.is_visible(".thought-text")
        finally:
            thinker.stop()


@check
def thinking_is_offered_where_it_can_be(browser, server):
    with tempfile.TemporaryDirectory() as data:
        thinker = Server(server.command, server.model, data, "--template", "deepseek-r1")
        try:
            [listed] = [model for model in thinker.request("GET", "/v1/models")[1]["data"] if "root" not in model]
            with visit(browser, thinker.url) as visitor:
                page = visitor.page
                bodies = []
                page.on("request", lambda request: bodies.append(json.loads(request.post_data)) if request.url.endswith("/chat/completions") else None)
                think = page.get_by_role("button", name="Think", exact=True)
                assert think.count() == 1 and think.get_attribute("aria-pressed") == "true"
                visitor.set(thinking="1024", maxTokens=5)
                visitor.ask("Say hi.")
                assert bodies[-1]["thinking"] == {"type": "enabled", "budget_tokens": 1024}
                think.click()
                assert think.get_attribute("aria-pressed") == "false" and "Thinking: off" in page.inner_text("#settings-summary")
                visitor.ask("Say ho.")
                assert bodies[-1]["thinking"] == {"type": "disabled"}
        finally:
            thinker.stop()
    # A model that cannot, beside one that the server tells of as that one did.
    [plain] = [model for model in server.request("GET", "/v1/models")[1]["data"] if "root" not in model]
    both = {"object": "list", "data": [plain, {**listed, "id": "thinker"}]}
    with visit(browser, server.url) as visitor:
        page = visitor.page
        bodies = []
        page.on("request", lambda request: bodies.append(json.loads(request.post_data)) if request.url.endswith("/chat/completions") else None)
        think = page.get_by_role("button", name="Think", exact=True)
        assert not page.is_visible("#think") and think.count() == 0
        page.route("**/v1/models", lambda route: route.fulfill(json=both))
        page.evaluate("import('/page/models.js').then((module) => module.loadModelsAgain())")
        page.wait_for_selector("#model option[value=thinker]", state="attached")
        assert not page.is_visible("#think")
        page.select_option("#model", "thinker")
        assert think.count() == 1 and think.get_attribute("aria-pressed") == "true"
        visitor.set(thinking="256")
        assert "Thinking: 256 tokens" in page.inner_text("#settings-summary")
        for language, text in [("zh-Hant", "思考"), ("zh-Hans", "思考"), ("en", "Think")]:
            page.select_option("#language", language)
            assert page.is_visible("#think") and page.inner_text("#think") == text
        # The other one shows nothing of it, and what was chosen stays for the first.
        page.select_option("#model", server.name)
        assert not page.is_visible("#think") and page.inner_text("#settings-summary") == ""
        for language in ["zh-Hant", "zh-Hans", "en"]:
            page.select_option("#language", language)
            assert not page.is_visible("#think")
        page.click("#settings")
        assert page.locator("dialog [data-setting]").count() > 3 and page.locator("dialog [data-setting=thinking]").count() == 0
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog", state="detached")
        visitor.set(maxTokens=5)
        page.select_option("#model", "thinker")
        assert think.count() == 1 and "Thinking: 256 tokens" in page.inner_text("#settings-summary")
        # It may write a thought all the same, which what was chosen bounds.
        for chosen, sent in [("max", None), ("off", {"type": "disabled"}), ("256", {"type": "enabled", "budget_tokens": 256})]:
            page.select_option("#model", "thinker")
            visitor.set(thinking=chosen)
            page.select_option("#model", server.name)
            visitor.ask("Say hi.")
            assert bodies[-1]["model"] == server.name and bodies[-1].get("thinking") == sent, bodies[-1]
        page.select_option("#model", "thinker")
        assert think.count() == 1 and "Thinking: 256 tokens" in page.inner_text("#settings-summary")
        # Where the model goes while the button has the focus, the focus goes to the field.
        both["data"].pop()
        page.focus("#think")
        page.evaluate("import('/page/models.js').then((module) => module.loadModelsAgain())")
        page.wait_for_selector("#think", state="hidden")
        assert page.evaluate("document.activeElement.id") == "prompt"


@check
def settings_reach_the_model(browser, server):
    with visit(browser, server.url) as visitor:
        page = visitor.page
        bodies = []
        page.on("request", lambda request: bodies.append(json.loads(request.post_data)) if request.url.endswith("/chat/completions") else None)
        visitor.set(system="Answer in one word.", temperature=0, maxTokens=5)
        assert "Temperature 0" in page.inner_text("#settings-summary")
        page.set_input_files("#file-input", {"name": "notes.txt", "mimeType": "text/plain", "buffer": "Swifts ```rarely``` land.".encode()})
        page.wait_for_selector("#attached li:has-text('notes.txt')")
        page.set_input_files("#file-input", {"name": "picture.png", "mimeType": "image/png", "buffer": b"\x89PNG\x00\xff"})
        page.wait_for_selector("#composer-problem:has-text('picture.png is not a text file')")
        visitor.ask("What is in the file?")
        body = bodies[-1]
        assert body["temperature"] == 0 and body["max_tokens"] == 5 and body["stream"] is True
        assert body["messages"][0] == {"role": "system", "content": "Answer in one word."}
        content = body["messages"][1]["content"]
        assert content.startswith("notes.txt:\n````\nSwifts ```rarely``` land.\n````") and content.endswith("What is in the file?"), content
        assert "limit of tokens" in page.inner_text(".of-model .notice")
        page.click(".notice button:has-text('Go on')")
        visitor.wait()
        assert bodies[-1]["messages"][-1]["prefix"] is True
        # A new chat keeps all but the system prompt.
        page.click("#new-chat")
        assert "System" not in page.inner_text("#settings-summary") and "Temperature 0" in page.inner_text("#settings-summary")


@check
def json_mode(browser, server):
    with visit(browser, server.url) as visitor:
        page = visitor.page
        visitor.set(maxTokens=200, temperature=0)
        page.click("#json")
        assert page.get_attribute("#json", "aria-pressed") == "true"
        visitor.ask("Give me a JSON object with the name and the capital of France.")
        assert isinstance(json.loads(page.inner_text(".of-model pre")), dict)
        assert page.inner_text(".of-model figcaption span").startswith("json")
        # What is kept is the model's own text.
        kept = []

        def is_kept():
            kept[:] = server.request("GET", "/api/chats/" + page.url.split("#")[1])[1]["messages"][1:]
            return kept and kept[0]["details"]["finish"] == "stop"

        eventually(is_kept, 10)
        assert json.loads(kept[0]["content"]) == json.loads(page.inner_text(".of-model pre"))
        visitor.reload()
        assert page.locator(".of-model pre .code-string, .of-model pre .code-keyword").count() > 0
        # No object fits into one token: the server refuses, and without JSON the same message is answered.
        visitor.allowed = FAILED
        visitor.set(maxTokens=1)
        visitor.ask("And of Italy?")
        assert "max_tokens" in page.inner_text(".of-model:last-child .notice.bad")
        page.click("#json")
        page.click(".of-model:last-child .notice button:has-text('Try again')")
        page.wait_for_selector(".of-model .notice.bad", state="detached")
        visitor.wait()
        assert visitor.answer() and page.locator(".of-model").count() == 2 and page.locator(".of-model pre").count() == 1


@check
def the_keyboard_is_enough(browser, server):
    server.keep_chat("keys", "Reached by keys", [("user", "Hello", {}), ("assistant", "Hello.", {"finish": "stop"})])
    with visit(browser, server.url) as visitor:
        page = visitor.page
        focused = lambda: page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
        page.keyboard.press("Tab")
        assert focused() == "skip"
        page.keyboard.press("Enter")
        assert focused() == "prompt", focused()
        page.keyboard.type("Say hi.")
        page.keyboard.press("Shift+Enter")
        assert page.input_value("#prompt") == "Say hi.\n"
        page.keyboard.press("Enter")
        page.wait_for_selector(".of-model[aria-busy=false]", timeout=120_000)
        page.keyboard.press("Control+k")
        assert focused() == "search"
        page.keyboard.type("Reached by")
        page.wait_for_function("() => document.querySelectorAll('#chats li').length === 1")
        for _ in range(2):
            page.keyboard.press("Tab")
            if "Reached by keys" in focused():
                break
        page.keyboard.press("Enter")
        page.wait_for_function("() => location.hash === '#keys'")
        # The menu of a chat.
        page.focus("#chats li button")
        page.keyboard.press("Enter")
        eventually(lambda: focused() == "Rename", 5)
        page.keyboard.press("ArrowDown")
        assert focused() == "Save as Markdown"
        page.keyboard.press("End")
        assert focused() == "Delete"
        page.keyboard.press("Enter")
        assert focused() == "Cancel"
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog", state="detached")
        page.keyboard.press("Control+Shift+O")
        assert focused() == "prompt" and page.locator(".message").count() == 0
        # Everything that can be reached has a name, and shows that it has the focus.
        page.keyboard.press("Control+k")
        for _ in range(25):
            page.keyboard.press("Tab")
            state = page.evaluate("""() => {
              const node = document.activeElement;
              if (node === document.body) return null;
              const style = getComputedStyle(node), frame = node.closest('#composer') ? getComputedStyle(node.closest('#composer')) : style;
              return { name: node.getAttribute('aria-label') || node.textContent.trim() || node.labels?.[0]?.textContent || node.placeholder,
                isShown: style.outlineStyle !== 'none' || node.id === 'prompt' && frame.borderColor !== '' };
            }""")
            assert state is None or (state["name"] and state["isShown"]), state


@check
def choosing_a_character_is_no_command(browser, server):
    with visit(browser, server.url) as visitor:
        page = visitor.page

        def press(selector, key):
            # As browsers tell of a key while a character is chosen, and Safari of the one that ended it.
            for state in [{"isComposing": True}, {"keyCode": 229}]:
                page.evaluate("""([selector, init]) => document.querySelector(selector)
                  .dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, cancelable: true, ...init }))""", [selector, {"key": key, **state}])

        visitor.ask(LONG, waits=False)
        page.wait_for_function("() => document.querySelector('.of-model .bubble .text').innerText.length > 40")
        press("#prompt", "Escape")
        page.fill("#search", "bird")
        press("#search", "ArrowDown")
        press("#search", "Escape")
        assert page.evaluate("document.activeElement.id") == "search" and page.input_value("#search") == "bird"
        page.wait_for_timeout(300)
        assert page.locator("[aria-busy=true]").count() == 1
        page.fill("#search", "")
        page.keyboard.press("Escape")
        visitor.wait()
        page.locator(".of-user [data-action=edit]").click()
        press(".editor-field", "Enter")
        press(".editor-field", "Escape")
        assert page.is_visible(".editor-field") and page.locator(".message").count() == 2


@check
def chats_are_found_renamed_saved_and_deleted(browser, server):
    server.keep_chat("found", "About swifts", [("user", "Where do 雨燕 sleep?", {}), ("assistant", "They sleep on the wing.", {"finish": "stop"})])
    with visit(browser, server.url) as visitor:
        page = visitor.page
        for text in ["on the WING", "雨燕", "about swifts"]:
            page.fill("#search", text)
            page.wait_for_function("() => document.querySelectorAll('#chats li').length === 1 && document.querySelector('#chats li[data-id=found]')")
        # A plus sign is one, and a blank is none.
        server.keep_chat("sums", "a+b", [("user", "Add.", {})])
        for text, count in [("a+b", 1), ("a b+", 0)]:
            page.fill("#search", text)
            page.wait_for_function("n => document.querySelectorAll('#chats li[data-id=sums]').length === n", arg=count)
        page.fill("#search", "no chat has this")
        page.wait_for_selector("#chats .hint")
        page.fill("#search", "")
        menu = "#chats li[data-id=found] > button"

        def choose(entry):
            page.hover("#chats li[data-id=found]")
            page.click(menu)
            page.click(f"[role=menuitem]:has-text('{entry}')")

        page.wait_for_selector("#chats li[data-id=found]")
        choose("Rename")
        page.fill("dialog input", "Sleeping birds")
        page.press("dialog input", "Enter")
        page.wait_for_selector("#chats li[data-id=found]:has-text('Sleeping birds')")
        eventually(lambda: server.request("GET", "/api/chats/found")[1]["title"] == "Sleeping birds", 5)
        for entry, ending, part in [("Markdown", "md", "# Sleeping birds"), ("JSON", "json", '"role":"assistant"')]:
            with page.expect_download() as download:
                choose(f"Save as {entry}")
            assert download.value.suggested_filename == f"Sleeping birds.{ending}"
            assert part in pathlib.Path(download.value.path()).read_text()
        choose("Delete")
        page.click("dialog .danger")
        page.wait_for_selector("#chats li[data-id=found]", state="detached")
        assert server.request("GET", "/api/chats/found")[0] == 404


@check
def a_server_that_dies_takes_nothing_along(browser, server):
    with tempfile.TemporaryDirectory() as data:
        mortal = Server(server.command, server.model, data)
        try:
            with visit(browser, mortal.url, allowed=FAILED) as visitor:
                page = visitor.page
                page.wait_for_function("async () => (await navigator.serviceWorker.ready) && (await caches.keys()).length > 0")
                visitor.ask(LONG, waits=False)
                page.wait_for_function("() => document.querySelector('.of-model .bubble .text').innerText.length > 60")
                mortal.kill()
                page.wait_for_selector(".notice.bad:has-text('cannot be reached')")
                text = visitor.answer()
                assert len(text) > 60
                page.fill("#prompt", "What I write meanwhile")
                # The page opens without its server, with all that was there.
                visitor.reload()
                page.wait_for_selector(".of-model")
                assert visitor.answer()[:60] == text[:60] and LONG in page.inner_text(".of-user")
                assert page.input_value("#prompt") == "What I write meanwhile"
                assert page.is_visible("#problem button")
                mortal.start()
                # It comes back by itself.
                page.wait_for_selector("#problem", state="hidden")
                assert page.input_value("#model") == mortal.name
                eventually(lambda: len(mortal.request("GET", "/api/chats")[1]["chats"]) == 1, 40)
                page.click(".of-model .notice button:has-text('Go on')")
                page.wait_for_function("n => document.querySelector('.of-model .bubble .text').innerText.length > n + 20", arg=len(text))
                page.keyboard.press("Escape")
                visitor.wait()
                kept = mortal.request("GET", "/api/chats/" + page.url.split("#")[1])[1]
                eventually(lambda: len(mortal.request("GET", "/api/chats/" + page.url.split("#")[1])[1]["messages"][1]["content"]) > len(text) - 20, 20)
                assert len(kept["messages"]) == 2
        finally:
            mortal.stop()


@check
def a_server_on_this_machine_needs_no_network(browser, server):
    with visit(browser, server.url) as visitor:
        hosts = {"localhost": True, "me.localhost": True, "127.0.0.1": True, "[::1]": True, "127.example.org": False, "notlocalhost": False, "[::2]": False}
        found = visitor.page.evaluate("hosts => import('/page/connection.js').then((module) => hosts.map(module.isLocal))", list(hosts))
        assert found == list(hosts.values()), found
        visitor.context.set_offline(True)
        assert visitor.page.evaluate("navigator.onLine") is False and not visitor.page.is_visible("#connection")


@check
def what_is_changed_elsewhere_is_kept_too(browser, server):
    with visit(browser, server.url, allowed=FAILED) as visitor:
        page = visitor.page
        visitor.set(maxTokens=60)
        visitor.ask("Tell me of swifts.")
        chat = page.url.split("#")[1]
        messages = lambda id: server.request("GET", f"/api/chats/{id}")[1].get("messages", [])
        eventually(lambda: len(messages(chat)) == 2 and messages(chat)[1]["details"]["finish"] == "length", 10)
        # Another browser goes on with the answer, in other words than the model would, and renames the chat.
        theirs = messages(chat)[1]["content"] + " And so on."
        with visit(browser, server.url, f"/#{chat}") as other:
            other.page.wait_for_selector(".of-model")
            other.page.click(".notice button:has-text('Go on')")
            other.wait()
        changed = {**messages(chat)[1], "content": theirs}
        assert server.request("PUT", f"/api/chats/{chat}/messages/{changed.pop('id')}", changed)[0] == 200
        # What follows it takes no title and no settings along.
        assert server.request("PUT", f"/api/chats/{chat}", {"title": "Renamed", "settings": {"model": server.name, "system": "x"}})[0] == 200
        visitor.ask("And of swans.")
        eventually(lambda: len(messages(chat)) == 4, 10)
        kept = server.request("GET", f"/api/chats/{chat}")[1]
        assert kept["title"] == "Renamed" and kept["settings"]["system"] == "x" and kept["messages"][1]["content"] == theirs
        # The same answer continued here is no continuation of theirs: both are kept.
        page.locator(".of-model .notice button:has-text('Go on')").first.click()
        page.wait_for_selector("#problem:has-text('changed elsewhere')", timeout=60_000)
        visitor.wait()
        copy = page.url.split("#")[1]
        assert copy != chat and page.inner_text("#title").endswith("(from this browser)")
        eventually(lambda: len(messages(copy)) == 4 and messages(copy)[1]["details"]["finish"] != "interrupted", 10)
        assert messages(chat)[1]["content"] == theirs and not messages(copy)[1]["content"].startswith(theirs)
        page.click("#problem button")
        page.wait_for_function("id => location.hash === '#' + id", arg=chat)
        # One that is deleted elsewhere while something is written.
        page.wait_for_selector(".of-model:has-text('And so on.')")
        assert server.request("DELETE", f"/api/chats/{chat}")[0] == 204
        visitor.ask("Are you still there?")
        page.wait_for_selector("#problem:has-text('deleted elsewhere')")
        saved = page.url.split("#")[1]
        eventually(lambda: len(messages(saved)) == 6, 10)


@check
def a_full_server_is_told_of(browser, server):
    with tempfile.TemporaryDirectory() as data:
        small = Server(server.command, server.model, data, "--chat-size", "4KB")
        try:
            with visit(browser, small.url, allowed=FAILED) as visitor:
                page = visitor.page
                visitor.set(maxTokens=20)
                visitor.ask("Say hi.")
                assert not page.is_visible("#connection")
                visitor.ask("Say ho. " * 500)
                for language, text in [("en", "as large as the server allows"), ("zh-Hant", "已達伺服器允許的大小"), ("zh-Hans", "已达服务器允许的大小")]:
                    page.select_option("#language", language)
                    page.wait_for_selector(f"#connection:has-text('{text}')")
                # It stays in this browser, and keeps nothing else waiting.
                visitor.reload()
                assert page.locator(".message").count() == 4
                page.click("#new-chat")
                visitor.ask("Say hi again.")
                eventually(lambda: len(small.request("GET", "/api/chats/" + page.url.split("#")[1])[1].get("messages", [])) == 2, 10)
        finally:
            small.stop()


@check
def what_is_refused_stays(browser, server):
    with visit(browser, server.url, allowed=FAILED) as visitor:
        page = visitor.page
        # More than the server keeps, and than the model reads.
        visitor.set(system="x" * 300_000, maxTokens=5)
        visitor.ask("Say hi.")
        page.wait_for_selector("#connection:has-text('Not saved on the server yet')")
        visitor.reload()
        assert page.locator(".message").count() == 2
        visitor.set(system="Be brief.")
        eventually(lambda: len(server.request("GET", "/api/chats/" + page.url.split("#")[1])[1].get("messages", [])) == 2, 10)


@check
def a_rule_that_ends_an_answer_is_named(browser, server):
    with tempfile.TemporaryDirectory() as data:
        policy = pathlib.Path(data) / "policy.json"
        policy.write_text(json.dumps({"rules": [{"name": "cities", "target": "answer", "literal": "Paris", "message": "No cities here."}]}))
        ruled = Server(server.command, server.model, data, "--policy", str(policy))
        try:
            with visit(browser, ruled.url) as visitor:
                visitor.set(temperature=0)
                visitor.ask("What is the capital of France?")
                notice = visitor.page.inner_text(".of-model .notice")
                assert "cities" in notice and "No cities here." in notice, notice
                assert "Paris" not in visitor.answer()
        finally:
            ruled.stop()


@check
def a_closed_page_keeps_half_an_answer(browser, server):
    with visit(browser, server.url) as visitor:
        visitor.ask(LONG, waits=False)
        visitor.page.wait_for_function("() => document.querySelector('.of-model .bubble .text').innerText.length > 40")
        visitor.reload()
        visitor.page.wait_for_selector(".of-model .notice")
        assert len(visitor.answer()) > 40
        notice = visitor.page.inner_text(".of-model .notice")
        assert "broke off" in notice, notice
        eventually(lambda: server.metric("swiftlet_batch_size") == 0, 10)


@check
def two_tabs_show_the_same(browser, server):
    # Both may save one answer at the same moment; the server refuses one of them, which then looks again.
    with visit(browser, server.url, allowed=FAILED) as visitor:
        page = visitor.page
        visitor.ask(LONG, waits=False)
        page.wait_for_function("() => document.querySelector('.of-model .bubble .text').innerText.length > 40")
        other = visitor.context.new_page()
        other.goto(page.url)
        other.wait_for_selector(".of-model")
        # An answer that the first one writes grows in the second, which does not take it for broken off.
        text = other.inner_text(".of-model .bubble .text")
        other.wait_for_function("n => document.querySelector('.of-model .bubble .text').innerText.length > n + 20", arg=len(text))
        assert other.locator(".of-model .notice").count() == 0
        page.bring_to_front()
        page.keyboard.press("Escape")
        visitor.wait()
        other.wait_for_selector(".of-model .notice:has-text('You stopped')")
        assert other.inner_text(".of-model .bubble .text") == visitor.answer()
        # And the other way round.
        other.fill("#prompt", "Say hi.")
        other.press("#prompt", "Enter")
        other.wait_for_selector(".of-model:last-child .numbers:has-text('token')", timeout=120_000)
        page.wait_for_function("() => document.querySelectorAll('.message').length === 4")
        page.wait_for_selector(".of-model:last-child .numbers:has-text('token')", timeout=120_000)
        assert visitor.answer() == other.locator(".of-model .bubble .text").last.inner_text()
        # A chat that is deleted in one of them while the other has it answered is gone from both, and does not come back.
        chat = page.url.split("#")[1]
        visitor.ask(LONG, waits=False)
        page.wait_for_function("() => document.querySelector('.of-model:last-child .bubble .text').innerText.length > 40")
        other.click("#chats [aria-current] >> xpath=../button")
        other.click("[role=menuitem]:has-text('Delete')")
        other.click("dialog .danger")
        page.wait_for_function("() => document.querySelectorAll('.message').length === 0")
        eventually(lambda: server.metric("swiftlet_batch_size") == 0, 10)
        page.wait_for_timeout(1500)
        assert server.request("GET", f"/api/chats/{chat}")[0] == 404


def new_key(server, data, *arguments):
    """The secret of a key for the database in a folder."""
    made = subprocess.run([server.command, "keys", "create", "--data", data, "--json", *arguments], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)["key"]


@check
def keys_are_asked_for(browser, server):
    with tempfile.TemporaryDirectory() as data:
        ada, bob = new_key(server, data, "ada", "--admin"), new_key(server, data, "bob")
        guarded = Server(server.command, server.model, data)
        try:
            with visit(browser, guarded.url, "/dashboard", allowed=FAILED, opens=give(ada)) as visitor:
                # A line of noughts has no height.
                visitor.page.wait_for_selector(".plot .line[d*=L]", state="attached")
            for key, title in [(ada, "Say hi."), (bob, "Say ho.")]:
                with visit(browser, guarded.url, allowed=FAILED, opens=give("wrong", key)) as visitor:
                    assert visitor.page.locator("#chats li").count() == 0
                    visitor.ask(title)
                    visitor.reload()
                    # The key lasts as long as the tab.
                    assert visitor.page.locator("dialog").count() == 0
                    assert visitor.page.locator(".of-model").count() == 1
            assert guarded.request("GET", "/api/chats")[0] == 401
            assert [chat["title"] for chat in guarded.request("GET", "/api/chats", key=bob)[1]["chats"]] == ["Say ho."]
        finally:
            guarded.stop()


@check
def another_key_has_other_chats(browser, server):
    with tempfile.TemporaryDirectory() as data:
        ada, bob = [new_key(server, data, name) for name in ["ada", "bob"]]
        guarded = Server(server.command, server.model, data)
        try:
            with visit(browser, guarded.url, allowed=FAILED, opens=give(ada)) as visitor:
                page = visitor.page

                def use(key):
                    page.click("#settings")
                    page.click("dialog .key-row button:has-text('Change')")
                    give(key)(page)
                    page.wait_for_selector("dialog", state="detached")

                # What is being written stays with its key, too.
                page.fill("#prompt", "half a thou")
                use(bob)
                assert page.input_value("#prompt") == ""
                use(ada)
                assert page.input_value("#prompt") == "half a thou"
                visitor.ask(LONG, waits=False)
                page.wait_for_function("() => document.querySelector('.of-model .bubble .text').innerText.length > 40")
                chat, text = page.url.split("#")[1], visitor.answer()
                use(bob)
                assert page.locator(".message").count() == 0 and "#" not in page.url
                page.wait_for_selector("#chats .hint")
                # Nothing of it gets to the other key, also not what the answer's end would have saved.
                page.wait_for_timeout(1500)
                assert page.locator("#chats li").count() == 0
                assert guarded.request("GET", "/api/chats", key=bob)[1]["chats"] == []
                visitor.ask("Say ho.")
                use(ada)
                page.click(f"#chats li[data-id='{chat}'] a")
                page.wait_for_selector(".of-model")
                assert visitor.answer()[:40] == text[:40] and page.locator("#chats li").count() == 1
                messages = lambda: guarded.request("GET", f"/api/chats/{chat}", key=ada)[1]["messages"]
                eventually(lambda: len(messages()) == 2 and len(messages()[1]["content"]) > 40, 20)
            assert [chat["title"] for chat in guarded.request("GET", "/api/chats", key=bob)[1]["chats"]] == ["Say ho."]
        finally:
            guarded.stop()


@check
def a_key_that_is_kept_counts_in_every_tab(browser, server):
    with tempfile.TemporaryDirectory() as data:
        ada, bob = [new_key(server, data, name) for name in ["ada", "bob"]]
        guarded = Server(server.command, server.model, data)
        chats = lambda key: guarded.request("GET", "/api/chats", key=key)[1]["chats"]
        try:
            def keep(key):
                def answer(page):
                    page.wait_for_selector("dialog input[type=password]").fill(key)
                    page.check("dialog:has(input[type=password]) input[type=checkbox]")
                    page.press("dialog input[type=password]", "Enter")
                    page.wait_for_selector("dialog", state="detached")
                return answer

            with visit(browser, guarded.url, allowed=FAILED, opens=keep(ada)) as visitor:
                def use(key):
                    visitor.page.click("#settings")
                    visitor.page.click("dialog .key-row button:has-text('Change')")
                    keep(key)(visitor.page)

                other = visitor.context.new_page()
                other.goto(guarded.url)
                other.wait_for_selector("body.ready")
                other.fill("#prompt", LONG)
                other.press("#prompt", "Enter")
                other.wait_for_function("() => document.querySelector('.of-model .bubble .text')?.innerText.length > 40")
                chat = other.url.split("#")[1]
                other.click("#settings")
                other.wait_for_selector("dialog")
                use(bob)
                # The chat is gone from the other tab too, with its answer and what was being asked of it, and is not made Bob's.
                other.wait_for_selector("dialog", state="detached")
                other.wait_for_function("() => document.querySelectorAll('.message').length === 0")
                assert "#" not in other.url
                # Also not by what the answer would have saved.
                other.wait_for_timeout(1500)
                assert chats(bob) == [] and other.locator("#chats li").count() == 0
                use(ada)
                other.wait_for_selector(f"#chats li[data-id='{chat}']")
                messages = lambda: guarded.request("GET", f"/api/chats/{chat}", key=ada)[1]["messages"]
                eventually(lambda: len(messages()) == 2 and len(messages()[1]["content"]) > 40, 20)
                # A tab that waits for a key takes the one that another tab was given.
                visitor.page.click("#settings")
                visitor.page.click("dialog .key-row button:has-text('Forget')")
                other.wait_for_selector("dialog input[type=password]")
                keep(ada)(visitor.page)
                other.wait_for_selector("dialog", state="detached")
                other.wait_for_selector(f"#chats li[data-id='{chat}']")
        finally:
            guarded.stop()


@check
def prices_are_shown(browser, server):
    with tempfile.TemporaryDirectory() as data:
        config = pathlib.Path(data) / "config.json"
        config.write_text(json.dumps({"prices": {"*": {"cache_hit": 1, "cache_miss": 10, "output": 100}}}))
        # Only keys are charged.
        ada = new_key(server, data, "ada", "--balance", "0.01")
        paid = Server(server.command, server.model, data, "--config", str(config))
        try:
            with visit(browser, paid.url, allowed=FAILED, opens=give(ada)) as visitor:
                page = visitor.page
                visitor.set(maxTokens=30)
                visitor.ask("Tell me of the sea.")

                def details():
                    return paid.request("GET", "/api/chats/" + page.url.split("#")[1], key=ada)[1]["messages"][1]["details"]

                eventually(lambda: details().get("finish") == "length", 10)
                usage, cost = details()["usage"], details()["cost"]
                expected = (usage["cached"] + (usage["prompt"] - usage["cached"]) * 10 + usage["completion"] * 100) / 1e6
                assert usage["completion"] == 30 and abs(cost - expected) < 1e-12, (usage, cost)
                shown = page.inner_text(".of-model .numbers").split("$")[1]
                assert abs(float(shown) - expected) < expected / 10, (shown, expected)
                # The server's books say the same.
                booked = sum(entry["cost"] for entry in paid.request("GET", "/api/stats", key=ada)[1]["usage"])
                assert abs(booked - expected) < 1e-9, (booked, expected)
                # A second answer is more than what is left pays for, and a third one is not begun.
                visitor.set(maxTokens=200)
                visitor.ask(LONG)
                assert page.locator(".message .notice.bad").count() == 0 and visitor.answer()
                visitor.ask("And then?")
                page.wait_for_selector(".of-model:last-child .notice.bad:has-text('no money left')")
            with visit(browser, paid.url, "/dashboard", allowed=FAILED, opens=give(ada)) as visitor:
                visitor.page.wait_for_selector(".card:visible:has(h2:text-is('Charged in ten minutes')) .plot-value:has-text('$')")
        finally:
            paid.stop()


@check
def the_dashboard_shows_the_load(browser, server):
    with visit(browser, server.url) as visitor:
        visitor.ask("Name three colours.")
    with visit(browser, server.url, "/dashboard") as visitor:
        page = visitor.page
        page.wait_for_selector(".plot .line")
        assert page.inner_text("#state") == "Live"
        cards = page.locator(".card:visible")
        assert cards.count() >= 6
        assert server.name in page.inner_text("#models")
        assert "MB" in page.inner_text(".card:has(h2:text-is('Memory')) .plot-value")
        peak = page.inner_text(".card:has(h2:text-is('Tokens per second')) .plot-peak")
        assert float(peak.split()[1].replace(",", "")) > 1, peak
        plot = page.locator(".plot").first
        plot.focus()
        page.keyboard.press("ArrowLeft")
        assert ":" in page.inner_text(".plot-readout >> nth=0")
        page.select_option("#language", "zh-Hans")
        assert page.inner_text("h1") == "仪表板"


@check
def it_can_be_installed(browser, server):
    with visit(browser, server.url) as visitor:
        page = visitor.page
        manifest = page.evaluate("fetch('/manifest.webmanifest').then((response) => response.json())")
        assert manifest["display"] == "standalone" and {"192x192", "512x512"} <= {icon["sizes"] for icon in manifest["icons"]}
        for icon in manifest["icons"]:
            assert page.evaluate("path => fetch(path).then((response) => response.status)", icon["src"]) == 200
        session = visitor.context.new_cdp_session(page)
        session.send("Page.enable")
        problems = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
        # Profiles of tests are private windows, which install nothing.
        assert [problem for problem in problems if problem["errorId"] != "in-incognito"] == [], problems


@check
def themes_and_little_motion(browser, server):
    ground = "getComputedStyle(document.body).backgroundColor"
    with visit(browser, server.url, color_scheme="dark", reduced_motion="reduce") as visitor:
        page = visitor.page
        dark = page.evaluate(ground)
        assert page.evaluate("getComputedStyle(document.querySelector('#new-chat')).transitionDuration") == "0s"
        page.click("#theme")
        light = page.evaluate(ground)
        assert dark != light
        visitor.reload()
        assert page.evaluate(ground) == light
        page.click("#theme")
        assert page.evaluate(ground) == dark


# The checks of comfort.py come last.
import comfort  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--swiftlet", required=True)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome"))
    parser.add_argument("checks", nargs="*", help="names of checks; all when left out")
    arguments = parser.parse_args()
    if not arguments.chromium:
        raise SystemExit("There is no Chromium here; --chromium names one, and Debian's package is called chromium.")
    chosen = [check for check in CHECKS if not arguments.checks or check.__name__ in arguments.checks]
    failures = []
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        server = Server(arguments.swiftlet, arguments.model, data)
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
        try:
            for check in chosen:
                try:
                    check(browser, server)
                    print(f"ok    {check.__name__}", flush=True)
                except Exception as error:
                    failures.append(check.__name__)
                    here = pathlib.Path(__file__).parent
                    place = [frame for frame in traceback.extract_tb(error.__traceback__) if pathlib.Path(frame.filename).parent == here][-1]
                    print(f"FAIL  {check.__name__}, {pathlib.Path(place.filename).name}:{place.lineno}: {place.line}\n      {error}", flush=True)
        finally:
            browser.close()
            server.stop()
    print(f"{len(chosen) - len(failures)} of {len(chosen)} checks passed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
