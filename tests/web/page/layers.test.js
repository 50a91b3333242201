/** The library's layers: imports go down only, and never in a circle. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const LIBRARY = new URL("../../../chatd/web/page/chatd/", import.meta.url);

/** From the lowest to the highest. */
const LAYERS = {
  values: ["bytes", "crc32", "errors", "json", "limits", "names", "rules"],
  wire: ["channel", "envelope", "fields", "frames", "keys", "links", "messages", "noise"],
  session: ["connection", "keepalive", "refusals", "session", "states"],
  client: [
    ...[
      "answers",
      "arguments",
      "client",
      "identity",
      "incoming",
      "index",
      "keeper",
      "lists",
      "options",
    ],
    ...["outage", "pending", "progress", "requests", "resume", "resumption", "sending"],
  ],
};
const modules = readdirSync(LIBRARY)
  .filter((name) => name.endsWith(".js"))
  .map((name) => name.slice(0, -3));

/** @returns {string[]} The modules that a module imports; types are no imports. */
function importsOf(module) {
  const code = readFileSync(new URL(`${module}.js`, LIBRARY), "utf8");
  const found = code.matchAll(/^(?:import|export|\}) .*?from "\.\/([\w-]+)\.js";$/gm);
  return Array.from(found, ([, name]) => name);
}

function levelOf(module) {
  return Object.values(LAYERS).findIndex((names) => names.includes(module));
}

test("each module has its layer", () => {
  assert.deepEqual(Object.values(LAYERS).flat().sort(), [...modules].sort());
});

test("a module imports from its own layer and from lower ones", () => {
  assert.ok(importsOf("client").includes("lists") && importsOf("session").includes("limits"));
  for (const module of modules) {
    for (const name of importsOf(module)) {
      assert.ok(levelOf(name) <= levelOf(module), `${module} imports ${name}`);
    }
  }
});

test("no module imports itself through others", () => {
  const reachable = (module, seen = new Set()) => {
    for (const name of importsOf(module)) {
      if (!seen.has(name)) reachable(name, seen.add(name));
    }
    return seen;
  };
  for (const module of modules) assert.ok(!reachable(module).has(module), module);
});
