// A1, G1: every door through which a room is read is closed behind whoever has left the school: every section of every
// kind of /sync, and every GET route that names a room (they are read from tests/doors/table.txt, so that a new one is
// asked, too).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { until } from "./harness.mjs";
import { HERE, V3, World, q } from "./world.mjs";

let w, teacher, guardian, person, rooms, invited, secrets, since;
const told = {}; // room -> an event of its

before(async () => {
    w = await World.start();
    person = w.server.people.find(
        (p) =>
            p.school !== w.here &&
            p.role === "guardian" &&
            w.rolesOf(p.id).some((r) => r.school === w.here && r.role === "guardian") &&
            w.rolesOf(p.id).every((r) => r.role === "guardian"),
    );
    guardian = await w.still(person);
    for (const room of await w.rooms("guardians")) {
        const inside = await w.joined(room.room_id);
        const own = w.all({ role: "class_teacher" }).find((p) => inside.includes(p.id));
        if (inside.includes(person.id)) teacher = await w.still(own);
    }
});

after(() => w?.stop());

const get = async (path) => {
    const { status, body } = await w.server.request("GET", path, { token: guardian.getAccessToken() });
    return { status, body, text: JSON.stringify(body) };
};

/** Every kind of /sync: since when × which filter × which state. */
function syncs() {
    const kinds = [];
    const room = (more) => JSON.stringify({ room: { include_leave: true, timeline: { limit: 1000 }, ...more } });
    const filters = {
        none: "{}",
        left: room({}),
        lazy: room({ state: { lazy_load_members: true, include_redundant_members: true } }),
        short: JSON.stringify({ room: { include_leave: true, timeline: { limit: 1 } } }),
        narrow: JSON.stringify({ room: { include_leave: true, timeline: { types: ["m.room.message"] } } }),
        federation: JSON.stringify({ event_format: "federation", room: { include_leave: true } }),
        fields: JSON.stringify({ event_fields: ["type", "sender", "content.body"], room: { include_leave: true } }),
    };
    for (const [from, token] of [["initial", undefined], ...Object.entries(since ?? {})])
        for (const [name, filter] of Object.entries(filters))
            for (const more of ["", "&full_state=true", "&use_state_after=true", "&org.matrix.msc4222.use_state_after=true&full_state=true"])
                kinds.push([`${from} ${name}${more}`, `${V3}/sync?timeout=0&filter=${q(filter)}${token ? `&since=${token}` : ""}${more}`]);
    return kinds;
}

/** Sliding sync in both forms: every room by a list, by subscriptions, or both. */
function slides() {
    const kinds = [];
    const config = { timeline_limit: 50, required_state: { include: [{}] } };
    const unstable = { timeline_limit: 50, required_state: [["*", "*"]] };
    const extensions = Object.fromEntries(["to_device", "e2ee", "receipts", "typing", "io.element.msc4308.thread_subscriptions"].map((name) => [name, { enabled: true }]));
    const subscribed = (one) => Object.fromEntries([...(rooms ?? []), invited].filter(Boolean).map((room) => [room, one]));
    for (const [name, lists, subscriptions] of [["list", true, false], ["subscriptions", false, true], ["both", true, true]]) {
        kinds.push([`sliding stable ${name}`, "/_matrix/client/v4/sync", {
            lists: lists ? { all: config } : {}, room_subscriptions: subscriptions ? subscribed(config) : {}, extensions,
        }]);
        kinds.push([`sliding unstable ${name}`, "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", {
            lists: lists ? { all: { ...unstable, ranges: [[0, 999]] } } : {}, room_subscriptions: subscriptions ? subscribed(unstable) : {}, extensions,
        }]);
    }
    return kinds;
}
const slide = async (name, path, body, pos) => {
    const whole = { conn_id: name, ...body, ...(path.includes("v4") ? { pos } : {}) };
    const reply = await w.server.request("POST", pos && !path.includes("v4") ? `${path}?pos=${pos}` : path, { token: guardian.getAccessToken(), body: whole });
    assert.equal(reply.status, 200, `${name}: ${JSON.stringify(reply.body)}`);
    return { ...reply.body, text: JSON.stringify(reply.body) };
};
const positions = {};

