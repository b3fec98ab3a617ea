// What /sync tells, section by section (Client-Server API, "Syncing", "Lazy-loading room members", "Receipts", "Threading").
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server } from "./harness.mjs";
import { Asker, ids, of, q, query, register, registerAll } from "./asking.mjs";

let server, anna, boris, vera, gleb;

before(async () => {
    server = await Server.start();
    [anna, boris, vera, gleb] = await registerAll(server, ["anna", "boris", "vera", "gleb"]);
});

after(() => server?.stop());

/** A room of anna's that all of those have joined. */
async function roomWith(...people) {
    const room = await anna.create({ preset: "public_chat", name: "Класс" });
    for (const person of people) await person.join(room);
    return room;
}

const joined = async (who, room, params) => (await who.sync(params)).rooms?.join?.[room];
const types = (section) => section.events.map((e) => e.type).sort();
const only = (room, more = {}) => ({ room: { rooms: [room], ...more } });
const read = (who, room, event, type = "m.read", thread_id = undefined) =>
    who.ask("POST", of(room, `/receipt/${type}/${q(event)}`), { thread_id });
const mine = (who, rest) => `/user/${q(who.id)}${rest}`;

test("a first sync has state before the timeline, which goes on backwards without gap or repeat", async () => {
    const room = await roomWith(boris);
    for (let i = 0; i < 15; ++i) await anna.send(room, `${i}`);
    const { timeline, state, summary } = await joined(boris, room, { filter: only(room, { timeline: { limit: 5 } }) });
    assert.deepEqual([timeline.limited, timeline.events.length], [true, 5]);
    assert.ok(types(state).includes("m.room.create"));
    assert.equal(summary["m.joined_member_count"], 2);
    const { chunk } = await boris.get(of(room, `/messages?dir=b&limit=100&from=${timeline.prev_batch}`));
    const all = (await anna.get(of(room, "/messages?dir=f&limit=100"))).chunk;
    assert.deepEqual(ids([...chunk.toReversed(), ...timeline.events]), ids(all));
    for (const event of [...timeline.events, ...state.events]) assert.equal(event.room_id, undefined);
});

test("over a gap the state between is told: before the timeline's start, or after its end with use_state_after", async () => {
    const room = await roomWith(boris);
    const since = await boris.now();
    await anna.state(room, "org.example.one", { v: 1 });
    for (let i = 0; i < 4; ++i) await anna.send(room, `${i}`);
    await anna.state(room, "org.example.two", { v: 1 });
    const filter = only(room, { timeline: { limit: 2 } });
    const gap = await joined(boris, room, { since, filter });
    assert.deepEqual(
        [gap.timeline.limited, types(gap.timeline), types(gap.state)],
        [true, ["m.room.message", "org.example.two"], ["org.example.one"]],
    );
    const after = await joined(boris, room, { since, filter, use_state_after: true });
    assert.deepEqual([after.state, types(after.state_after)], [undefined, ["org.example.one", "org.example.two"]]);
    const full = await joined(boris, room, { since, filter, full_state: true });
    assert.ok(types(full.state).includes("m.room.create") && !types(full.state).includes("org.example.two"));
    const fullAfter = await joined(boris, room, { since, filter, full_state: true, use_state_after: true });
    assert.ok(["m.room.create", "org.example.two"].every((type) => types(fullAfter.state_after).includes(type)));
    const initial = await joined(boris, room, { filter, use_state_after: true });
    assert.ok(["m.room.create", "org.example.two"].every((type) => types(initial.state_after).includes(type)));
});

test("nothing new is answered at once without a timeout, and with a token that tells not even that", async () => {
    const since = await boris.now();
    const { next_batch, rooms } = await boris.sync({ since });
    assert.deepEqual([next_batch === since, rooms], [false, undefined]);
    assert.deepEqual((await boris.sync({ since: next_batch })).rooms, undefined);
});

test("a waiting sync is answered by a message, which knows its transaction only for the device that sent it", async () => {
    const room = await roomWith(boris);
    const [here, there] = [boris, await boris.again()];
    const since = await here.now();
    const waiting = [here, there].map((device) => joined(device, room, { since, timeout: 20000 }));
    const sent = await here.send(room, "hello");
    const [[mine_], [other]] = (await Promise.all(waiting)).map((r) => r.timeline.events);
    assert.deepEqual([mine_.event_id, other.event_id], [sent, sent]);
    assert.ok(mine_.unsigned.transaction_id);
    assert.equal(other.unsigned.transaction_id, undefined);
});

