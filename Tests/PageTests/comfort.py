"""Checks of the page's manners: nothing takes the focus away, scrolls what is being read, moves what is looked at, or is too small or too pale."""

import tempfile

from support import FAILED, LONG, PHONE, Server, check, eventually, visit

FOCUSED = "document.activeElement.id || document.activeElement.getAttribute('data-action') || document.activeElement.textContent.trim()"


def change_elsewhere(server, other, id, title):
    """Another tab of this browser renames a chat, so that the list is drawn again."""
    assert server.request("PUT", f"/api/chats/{id}", {"title": title})[0] == 200
    other.evaluate("([chatId, title]) => new BroadcastChannel('swiftlet').postMessage({ chatId, title })", [id, title])


@check
def the_list_keeps_focus_and_menu(browser, server):
    for number in range(4):
        server.keep_chat(f"kept{number}", f"Kept {number}", [("user", "Hello", {})])
    with visit(browser, server.url) as visitor:
        page = visitor.page
        other = visitor.context.new_page()
        other.goto(server.url + "/dashboard")
        page.bring_to_front()
        page.wait_for_selector("#chats li[data-id=kept1]")

        def redraw(title):
            change_elsewhere(server, other, "kept2", title)
            page.wait_for_selector(f"#chats li[data-id=kept2]:has-text('{title}')")

        # A chat, the button beside it and the entry of its menu keep the focus while the list changes around them.
        page.focus("#chats a[data-id=kept1]")
        redraw("Once")
        assert page.evaluate("document.activeElement.dataset.id") == "kept1"
        page.focus("#chats li[data-id=kept1] button")
        redraw("Twice")
        page.keyboard.press("Enter")
        eventually(lambda: page.evaluate(FOCUSED) == "Rename", 5)
        page.keyboard.press("ArrowDown")
        redraw("Thrice")
        assert page.evaluate(FOCUSED) == "Save as Markdown"
        # Also when the chat itself moves to the top.
        more = {"parent": "m0", "role": "assistant", "content": "Hello.", "details": {"finish": "stop"}}
        assert server.request("PUT", "/api/chats/kept1/messages/m1", more)[0] == 200
        change_elsewhere(server, other, "kept1", "Moved")
        page.wait_for_selector("#chats li:first-child[data-id=kept1]:has-text('Moved')")
        assert page.evaluate(FOCUSED) == "Save as Markdown"
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.title") == "What to do with “Moved”"
        # What is found is said once, however often the list is drawn.
        page.fill("#search", "Kept")
        page.wait_for_function("() => document.querySelector('#announcements').innerText.includes('Chats found')")
        page.wait_for_selector("#chats li[data-id=kept2]", state="detached")
        change_elsewhere(server, other, "kept2", "Kept too")
        page.wait_for_selector("#chats li[data-id=kept2]")
        change_elsewhere(server, other, "kept2", "Kept also")
        page.wait_for_selector("#chats li[data-id=kept2]:has-text('Kept also')")
        assert page.inner_text("#announcements").count("Chats found") == 2
        assert page.evaluate("document.activeElement.id") == "search" and page.input_value("#search") == "Kept"
        # Where a chat goes, the next one is focused.
        page.fill("#search", "")
        page.wait_for_selector("#chats li[data-id=kept1]")
        neighbour = page.evaluate("document.querySelector('#chats li[data-id=kept1]').nextElementSibling.dataset.id")
        page.focus("#chats li[data-id=kept1] button")
        page.keyboard.press("Enter")
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        page.click("dialog .danger")
        page.wait_for_selector("#chats li[data-id=kept1]", state="detached")
        assert page.evaluate("document.activeElement.dataset.id") == neighbour


