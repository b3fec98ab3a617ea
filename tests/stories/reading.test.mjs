// What people can read of rooms, by plain requests: history, state, members, relations, the directory, spaces.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server } from "./harness.mjs";

const V3 = "/_matrix/client/v3";
const V1 = "/_matrix/client/v1";
const q = encodeURIComponent;

let server, anna, boris, vera, room, messages;
let txn = 0;

async function join(name) {
    await server.makeUser(name);
    const { body } = await server.request("POST", `${V3}/login`, {
        body: { type: "m.login.password", identifier: { type: "m.id.user", user: name }, password: `${name}-password` },
    });
    return { id: body.user_id, token: body.access_token };
}

/** A request that must succeed; its body. */
async function ask(who, method, path, body) {
    const reply = await server.request(method, path, { token: who?.token, body });
    assert.equal(reply.status, 200, `${method} ${path}: ${JSON.stringify(reply.body)}`);
    return reply.body;
}

/** A request that must be refused so. */
async function refused(status, errcode, who, method, path, body) {
    const reply = await server.request(method, path, { token: who?.token, body });
    assert.deepEqual([reply.status, reply.body.errcode], [status, errcode], `${method} ${path}: ${JSON.stringify(reply.body)}`);
    return reply.body;
}

const of = (id, version = V3) => `${version}/rooms/${q(id)}`;

async function send(who, content, type = "m.room.message") {
    return (await ask(who, "PUT", `${of(room)}/send/${type}/t${++txn}`, content)).event_id;
}

const relating = (rel_type, event_id, more = {}) => ({ body: "r", "m.relates_to": { rel_type, event_id }, ...more });
const ids = (events) => events.map((e) => e.event_id);

/** Everything in pages. */
async function readAll(who, dir, limit, more = "") {
    const found = [];
    for (let from; ; ) {
        const page = await ask(who, "GET", `${of(room)}/messages?dir=${dir}&limit=${limit}${more}${from ? `&from=${from}` : ""}`);
        if (from) assert.equal(page.start, from);
        found.push(...page.chunk);
        if (page.end === undefined) return found;
        from = page.end;
    }
}

before(async () => {
    server = await Server.start();
    [anna, boris, vera] = [await join("anna"), await join("boris"), await join("vera")];
    room = (await ask(anna, "POST", `${V3}/createRoom`, { preset: "public_chat", name: "5А", room_alias_name: "5a", visibility: "public" })).room_id;
    messages = [];
    for (let i = 0; i < 20; ++i) messages.push(await send(anna, { msgtype: "m.text", body: `${i}` }));
    await ask(boris, "POST", `${V3}/join/${q("#5a:school.example")}`, {});
    for (let i = 20; i < 25; ++i) messages.push(await send(boris, { msgtype: "m.text", body: `${i}` }));
});

after(() => server?.stop());

test("history pages both ways without gap or repeat", async () => {
    const forwards = await readAll(anna, "f", 4);
    assert.equal(forwards[0].type, "m.room.create");
    assert.deepEqual(ids(forwards.filter((e) => e.type === "m.room.message")), messages);
    assert.deepEqual(ids(await readAll(boris, "b", 7)).reverse(), ids(forwards));
    const filtered = await readAll(anna, "b", 3, `&filter=${q(JSON.stringify({ types: ["m.room.message"], senders: [boris.id] }))}`);
    assert.deepEqual(ids(filtered).reverse(), messages.slice(20));
    assert.ok(forwards.find((e) => e.event_id === messages[0]).unsigned.transaction_id);
    assert.equal(forwards.find((e) => e.event_id === messages[24]).unsigned.transaction_id, undefined);
});

test("a lazy page brings the senders' member events and no others", async () => {
    const page = await ask(anna, "GET", `${of(room)}/messages?dir=b&limit=3&filter=${q('{"lazy_load_members":true}')}`);
    assert.deepEqual(page.state.map((e) => e.state_key), [boris.id]);
});

test("what /messages cannot read it refuses", async () => {
    for (const query of ["dir=x", "", "dir=b&from=zz", "dir=b&limit=-1", "dir=b&limit=many"]) {
        const { status } = await server.request("GET", `${of(room)}/messages?${query}`, { token: anna.token });
        assert.equal(status, 400, query);
    }
    await refused(400, "M_NOT_JSON", anna, "GET", `${of(room)}/messages?dir=b&filter=nope`);
    const closed = await refused(403, "M_FORBIDDEN", vera, "GET", `${of(room)}/messages?dir=b`);
    assert.deepEqual(await refused(403, "M_FORBIDDEN", vera, "GET", `${of("!none")}/messages?dir=b`), closed);
});

