/** Messages without a receipt: the bounds on them, and which of them wait. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { NO_BYTES } from "../../../chatd/web/page/chatd/bytes.js";
import { ChatError } from "../../../chatd/web/page/chatd/errors.js";
import { MAX_UNCONFIRMED_BYTES } from "../../../chatd/web/page/chatd/limits.js";
import { PendingMessages } from "../../../chatd/web/page/chatd/pending.js";

/** Messages that wait, and what `take` returns of them. */
function waiting(...ids) {
  const pending = new PendingMessages();
  for (const id of ids) void pending.keep(id, {}, NO_BYTES);
  return { pending, take: (limit) => pending.take(limit).map(([id]) => id) };
}

test("contents without a receipt are bounded in bytes, and count until their answer", () => {
  const pending = new PendingMessages();
  const half = new Uint8Array(MAX_UNCONFIRMED_BYTES / 2);
  const kept = [pending.keep("a", {}, half), pending.keep("b", {}, half)];
  const refused = pending.keep("c", {}, Uint8Array.of(1));
  pending.answered("a");
  kept.push(pending.keep("d", {}, half));
  assert.equal(pending.size, 2);
  return assert.rejects(refused, { code: "too-many-waiting" });
});

test("an id that waits for its receipt is refused", () => {
  const pending = new PendingMessages();
  void pending.keep("a", {}, NO_BYTES);
  return assert.rejects(pending.keep("a", {}, NO_BYTES), { code: "bad-argument" });
});

test("what was sent is sent again when that is forgotten, in the order of the calls", () => {
  const { pending, take } = waiting("a", "b");
  assert.deepEqual(take(), ["a", "b"]);
  void pending.keep("c", {}, NO_BYTES);
  assert.deepEqual(take(), ["c"]);
  assert.deepEqual(take(), []);
  pending.answered("b");
  pending.forgetSent();
  assert.deepEqual(take(), ["a", "c"]);
  void pending.keep("d", {}, NO_BYTES);
  pending.answered("d");
  assert.deepEqual(take(), []);
});

test("what is put back comes in the order of the calls, as many as are asked for", () => {
  const { pending, take } = waiting("a", "b", "c", "d");
  assert.deepEqual(take(3), ["a", "b", "c"]);
  for (const id of ["c", "a"]) pending.putBack(id);
  assert.deepEqual([pending.size, pending.waiting], [4, 3]);
  assert.deepEqual(
    ["a", "b", "c", "d"].map((id) => pending.isWaiting(id)),
    [true, false, true, true],
  );
  assert.deepEqual(take(2), ["a", "c"]);
  assert.deepEqual(take(), ["d"]);
  assert.deepEqual([pending.size, pending.waiting, pending.has("b")], [4, 0, true]);
});

test("only those that wait fail for the reason of their wait, each with its id", async () => {
  const pending = new PendingMessages();
  const [sent, held] = ["a", "b"].map((id) => pending.keep(id, {}, NO_BYTES));
  pending.take(1);
  pending.failWaiting(new ChatError("not-stored", "no", { retry: true, retryAfter: 5, ref: "a" }));
  const retryAfter = 5;
  await assert.rejects(held, { code: "not-stored", ref: "b", retry: true, retryAfter });
  assert.equal(pending.size, 1);
  pending.close(new ChatError("goodbye", "bye"));
  await assert.rejects(sent, { code: "goodbye" });
});
