// Sliding sync (MSC4186): Element X's three connections as it opens them, both forms, what a pos is good for, lists and filters.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, until } from "./harness.mjs";
import { Asker, ids, of, q, registerAll } from "./asking.mjs";

const UNSTABLE = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync";
const STABLE = "/_matrix/client/v4/sync";
const on = { enabled: true };
let server, anna, boris, vera;

before(async () => {
    server = await Server.start();
    [anna, boris, vera] = await registerAll(server, ["anna", "boris", "vera"]);
});

after(() => server?.stop());

const unstable = (who, body, { pos, timeout = 0 } = {}) =>
    who.ask("POST", `${UNSTABLE}?timeout=${timeout}${pos ? `&pos=${pos}` : ""}`, body);
const stable = (who, body) => who.ask("POST", STABLE, body);
const list = (last, more = {}) => ({ ranges: [[0, last]], timeline_limit: 1, required_state: [], ...more });
const types = (events) => (events ?? []).map((e) => e.type).sort();
const said = (room) => (room?.timeline ?? []).map((e) => e.content.body);

async function roomOf(who, ...others) {
    const room = await who.create({ preset: "public_chat", name: "Класс" });
    for (const other of others) await other.join(room);
    return room;
}

/** What matrix-sdk-ui's RoomListService asks (clients.md 1.5). */
const ROOM_STATE = [
    ["m.room.name", ""], ["m.room.topic", ""], ["m.room.avatar", ""], ["m.room.canonical_alias", ""], ["m.room.encryption", ""],
    ["m.room.member", "$LAZY"], ["m.room.member", "$ME"], ["m.room.power_levels", ""], ["org.matrix.msc3401.call.member", "*"],
    ["m.room.join_rules", ""], ["m.room.tombstone", ""], ["m.room.create", ""], ["m.room.history_visibility", ""],
    ["io.element.functional_members", ""], ["m.space.parent", "*"], ["m.space.child", "*"], ["org.matrix.msc3672.beacon_info", "*"],
];
const roomList = (last, subscriptions = {}) => ({
    conn_id: "room-list",
    lists: { all_rooms: { ranges: [[0, last]], timeline_limit: 1, required_state: ROOM_STATE, include_heroes: true } },
    room_subscriptions: subscriptions,
    extensions: { account_data: on, receipts: { ...on, rooms: ["*"] }, typing: on, "io.element.unknown": on },
});
const encryption = (since) => ({ conn_id: "encryption", extensions: { e2ee: on, to_device: { ...on, limit: 100, since } } });

