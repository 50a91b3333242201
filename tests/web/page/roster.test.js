import assert from "node:assert/strict";
import { test } from "node:test";

import { addPage, MAX_PEOPLE, Roster } from "../../../chatd/web/page/app/roster.js";

const namesOf = ({ names }) => [...names.values()].sort();

/** Return a roster with these people, read in one page. */
function rosterOf(names, away = {}) {
  const roster = new Roster();
  const reading = roster.read();
  addPage(reading, names, away);
  roster.finish(reading);
  return roster;
}

test("people come and go, by folded names", () => {
  const roster = rosterOf(["Ann"]);
  roster.came("Bob");
  roster.came("BOB");
  roster.went("ann");
  assert.deepEqual(namesOf(roster), ["BOB"]);
});

test("a person who takes another name stays away", () => {
  const roster = rosterOf(["Ann"], { Ann: "tea", Nobody: "lost" });
  assert.equal(roster.renamed("ann", "Anna"), true);
  assert.equal(roster.renamed("ann", "Anne"), false, "nobody has this name now");
  assert.deepEqual([namesOf(roster), [...roster.away]], [["Anna"], [["anna", "tea"]]]);
  roster.went("Anna");
  assert.equal(roster.away.size, 0);
});

test("the list that is shown stays until the next is whole", () => {
  const roster = rosterOf(["Ann"]);
  const reading = roster.read();
  addPage(reading, ["Bob"], null);
  roster.came("Cid");
  assert.deepEqual(namesOf(roster), ["Ann", "Cid"]);
  roster.finish(reading);
  assert.deepEqual(namesOf(roster), ["Bob", "Cid"]);
});

test("changes during the reading count in their order", () => {
  const roster = new Roster();
  const reading = roster.read();
  roster.came("Ann");
  roster.went("Ann");
  roster.went("Bob");
  roster.came("Bob");
  addPage(reading, ["Ann"], {});
  roster.finish(reading);
  assert.deepEqual(namesOf(roster), ["Bob"]);
});

test("an earlier reading counts no more, nor does one of a room that was left", () => {
  const roster = new Roster();
  const [early, late] = [roster.read(), roster.read()];
  addPage(late, ["Late"], {});
  roster.finish(late);
  addPage(early, ["Early"], {});
  roster.finish(early);
  assert.deepEqual(namesOf(roster), ["Late"]);
  const reading = roster.read();
  roster.clear();
  addPage(reading, ["Ann"], {});
  roster.finish(reading);
  assert.deepEqual(namesOf(roster), []);
});

test("a server cannot fill the memory with people or with changes", () => {
  const roster = new Roster();
  const reading = roster.read();
  for (let number = 0; number < MAX_PEOPLE + 5; number += 1) roster.came(`p${number}`);
  assert.equal(roster.names.size, MAX_PEOPLE);
  assert.equal(reading.changes.length, MAX_PEOPLE);
  roster.came("P0");
  assert.equal(roster.names.get("p0"), "P0");
  assert.equal(roster.renamed("p0", "other"), true, "one goes, one comes");
  roster.went("p1");
  roster.came("late");
  assert.equal(roster.names.has("late"), true);
});