/** Every GET route of the table that names a room. */
function roomRoutes(room) {
    const values = {
        roomId: room, roomIdOrAlias: room, eventId: told[room], relType: "m.annotation", eventType: "m.room.name",
        stateKey: "",
    };
    return readFileSync(new URL("../doors/table.txt", import.meta.url), "utf8")
        .split("\n")
        .map((line) => /^GET (\/_matrix\S*\{roomId(?:OrAlias)?\}\S*) = (.*)/.exec(line))
        .filter((m) => m && !m[2].startsWith("none: one's own"))
        .map((m) => m[1].replace(/\{(\w+)\}/g, (_, name) => {
            assert.ok(name in values, `${m[1]}: what is ${name}?`);
            return q(values[name]);
        }))
        .map((path) => path + (path.endsWith("/messages") ? "?dir=b&limit=100" : path.endsWith("timestamp_to_event") ? "?dir=f&ts=0" : ""));
}

/** Every kind of search: which keys × which order × what comes with it, and the page behind one that was given before. */
function searches() {
    const more = { include_state: true, event_context: { before_limit: 5, after_limit: 5, include_profile: true }, groupings: { group_by: [{ key: "room_id" }, { key: "sender" }] } };
    return ["recent", "rank"].flatMap((order_by) =>
        [undefined, ["content.body"], ["content.name", "content.topic"]].flatMap((keys) =>
            [{}, more, { ...more, filter: { rooms, limit: 1 } }].map((rest) => ({ search_term: "секрет", order_by, ...(keys && { keys }), ...rest })),
        ),
    );
}
const seek = async (room_events, next_batch) => {
    const path = `${V3}/search${next_batch ? `?next_batch=${next_batch}` : ""}`;
    const { status, body } = await w.server.request("POST", path, { token: guardian.getAccessToken(), body: { search_categories: { room_events } } });
    assert.equal(status, 200, JSON.stringify(body));
    return body.search_categories.room_events;
};
const pages = [];

const OWN = [`${V3}/notifications?limit=100`, `${V3}/joined_rooms`, `${V3}/publicRooms`, "/_matrix/client/unstable/io.element.msc4308/thread_subscriptions?dir=b"];

/** What of the left school stands in a text. */
const found = (text) => secrets.filter((secret) => text.includes(secret));

test("before: the doors are open, and each of them tells something", async () => {
    const club = await teacher.createRoom({ name: "СЕКРЕТ кружок", topic: "СЕКРЕТ тема", invite: [person.id] });
    const asked = await teacher.createRoom({ name: "СЕКРЕТ приглашение", invite: [person.id] });
    await guardian.joinRoom(club.room_id);
    const mine = (await guardian.getJoinedRooms()).joined_rooms;
    rooms = (await w.rooms()).map((r) => r.room_id).filter((id) => mine.includes(id));
    assert.ok(rooms.length >= 4 && rooms.includes(club.room_id));
    invited = asked.room_id;
    for (const room of rooms)
        told[room] = (await guardian.createMessagesRequest(room, null, 1, "b")).chunk[0].event_id;
    told[club.room_id] = (await w.say(teacher, club.room_id, "СЕКРЕТ слово")).event_id;
    await teacher.sendEvent(club.room_id, "m.reaction", {
        "m.relates_to": { rel_type: "m.annotation", event_id: told[club.room_id], key: "СЕКРЕТ" },
    });
    for (const room of rooms) { /* to a thread of each they subscribe, so that there is something to tell */
        const path = `/_matrix/client/unstable/io.element.msc4306/rooms/${q(room)}/thread/${q(told[room])}/subscription`;
        const { status } = await w.server.request("PUT", path, { token: guardian.getAccessToken(), body: {} });
        assert.equal(status, 200);
    }
    for (const room of rooms)
        for (const path of roomRoutes(room)) {
            const { status, text } = await get(path);
            assert.ok(status === 200 || (status === 404 && /aliases|m\.room\.name|timestamp/.test(path)), `${path}: ${status} ${text}`);
        }
    secrets = [...rooms, asked.room_id, teacher.getUserId(), "СЕКРЕТ"];
    for (const [name, path] of syncs()) assert.ok(found((await get(path)).text).length >= 3, name);
    since = { early: (await get(`${V3}/sync?timeout=0&filter=${q('{"room":{"timeline":{"limit":1}}}')}`)).body.next_batch };
    await w.say(teacher, club.room_id, "СЕКРЕТ до ухода");
    since.before = (await get(`${V3}/sync?timeout=0`)).body.next_batch;
    for (const [name, path, body] of slides()) {
        const answer = await slide(name, path, body);
        assert.ok(found(answer.text).length >= 3, name);
        positions[name] = answer.pos;
    }
    await w.say(teacher, club.room_id, "СЕКРЕТ напоследок");
    await until(async () => (await seek({ search_term: "секрет напоследок" })).count === 1, "the index");
    for (const request of searches()) {
        const page = await seek(request);
        assert.ok(page.count >= 2 && found(JSON.stringify(page)).length >= 3, JSON.stringify(request));
        if (page.next_batch) pages.push([request, page.next_batch]);
    }
    assert.ok(pages.length >= 6);
});