@check
def what_is_begun_is_not_disturbed(browser, server):
    server.keep_chat("calm", "Calm", [("user", "Hello", {}), ("assistant", "Hello.", {"finish": "stop"})])
    with visit(browser, server.url, "/#calm", allowed=FAILED) as visitor:
        page = visitor.page
        page.wait_for_selector(".of-model")
        visitor.set(maxTokens=60)
        # A message that is edited, through another language and a chat that is looked at again.
        page.click(".of-user [data-action=edit]")
        page.fill(".editor-field", "Half an edit")
        page.select_option("#language", "zh-Hant")
        page.wait_for_selector(".editor .button.primary")
        assert page.input_value(".editor-field") == "Half an edit"
        page.select_option("#language", "en")
        page.press(".editor-field", "Escape")
        # A button that has the focus while an answer is written, and when the chat comes from the server again.
        page.fill("#prompt", LONG)
        page.press("#prompt", "Enter")
        page.wait_for_selector(".of-model[aria-busy=true]")
        page.locator(".of-model [data-action=copy]").first.focus()
        page.wait_for_function("() => document.querySelector('.of-model:last-child .bubble .text').innerText.length > 80")
        assert page.evaluate(FOCUSED) == "copy"
        page.keyboard.press("Escape")
        visitor.wait()
        page.evaluate("import('/page/conversation.js').then((module) => module.openAgain())")
        assert page.evaluate(FOCUSED) == "copy"
        # A chat that comes late does not take the focus from where it has gone.
        page.click("#new-chat")
        page.route("**/api/chats/calm", lambda route: (page.wait_for_timeout(300), route.continue_()))
        page.click("#chats a[data-id=calm]")
        page.focus("#search")
        page.wait_for_selector(".of-model")
        assert page.evaluate(FOCUSED) == "search"
        page.unroute("**/api/chats/calm")
        # Versions are gone through by one key, and are told.
        page.locator(".of-model [data-action=again]").last.click()
        visitor.wait()
        page.locator(".of-model [data-action=previous]").focus()
        for _, action in enumerate(["next", "previous", "next"]):
            page.keyboard.press("Enter")
            assert page.evaluate(FOCUSED) == action
        assert "Version 1 of 2" in page.inner_text("#announcements")
        # A click beside a dialog closes it unless something was written there.
        page.click("#settings")
        page.fill("dialog textarea", "Be brief.")
        page.mouse.click(5, 5)
        assert page.input_value("dialog textarea") == "Be brief."
        page.keyboard.press("Escape")
        # An address that leads nowhere leads to a new chat.
        page.evaluate("location.hash = 'nowhere'")
        page.wait_for_selector("#problem:has-text('no such chat')")
        assert page.is_visible("#empty") and page.evaluate("location.hash") == ""


@check
def nothing_is_said_twice(browser, server):
    with visit(browser, server.url, allowed=FAILED) as visitor:
        page = visitor.page
        # The server is away and is asked again and again: one alert, whose button keeps the focus.
        page.route("**/v1/models", lambda route: route.abort())
        page.evaluate("import('/page/models.js').then((module) => module.loadModels())")
        page.wait_for_selector("#problem button")
        page.evaluate("""() => {
          globalThis.changes = 0;
          new MutationObserver(() => { globalThis.changes += 1; }).observe(document.querySelector('#problem'), { childList: true, subtree: true, characterData: true });
        }""")
        page.focus("#problem button")
        for _ in range(2):
            page.evaluate("import('/page/models.js').then((module) => module.loadModels())")
        assert page.evaluate("changes") == 0 and page.evaluate(FOCUSED) == "Try again"
        page.unroute("**/v1/models")
        page.keyboard.press("Enter")
        page.wait_for_selector("#problem", state="hidden")
        assert page.evaluate(FOCUSED) == "prompt"


@check
def the_reader_scrolls_in_peace(browser, server):
    with visit(browser, server.url, viewport={"width": 1180, "height": 460}) as visitor:
        page = visitor.page
        top = lambda: page.evaluate("document.querySelector('#scroller').scrollTop")
        height = lambda: page.evaluate("document.querySelector('#scroller').scrollHeight")
        page.evaluate("""() => {
          globalThis.shift = 0;
          new PerformanceObserver((list) => { for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.shift += entry.value; })
            .observe({ type: 'layout-shift', buffered: false });
        }""")
        visitor.ask(LONG, waits=False)
        page.wait_for_function("() => document.querySelector('#scroller').scrollHeight > document.querySelector('#scroller').clientHeight + 120", timeout=60_000)
        # The end is followed.
        assert page.evaluate("(() => { const s = document.querySelector('#scroller'); return s.scrollHeight - s.scrollTop - s.clientHeight; })()") < 40
        assert not page.is_visible("#to-end")
        # A few pixels up are enough to be left in peace.
        page.mouse.move(700, 200)
        page.mouse.wheel(0, -30)
        page.wait_for_timeout(200)
        place, length = top(), height()
        page.wait_for_function("n => document.querySelector('#scroller').scrollHeight > n + 100", arg=length, timeout=60_000)
        assert top() == place, (top(), place)
        # And one press follows again.
        page.click("#to-end")
        length = height()
        page.wait_for_function("n => document.querySelector('#scroller').scrollHeight > n + 30", arg=length, timeout=60_000)
        assert not page.is_visible("#to-end")
        page.keyboard.press("Escape")
        visitor.wait()
        assert page.evaluate("shift") < 0.1, page.evaluate("shift")


