import assert from "node:assert/strict";
import { test } from "node:test";

import { beginning, harmless, inLine, pieces } from "../../../chatd/web/page/app/text.js";

const kinds = (text) => pieces(text).map(({ kind, text }) => [kind, text]);

test("a text stays as it is, with its line breaks", () => {
  assert.deepEqual(kinds("one\r\n\n  two\tthree"), [["text", "one\n\n  two\tthree"]]);
  assert.deepEqual(pieces(""), []);
});

test("markup is text", () => {
  const markup = "<img src=x onerror=alert(1)>&amp;";
  assert.deepEqual(kinds(markup), [["text", markup]]);
});

test("links end before the punctuation of the sentence", () => {
  assert.deepEqual(kinds("See https://a.example/x_(y), or (http://b.example/?q=1)."), [
    ["text", "See "],
    ["link", "https://a.example/x_(y)"],
    ["text", ", or ("],
    ["link", "http://b.example/?q=1"],
    ["text", ")."],
  ]);
});

test("a bracket that the link does not open is the sentence's", () => {
  const linkIn = (text) => pieces(text).find(({ kind }) => kind === "link").text;
  assert.equal(linkIn("(http://a.example/x_(y))"), "http://a.example/x_(y)");
  assert.equal(linkIn("[http://a.example/x_(y).]"), "http://a.example/x_(y)");
  assert.equal(linkIn("http://a.example/[1])!"), "http://a.example/[1]");
});

test("only http and https are links, and only if they are URLs", () => {
  for (const text of [
    "javascript:alert(1)",
    "data:text/html,x",
    "https://",
    "xhttps://a",
    "http://[::",
  ]) {
    assert.deepEqual(
      pieces(text).filter(({ kind }) => kind === "link"),
      [],
      text,
    );
  }
});

test("the address of a link is normal, so that its host is what the browser opens", () => {
  const [{ text, href }] = pieces("https://bücher.example/\u0430");
  assert.equal(text, "https://bücher.example/\u0430");
  assert.equal(href, "https://xn--bcher-kva.example/%D0%B0");
});

test("code is kept, also if it looks like a link", () => {
  assert.deepEqual(kinds("run `a <b> https://c.example` now"), [
    ["text", "run "],
    ["code", "a <b> https://c.example"],
    ["text", " now"],
  ]);
  assert.deepEqual(kinds("so:\n```py\ndef f():\n    return `1`\n```\nright"), [
    ["text", "so:\n"],
    ["block", "def f():\n    return `1`"],
    ["text", "right"],
  ]);
  assert.deepEqual(kinds("``````"), [["text", "``````"]]);
});

test("characters that act on their surroundings become visible and harmless", () => {
  assert.equal(harmless("a\u0000\u001b[31m\u007f\u009b"), "a\u2400\u241b[31m\u2421\ufffd");
  assert.equal(harmless("\u202egpj.exe\u202c \u2066x\u2069"), "\ufffdgpj.exe\ufffd \ufffdx\ufffd");
  assert.equal(harmless("שלום\u200f!"), "שלום\u200f!");
});

test("names and topics are one line", () => {
  assert.equal(inLine("a\nb\u2028\tc"), "a b c");
});

test("a long text is cut between characters", () => {
  assert.equal(beginning("abc", 3), "abc");
  assert.equal(beginning("ab\u{1f600}", 3), "ab");
  assert.equal(beginning("x".repeat(1_000_000)).length, 4000);
});

test("a megabyte of anything is taken apart in linear time", () => {
  const closing = `https://a${")".repeat(1_000_000)}`;
  for (const text of [
    closing,
    "`".repeat(1_000_000),
    "https://".repeat(100_000),
    "(".repeat(1_000_000),
  ]) {
    assert.equal(
      pieces(text)
        .map((each) => each.text)
        .join("").length,
      text.length,
    );
  }
});