test("Element X's three connections: the room list grows, a room is opened, news come; encryption sleeps meanwhile; a push is looked up", async () => {
    const rooms = [];
    for (let i = 0; i < 25; ++i) {
        rooms.unshift(await roomOf(anna, vera));
        await anna.send(rooms[0], `${i}`);
    }
    const keys = await unstable(vera, encryption());
    assert.ok(keys.extensions.to_device.next_batch && keys.extensions.e2ee.device_unused_fallback_key_types);
    assert.ok(keys.extensions.e2ee.device_one_time_keys_count !== undefined);
    let sleeping = true;
    const asleep = unstable(vera, encryption(keys.extensions.to_device.next_batch), { pos: keys.pos, timeout: 100000 }).then((answer) => {
        sleeping = false;
        return answer;
    });

    const first = await unstable(vera, roomList(19));
    assert.deepEqual([first.lists.all_rooms.count, Object.keys(first.rooms).sort()], [25, rooms.slice(0, 20).sort()]);
    for (const room of Object.values(first.rooms)) {
        assert.deepEqual([room.initial, room.timeline.length, room.limited, room.joined_count], [true, 1, true, 2]);
        assert.ok(types(room.required_state).includes("m.room.create") && room.name === "Класс");
        const members = room.required_state.filter((e) => e.type === "m.room.member").map((e) => e.state_key);
        assert.deepEqual(members.sort(), [anna.id, vera.id]);
    }
    assert.ok(types(first.extensions.account_data.global).includes("m.push_rules"));

    const grown = await unstable(vera, roomList(119), { pos: first.pos });
    assert.deepEqual(Object.keys(grown.rooms).sort(), rooms.slice(20).sort());

    // A room is opened: at once, with what was before, and it says so.
    const subscription = { [rooms[3]]: { timeline_limit: 20, required_state: [["m.room.pinned_events", ""], ...ROOM_STATE] } };
    const opened = await unstable(vera, roomList(119, subscription), { pos: grown.pos, timeout: 20000 });
    assert.deepEqual(Object.keys(opened.rooms), [rooms[3]]);
    const room = opened.rooms[rooms[3]];
    assert.deepEqual([room.initial, room.unstable_expanded_timeline, room.num_live], [undefined, true, 0]);
    assert.ok(room.timeline.length > 5 && ids(room.timeline).length === new Set(ids(room.timeline)).size);

    // News wake it; others' typing and receipts come, too, and nothing is told twice.
    const waiting = unstable(vera, roomList(119, subscription), { pos: opened.pos, timeout: 20000 });
    await anna.send(rooms[24], "news");
    const news = await waiting;
    assert.deepEqual([Object.keys(news.rooms), said(news.rooms[rooms[24]])], [[rooms[24]], ["news"]]);
    const { num_live, notification_count, initial } = news.rooms[rooms[24]];
    assert.deepEqual([num_live, notification_count, initial], [1, 2, undefined]);
    // Who speaks was told of with the room, and is not told of again and again.
    let { pos } = news;
    for (const word of ["one", "two", "three"]) {
        const next = unstable(vera, roomList(119, subscription), { pos, timeout: 20000 });
        await anna.send(rooms[24], word);
        const told = await next;
        assert.deepEqual([said(told.rooms[rooms[24]]), told.rooms[rooms[24]].required_state], [[word], undefined]);
        pos = told.pos;
    }
    await anna.ask("PUT", of(rooms[1], `/typing/${q(anna.id)}`), { typing: true, timeout: 20000 });
    const typing = await unstable(vera, roomList(119, subscription), { pos });
    assert.deepEqual(typing.extensions.typing.rooms[rooms[1]].content.user_ids, [anna.id]);
    assert.deepEqual(typing.rooms, {});
    const read = await vera.ask("POST", of(rooms[24], `/receipt/m.read/${q(news.rooms[rooms[24]].timeline[0].event_id)}`));
    assert.deepEqual(read, {});
    const marked = await unstable(vera, roomList(119, subscription), { pos: typing.pos });
    assert.equal(marked.rooms[rooms[24]].notification_count, 3);
    assert.ok(JSON.stringify(marked.extensions.receipts.rooms[rooms[24]]).includes(vera.id));

    // The third, for a push: one room and the invites.
    const push = await unstable(vera, {
        conn_id: "notifications",
        lists: { invites: { ranges: [[0, 16]], timeline_limit: 8, required_state: [["m.room.member", "$ME"]], filters: { is_invite: true } } },
        room_subscriptions: { [rooms[24]]: { timeline_limit: 16, required_state: [["m.room.power_levels", ""], ["m.room.member", "$LAZY"]] } },
        extensions: {},
    });
    assert.deepEqual([push.lists.invites.count, Object.keys(push.rooms)], [0, [rooms[24]]]);
    assert.ok(said(push.rooms[rooms[24]]).includes("news"));

    assert.equal(sleeping, true, "what is said in rooms wakes no connection that asks for none");
    await anna.ask("PUT", "/sendToDevice/org.example.wake/1", { messages: { [vera.id]: { "*": { a: 1 } } } });
    const woken = await asleep;
    assert.deepEqual([types(woken.extensions.to_device.events), woken.rooms], [["org.example.wake"], {}]);
    assert.ok(woken.extensions.e2ee.device_one_time_keys_count !== undefined);
    const nothing = await unstable(vera, encryption(woken.extensions.to_device.next_batch), { pos: woken.pos, timeout: 100 });
    assert.equal(nothing.pos, woken.pos);
});