@check
def what_grows_stays_the_same(browser, server):
    # Code that was scrolled, a table, what is selected, and a button with the focus: while more text comes.
    with visit(browser, server.url) as visitor:
        lost = visitor.page.evaluate("""async () => {
          const { showMarkdown } = await import('/page/markdown.js');
          const node = document.createElement('div');
          node.className = 'text';
          node.style.width = '200px';
          document.querySelector('#messages').append(node);
          const lost = [];
          const grow = (before, more, selector, same) => {
            showMarkdown(node, before);
            const first = node.querySelector(selector);
            const check = same(first);
            for (let at = 1; at <= more.length; at += 1) showMarkdown(node, before + more.slice(0, at));
            if (node.querySelector(selector) !== first || !first.isConnected || !check()) lost.push(selector);
          };
          const scrolled = (inner) => { inner.scrollLeft = 40; return () => inner.scrollLeft === 40; };
          const focused = (inner) => { inner.focus(); return () => document.activeElement === inner; };
          const long = 'x = ' + '1 + '.repeat(60);
          grow('```python\\n' + long, '\\ny = "two"\\n', 'pre', scrolled);
          grow('```python\\n' + long, '\\ny = "two"\\n```\\n\\nAnd then', '.copy-button', focused);
          grow('| a | b | c | d | e | f |\\n|--|--|--|--|--|--|\\n| some text | some text | some text | some text | some text | some text |', '\\n| 1 | 2 |\\n', '.table-frame', scrolled);
          grow('1. one\\n2. two and `code`', ' and **more**\\n3. three', 'li', (inner) => {
            getSelection().selectAllChildren(inner);
            return () => getSelection().toString() === 'one';
          });
          grow('Some words', ' and *more* of them', 'p', (inner) => {
            getSelection().setBaseAndExtent(inner.firstChild, 0, inner.firstChild, 4);
            return () => getSelection().toString() === 'Some';
          });
          // What came of it is what comes at once.
          for (const text of ['a\\n\\n- b\\n  - c\\n\\n| d |\\n|-|\\n| e |', '# t\\n\\n```js\\nlet a = 1; // b\\n```\\n\\n$$x^2$$ and $y$', '- [ ] a\\n- [x] b\\n\\n> q\\n> *w*']) {
            for (let at = 1; at <= text.length; at += 1) showMarkdown(node, text.slice(0, at));
            const whole = document.createElement('div');
            showMarkdown(whole, text);
            if (whole.innerHTML !== node.innerHTML) lost.push(text);
          }
          node.remove();
          return lost;
        }""")
        assert lost == [], lost


SMALL = """() => [...document.querySelectorAll('button, a, select, input, textarea, summary')].flatMap((node) => {
  const target = node.matches('input[type=checkbox], #prompt, .editor-field') ? node.closest('label, form, .editor') : node;
  if (!node.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || node.closest('[inert], .off-screen, .skip, p') || node.disabled) return [];
  const { width, height } = target.getBoundingClientRect();
  return width >= 40 && height >= 40 ? [] : [`${node.outerHTML.slice(0, 120)} ${Math.round(width)} x ${Math.round(height)}`];
})"""

# The contrast of every text with what is behind it (WCAG 2.2, section 1.4.3).
PALE = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((value) => value / 255);
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((value, index) => value * a + under[index] * (1 - a));
  const light = (color) => {
    const [r, g, b] = color.map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    const chain = [];
    for (let inner = node; inner; inner = inner.parentElement) chain.push(rgba(getComputedStyle(inner).backgroundColor));
    return chain.reduceRight((under, color) => over(color, under), [1, 1, 1]);
  };
  const pale = new Set();
  const walker = document.createTreeWalker(document.querySelector('dialog') ?? document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || node.closest('.off-screen, .skip, .unseen, option, :disabled')) continue;
    const under = ground(node);
    const style = getComputedStyle(node);
    const [a, b] = [light(over(rgba(node instanceof SVGElement ? style.fill : style.color), under)), light(under)].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) pale.add(`${node.tagName}.${node.getAttribute('class')} ${contrast.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  return [...pale];
}"""


def keep_showcase(server):
    """A chat that has everything."""
    text = "\n\n".join([
        "# Title", "Some **bold** and `code`, [a link](https://example.org). $a^2$", "> quoted ~~gone~~", "- [x] done",
        "| a | b |\n|:--|--:|\n| 1 | 2 |", "```python\n# twice\ndef f(x):\n    return x * 2 + len('two')\n```", "```json\n{\"a\": true}\n```",
    ])
    usage = {"prompt": 10, "cached": 0, "completion": 20, "reasoning": 0}
    server.keep_chat("showcase", "Showcase", [
        ("user", "Hello", {"files": [{"name": "notes.txt", "text": "x"}]}),
        ("assistant", text, {"finish": "length", "usage": usage, "seconds": 2, "decodeSeconds": 1, "decodeTokens": 20, "cost": 0.001}),
        ("user", "And?", {}), ("assistant", "Well", {"error": {"kind": "network", "text": "x"}}),
    ])


