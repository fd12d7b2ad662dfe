"""The page's own script, run by node on a document of a few lines."""

from __future__ import annotations

import asyncio
import json
import re
import shutil

import pytest

from adapters.web.page import load

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")

# Enough of a DOM to see what was built: nodes are shown as (name attributes children…), texts as JSON strings.
DOCUMENT = """
class Node_ {
  constructor(name) { this.tagName = name.toUpperCase(); this.children = []; this.attributes = {}; }
  appendChild(child) { this.children.push(child); return child; }
  setAttribute(name, value) { this.attributes[name] = value; }
  toString() {
    const attributes = Object.entries(this.attributes).map(([name, value]) => `${name}=${value}`);
    return "(" + [this.tagName.toLowerCase(), ...attributes, ...this.children.map(String)].join(" ") + ")";
  }
}
class Text_ { constructor(text) { this.text = text; } toString() { return JSON.stringify(this.text); } }
const document = { createElement: name => new Node_(name), createTextNode: text => new Text_(text) };
"""
SHOW = """
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(texts.map(text => {
  const body = document.createElement("body");
  markdown(text, body);
  return body.children.map(String).join("");
})));
"""

# A browser in which the page's talk can be looked at: the server is away, and time passes when it is told to.
BROWSER = """
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
class Element {
  constructor() {
    this.className = ""; this.textContent = ""; this.hidden = false; this.style = {}; this.heard = {};
    this.classList = { add() {}, toggle() {} };
    this.scrollHeight = this.scrollTop = this.clientHeight = 0;
    this.value = "";
  }
  appendChild(child) { return child; }
  insertBefore(child) { return child; }
  after(child) { buttons.push(child); }
  remove() { buttons = buttons.filter(button => button !== this); }
  setAttribute() {}
  focus() {}
  addEventListener(name, act) { this.heard[name] = act; }
}
let now = given.now, buttons = [];
const elements = {}, kept = { frontdesk: JSON.stringify(given.kept) }, posted = [], realTimeout = setTimeout;
const put = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true });
Date.now = () => now;
put("navigator", { language: "en" });
put("document", {
  documentElement: {}, addEventListener() {}, visibilityState: "visible",
  createElement: () => new Element(), createTextNode: text => text,
  getElementById: id => elements[id] ??= new Element(),
});
put("localStorage", { getItem: name => kept[name] ?? null, setItem: (name, text) => { kept[name] = text; } });
put("EventSource", class { addEventListener() {} close() {} });
put("addEventListener", () => {});
put("matchMedia", () => ({ matches: false }));
put("setInterval", () => {});
put("setTimeout", act => realTimeout(act, 0));
put("fetch", async (_, { body }) => { posted.push(JSON.parse(body).id); throw new Error("away"); });
"""


def scripts() -> list[str]:
    """The page's own scripts."""
    return re.findall(r"<script>(.*?)</script>", load("page.html", name="Front Desk").html, re.DOTALL)


async def node(*arguments: str, given: str) -> tuple[int, str]:
    """Run node with something on its standard input; its exit code, and what it said."""
    assert NODE is not None
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(NODE, *arguments, stdin=pipe, stdout=pipe, stderr=pipe)
    async with asyncio.timeout(30):
        out, error = await process.communicate(given.encode())
    return process.returncode or 0, out.decode() or error.decode()


async def shown_on_page(*texts: str) -> list[str]:
    """What the page makes of each text: `(name attribute=value children…)`, texts as JSON strings."""
    status, out = await node("-e", DOCUMENT + scripts()[0] + SHOW, given=json.dumps(texts))
    assert status == 0, out
    found: list[str] = json.loads(out)
    return found


async def page_with(kept: object, *, now_ms: int, acts: str) -> list[object]:
    """What `acts` return, an async function's lines run on a page that opens at a moment with what was kept."""
    look = f"(async () => {{ {acts} }})().then(found => console.log(JSON.stringify(found)));"
    status, out = await node(
        "-e", BROWSER + "\n".join(scripts()) + look, given=json.dumps({"now": now_ms, "kept": kept})
    )
    assert status == 0, out
    found: list[object] = json.loads(out)
    return found


def outside_texts(shown: str) -> str:
    """What was built, without its texts."""
    return re.sub(r'"(?:[^"\\]|\\.)*"', "", shown)