test("the merged form says the same: a range, choices of state, membership and lists of a room, no counts", async () => {
    const room = await roomOf(anna, boris);
    await anna.state(room, "org.example.x", { v: 1 }, "a");
    await anna.send(room, "hello");
    const body = {
        conn_id: "main",
        lists: {
            top: { range: [0, 0], timeline_limit: 2, required_state: { include: [{}], exclude: [{ type: "org.example.x" }], lazy_members: true } },
            all: { timeline_limit: 1, required_state: { include: [{ type: "m.room.member", state_key: boris.id }] } },
        },
    };
    const first = await stable(boris, body);
    const told = first.rooms[room];
    assert.deepEqual([told.initial, told.membership, told.lists.sort(), told.name], [true, "join", ["all", "top"], "Класс"]);
    assert.deepEqual([told.timeline.length, told.notification_count, told.expanded_timeline], [2, undefined, undefined]);
    assert.ok(!types(told.required_state).includes("org.example.x") && types(told.required_state).includes("m.room.create"));
    const waiting = stable(boris, { ...body, pos: first.pos, timeout: 20000 });
    await anna.state(room, "m.room.name", {});
    const later = (await waiting).rooms[room];
    assert.deepEqual([later.name, later.initial, later.num_live], [null, undefined, 1]);
    // A pos is a token for pages, too.
    assert.ok((await boris.get(of(room, `/messages?dir=b&limit=5&from=${first.pos}`))).chunk.length === 5);
    const idle = await stable(boris, { ...body, pos: (await stable(boris, body)).pos, timeout: 1 });
    assert.deepEqual([idle.rooms, typeof idle.pos], [{}, "string"]);
});

test("a pos is its connection's: a lost answer is made again, another's or an old one is not known, and a restart loses nothing", async () => {
    const room = await roomOf(anna, boris);
    const body = { conn_id: "one", lists: { all: list(99) } };
    const first = await unstable(boris, body);
    await anna.send(room, "lost?");
    const lost = await unstable(boris, body, { pos: first.pos });
    const again = await unstable(boris, body, { pos: first.pos });
    assert.deepEqual([said(lost.rooms[room]), said(again.rooms[room])], [["lost?"], ["lost?"]]);
    await boris.refused(400, "M_UNKNOWN_POS", "POST", `${UNSTABLE}?pos=${lost.pos}`, body); // it was made again
    const next = await unstable(boris, body, { pos: again.pos });
    assert.deepEqual(next.rooms, {});
    await boris.refused(400, "M_UNKNOWN_POS", "POST", `${UNSTABLE}?pos=${first.pos}`, body);
    await boris.refused(400, "M_UNKNOWN_POS", "POST", `${UNSTABLE}?pos=${again.pos}`, { ...body, conn_id: "two" });
    await anna.refused(400, "M_UNKNOWN_POS", "POST", `${UNSTABLE}?pos=${again.pos}`, body);
    await (await boris.again()).refused(400, "M_UNKNOWN_POS", "POST", `${UNSTABLE}?pos=${again.pos}`, body);
    for (const pos of ["x", "p", "s12", `${again.pos}0`, q("пос"), "p".repeat(500)])
        await boris.refused(400, "M_UNKNOWN_POS", "POST", `${UNSTABLE}?pos=${pos}`, body);
    await server.restart();
    await anna.send(room, "after the restart");
    const after = await unstable(boris, body, { pos: again.pos });
    assert.deepEqual([Object.keys(after.rooms), said(after.rooms[room]), after.rooms[room].initial], [[room], ["after the restart"], undefined]);
    // With what it says of its lists changed it cannot be said what it has.
    await server.restart();
    await boris.refused(400, "M_UNKNOWN_POS", "POST", `${UNSTABLE}?pos=${after.pos}`, { conn_id: "one", lists: { all: list(99, { timeline_limit: 3 }) } });
    for (const [conn_id, body] of [...Array(9).keys()].map((i) => [`c${i}`, { lists: { all: list(0) } }])) await unstable(boris, { conn_id, ...body });
});

test("messages to devices come by their own since, each until it is said to have come; a waiting connection is woken by them", async () => {
    const phone = await vera.again({ device_id: "SLIDING" });
    const send = (body, n) => boris.ask("PUT", `/sendToDevice/org.example.note/s${n}`, { messages: { [vera.id]: { SLIDING: { body } } } });
    const notes = (answer) => (answer.extensions.to_device?.events ?? []).map((e) => [e.sender, e.type, e.content.body]);
    const note = (body) => [boris.id, "org.example.note", body];
    await send("one", 1);
    const first = await unstable(phone, encryption());
    assert.deepEqual(notes(first), [note("one")]);
    const since = first.extensions.to_device.next_batch;
    assert.deepEqual(notes(await unstable(phone, encryption())), [note("one")]); // it begins anew: nothing was lost
    const anew = await unstable(phone, encryption(since));
    assert.deepEqual(notes(anew), []);
    const waiting = unstable(phone, encryption(since), { pos: anew.pos, timeout: 20000 });
    await send("two", 2);
    const woken = await waiting;
    assert.deepEqual(notes(woken), [note("two")]);
    assert.deepEqual(notes(await unstable(phone, encryption(since), { pos: anew.pos })), [note("two")]);
    const said = await unstable(phone, encryption(woken.extensions.to_device.next_batch));
    assert.deepEqual(notes(said), []);
    await until(async () => !notes(await unstable(phone, encryption())).length, "what was said to have come to be gone");
    assert.deepEqual(notes(await unstable(vera, encryption())), []);
});

