/** Lists that come in pages, and the bounds on what a lying server makes of them. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { MAX_LISTED } from "../../../chatd/web/page/chatd/limits.js";
import { readPages } from "../../../chatd/web/page/chatd/lists.js";
import { Type } from "../../../chatd/web/page/chatd/messages.js";
import { established, start } from "./clients.js";

/** A server that answers with the given pages, and what it was asked. */
function serving(pages) {
  const asked = [];
  const ask = async (command, fields) => {
    asked.push([command, fields]);
    return pages[asked.length - 1];
  };
  return { ask, asked };
}

async function all(pages, fields = {}) {
  const { ask, asked } = serving(pages);
  const read = [];
  for await (const page of readPages(ask, "who", fields)) read.push(page);
  return { read, asked };
}

const refused = (message) => ({ name: "ChatError", code: "bad-request", message });

describe("pages", () => {
  test("each page is read after the page before it, with the command's fields", async () => {
    const pages = [{ names: ["a"], next: "a" }, { names: ["b"], next: "b" }, { names: [] }];
    const { read, asked } = await all(pages, { room: "den" });
    assert.deepEqual(read, pages);
    assert.deepEqual(
      asked.map(([command, { room, after }]) => [command, room, after]),
      [
        ["who", "den", undefined],
        ["who", "den", "a"],
        ["who", "den", "b"],
      ],
    );
  });

  test("a list without next, or with null, ends", async () => {
    for (const page of [{ names: ["a"] }, { names: ["a"], next: null }, {}]) {
      assert.deepEqual((await all([page])).read, [page]);
    }
  });

  test("a program that has enough reads no further page", async () => {
    const { ask, asked } = serving([{ names: ["a"], next: "a" }]);
    for await (const page of readPages(ask, "who", {})) {
      assert.deepEqual(page.names, ["a"]);
      break;
    }
    assert.equal(asked.length, 1);
  });

  test("a program may begin within a list", async () => {
    const { asked } = await all([{ next: "n" }, {}], { after: "m" });
    assert.deepEqual(
      asked.map(([, { after }]) => after),
      ["m", "n"],
    );
    await assert.rejects(all([{ next: "l" }], { after: "m" }), refused(/does not advance/));
  });

  test("a list that does not advance is refused, and its page is not given", async () => {
    for (const next of ["b", "a", "", "abc"]) {
      const read = [];
      const { ask } = serving([
        { names: ["b"], next: "b" },
        { names: ["c"], next },
      ]);
      const reading = (async () => {
        for await (const { names } of readPages(ask, "who", {})) read.push(...names);
      })();
      await assert.rejects(reading, refused(/does not advance/));
      assert.deepEqual(read, ["b"], next);
    }
    await assert.rejects(all([{ next: "" }]), refused(/does not advance/));
  });

  test("a next that is no text is refused", async () => {
    for (const next of [5, true, ["b"], {}]) {
      await assert.rejects(all([{ next }]), refused(/next must be text/));
    }
  });

  test("the order is that of code points, as at the server", async () => {
    const [fullWidth, emoji] = ["\uff41", "😀"];
    assert.ok(fullWidth > emoji); // in JavaScript's own order
    for (const [first, second] of [
      [fullWidth, emoji],
      ["a", "ab"],
      ["😀", "😁"],
    ]) {
      assert.equal((await all([{ next: first }, { next: second }, {}])).read.length, 3);
      await assert.rejects(all([{ next: second }, { next: first }]), refused(/does not advance/));
    }
  });

  test("the items are those of the longest array, and have a limit", async () => {
    const half = MAX_LISTED / 2;
    const page = (length, next) => ({ few: [1], names: Array(length).fill("x"), next });
    const { read } = await all([page(half, "a"), page(half)]);
    assert.equal(read.length, 2);
    await assert.rejects(all([page(half, "a"), page(half + 1)]), refused(/too long/));
  });

  test("pages without items have a limit too", async () => {
    let count = 0;
    const ask = async () => ({ names: [], next: String((count += 1)).padStart(9, "0") });
    const reading = (async () => {
      for await (const page of readPages(ask, "who", {})) assert.deepEqual(page.names, []);
    })();
    await assert.rejects(reading, refused(/too long/));
    assert.equal(count, MAX_LISTED + 1);
  });
});

describe("a client", () => {
  test("reads the pages of a command", async () => {
    const { client, peer } = await established();
    const reading = (async () => {
      const names = [];
      for await (const page of client.pages("who", { room: "lobby" })) names.push(...page.names);
      return names;
    })();
    for (const [names, next, after] of [
      [["alice"], "alice", undefined],
      [["bob"], undefined, "alice"],
    ]) {
      const { header } = await peer.next();
      assert.deepEqual([header.command, header.room, header.after], ["who", "lobby", after]);
      await peer.send(Type.RESULT, { id: header.id, names, next });
    }
    assert.deepEqual(await reading, ["alice", "bob"]);
  });

  test("passes a refusal on", async () => {
    const { client, peer } = await established();
    const first = client.pages("bans").next();
    const { header } = await peer.next();
    await peer.send(Type.ERROR, { code: "not-allowed", message: "operators", ref: header.id });
    await assert.rejects(first, { code: "not-allowed" });
  });

  test("refuses without a session", async () => {
    const { client } = start();
    await assert.rejects(client.pages("rooms").next(), { code: "connection-lost" });
    await client.close();
  });
});
