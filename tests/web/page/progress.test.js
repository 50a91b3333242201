/** What a client keeps from one connection to the next, and the bounds on it. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Answers } from "../../../chatd/web/page/chatd/answers.js";
import { ChatError } from "../../../chatd/web/page/chatd/errors.js";
import { MAX_COMMANDS, MAX_DIRECT } from "../../../chatd/web/page/chatd/limits.js";
import { chatMessage, Progress } from "../../../chatd/web/page/chatd/progress.js";

const message = (more) => ({ id: "m", room: null, to: null, from: "bob", own: false, ...more });

test("the oldest positions of direct messages are forgotten beyond a bound", () => {
  const progress = new Progress(undefined);
  for (let n = 0; n <= MAX_DIRECT; n++) progress.take(message({ from: `name-${n}`, seq: 5 }));
  assert.equal(progress.direct.size, MAX_DIRECT);
  assert.ok(!progress.direct.has("name-0"));
  assert.ok(progress.direct.has(`name-${MAX_DIRECT}`));
});

test("a message without a place is always news, and no position", () => {
  const progress = new Progress(["den"]);
  for (const room of [null, "den"]) {
    for (let n = 0; n < 2; n++) {
      const taken = progress.take(message({ room, seq: null }));
      assert.deepEqual(taken, { isNews: true, gap: null });
    }
  }
  assert.equal(progress.direct.size, 0);
  assert.equal(progress.rooms.get("den").seq, null);
});

test("a name and a content type mean the same in each spelling", () => {
  const header = { id: "m", from: "ALICE", content_type: "TEXT/plain" };
  const { own, text } = chatMessage({ type: 4, header, content: Uint8Array.of(104) }, "alice");
  assert.deepEqual([own, text], [true, "h"]);
});

test("the end of a session leaves no command waiting", async () => {
  const answers = new Answers();
  const end = new ChatError("shutting-down", "later");
  for (let round = 0; round < 2; round++) {
    const asked = Array.from({ length: MAX_COMMANDS }, (_, n) => {
      return answers.wait(`id-${n}`, { command: n === 0 ? "history" : "who" }, () => {});
    });
    const outcomes = Promise.allSettled(asked);
    answers.failAll(end);
    for (const { reason } of await outcomes) assert.deepEqual(reason, end);
    assert.equal(answers.pageOf("id-0"), null);
    assert.equal(answers.answer("id-1", {}), false);
    assert.equal(answers.fail("id-2", end), false);
  }
});

test("a page of history is bounded in messages and in bytes", () => {
  for (const [limit, size, goods] of [
    [2, 10, 2],
    [500, 700_000, 2],
  ]) {
    const answers = new Answers();
    void answers.wait("h", { command: "history", limit }, () => {});
    const add = () => answers.pageOf("h").add({ content: new Uint8Array(size) }, 500_000);
    for (let n = 0; n < goods; n++) assert.ok(add());
    assert.ok(!add());
  }
  assert.equal(new Answers().pageOf("h"), null);
});