test("filters: invites, direct chats, encryption, types, tags and spaces; an invite shows what helps to know the room", async () => {
    const space = await anna.create({ name: "Пространство", creation_content: { type: "m.space" } });
    const child = await roomOf(anna);
    const secret = await anna.create({ initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }] });
    const direct = await anna.create({ is_direct: true, invite: [boris.id] });
    const asked = await vera.create({ name: "Секрет", topic: "о чём", invite: [anna.id] });
    await anna.state(space, "m.space.child", { via: ["school.example"] }, child);
    await anna.ask("PUT", `/user/${q(anna.id)}/account_data/m.direct`, { [boris.id]: [direct] });
    await anna.ask("PUT", `/user/${q(anna.id)}/rooms/${q(child)}/tags/m.favourite`, { order: 0.5 });
    const only = async (filters) => {
        const { lists, rooms } = await unstable(anna, { conn_id: "f", lists: { l: list(999, { filters }) } });
        assert.equal(lists.l.count, Object.keys(rooms).length);
        return rooms;
    };
    const has = async (filters, ...wanted) => assert.deepEqual(Object.keys(await only(filters)).sort(), wanted.sort(), JSON.stringify(filters));
    const all = Object.keys(await only({}));
    await has({ is_invite: true }, asked);
    await has({ is_invite: false }, ...all.filter((id) => id !== asked));
    await has({ is_dm: true }, direct);
    await has({ is_dm: false }, ...all.filter((id) => id !== direct));
    await has({ is_encrypted: true }, secret);
    await has({ room_types: ["m.space"] }, space);
    await has({ not_room_types: ["m.space"] }, ...all.filter((id) => id !== space));
    await has({ room_types: [null] }, ...all.filter((id) => id !== space));
    await has({ room_types: [null, "m.space"], not_room_types: [null] }, space);
    await has({ tags: ["m.favourite", "u.x"] }, child);
    await has({ tags: ["m.favourite"], not_tags: ["m.favourite"] });
    await has({ spaces: [space] }, child);
    await has({ spaces: [asked, "!none:school.example"] });
    const { [direct]: chat, [asked]: invite } = await only({});
    assert.equal(chat.is_dm, true);
    assert.ok(invite.invite_state.some((e) => e.type === "m.room.name") && invite.invite_state.every((e) => !e.event_id));
    for (const member of ["timeline", "required_state", "name", "heroes", "joined_count"]) assert.equal(invite[member], undefined, member);
    // Declined, it is told once; and again if they are asked once more.
    const body = { conn_id: "i", lists: { l: list(999) } };
    const first = await unstable(anna, body);
    await anna.leave(asked);
    const left = await unstable(anna, body, { pos: first.pos });
    assert.deepEqual(types(left.rooms[asked].timeline), ["m.room.member"]);
    assert.deepEqual((await unstable(anna, body, { pos: left.pos })).rooms, {});
});

test("who is put out sees that, up to there; who comes back begins anew; a name of its own has no heroes", async () => {
    const room = await anna.create({ preset: "public_chat" });
    await boris.join(room);
    const body = { conn_id: "out", lists: { l: list(99, { timeline_limit: 10 }) } };
    const first = await unstable(boris, body);
    assert.deepEqual(first.rooms[room].heroes.map((h) => h.user_id), [anna.id]);
    await anna.ask("POST", of(room, "/kick"), { user_id: boris.id });
    await anna.send(room, "not for boris");
    const out = await unstable(boris, body, { pos: first.pos });
    assert.deepEqual(types(out.rooms[room].timeline), ["m.room.member"]);
    const anew = await unstable(boris, { ...body, conn_id: "anew" });
    assert.ok(anew.rooms[room] && !said(anew.rooms[room]).includes("not for boris"));
    await boris.join(room);
    const back = await unstable(boris, body, { pos: out.pos });
    assert.deepEqual([back.rooms[room].initial, said(back.rooms[room]).includes("not for boris")], [true, true]);
    await boris.leave(room);
    assert.equal((await unstable(boris, { ...body, conn_id: "later" })).rooms[room], undefined);
});