test("the context of an event has both sides, the state then, and tokens that go on", async () => {
    const context = await ask(boris, "GET", `${of(room)}/context/${q(messages[10])}?limit=6`);
    assert.equal(context.event.event_id, messages[10]);
    assert.deepEqual(ids(context.events_before), messages.slice(7, 10).reverse());
    assert.deepEqual(ids(context.events_after), messages.slice(11, 14));
    assert.ok(!context.state.some((e) => e.type === "m.room.member" && e.state_key === boris.id));
    const earlier = await ask(boris, "GET", `${of(room)}/messages?dir=b&limit=2&from=${context.start}`);
    assert.deepEqual(ids(earlier.chunk), messages.slice(5, 7).reverse());
    const later = await ask(boris, "GET", `${of(room)}/messages?dir=f&limit=2&from=${context.end}`);
    assert.deepEqual(ids(later.chunk), messages.slice(14, 16));
    const members = await ask(boris, "GET", `${of(room)}/members?at=${context.end}`);
    assert.deepEqual(members.chunk.map((e) => e.state_key), [anna.id]);
    await refused(404, "M_NOT_FOUND", boris, "GET", `${of(room)}/context/${q("$none")}`);
});

test("one event, by id and by time", async () => {
    const event = await ask(boris, "GET", `${of(room)}/event/${q(messages[3])}`);
    assert.deepEqual([event.content.body, event.room_id, event.unsigned.membership], ["3", room, "leave"]);
    await refused(404, "M_NOT_FOUND", vera, "GET", `${of(room)}/event/${q(messages[3])}`);
    assert.equal((await ask(boris, "GET", `${V3}/events/${q(messages[3])}`)).event_id, event.event_id); // deprecated, by its id alone
    const hidden = await refused(404, "M_NOT_FOUND", vera, "GET", `${V3}/events/${q(messages[3])}`);
    assert.deepEqual(await refused(404, "M_NOT_FOUND", vera, "GET", `${V3}/events/${q("$nowhere")}`), hidden);
    const initial = await ask(anna, "GET", `${of(room)}/initialSync?limit=3`);
    const page = await ask(anna, "GET", `${of(room)}/messages?dir=b&limit=3`);
    assert.deepEqual([initial.room_id, initial.membership], [room, "join"]);
    assert.deepEqual(ids(initial.messages.chunk), ids(page.chunk).reverse());
    const before = (from) => ask(anna, "GET", `${of(room)}/messages?dir=b&limit=3&from=${from}`);
    assert.deepEqual(ids((await before(initial.messages.start)).chunk), ids((await before(page.end)).chunk));
    assert.deepEqual(ids(initial.state).sort(), ids(await ask(anna, "GET", `${of(room)}/state`)).sort());
    await refused(403, "M_FORBIDDEN", vera, "GET", `${of(room)}/initialSync`);
    const first = await ask(anna, "GET", `${of(room, V1)}/timestamp_to_event?dir=f&ts=0`);
    assert.equal(first.event_id, (await readAll(anna, "f", 100))[0].event_id);
    const at = await ask(anna, "GET", `${of(room, V1)}/timestamp_to_event?dir=b&ts=${event.origin_server_ts}`);
    assert.equal(at.origin_server_ts, event.origin_server_ts);
    await refused(404, "M_NOT_FOUND", anna, "GET", `${of(room, V1)}/timestamp_to_event?dir=b&ts=1`);
    await refused(400, "M_MISSING_PARAM", anna, "GET", `${of(room, V1)}/timestamp_to_event?dir=b`);
});

test("state is read whole, by key, and as an event", async () => {
    const types = (await ask(anna, "GET", `${of(room)}/state`)).map((e) => e.type);
    assert.ok(["m.room.create", "m.room.member", "m.room.name"].every((type) => types.includes(type)));
    assert.deepEqual(await ask(anna, "GET", `${of(room)}/state/m.room.name`), { name: "5А" });
    assert.deepEqual(await ask(anna, "GET", `${of(room)}/state/m.room.name/`), { name: "5А" });
    assert.equal((await ask(anna, "GET", `${of(room)}/state/m.room.name/?format=event`)).state_key, "");
    assert.equal((await ask(anna, "GET", `${of(room)}/state/m.room.member/${q(boris.id)}`)).membership, "join");
    await refused(404, "M_NOT_FOUND", anna, "GET", `${of(room)}/state/org.example.none/x`);
    await refused(403, "M_FORBIDDEN", vera, "GET", `${of(room)}/state`);
});