@check
def fingers_and_eyes(browser, server):
    keep_showcase(server)
    with visit(browser, server.url, "/#showcase", **PHONE) as visitor:
        page = visitor.page
        page.wait_for_selector(".of-model")
        page.set_input_files("#file-input", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"x"})
        page.wait_for_selector("#attached li")
        assert page.evaluate(SMALL) == [], "\n".join(page.evaluate(SMALL))
        page.locator("[data-action=edit]").first.tap()
        assert page.evaluate(SMALL) == [], "\n".join(page.evaluate(SMALL))
        page.locator(".editor .button").first.tap()
        page.tap("#menu")
        page.tap("#chats li button >> nth=0")
        assert page.evaluate(SMALL) == [], "\n".join(page.evaluate(SMALL))
        page.keyboard.press("Escape")
        page.tap("#close-menu")
        page.tap("#settings")
        assert page.evaluate(SMALL) == [], "\n".join(page.evaluate(SMALL))
        page.goto(server.url + "/dashboard")
        page.wait_for_selector("#state:not(:empty)")
        assert page.evaluate(SMALL) == [], "\n".join(page.evaluate(SMALL))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for scheme in ["light", "dark"]:
        with visit(browser, server.url, "/#showcase", color_scheme=scheme) as visitor:
            page = visitor.page
            page.wait_for_selector(".of-model")
            page.hover("#chats li")
            assert page.evaluate(PALE) == [], (scheme, page.evaluate(PALE))
            page.click("#chats [aria-current] >> xpath=../button")
            assert page.evaluate(PALE) == [], (scheme, page.evaluate(PALE))
            page.keyboard.press("Escape")
            page.click("#settings")
            assert page.evaluate(PALE) == [], (scheme, page.evaluate(PALE))
            page.keyboard.press("Escape")
            page.click("#new-chat")
            assert page.evaluate(PALE) == [], (scheme, page.evaluate(PALE))
            page.goto(server.url + "/dashboard")
            page.wait_for_selector("#state:not(:empty)")
            assert page.evaluate(PALE) == [], (scheme, page.evaluate(PALE))


@check
def readers_of_screens_find_their_way(browser, server):
    # Whatever can be operated has a name, ids are there once, and headings follow each other.
    keep_showcase(server)
    with visit(browser, server.url, "/#showcase") as visitor:
        page = visitor.page
        page.wait_for_selector(".of-model")
        for action in [lambda: None, lambda: page.click("#settings")]:
            action()
            problems = page.evaluate("""() => {
              const problems = [];
              const name = (node) => node.getAttribute('aria-label') || (node.getAttribute('aria-labelledby') && document.getElementById(node.getAttribute('aria-labelledby'))?.textContent) ||
                [...(node.labels ?? [])].map((label) => label.textContent).join(' ') || node.textContent;
              for (const node of document.querySelectorAll('button, a[href], input:not([type=file]), select, textarea, dialog, nav, [role=menu], [role=img], [role=log]')) if (node.checkVisibility() && !name(node)?.trim()) problems.push(node.outerHTML.slice(0, 100));
              const ids = [...document.querySelectorAll('[id]')].map((node) => node.id);
              if (new Set(ids).size !== ids.length) problems.push('an id is there twice');
              for (const node of document.querySelectorAll('[tabindex]')) if (node.tabIndex > 0) problems.push(`${node.tagName} comes out of turn`);
              return problems;
            }""")
            assert problems == [], problems
        # The order of the keyboard is that of the eye: list, top, messages, field.
        page.keyboard.press("Escape")
        order = page.evaluate("""() => [...document.querySelectorAll('#new-chat, #search, #chats a, #menu, #settings, #messages button, #prompt, #send')]
          .map((node) => node.closest('nav') ? 0 : node.closest('header') ? 1 : node.closest('#messages') ? 2 : 3)""")
        assert order == sorted(order), order


@check
def older_chats_can_be_listed(browser, server):
    with tempfile.TemporaryDirectory() as data:
        old = Server(server.command, server.model, data)
        try:
            for number in range(205):
                assert old.request("PUT", f"/api/chats/many{number}", {"title": f"Chat {number}"})[0] == 200
            with visit(browser, old.url) as visitor:
                page = visitor.page
                page.wait_for_selector("#chats li")
                assert page.locator("#chats li").count() == 200
                page.click("#chats > .button:has-text('Older chats')")
                page.wait_for_function("() => document.querySelectorAll('#chats li').length === 205")
                assert page.locator("#chats > .button").count() == 0
        finally:
            old.stop()
