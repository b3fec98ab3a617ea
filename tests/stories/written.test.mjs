// Every reply that the stories of this run got is as the specification describes it: the last of a run (tests/stories/run).
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { SPEC, described } from "./described.mjs";

/** Operations that no story asks, and why. */
const NOT_ASKED = {
    "GET /.well-known/matrix/policy_server": "there is none",
    "GET /_matrix/client/v3/events": "deprecated since r0; /sync is asked",
    "GET /_matrix/client/v3/initialSync": "deprecated since r0; /sync is asked",
};
const found = process.env.PARTA_REPLIES;
const lines = found && existsSync(found) ? readFileSync(found, "utf8").trim().split("\n").filter(Boolean).map((line) => JSON.parse(line)) : [];
const operations = Map.groupBy(lines.filter((line) => line.name), (line) => line.name);

if (!SPEC || !operations.size)
    test("every reply is as the specification describes it", { skip: SPEC ? "no story ran before" : "the specification's descriptions are not in ../shared/matrix-spec" }, () => {});
else // one test: of many that end at once, what is printed last is lost when the process is made to end (--test-force-exit)
    test(`${lines.length} replies to ${operations.size} operations are as the specification describes them`, () => {
        const faults = [...operations].flatMap(([name, seen]) => seen.flatMap((line) => line.faults.map((fault) => `${name}: ${fault}`)));
        assert.deepEqual([...new Set(faults)].sort(), []);
    });
if (SPEC && process.env.PARTA_ALL_STORIES)
    test("every operation that clients have is asked by a story, but those of which it is said why not", () => {
        assert.deepEqual([...new Set(described("client-server"))].filter((name) => !operations.has(name) && !NOT_ASKED[name]), []);
    });