test("members, joined rooms, rooms in common", async () => {
    assert.equal((await ask(anna, "GET", `${of(room)}/members?membership=join`)).chunk.length, 2);
    assert.equal((await ask(anna, "GET", `${of(room)}/members?not_membership=join`)).chunk.length, 0);
    await refused(400, "M_INVALID_PARAM", anna, "GET", `${of(room)}/members?membership=friend`);
    assert.deepEqual(Object.keys((await ask(anna, "GET", `${of(room)}/joined_members`)).joined).sort(), [anna.id, boris.id]);
    assert.deepEqual(await ask(anna, "GET", `${V3}/joined_rooms`), { joined_rooms: [room] });
    assert.deepEqual(await ask(anna, "GET", `${V1}/mutual_rooms?user_id=${q(boris.id)}`), { count: 1, joined: [room] });
    await refused(400, "M_INVALID_PARAM", anna, "GET", `${V1}/mutual_rooms?user_id=${q(anna.id)}`);
});

test("relations are listed, paged, followed and bundled", async () => {
    const root = await send(anna, { body: "root" });
    const replies = [];
    for (const who of [boris, anna, boris]) replies.push(await send(who, relating("m.thread", root)));
    const thumb = await send(boris, { "m.relates_to": { rel_type: "m.annotation", event_id: root, key: "👍" } }, "m.reaction");
    const edit = await send(boris, relating("m.replace", replies[2], { "m.new_content": { body: "e" } }));
    const path = `${of(room, V1)}/relations/${q(root)}`;
    assert.deepEqual(ids((await ask(anna, "GET", path)).chunk), [thumb, ...replies.toReversed()]);
    const page = await ask(anna, "GET", `${path}/m.thread?limit=2`);
    assert.deepEqual(ids(page.chunk), [replies[2], replies[1]]);
    const last = await ask(anna, "GET", `${path}/m.thread?limit=2&from=${page.next_batch}`);
    assert.deepEqual([ids(last.chunk), last.next_batch], [[replies[0]], undefined]);
    assert.deepEqual(ids((await ask(anna, "GET", `${path}/m.thread?dir=f`)).chunk), replies);
    assert.deepEqual(ids((await ask(anna, "GET", `${path}/m.annotation/m.reaction`)).chunk), [thumb]);
    assert.deepEqual(ids((await ask(anna, "GET", `${path}?recurse=true`)).chunk), [edit, thumb, ...replies.toReversed()]);
    const thread = (await ask(anna, "GET", `${of(room)}/event/${q(root)}`)).unsigned["m.relations"]["m.thread"];
    assert.deepEqual([thread.count, thread.current_user_participated, thread.latest_event.event_id], [3, true, replies[2]]);
    assert.equal(thread.latest_event.unsigned["m.relations"]["m.replace"].event_id, edit);
    const other = await send(boris, { body: "another root" });
    await send(boris, relating("m.thread", other));
    const threads = await ask(anna, "GET", `${of(room, V1)}/threads?limit=1`);
    assert.deepEqual(ids(threads.chunk), [other]);
    assert.deepEqual(ids((await ask(anna, "GET", `${of(room, V1)}/threads?from=${threads.next_batch}`)).chunk), [root]);
    assert.deepEqual(ids((await ask(anna, "GET", `${of(room, V1)}/threads?include=participated`)).chunk), [root]);
    await refused(404, "M_NOT_FOUND", vera, "GET", path);
});

test("who is ignored is not read", async () => {
    await ask(vera, "POST", `${of(room)}/join`, {});
    await ask(vera, "PUT", `${V3}/user/${q(vera.id)}/account_data/m.ignored_user_list`, { ignored_users: { [boris.id]: {} } });
    const all = await readAll(vera, "b", 50);
    assert.ok(all.some((e) => e.sender === boris.id && e.type === "m.room.member"));
    assert.ok(!all.some((e) => e.sender === boris.id && e.type === "m.room.message"));
    await ask(vera, "POST", `${of(room)}/leave`, {});
    await ask(vera, "POST", `${of(room)}/forget`, {});
});