test("lazy loading brings the senders' member events once, unless redundant ones are wanted", async () => {
    const room = await roomWith(boris, vera);
    await anna.send(room, "from anna");
    const lazy = (more) => only(room, { timeline: { limit: 1 }, state: { lazy_load_members: true, ...more } });
    const members = (section) =>
        (section?.events ?? [])
            .filter((e) => e.type === "m.room.member")
            .map((e) => e.state_key)
            .sort();
    const reader = await boris.again();
    const first = await reader.sync({ filter: lazy() });
    const told = members(first.rooms.join[room].state);
    assert.ok(told.includes(anna.id) && !told.includes(vera.id), `${told}`);
    await vera.send(room, "one");
    const second = await reader.sync({ filter: lazy(), since: first.next_batch });
    assert.deepEqual(members(second.rooms.join[room].state), [vera.id]);
    await vera.send(room, "two");
    const third = await reader.sync({ filter: lazy(), since: second.next_batch });
    assert.deepEqual(members(third.rooms.join[room].state), []);
    const redundant = await reader.sync({
        filter: lazy({ include_redundant_members: true }),
        since: second.next_batch,
    });
    assert.deepEqual(members(redundant.rooms.join[room].state), [vera.id]);
});

test("an invite shows what the room is, and no more; refusing it moves the room to leave", async () => {
    const room = await anna.create({ name: "Тайная", topic: "т", invite: [boris.id], is_direct: true });
    const since = await boris.now();
    await anna.send(room, "secret");
    assert.equal((await boris.sync({ since })).rooms, undefined, "what happens in the room wakes nobody invited");
    const { events } = (await boris.sync({ filter: only(room) })).rooms.invite[room].invite_state;
    assert.ok(
        ["m.room.create", "m.room.name", "m.room.join_rules", "m.room.member"].every((type) =>
            events.some((e) => e.type === type),
        ),
    );
    assert.ok(events.find((e) => e.state_key === boris.id).content.is_direct);
    await boris.leave(room);
    const { rooms } = await boris.sync({ since });
    assert.deepEqual(
        [Object.keys(rooms), rooms.leave[room].timeline.events.at(-1).content.membership],
        [["leave"], "leave"],
    );
    assert.ok(!JSON.stringify(rooms).includes("secret"));
});

for (const [how, act] of [
    ["leaving", (room) => boris.leave(room, "пора")],
    ["being kicked", (room) => anna.ask("POST", of(room, "/kick"), { user_id: boris.id, reason: "пора" })],
    ["being banned", (room) => anna.ask("POST", of(room, "/ban"), { user_id: boris.id, reason: "пора" })],
])
    test(`${how} ends the room's timeline with that, once, and nothing later leaks`, async () => {
        const room = await roomWith(boris);
        const since = await boris.now();
        await act(room);
        await anna.send(room, "behind the door");
        const reply = await boris.sync({ since });
        assert.deepEqual(Object.keys(reply.rooms), ["leave"]);
        const last = reply.rooms.leave[room].timeline.events.at(-1);
        assert.deepEqual([last.state_key, last.content.reason], [boris.id, "пора"]);
        assert.ok(!JSON.stringify(reply).includes("behind the door"));
        assert.equal((await boris.sync({ since: reply.next_batch })).rooms, undefined);
        assert.equal((await boris.sync({ filter: only(room) })).rooms?.leave, undefined);
        const old = await boris.sync({ filter: only(room, { include_leave: true }) });
        assert.equal(old.rooms.leave[room].timeline.events.at(-1).event_id, last.event_id);
        assert.ok(!JSON.stringify(old).includes("behind the door"));
    });

test("joining brings the whole state of the room", async () => {
    const room = await roomWith();
    for (let i = 0; i < 12; ++i) await anna.send(room, `${i}`);
    const since = await gleb.now();
    await gleb.join(room);
    const { state, timeline } = await joined(gleb, room, { since, filter: only(room, { timeline: { limit: 3 } }) });
    assert.equal(timeline.limited, true);
    assert.ok(["m.room.create", "m.room.name", "m.room.power_levels"].every((type) => types(state).includes(type)));
});

