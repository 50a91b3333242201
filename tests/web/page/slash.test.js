import assert from "node:assert/strict";
import { test } from "node:test";

import { readLine } from "../../../chatd/web/page/app/slash.js";

test("a line that begins with a slash is no text for everybody", () => {
  assert.deepEqual(readLine("/msg bob a secret\nof two lines"), {
    kind: "message",
    name: "bob",
    text: "a secret\nof two lines",
  });
  assert.deepEqual(readLine("/join lobby "), { kind: "join", room: "lobby" });
  assert.deepEqual(readLine("/leave"), { kind: "leave" });
  for (const line of ["/msg bob", "/msg", "/join", "/mgs bob secret", "/leave it", "/MSG b c"]) {
    assert.deepEqual(readLine(line), { kind: "unknown" }, line);
  }
});

test("other lines are text", () => {
  for (const text of ["hello", "/me waves", "/ is a slash", "/1", "a /msg b c", " /msg b c"]) {
    assert.deepEqual(readLine(text), { kind: "text", text });
  }
  assert.deepEqual(readLine("//msg bob is a command"), {
    kind: "text",
    text: "/msg bob is a command",
  });
});