test("who has left reads what was there then; who has forgotten reads nothing", async () => {
    await ask(boris, "POST", `${of(room)}/leave`, {});
    await send(anna, { body: "after" });
    await ask(anna, "PUT", `${of(room)}/state/m.room.name`, { name: "6А" });
    assert.deepEqual(await ask(boris, "GET", `${of(room)}/state/m.room.name`), { name: "5А" });
    const [last] = (await ask(boris, "GET", `${of(room)}/messages?dir=b&limit=1`)).chunk;
    assert.deepEqual([last.type, last.content.membership], ["m.room.member", "leave"]);
    await refused(403, "M_FORBIDDEN", boris, "GET", `${of(room)}/joined_members`);
    await ask(boris, "POST", `${of(room)}/forget`, {});
    await refused(403, "M_FORBIDDEN", boris, "GET", `${of(room)}/messages?dir=b`);
});

test("aliases are made by members, deleted by their makers, found by all", async () => {
    const path = `${V3}/directory/room/${q("#sixth:school.example")}`;
    await refused(403, "M_FORBIDDEN", vera, "PUT", path, { room_id: room });
    await ask(anna, "PUT", path, { room_id: room });
    await refused(409, "M_UNKNOWN", anna, "PUT", path, { room_id: room });
    assert.deepEqual(await ask(undefined, "GET", path), { room_id: room, servers: ["school.example"] });
    assert.deepEqual((await ask(anna, "GET", `${of(room)}/aliases`)).aliases, ["#5a:school.example", "#sixth:school.example"]);
    await refused(403, "M_FORBIDDEN", vera, "GET", `${of(room)}/aliases`);
    await refused(403, "M_FORBIDDEN", vera, "DELETE", path);
    await ask(anna, "DELETE", path);
    await refused(404, "M_NOT_FOUND", anna, "GET", path);
    await refused(400, "M_INVALID_PARAM", anna, "GET", `${V3}/directory/room/noalias`);
});

test("the public list is searched and paged; who has the power takes a room off it", async () => {
    const [found] = (await ask(vera, "POST", `${V3}/publicRooms`, { filter: { generic_search_term: "6а" } })).chunk;
    assert.deepEqual([found.room_id, found.num_joined_members, found.join_rule], [room, 1, "public"]);
    assert.deepEqual((await ask(vera, "POST", `${V3}/publicRooms`, { filter: { room_types: ["m.space"] } })).chunk, []);
    assert.equal((await ask(undefined, "GET", `${V3}/publicRooms?limit=1`)).chunk.length, 1);
    await refused(400, "M_INVALID_PARAM", vera, "POST", `${V3}/publicRooms`, { since: "bad" });
    await refused(404, "M_NOT_FOUND", vera, "POST", `${V3}/publicRooms?server=other.example`, {});
    const path = `${V3}/directory/list/room/${q(room)}`;
    await refused(403, "M_FORBIDDEN", vera, "PUT", path, { visibility: "private" });
    await ask(anna, "PUT", path, { visibility: "private" });
    assert.deepEqual(await ask(undefined, "GET", path), { visibility: "private" });
});

test("a space shows its rooms to who may enter them", async () => {
    const space = (await ask(anna, "POST", `${V3}/createRoom`, { creation_content: { type: "m.space" }, name: "Школа" })).room_id;
    await ask(anna, "PUT", `${of(space)}/state/m.space.child/${q(room)}`, { via: ["school.example"] });
    const path = `${of(space, V1)}/hierarchy`;
    const { rooms } = await ask(anna, "GET", path);
    assert.deepEqual(rooms.map((r) => r.room_id), [space, room]);
    assert.equal(rooms[0].children_state[0].state_key, room);
    const { next_batch } = await ask(anna, "GET", `${path}?limit=1`);
    assert.equal((await ask(anna, "GET", `${path}?limit=1&from=${next_batch}`)).rooms[0].room_id, room);
    await refused(400, "M_INVALID_PARAM", anna, "GET", `${path}?max_depth=2&from=${next_batch}`);
    await refused(403, "M_FORBIDDEN", vera, "GET", path);
    await refused(404, "M_NOT_FOUND", vera, "GET", `${V1}/room_summary/${q(space)}`);
    assert.equal((await ask(vera, "GET", `${V1}/room_summary/${q("#5a:school.example")}`)).name, "6А");
});