test("what is too much or not well-formed is refused, and changes nothing", async () => {
    for (const path of [UNSTABLE, STABLE]) {
        const padded = (bytes) => ({ lists: {}, more: "x".repeat(bytes - JSON.stringify({ lists: {}, more: "" }).length) });
        await boris.ask("POST", path, padded(131072));
        await boris.refused(413, "M_TOO_LARGE", "POST", path, padded(131073));
    }
    const many = (n, one) => Object.fromEntries([...Array(n).keys()].map((i) => [`l${i}`, one]));
    const bad = [
        ["M_INVALID_PARAM", { lists: many(101, list(1)) }],
        ["M_INVALID_PARAM", { lists: many(1000, list(1)) }],
        ["M_INVALID_PARAM", { room_subscriptions: many(101, { timeline_limit: 1, required_state: [] }) }],
        ["M_INVALID_PARAM", { lists: { l: list(1, { ranges: [[5, 1]] }) } }],
        ["M_INVALID_PARAM", { lists: { l: list(1, { ranges: [[-1, 1]] }) } }],
        ["M_INVALID_PARAM", { lists: { l: list(1, { ranges: Array(17).fill([0, 1]) }) } }],
        ["M_INVALID_PARAM", { lists: { l: list(1, { timeline_limit: -1 }) } }],
        ["M_INVALID_PARAM", { lists: { l: list(1, { required_state: Array(201).fill(["m.x", ""]) }) } }],
        ["M_INVALID_PARAM", { lists: { ["l".repeat(65)]: list(1) } }],
        ["M_INVALID_PARAM", { conn_id: "c".repeat(65) }],
        ["M_INVALID_PARAM", { lists: Object.fromEntries([...Array(65).keys()].map((i) => [`l${i}`, list(1, { required_state: [["m.x", `${i}`]] })])) }],
        ["M_BAD_JSON", { lists: [] }],
        ["M_BAD_JSON", { lists: { l: 1 } }],
        ["M_BAD_JSON", { lists: { l: list(1, { ranges: [[0, "1"]] }) } }],
        ["M_BAD_JSON", { lists: { l: list(1, { required_state: [["m.x"]] }) } }],
        ["M_BAD_JSON", { lists: { l: list(1, { filters: { is_dm: "yes" } }) } }],
        ["M_BAD_JSON", { extensions: { typing: { enabled: "yes" } } }],
        ["M_BAD_JSON", { extensions: { typing: { enabled: true, lists: [1] } } }],
        ["M_BAD_JSON", { conn_id: 1 }],
    ];
    for (const [errcode, body] of bad) await anna.refused(400, errcode, "POST", UNSTABLE, body);
    await anna.refused(400, "M_INVALID_PARAM", "POST", `${UNSTABLE}?set_presence=asleep`, {});
    await anna.refused(400, "M_INVALID_PARAM", "POST", STABLE, { set_presence: "asleep" });
    await anna.refused(400, "M_BAD_JSON", "POST", STABLE, { lists: { l: { required_state: [] } } });
    const subscribed = await unstable(boris, { room_subscriptions: { "!none:school.example": list(0), [await vera.create()]: list(0) } });
    assert.deepEqual(subscribed.rooms, {});
    await until(async () => (await unstable(boris, {})).pos, "an empty request is one");
});

const M4306 = "/_matrix/client/unstable/io.element.msc4306";
const M4308 = "/_matrix/client/unstable/io.element.msc4308/thread_subscriptions";
const subscription = (room, root) => `${M4306}/rooms/${q(room)}/thread/${q(root)}/subscription`;