test("G1: after leaving no kind of /sync tells more of the school's rooms than that one has left them", async () => {
    await w.do(guardian, "POST", "/me/leave", { school: HERE });
    since.after = (await get(`${V3}/sync?timeout=0`)).body.next_batch;
    await until(async () => (await get(`${V3}/sync?timeout=0&since=${since.before}`)).body.rooms?.leave, "the leaving");
    for (const [name, path] of syncs()) {
        const { status, body } = await get(path);
        assert.equal(status, 200, name);
        const left = body.rooms?.leave ?? {};
        for (const room of [...rooms, invited]) {
            if (!left[room]) continue;
            assert.ok(/^(early|before)/.test(name), `${name}: ${room} is news only once`);
            const events = [...left[room].timeline.events, ...(left[room].state?.events ?? []), ...(left[room].state_after?.events ?? [])];
            assert.ok(events.length <= 1, `${name}: ${JSON.stringify(left[room])}`);
            assert.ok(events.every((e) => e.type === "m.room.member" && (name.includes("fields") || e.state_key === person.id)));
            delete left[room];
        }
        if (/^(early|before) none$/.test(name)) assert.equal(Object.keys(left).length, 0);
        // m.direct and the like are one's own
        assert.deepEqual(found(JSON.stringify({ ...body, account_data: undefined })), [], name);
    }
});

test("G1: nor does sliding sync: of the rooms that its client has it says that they are left, and else nothing", async () => {
    for (const [name, path, body] of slides()) {
        const initial = await slide("anew", path, body);
        assert.deepEqual(found(initial.text), [], `${name}: ${initial.text}`);
        const later = await slide(name, path, body, positions[name]);
        for (const room of [...rooms, invited]) {
            const told = later.rooms[room];
            if (room === invited && !told) continue;
            assert.ok(told, `${name}: ${room} is not said to be left`);
            const events = [...(told.timeline ?? []), ...(told.required_state ?? [])];
            assert.ok(events.length >= 1 && events.every((e) => e.type === "m.room.member" && e.state_key === person.id), JSON.stringify(told));
            assert.ok(!("name" in told) && !("heroes" in told) && !("joined_count" in told), JSON.stringify(told));
            delete later.rooms[room];
        }
        assert.deepEqual(found(JSON.stringify({ ...later, text: undefined })), [], name);
        const again = await slide(name, path, body, later.pos);
        assert.deepEqual(found(again.text), [], name);
    }
});

test("A1: after leaving every route that names a room answers as if there were none", async () => {
    for (const room of rooms)
        for (const path of roomRoutes(room)) {
            const { status, text } = await get(path);
            const none = await get(path.replaceAll(q(room), q("!no_such_room:school.example")));
            assert.ok([403, 404].includes(status), `${path}: ${status} ${text}`);
            assert.deepEqual({ status, text }, { status: none.status, text: none.text }, path);
        }
    for (const path of OWN) assert.deepEqual(found((await get(path)).text), [], path);
    for (const path of [`/presence/${q(teacher.getUserId())}/status`, `/profile/${q(teacher.getUserId())}`])
        assert.ok([403, 404].includes((await get(V3 + path)).status), path);
    assert.deepEqual((await get(`/_matrix/client/v1/mutual_rooms?user_id=${q(teacher.getUserId())}`)).body.joined ?? [], []);
});

test("A1, G1: after leaving no search finds or counts anything there, nor does a page that was begun before", async () => {
    const nothing = async (request, next_batch) => {
        const { results, count, state, groups, highlights } = await seek(request, next_batch);
        assert.deepEqual([results, state ?? {}, highlights], [[], {}, []], JSON.stringify(request));
        assert.deepEqual(found(JSON.stringify(groups ?? {})), []);
        if (!next_batch) assert.equal(count, 0);
    };
    for (const request of searches()) await nothing(request);
    for (const [request, next_batch] of pages) await nothing(request, next_batch);
});
