// A1, D9: an id is no oracle. Of a person and a room of another school, of somebody from whom one is kept, and of nobody at all every door says the same, be
// they named by a path, by a body or inside an event; so nobody can try ids, and who is kept from a child does not learn whether it is at the school still.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { HERE, V3, World, q } from "./world.mjs";

const REASON = "Решение суда № 2-114/2026 от 3 марта";
const TABLE = readFileSync(new URL("../doors/table.txt", import.meta.url), "utf8").split("\n");
const NOBODY = "@pnobodyatall:school.example";
let w, school, father, child, mother, elsewhere, foreign, own, classRoom;

const ask = async (who, method, path, body) => {
    const reply = await w.server.request(method, path.startsWith("/_") ? path : V3 + path, { token: who.getAccessToken(), body: method === "GET" || method === "DELETE" ? undefined : body });
    assert.ok(reply.status < 500 && reply.status !== 429, `${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
    return reply;
};

before(async () => {
    w = await World.start({ settings: "presence:\n  enabled: true\n" });
    school = await w.newClass("5 «О»", "5");
    await w.newClient("class_teacher", { class: school.class });
    child = await w.newClient("pupil", { class: school.class, birth_date: "2015-01-01" });
    father = await w.newClient("teacher"); // who makes clubs, and is at the school without the child, too
    mother = await w.newClient("guardian", { child: child.getUserId() });
    await w.do(w.operator, "POST", "/guardianships", { child: child.getUserId(), guardian: father.getUserId() });
    await w.do(w.office, "PUT", `/guardianships/${q(child.getUserId())}/${q(father.getUserId())}/custody`, { custody: "no_contact", reason: REASON });
    elsewhere = await w.still(w.one({ school: w.there, role: "pupil" }));
    const there = await w.still(w.one({ school: w.there, role: "class_teacher" }));
    foreign = (await there.createRoom({ preset: "public_chat", name: "Чужой кружок", room_alias_name: "chuzhoy" })).room_id;
    own = (await father.createRoom({ preset: "private_chat", name: "Свой кружок" })).room_id;
    classRoom = await w.room("class", "s1-c001");
});

after(() => w?.stop());

const inRoom = (rest) => `/rooms/${q(own)}${rest}`;
const levels = (more) => ({ users: { ...more } }); // who made the room stands above them, and in no list (room version 12)

/** Every act that the explanation knows. */
const acts = [...readFileSync(new URL("../../policy/rules/rules.c", import.meta.url), "utf8").matchAll(/\[ACT_\w+\] = "(\w+)"/g)].map(([, act]) => act);

/** Requests that name a person otherwise than by their path: [method, path, body]. */
const namingPeople = (x) => [
    ...[{ preset: "private_chat" }, { preset: "private_chat", is_direct: true }, { preset: "trusted_private_chat", is_direct: true }, { preset: "trusted_private_chat", room_version: "12" }, { preset: "trusted_private_chat", room_version: "10" }]
        .map((plan) => ["POST", "/createRoom", { ...plan, invite: [x] }]),
    ["POST", "/createRoom", { power_level_content_override: { users: { [x]: 0 } } }],
    ["POST", "/createRoom", { room_version: "12", creation_content: { additional_creators: [x] } }],
    ["POST", "/createRoom", { initial_state: [{ type: "m.room.member", state_key: x, content: { membership: "ban" } }] }],
    ...["invite", "kick", "ban", "unban"].map((act) => ["POST", inRoom(`/${act}`), { user_id: x, reason: "слово" }]),
    ...["invite", "ban", "leave", "join", "knock"].map((membership) => ["PUT", inRoom(`/state/m.room.member/${q(x)}`), { membership, reason: "слово" }]),
    ["GET", inRoom(`/state/m.room.member/${q(x)}`)],
    ["PUT", inRoom("/state/m.room.power_levels"), levels({ [x]: 0 })],
    ["POST", inRoom("/upgrade"), { new_version: "12", additional_creators: [x] }],
    ["PUT", inRoom(`/typing/${q(x)}`), { typing: true }],
    ["POST", "/user_directory/search", { search_term: x }],
    ["POST", "/user_directory/search", { search_term: x.slice(1).split(":")[0] }],
    ["POST", "/keys/query", { device_keys: { [x]: [] } }],
    ["POST", "/keys/claim", { one_time_keys: { [x]: { X: "signed_curve25519" } } }],
    ["PUT", "/sendToDevice/m.x/t1", { messages: { [x]: { "*": { a: 1 } } } }],
    ["PUT", `/user/${q(father.getUserId())}/account_data/m.ignored_user_list`, { ignored_users: { [x]: {} } }],
    ["PUT", `/user/${q(father.getUserId())}/account_data/m.direct`, { [x]: [own] }],
    ["GET", `/_matrix/client/v1/mutual_rooms?user_id=${q(x)}`],
    ["GET", `/_parta/v1/guardianships?user_id=${q(x)}`],
    ["GET", `/_parta/v1/people?user_id=${q(x)}`],
    ["GET", `/_parta/v1/people?user_ids=${q(x)}`],
    ["POST", "/_parta/v1/links", { kind: "personal", user_id: x }],
    ["POST", "/_parta/v1/guardianships", { child: x, guardian: father.getUserId() }],
    ["POST", "/_parta/v1/guardianships", { child: father.getUserId(), guardian: x }],
    ["POST", `/_parta/v1/classes/${school.class}/enrollments`, { user_id: x, role: "pupil" }],
    ["PUT", `/_parta/v1/rooms/${q(own)}/owner`, { user_id: x, reason: "Так нужно школе" }],
    ["PUT", `/_parta/v1/rooms/${q(own)}/named/${q(x)}`, {}],
    ...["club", "direct"].map((kind) => ["POST", "/_parta/v1/explain", { act: "create_room", kind, target: x }]),
    ...acts.map((act) => ["POST", "/_parta/v1/explain", { act, target: x, event_type: "m.room.topic", room_id: own }]),
    ...acts.map((act) => ["POST", "/_parta/v1/explain", { act, target: x, role: "teacher", class: school.class, event_type: "m.room.topic" }]),
    ["POST", "/_parta/v1/explain", { act: "create_room", actor: x }],
];

const BODY = { reason: "Так нужно школе", given_name: "Иной", family_name: "Иной", standing: "locked", role: "teacher", school: HERE, body: "слово", custody: "shared", displayname: "Иной", presence: "online", locked: true, suspended: true };
/** And those of the table of doors, by whose path they are named. */
function* pathsOf(names) {
    for (const line of TABLE) {
        const [, method, path, gate] = /^(GET|POST|PUT|DELETE) (\/_(?:matrix|parta)\S*) = (.*)/.exec(line) ?? [];
        if (path && names.some((name) => path.includes(`{${name}}`)) && !/one's own/.test(gate)) yield [method, path];
    }
}
const FILL = { keyName: "displayname", eventType: "m.room.name", stateKey: "x", school: HERE, role: "teacher", deviceId: "DEVICE", eventId: "$none", txnId: "t", receiptType: "m.read", relType: "m.thread", networkId: "irc", type: "m.x", tag: "u.x", sessionId: "s" };
const filled = (path, values) => path.replace(/\{(\w+)\}/g, (_, name) => q({ ...FILL, class: school.class, roomId: own, ...values }[name] ?? "1"));

const byPath = (x) => [...pathsOf(["userId", "child", "guardian"])].flatMap(([method, path]) => [
    [method, filled(path, { userId: x, child: x, guardian: father.getUserId() }), BODY],
    ...(path.includes("{guardian}") ? [[method, filled(path, { child: mother.getUserId(), guardian: x }), BODY]] : []),
]);

const without = (text, x) => text.replaceAll(q(x), "X").replaceAll(x, "X").replaceAll(x.slice(1).split(":")[0], "X");

/** Asks everything with each of the names; the answers must be the same. */
async function alike(who, requests, names) {
    const different = [];
    const asked = names.map(requests);
    for (let i = 0; i < asked[0].length; ++i) {
        const answers = await Promise.all(names.map(async (name, k) => {
            const { status, body } = await ask(who, ...asked[k][i]);
            return `${status} ${without(JSON.stringify(body), name)}`.replace(/"(event_id|replacement_room)":"[^"]*"/g, "");
        }));
        if (new Set(answers).size !== 1) different.push([asked[0][i].slice(0, 2).join(" "), JSON.stringify(asked[0][i][2] ?? null), ...answers].join("\n    "));
    }
    assert.deepEqual(different, [], different.join("\n"));
    return asked[0].length;
}

test("A1: somebody of another school is to every door as nobody is", async () => {
    const trusted = { preset: "trusted_private_chat", is_direct: true, invite: [NOBODY] };
    assert.equal((await ask(father, "POST", "/createRoom", trusted)).body["org.parta.rule"], "A2", "who is trusted with the room is asked for as invited");
    for (const requests of [namingPeople, byPath]) assert.ok((await alike(father, requests, [elsewhere.getUserId(), NOBODY])) > 40);
});

test("D9: from whom one is kept is to every door as somebody of another school, and as nobody", async () => {
    for (const whom of [child, mother])
        for (const requests of [namingPeople, (x) => byPath(x)]) await alike(father, requests, [whom.getUserId(), elsewhere.getUserId(), NOBODY]);
    // And the other way.
    assert.equal((await ask(mother, "GET", `/_parta/v1/people/${q(father.getUserId())}`)).status, 404);
    assert.equal((await ask(child, "GET", `/_parta/v1/people/${q(father.getUserId())}`)).status, 404);
    assert.equal((await w.api(w.office, "GET", `/people/${q(child.getUserId())}`)).status, 200, "the office is kept from nobody");
    // A schoolmate is not: or nothing would be proven by it.
    const mate = w.one({ role: "pupil", class: "8А" }).id;
    assert.equal((await ask(father, "GET", `/_parta/v1/people/${q(mate)}`)).status, 403);
    assert.equal((await ask(father, "PUT", inRoom("/state/m.room.power_levels"), levels({ [mate]: 0 }))).status, 200);
    await ask(father, "PUT", inRoom("/state/m.room.power_levels"), levels());
});

const namingRooms = (x) => [
    ["PUT", inRoom("/state/m.room.join_rules"), { join_rule: "restricted", allow: [{ type: "m.room_membership", room_id: x }] }],
    ["POST", "/createRoom", { initial_state: [{ type: "m.room.join_rules", state_key: "", content: { join_rule: "restricted", allow: [{ type: "m.room_membership", room_id: x }] } }] }],
    ["PUT", inRoom(`/state/m.space.child/${q(x)}`), { via: ["school.example"] }],
    ["PUT", inRoom(`/state/m.space.parent/${q(x)}`), { via: ["school.example"] }],
    ["PUT", inRoom("/state/m.room.tombstone"), { body: "This room has been replaced", replacement_room: x }],
    ["PUT", `/pushrules/global/room/${q(x)}`, { actions: [] }],
    ...acts.map((act) => ["POST", "/_parta/v1/explain", { act, room_id: x, event_type: "m.room.topic", target: child.getUserId() }]),
    ...[...pathsOf(["roomId", "roomIdOrAlias"])].map(([method, path]) => [method, filled(path, { roomId: x, roomIdOrAlias: x, userId: father.getUserId() }), { ...BODY, user_id: father.getUserId(), new_version: "11", membership: "ban" }]),
];

/** What of a creation one reads: of an id in it, whether it stayed. */
async function creationOf(predecessor) {
    const { status, body } = await ask(father, "POST", "/createRoom", { room_version: "11", creation_content: { predecessor } });
    if (status !== 200) return [status, body];
    return [status, (await ask(father, "GET", `/rooms/${q(body.room_id)}/state/m.room.create/`)).body.predecessor];
}

test("A1: a room of another school is to every door as none is", async () => {
    await alike(father, namingRooms, [foreign, "!nosuchroomatall0000:school.example"]);
    const stays = async (room_id) => JSON.stringify(await creationOf({ room_id })).replaceAll(room_id, "X");
    assert.equal(await stays(foreign), await stays("!nosuchroomatall0000:school.example"));
    // A room of one's own school is named as before.
    assert.equal((await ask(father, "PUT", inRoom("/state/m.room.join_rules"), { join_rule: "restricted", allow: [{ type: "m.room_membership", room_id: classRoom }] })).status, 200);
    assert.match(await stays(classRoom), /X/);
});

test("A1, G4: who has gone from a room, or is named in it from before, hinders neither its power levels nor its upgrade", async () => {
    const gone = await w.newClient("teacher");
    const club = (await father.createRoom({ preset: "private_chat", name: "Клуб", invite: [gone.getUserId()] })).room_id;
    await gone.joinRoom(club);
    const put = (level) => ask(father, "PUT", `/rooms/${q(club)}/state/m.room.power_levels`, levels({ [gone.getUserId()]: level }));
    assert.equal((await put(50)).status, 200);
    await w.do(w.office, "POST", `/people/${q(gone.getUserId())}/leave`, { school: HERE });
    assert.equal((await put(10)).status, 200);
    assert.equal((await ask(father, "POST", `/rooms/${q(club)}/upgrade`, { new_version: "11" })).status, 200);
});

test("A1, D9, G4: who stands in power levels, and is not to be seen any more, is named on by who reads it there, and by nobody else", async () => {
    const put = (room, named) => ask(father, "PUT", `/rooms/${q(room)}/state/m.room.power_levels`, levels(named));
    const said = async (room) => Object.keys((await ask(father, "GET", `/rooms/${q(room)}/state/m.room.power_levels/`)).body.users).sort();
    const colleague = await w.newClient("teacher"); // who never comes into the room
    const friend = await w.newClient("teacher");
    const sixth = await w.newClass("6 «О»", "6");
    const pupil = await w.newClient("pupil", { class: sixth.class, birth_date: "2014-01-01" });
    const club = (await father.createRoom({ preset: "private_chat", name: "Без них" })).room_id;
    const other = (await father.createRoom({ preset: "private_chat", name: "Другой" })).room_id;
    const ids = [colleague, friend, pupil].map((who) => who.getUserId());
    assert.equal((await put(club, Object.fromEntries(ids.map((id) => [id, 10])))).status, 200);
    await w.do(w.office, "POST", `/people/${q(colleague.getUserId())}/leave`, { school: HERE });
    await w.do(w.operator, "POST", "/guardianships", { child: pupil.getUserId(), guardian: father.getUserId() });
    await w.do(w.office, "PUT", `/guardianships/${q(pupil.getUserId())}/${q(father.getUserId())}/custody`, { custody: "no_contact", reason: REASON });
    for (const gone of [colleague, pupil]) assert.equal((await put(other, { [gone.getUserId()]: 10 })).body["org.parta.rule"], "G4");
    assert.equal((await put(club, Object.fromEntries(ids.map((id) => [id, 20])))).status, 200);
    const { status, body } = await ask(father, "POST", `/rooms/${q(club)}/upgrade`, { new_version: "12" });
    assert.equal(status, 200);
    assert.deepEqual(await said(body.replacement_room), [...ids].sort());
    assert.equal((await put(body.replacement_room, Object.fromEntries(ids.map((id) => [id, 30])))).status, 200);
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`@nobody${i}:school.example`, 1]));
    const refused = await put(other, many);
    assert.deepEqual([refused.status, refused.body["org.parta.bound"]], [403, "named_anew: 100"]);
});

/** Doors that end or settle what two people, or somebody and a place, are to each other. */
const ofTwo = (child, guardian) => [...pathsOf(["guardian"])].map(([method, path]) => [method, filled(path, { child, guardian }), BODY]);
const ofPlaces = (whom, where) => [...pathsOf(["userId"])].filter(([, path]) => path.endsWith("/{role}")).map(([method, path]) => [method, filled(path, { userId: whom, class: where, role: "pupil" })]);

test("A4, D9: who is whose guardian, and who is what in which class, is the same to every door of a schoolmate's, be it so or not", async () => {
    const [here, besides] = [await w.newClass("7 «О»", "7"), await w.newClass("7 «П»", "7")];
    const pupil = await w.newClient("pupil", { class: here.class, birth_date: "2013-01-01" });
    const mate = await w.newClient("pupil", { class: here.class, birth_date: "2013-01-01" });
    const [one, apart] = [await w.newClient("guardian", { child: pupil.getUserId() }), await w.newClient("guardian", { child: pupil.getUserId() })];
    const mates = await w.newClient("guardian", { child: mate.getUserId() });
    await w.do(w.office, "PUT", `/guardianships/${q(pupil.getUserId())}/${q(apart.getUserId())}/custody`, { custody: "separate", reason: REASON });
    for (const who of [apart, mate, mates]) {
        assert.equal(await alike(who, (x) => ofTwo(pupil.getUserId(), x), [one.getUserId(), father.getUserId()]), 3);
        assert.equal(await alike(who, (x) => ofPlaces(pupil.getUserId(), x), [here.class, besides.class]), 2);
        assert.equal(await alike(who, (x) => ofPlaces(x, here.class), [pupil.getUserId(), father.getUserId()]), 2);
    }
    // Nor is a guardian whom no school has any more: to the office he is.
    const left = father.getUserId();
    const kept = `/_parta/v1/guardianships/${q(child.getUserId())}/${q(left)}/custody`;
    await w.do(w.office, "POST", `/people/${q(left)}/leave`, { school: HERE });
    for (const who of [child, mother]) await alike(who, (x) => ofTwo(child.getUserId(), x), [left, elsewhere.getUserId(), NOBODY]);
    assert.equal((await ask(w.office, "GET", kept)).body.custody, "no_contact");
    // The office is told, or nothing would be proven by it.
    assert.equal((await ask(w.office, "DELETE", `/_parta/v1/guardianships/${q(pupil.getUserId())}/${q(mates.getUserId())}`)).status, 404);
    assert.equal((await ask(w.office, "DELETE", `/_parta/v1/classes/${q(besides.class)}/enrollments/${q(pupil.getUserId())}/pupil`)).status, 404);
    assert.equal((await ask(w.office, "DELETE", `/_parta/v1/guardianships/${q(pupil.getUserId())}/${q(one.getUserId())}`)).status, 200);
});