test("heroes and counts name a room without a name, those who left when nobody else is there", async () => {
    const room = await anna.create({ invite: [boris.id, vera.id] });
    await boris.join(room);
    const first = await joined(anna, room);
    assert.deepEqual(
        [
            first.summary["m.joined_member_count"],
            first.summary["m.invited_member_count"],
            first.summary["m.heroes"].toSorted(),
        ],
        [2, 1, [boris.id, vera.id]],
    );
    const since = await anna.now();
    await anna.send(room, "no change of members");
    assert.deepEqual((await joined(anna, room, { since })).summary ?? {}, {});
    await boris.leave(room);
    await vera.leave(room);
    const { summary } = await joined(anna, room, { since });
    assert.deepEqual([summary["m.joined_member_count"], summary["m.heroes"].toSorted()], [1, [boris.id, vera.id]]);
});

test("unread counts rise with messages and mentions, and fall with receipts of either kind", async () => {
    const room = await roomWith(boris);
    const since = await boris.now();
    const plain = await anna.send(room, "plain");
    const mention = await anna.send(room, { msgtype: "m.text", body: "boris", "m.mentions": { user_ids: [boris.id] } });
    const unread = async () => {
        const { notification_count, highlight_count } = (await joined(boris, room, { since })).unread_notifications;
        return [notification_count, highlight_count];
    };
    assert.deepEqual(await unread(), [2, 1]);
    await read(boris, room, plain);
    assert.deepEqual(await unread(), [1, 1]);
    await read(boris, room, mention, "m.read.private");
    assert.deepEqual(await unread(), [0, 0]);
    await anna.send(room, "again");
    assert.deepEqual(await unread(), [1, 0]);
    await boris.send(room, "answering is reading");
    assert.deepEqual(await unread(), [0, 0]);
});

test("what counts as unread follows the push rules, the specification's and one's own", async () => {
    const room = await roomWith(boris, vera);
    const base = await anna.send(room, "base");
    const relates = (rel_type, more) => ({
        msgtype: "m.text",
        body: "* b",
        "m.relates_to": { rel_type, event_id: base, ...more },
    });
    const said = (body, more) => ({ msgtype: "m.text", body, ...more });
    const rule = (kind, id, body) => boris.ask("PUT", `/pushrules/global/${kind}/${q(id)}`, { actions: [], ...body });
    await rule("content", "word", { pattern: "экзамен*", actions: ["notify", { set_tweak: "highlight" }] });
    await rule("override", "quiet", { conditions: [{ kind: "event_property_is", key: "content.quiet", value: true }] });
    await rule("sender", vera.id);
    const cases = [
        [[1, 0], () => anna.send(room, "a message")],
        [[1, 0], () => anna.send(room, { algorithm: "m.megolm.v1.aes-sha2", ciphertext: "c" }, "m.room.encrypted")],
        [[1, 1], () => anna.send(room, said("to all", { "m.mentions": { room: true } }))],
        [[1, 1], () => anna.send(room, said("Скоро экзамены"))],
        [[0, 0], () => anna.send(room, { msgtype: "m.notice", body: "a notice" })],
        [[0, 0], () => anna.send(room, relates("m.annotation", { key: "+" }), "m.reaction")],
        [[0, 0], () => anna.send(room, relates("m.replace"))],
        [[0, 0], () => anna.state(room, "m.room.topic", { topic: "t" })],
        [[0, 0], () => anna.send(room, said("hush", { quiet: true }))],
        [[0, 0], () => vera.send(room, said("to all, without the power", { "m.mentions": { room: true } }))],
    ];
    for (const [expected, act] of cases) {
        await read(boris, room, await anna.send(room, "read up to here"));
        const since = await boris.now();
        await act();
        const { notification_count, highlight_count } = (await joined(boris, room, { since })).unread_notifications;
        assert.deepEqual([notification_count, highlight_count], expected, `${act}`);
    }
});