test("people are found by any part of their names", async () => {
    await ask(boris, "PUT", `${V3}/profile/${q(boris.id)}/displayname`, { displayname: "Борис Петров" });
    const found = await ask(anna, "POST", `${V3}/user_directory/search`, { search_term: "петров бор" });
    assert.deepEqual(found, { limited: false, results: [{ user_id: boris.id, display_name: "Борис Петров" }] });
});

test("what relates to nothing here, or begins a thread at what is no root, is refused", async () => {
    const elsewhere = (await ask(anna, "POST", `${V3}/createRoom`, { preset: "private_chat" })).room_id;
    const other = (await ask(anna, "PUT", `${of(elsewhere)}/send/m.room.message/o1`, { msgtype: "m.text", body: "o" })).event_id;
    const root = await send(anna, { body: "root" });
    const attempt = (rel_type, id, type = "m.room.message") =>
        server.request("PUT", `${of(room)}/send/${type}/t${++txn}`, { token: anna.token, body: relating(rel_type, id, { body: "r" }) });
    const thread = (await attempt("m.thread", root)).body.event_id;
    const answer = await send(anna, { body: "a", "m.relates_to": { "m.in_reply_to": { event_id: root } } });
    for (const kind of ["m.thread", "m.annotation", "m.replace", "m.reference", "org.example.kind"])
        for (const id of ["$nope", other, "", "x".repeat(300)]) {
            const { status, body } = await attempt(kind, id);
            assert.deepEqual([status, body.errcode], [400, "M_UNKNOWN"], `${kind} of ${id}`);
        }
    const reaction = (await attempt("m.annotation", root, "m.reaction")).body.event_id;
    for (const id of [thread, reaction]) assert.equal((await attempt("m.thread", id)).body.errcode, "M_UNKNOWN");
    assert.equal((await attempt("m.thread", answer)).status, 200); // an answer has no rel_type
    assert.equal((await attempt("m.reference", thread)).status, 200);
});

test("before the live end there is no end", async () => {
    const newest = (await ask(anna, "GET", `${of(room)}/messages?dir=b&limit=1`)).start;
    const first = await send(anna, { body: "first" });
    const page = await ask(anna, "GET", `${of(room)}/messages?dir=f&from=${newest}`);
    assert.deepEqual(ids(page.chunk), [first]);
    const none = await ask(anna, "GET", `${of(room)}/messages?dir=f&from=${page.end}`);
    assert.deepEqual([none.chunk, none.start, none.end], [[], page.end, undefined]);
    const second = await send(anna, { body: "second" });
    assert.deepEqual(ids((await ask(anna, "GET", `${of(room)}/messages?dir=f&from=${page.end}`)).chunk), [second]);
    await refused(400, "M_INVALID_PARAM", anna, "GET", `${of(room)}/messages?dir=f&limit=0`);
});

test("what older clients still say is understood", async () => {
    const r0 = V3.replace("/v3", "/r0");
    assert.deepEqual(await ask(anna, "GET", `${r0}/joined_rooms`), await ask(anna, "GET", `${V3}/joined_rooms`));
    await ask(anna, "PUT", `${of(room)}/typing/${q(anna.id)}`, { typing: false, timeout: 0 });
    await refused(400, "M_INVALID_PARAM", anna, "PUT", `${of(room)}/typing/${q(anna.id)}`, { typing: true, timeout: 0 });
    const { error } = await refused(400, "M_NOT_JSON", anna, "GET", `${of(room)}/messages?dir=b&filter={`);
    assert.match(error, /filter/);
});

test("nobody ignores themselves", async () => {
    const list = (ignored_users) => ask(anna, "PUT", `${V3}/user/${q(anna.id)}/account_data/m.ignored_user_list`, { ignored_users });
    await list({ [anna.id]: {} });
    const own = await send(anna, { body: "mine" });
    assert.equal((await ask(anna, "GET", `${of(room)}/messages?dir=b&limit=1`)).chunk[0].event_id, own);
    await list({});
});

test("a world-readable room is read by strangers from then on", async () => {
    await ask(anna, "PUT", `${of(room)}/state/m.room.history_visibility`, { history_visibility: "world_readable" });
    const open = await send(anna, { body: "open" });
    const page = await ask(vera, "GET", `${of(room)}/messages?dir=b&limit=50`);
    assert.deepEqual([ids(page.chunk)[0], page.chunk.length, page.end], [open, 2, undefined]);
});