test("threads are subscribed to and unsubscribed from (MSC4306); a client's own subscription does not undo what the person took back", async () => {
    const room = await roomOf(anna, boris);
    const root = await anna.send(room, "root");
    const inThread = (body) => boris.send(room, { msgtype: "m.text", body, "m.relates_to": { rel_type: "m.thread", event_id: root } });
    const first = await inThread("first");
    const at = subscription(room, root);

    await anna.refused(404, "M_NOT_FOUND", "GET", at);
    await anna.refused(400, "IO.ELEMENT.MSC4306.M_NOT_IN_THREAD", "PUT", at, { automatic: root });
    await anna.refused(400, "IO.ELEMENT.MSC4306.M_NOT_IN_THREAD", "PUT", at, { automatic: "$nothing" });
    await anna.refused(404, "M_NOT_FOUND", "PUT", subscription(room, first), {});
    for (const method of ["GET", "PUT", "DELETE"]) await vera.refused(404, "M_NOT_FOUND", method, at, method === "PUT" ? {} : undefined);
    assert.deepEqual(await anna.ask("PUT", at, { automatic: first }), {});
    assert.deepEqual(await anna.ask("GET", at), { automatic: true });
    assert.deepEqual(await anna.ask("PUT", at, {}), {});
    assert.deepEqual(await anna.ask("GET", at), { automatic: false });
    await anna.ask("PUT", at, { automatic: first });
    assert.deepEqual(await anna.ask("GET", at), { automatic: false }, "what the person did stays");
    assert.deepEqual(await anna.ask("DELETE", at), {});
    assert.deepEqual(await anna.ask("DELETE", at), {});
    await anna.refused(404, "M_NOT_FOUND", "GET", at);
    await anna.refused(409, "IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION", "PUT", at, { automatic: first });
    assert.deepEqual(await anna.ask("PUT", at, { automatic: await inThread("later") }), {});
    assert.deepEqual(await anna.ask("GET", at), { automatic: true });
    await boris.refused(404, "M_NOT_FOUND", "GET", at);
});

test("sliding sync tells of thread subscriptions (MSC4308): the latest, and the others by pages; of nothing that one may not read", async () => {
    const [petya] = await registerAll(server, ["petya"]);
    const room = await roomOf(anna, petya);
    const other = await roomOf(anna, petya);
    const roots = [];
    for (let i = 0; i < 5; ++i) roots.push(await anna.send(i < 4 ? room : other, `${i}`));
    const body = (limit) => ({ conn_id: "threads", extensions: { "io.element.msc4308.thread_subscriptions": { ...on, limit } } });
    const threads = (answer) => answer.extensions["io.element.msc4308.thread_subscriptions"];
    const begun = await unstable(petya, body());
    assert.equal(threads(begun), undefined);

    const waiting = unstable(petya, body(), { pos: begun.pos, timeout: 20000 });
    await petya.ask("PUT", subscription(room, roots[0]), {});
    const woken = threads(await waiting);
    assert.deepEqual(woken, { subscribed: { [room]: { [roots[0]]: { automatic: false, bump_stamp: 1 } } } });

    for (let i = 1; i < 5; ++i) await petya.ask("PUT", subscription(i < 4 ? room : other, roots[i]), {});
    await petya.ask("DELETE", subscription(room, roots[0]));
    const some = threads(await unstable(petya, body(2), { pos: begun.pos }));
    assert.deepEqual(some.subscribed, { [other]: { [roots[4]]: { automatic: false, bump_stamp: 1 } } });
    assert.deepEqual(some.unsubscribed, { [room]: { [roots[0]]: { bump_stamp: 2 } } });
    const page = await petya.ask("GET", `${M4308}?dir=b&limit=2&from=${some.prev_batch}&to=${begun.pos}`);
    assert.deepEqual(Object.keys(page.subscribed[room]).sort(), [roots[3], roots[2]].sort());
    const last = await petya.ask("GET", `${M4308}?dir=b&limit=2&from=${page.end}&to=${begun.pos}`);
    assert.deepEqual([Object.keys(last.subscribed[room]), last.end], [[roots[1]], undefined]);
    const all = await petya.ask("GET", `${M4308}?dir=b`);
    assert.deepEqual([Object.keys(all.subscribed[room]).length, Object.keys(all.unsubscribed[room]).length], [3, 1]);
    const fresh = await unstable(petya, { ...body(), conn_id: "another" });
    assert.deepEqual(threads(fresh).subscribed, all.subscribed);
    await petya.refused(400, "M_INVALID_PARAM", "GET", `${M4308}?dir=f`);
    await petya.refused(400, "M_MISSING_PARAM", "GET", M4308);
    await anna.refused(400, "M_INVALID_PARAM", "GET", `${M4308}?dir=b&from=${some.prev_batch}`);

    await petya.ask("POST", of(other, "/leave"), {});
    await petya.ask("POST", of(other, "/forget"), {});
    assert.equal((await petya.ask("GET", `${M4308}?dir=b`)).subscribed[other], undefined);
});