test("public receipts reach the others, private ones only their owner's devices; the marker only its owner", async () => {
    const room = await roomWith(boris);
    const event = await anna.send(room, "read me");
    const [sinceAnna, sinceBoris] = [await anna.now(), await boris.now()];
    await read(boris, room, event, "m.read.private");
    assert.equal((await anna.sync({ since: sinceAnna })).rooms, undefined);
    const own = (await joined(boris, room, { since: sinceBoris })).ephemeral.events[0].content[event];
    assert.deepEqual(Object.keys(own), ["m.read.private"]);
    await read(boris, room, event);
    const [seen] = (await joined(anna, room, { since: sinceAnna })).ephemeral.events;
    assert.equal(seen.type, "m.receipt");
    assert.deepEqual(Object.keys(seen.content[event]), ["m.read"]);
    assert.deepEqual(Object.keys(seen.content[event]["m.read"][boris.id]), ["ts"]);
    assert.equal(
        (await joined(anna, room, { filter: only(room) })).ephemeral.events[0].content[event]["m.read.private"],
        undefined,
    );
    await boris.ask("POST", of(room, "/read_markers"), { "m.fully_read": event });
    const marks = (await joined(boris, room, { since: sinceBoris })).account_data.events;
    assert.deepEqual(marks, [{ type: "m.fully_read", content: { event_id: event } }]);
    await boris.refused(400, "M_INVALID_PARAM", "POST", of(room, `/receipt/m.unread/${q(event)}`));
    await gleb.refused(403, "M_FORBIDDEN", "POST", of(room, `/receipt/m.read/${q(event)}`));
});

test("threads count apart when the filter asks, and are read apart", async () => {
    const room = await roomWith(boris);
    const since = await boris.now();
    const root = await anna.send(room, "root");
    const reply = await anna.send(room, {
        msgtype: "m.text",
        body: "in it",
        "m.relates_to": { rel_type: "m.thread", event_id: root },
    });
    const counts = async (apart) => {
        const filter = only(room, { timeline: { unread_thread_notifications: apart } });
        const it = await joined(boris, room, { since, filter });
        return [
            it.unread_notifications.notification_count,
            it.unread_thread_notifications?.[root]?.notification_count ?? 0,
        ];
    };
    assert.deepEqual(
        [await counts(true), await counts(false)],
        [
            [1, 1],
            [2, 0],
        ],
    );
    await read(boris, room, reply, "m.read", root);
    assert.deepEqual(await counts(true), [1, 0]);
    await read(boris, room, root, "m.read", "main");
    assert.deepEqual(await counts(true), [0, 0]);
    await boris.refused(400, "M_INVALID_PARAM", "POST", of(room, `/receipt/m.read/${q(reply)}`), { thread_id: "" });
    const { ephemeral } = await joined(anna, room, { filter: only(room) });
    const told = Object.assign({}, ...ephemeral.events.map((e) => e.content)); // an m.receipt event a thread
    assert.deepEqual(
        [told[reply]["m.read"][boris.id].thread_id, told[root]["m.read"][boris.id].thread_id],
        [root, "main"],
    );
});

test("typing begins and ends for those in the room", async () => {
    const room = await roomWith(boris);
    const typing = (who, body) => who.ask("PUT", of(room, `/typing/${q(who.id)}`), body);
    const since = await boris.now();
    await typing(anna, { typing: true, timeout: 30000 });
    const begun = await boris.sync({ since });
    assert.deepEqual(begun.rooms.join[room].ephemeral.events, [{ type: "m.typing", content: { user_ids: [anna.id] } }]);
    await typing(anna, { typing: false });
    const ended = await joined(boris, room, { since: begun.next_batch });
    assert.deepEqual(ended.ephemeral.events, [{ type: "m.typing", content: { user_ids: [] } }]);
    await anna.refused(403, "M_FORBIDDEN", "PUT", of(room, `/typing/${q(boris.id)}`), { typing: true });
    await gleb.refused(403, "M_FORBIDDEN", "PUT", of(room, `/typing/${q(gleb.id)}`), { typing: true });
});

