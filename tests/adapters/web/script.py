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


def outside_texts(shown: str) -> str:
    """What was built, without its texts."""
    return re.sub(r'"(?:[^"\\]|\\.)*"', "", shown)