test("account data, tags and push rules arrive when they change", async () => {
    const room = await roomWith(boris);
    const since = await boris.now();
    await boris.ask("PUT", mine(boris, "/account_data/org.example"), { a: 1 });
    await boris.ask("PUT", mine(boris, `/rooms/${q(room)}/account_data/org.example`), { b: 1 });
    await boris.ask("PUT", mine(boris, `/rooms/${q(room)}/tags/m.favourite`), { order: 0.5 });
    await boris.ask("PUT", "/pushrules/global/content/word", { pattern: "w", actions: [] });
    const reply = await boris.sync({ since });
    assert.deepEqual(types(reply.account_data), ["m.push_rules", "org.example"]);
    assert.deepEqual(types(reply.rooms.join[room].account_data), ["m.tag", "org.example"]);
    assert.deepEqual(
        types((await boris.sync({ since, filter: { account_data: { types: ["m.push_rules"] } } })).account_data),
        ["m.push_rules"],
    );
});

test("who is ignored is not heard, and cannot invite; their state still counts", async () => {
    const room = await roomWith(boris, gleb);
    const ignore = (...people) =>
        gleb.ask("PUT", mine(gleb, "/account_data/m.ignored_user_list"), {
            ignored_users: Object.fromEntries(people.map((p) => [p.id, {}])),
        });
    await ignore(boris);
    const since = await gleb.now();
    await boris.send(room, "unheard");
    const closed = await boris.create({ invite: [gleb.id] });
    await boris.leave(room);
    const reply = await gleb.sync({ since });
    assert.ok(!JSON.stringify(reply).includes("unheard"));
    assert.equal(reply.rooms.invite?.[closed], undefined);
    assert.deepEqual(
        reply.rooms.join[room].timeline.events.map((e) => [e.type, e.content.membership]),
        [["m.room.member", "leave"]],
    );
    await ignore();
});

test("who blocks invites gets none, and those that wait are not shown until invites are wanted again", async () => {
    const waiting = await anna.create({ invite: [gleb.id] });
    const allow = (config) => gleb.ask("PUT", mine(gleb, "/account_data/m.invite_permission_config"), config);
    await allow({ default_action: "block" });
    assert.equal((await gleb.sync({ filter: only(waiting) })).rooms?.invite, undefined);
    const room = await anna.create();
    await anna.refused(403, "M_INVITE_BLOCKED", "POST", of(room, "/invite"), { user_id: gleb.id });
    await anna.refused(403, "M_INVITE_BLOCKED", "POST", "/createRoom", { invite: [gleb.id] });
    const member = of(room, `/state/m.room.member/${q(gleb.id)}`);
    await anna.refused(403, "M_INVITE_BLOCKED", "PUT", member, { membership: "invite" });
    await boris.refused(403, "M_FORBIDDEN", "POST", of(room, "/invite"), { user_id: gleb.id });
    await allow({});
    await anna.invite(room, gleb);
    assert.ok((await gleb.sync({ filter: only(waiting) })).rooms.invite[waiting]);
});

test("filters choose rooms, types, senders and fields, and the form of events", async () => {
    const [one, two] = [await roomWith(boris), await roomWith(boris)];
    await boris.send(one, "mine");
    const seen = async (filter) => (await boris.sync({ filter })).rooms?.join ?? {};
    assert.deepEqual(await seen({ room: { rooms: [] } }), {});
    const without = await seen({ room: { not_rooms: [one] } });
    assert.ok(without[two] && !without[one]);
    const timeline = async (more) => (await seen(only(one, { timeline: { limit: 50, ...more } })))[one].timeline.events;
    assert.deepEqual(
        (await timeline({ types: ["m.room.m*"] })).map((e) => e.type),
        ["m.room.member", "m.room.member", "m.room.message"],
    );
    assert.ok((await timeline({ not_senders: [anna.id] })).every((e) => e.sender === boris.id));
    const fields = (await seen({ ...only(one), event_fields: ["type", "content.body"] }))[one].timeline.events;
    assert.deepEqual(fields.at(-1), { type: "m.room.message", content: { body: "mine" } });
    const raw = (await seen({ ...only(one), event_format: "federation" }))[one].timeline.events.at(-1);
    assert.ok(raw.hashes && raw.signatures && raw.auth_events);
    for (const [errcode, path] of [
        ["M_INVALID_PARAM", "/sync?since=nonsense"],
        ["M_INVALID_PARAM", "/sync?timeout=long"],
        ["M_NOT_JSON", "/sync?filter=%7B"],
    ])
        await boris.refused(400, errcode, "GET", path);
});

test("a redaction arrives as an event, and what it emptied is empty", async () => {
    const room = await roomWith(boris);
    const since = await boris.now();
    const event = await anna.send(room, "oops");
    const redaction = await anna.redact(room, event, "опечатка");
    const { timeline } = await joined(boris, room, { since });
    assert.deepEqual(ids(timeline.events), [event, redaction]);
    assert.deepEqual(
        [timeline.events[0].content, timeline.events[0].unsigned.redacted_because.event_id],
        [{}, redaction],
    );
    assert.equal(timeline.events[1].content.redacts, event);
});

test("a change of name brings what the name was", async () => {
    const room = await roomWith(vera);
    const name = (displayname) => vera.ask("PUT", `/profile/${q(vera.id)}/displayname`, { displayname });
    await name("Вера");
    const since = await anna.now();
    await name("Вера П.");
    const [event] = (await joined(anna, room, { since })).timeline.events;
    assert.deepEqual([event.content.displayname, event.unsigned.prev_content.displayname], ["Вера П.", "Вера"]);
});

test("the list of notifications is paged, newest first, and knows what was read and what stands out", async () => {
    const reader = await register(server, "reader");
    const room = await roomWith(reader, vera);
    const events = [];
    for (let i = 0; i < 5; ++i)
        events.push(
            await anna.send(room, {
                msgtype: "m.text",
                body: `${i}`,
                ...(i % 3 === 0 && { "m.mentions": { user_ids: [reader.id] } }),
            }),
        );
    await read(reader, room, events[1]);
    const listed = [];
    for (let from; ;) {
        const page = await reader.get(`/notifications${query({ limit: 2, ...(from && { from }) })}`);
        listed.push(...page.notifications);
        if (!(from = page.next_token)) break;
    }
    assert.deepEqual(
        listed.map((n) => n.event.event_id),
        events.toReversed(),
    );
    assert.deepEqual(
        listed.map((n) => n.read),
        [false, false, false, true, true],
    );
    assert.ok(listed.every((n) => n.room_id === room && n.actions.includes("notify")));
    const { notifications } = await reader.get("/notifications?only=highlight");
    assert.deepEqual(
        notifications.map((n) => n.event.event_id),
        [events[3], events[0]],
    );
});

test("with presence off everybody is offline, and nobody is told anything", async () => {
    const status = (who) => `/presence/${q(who.id)}/status`;
    await roomWith(boris);
    const since = await anna.now();
    await boris.ask("PUT", status(boris), { presence: "online", status_msg: "тут" });
    assert.equal((await anna.get(status(boris))).presence, "offline");
    assert.equal((await anna.sync({ since })).presence, undefined);
    await anna.refused(403, "M_FORBIDDEN", "PUT", status(boris), { presence: "online" });
    await boris.refused(400, "M_INVALID_PARAM", "PUT", status(boris), { presence: "asleep" });
});

test("leaving and coming back, or coming and going, between two syncs is told as what it came to", async () => {
    const [back, gone, again] = [await roomWith(boris), await roomWith(), await roomWith(boris)];
    const since = await boris.now();
    await boris.leave(back);
    await anna.state(back, "org.example.meanwhile", { v: 1 });
    await boris.join(back);
    await boris.join(gone);
    await boris.leave(gone);
    await anna.send(gone, "unseen");
    await anna.ask("POST", of(again, "/kick"), { user_id: boris.id });
    await anna.invite(again, boris);
    const { rooms } = await boris.sync({ since });
    assert.deepEqual(
        [Object.keys(rooms.join), Object.keys(rooms.leave), Object.keys(rooms.invite)],
        [[back], [gone], [again]],
    );
    const { state, timeline } = rooms.join[back];
    assert.ok([...state.events, ...timeline.events].some((e) => e.type === "org.example.meanwhile"));
    assert.ok(!JSON.stringify(rooms).includes("unseen"));
});

test("a signed-out device is not answered", async () => {
    const device = await boris.again();
    const since = await device.now();
    const waiting = device.try("GET", `/sync?since=${since}&timeout=20000`);
    await device.ask("POST", "/logout");
    await boris.ask("PUT", mine(boris, "/account_data/org.example.wake"), { a: 1 });
    const { status, body } = await waiting;
    assert.deepEqual([status, body.errcode], [401, "M_UNKNOWN_TOKEN"]);
    await new Asker(server).refused(401, "M_MISSING_TOKEN", "GET", "/sync");
});
