// F3: in quiet hours nothing that a person can write reaches the other side, wherever it is put; and ordinary clients go on working.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { HERE, V3, World, q, refused } from "./world.mjs";

let w, teacher, parent, pupil, colleague, classRoom, library, chat, club;
const CLASS = "s1-c003"; // 8А
let n = 0;

before(async () => {
    w = await World.start();
    const kin = (await w.do(w.operator, "GET", `/guardianships?school=${HERE}&limit=500`)).items;
    const pupils = w.all({ role: "pupil", class: "8А" });
    const own = kin.find((k) => pupils.some((p) => p.id === k.child) && w.rolesOf(k.guardian).every((r) => r.role === "guardian"));
    const byId = (id) => w.still(w.server.people.find((p) => p.id === id));
    [pupil, parent] = await Promise.all([byId(own.child), byId(own.guardian)]);
    teacher = await w.still(w.one({ role: "class_teacher", class: "8А" }));
    colleague = await w.still(w.one({ role: "head" }));
    classRoom = await w.room("class", CLASS);
    library = await w.room("library");
    chat = (await w.directWith(teacher, parent)).room_id;
    await parent.joinRoom(chat);
    for (const who of [teacher, parent]) await who.joinRoom(library);
    club = (await teacher.createRoom({ name: "Кружок", invite: [parent.getUserId()], power_level_content_override: { state_default: 0 } })).room_id;
    await parent.joinRoom(club);
});

after(() => w?.stop());

const at = (hours) => new Date(Date.now() + hours * 3600000).toISOString().slice(11, 16);
const NIGHT = { polls: ["teacher", "class_teacher"], quiet_hours: { mode: "refuse", from: at(-11), to: at(11), utc_offset: "+00:00" } };
async function ask(who, method, path, body) {
    const needed = method === "GET" ? undefined : {};
    const reply = await w.server.request(method, path.startsWith("/_matrix") ? path : V3 + path, { token: who.getAccessToken(), body: body ?? needed });
    assert.ok(reply.status < 500 && reply.status !== 429 && reply.body.errcode !== "M_RESOURCE_LIMIT_EXCEEDED", `${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
    return reply;
}
const said = async (who, method, path, body) => {
    const reply = await ask(who, method, path, body);
    assert.equal(reply.status, 200, `${method} ${path}: ${JSON.stringify(reply.body)}`);
    return reply.body;
};
const sends = (who, room, type, content) => ask(who, "PUT", `/rooms/${q(room)}/send/${q(type)}/w${++n}`, content);

/** Thirty letters that look like an id, a different one each time: what somebody would say. */
const word = () => `Meet${String(++n).padStart(4, "0")}me${"abcdefghijklmnopqrst"}`;

/** The same value with words in place of each of its strings, its numbers, and the keys of its objects. */
function* spoilt(value, words, put = (x) => x) {
    for (const text of words)
        if (typeof value === "string") yield put(text);
    if (Array.isArray(value)) for (let i = 0; i < value.length; ++i) yield* spoilt(value[i], words, (x) => put(value.with(i, x)));
    else if (value !== null && typeof value === "object")
        for (const [key, inner] of Object.entries(value)) {
            yield* spoilt(inner, words, (x) => put({ ...value, [key]: x }));
            for (const text of words) {
                const { [key]: _, ...rest } = value;
                yield put({ ...rest, [text]: inner });
                yield put({ ...value, [text]: text });
            }
        }
}

/** With a word of its own in each place: [value, word]. */
function* inEachPlace(value) {
    const marked = [...spoilt(value, ["W0RD"])].map((x) => JSON.stringify(x));
    for (const form of [(x) => x, (x) => `$${x}`, (x) => `@${x}:school.example`, (x) => `!${x}:school.example`])
        for (const text of marked) {
            const own = word();
            yield [JSON.parse(text.replaceAll("W0RD", () => form(own))), own];
        }
}

/** Does what is to be done for each of what there is, four at a time: one after the other waits for a disk each time. */
async function forEach(all, act) {
    const left = all[Symbol.iterator]();
    await Promise.all(Array.from({ length: 4 }, async () => {
        for (let next = left.next(); !next.done; next = left.next()) await act(next.value);
    }));
}

/** Everything that somebody's client can be shown. */
async function shownTo(who) {
    const filter = q(JSON.stringify({ room: { timeline: { limit: 1000 }, include_leave: true } }));
    const sync = await said(who, "GET", `/sync?full_state=true&filter=${filter}`);
    const all = [sync];
    await forEach(Object.keys(sync.rooms?.join ?? {}), async (room) => {
        all.push((await ask(who, "GET", `/rooms/${q(room)}/messages?dir=b&limit=1000`)).body, (await ask(who, "GET", `/rooms/${q(room)}/state`)).body);
        all.push((await ask(who, "GET", `/rooms/${q(room)}/aliases`)).body, (await ask(who, "GET", `${V3.replace("v3", "v1")}/rooms/${q(room)}/threads`)).body);
    });
    for (const person of [teacher, colleague]) all.push((await ask(who, "GET", `/profile/${q(person.getUserId())}`)).body, (await ask(who, "GET", `/presence/${q(person.getUserId())}/status`)).body);
    all.push((await ask(who, "GET", "/publicRooms")).body);
    return JSON.stringify(all);
}

test("F3: of every type, every member and every key that an event has, no words come through at night", async () => {
    const day = (content, type, room = chat) => sends(parent, room, type, content).then((r) => r.body.event_id);
    const poll = { "m.text": [{ body: "?" }], "m.poll": { kind: "m.disclosed", max_selections: 2, question: { "m.text": [{ body: "?" }] }, answers: [{ "m.id": "yes", "m.text": [{ body: "y" }] }, { "m.id": "no", "m.text": [{ body: "n" }] }] } };
    const unstable = { "org.matrix.msc3381.poll.start": { question: { "org.matrix.msc1767.text": "?" }, answers: [{ id: "yes", "org.matrix.msc1767.text": "y" }] } };
    const [message, calls] = [await day({ msgtype: "m.text", body: "днём" }, "m.room.message"), { call_id: "c1700000000", party_id: "PARTY", version: "1" }];
    const polls = await Promise.all([sends(teacher, chat, "m.poll.start", poll), sends(teacher, chat, "org.matrix.msc3381.poll.start", unstable)]).then((all) => all.map((r) => r.body.event_id));
    await sends(teacher, chat, "m.call.invite", { ...calls, lifetime: 60000, offer: { type: "offer", sdp: "" } });
    const mine = (await sends(teacher, chat, "m.room.message", { msgtype: "m.text", body: "моё" })).body.event_id;
    const reaction = { "m.relates_to": { rel_type: "m.annotation", event_id: message, key: "👍" } };
    const SILENT = {
        "m.reaction": [reaction],
        "m.poll.response": [{ "m.relates_to": { rel_type: "m.reference", event_id: polls[0] }, "m.selections": ["yes", "no"] }],
        "org.matrix.msc3381.poll.response": [{ "m.relates_to": { rel_type: "m.reference", event_id: polls[1] }, "org.matrix.msc3381.poll.response": { answers: ["yes"] } }],
        "m.room.redaction": [{ redacts: mine }],
        "m.call.hangup": [{ ...calls, reason: "user_hangup" }],
        "m.call.reject": [calls],
    };
    const types = [...readFileSync(new URL("../../policy/rules/event_types.def", import.meta.url), "utf8").matchAll(/^X\(\w+, "(.*)"\)$/gm)].map(([, type]) => type.replace("*", "invite"));
    assert.ok(types.length > 30);
    const words = [];
    await w.withPolicy(NIGHT, async () => {
        for (const type of types)
            for (const content of [...(SILENT[type] ?? []), { body: "x", "m.relates_to": { rel_type: "m.annotation", event_id: message } }])
                await forEach(inEachPlace(content), async ([spoilt, own]) => {
                    words.push(own);
                    await sends(teacher, chat, type, spoilt);
                });
        for (const type of types)
            for (const key of ["", (words.push(word()), words.at(-1))]) {
                words.push(word());
                await ask(teacher, "PUT", `/rooms/${q(club)}/state/${q(type)}/${q(key)}`, { body: words.at(-1) });
                await ask(teacher, "PUT", `/rooms/${q(club)}/state/${q(type)}/${q(key)}`, {});
                await ask(teacher, "PUT", `/rooms/${q(club)}/state/${q(type)}/${q(teacher.getUserId() + key)}`, {});
            }
        for (const [type, contents] of Object.entries(SILENT))
            for (const content of contents) {
                const { status, body } = await sends(teacher, chat, type, content);
                assert.equal(status, 200, `${type} as clients send it: ${JSON.stringify(body)}`);
            }
    });
    assert.ok(words.length > 500, String(words.length));
    const shown = await shownTo(parent);
    assert.ok(shown.includes(message), "what is there is shown");
    assert.deepEqual(words.filter((own) => shown.includes(own)), []);
});

test("F3: nor by a room that is made at night, whatever stands in what makes it", async () => {
    const invite = [parent.getUserId()];
    const element = {
        preset: "trusted_private_chat", is_direct: true, invite, visibility: "private",
        initial_state: [{ type: "m.room.guest_access", state_key: "", content: { guest_access: "can_join" } }, { type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }],
        power_level_content_override: { events: { "org.matrix.msc3401.call.member": 0, "org.matrix.msc3401.call": 100 } },
    };
    const spoken = {
        ...element, is_direct: false, name: "x", topic: "x", room_alias_name: "x", room_version: "10",
        creation_content: { type: "m.space", "m.federate": true, predecessor: { room_id: chat, event_id: "$x" }, additional_creators: [parent.getUserId()] },
        initial_state: [
            ...element.initial_state,
            { type: "m.room.join_rules", state_key: "", content: { join_rule: "restricted", allow: [{ type: "m.room_membership", room_id: classRoom }] } },
            { type: "m.room.history_visibility", state_key: "", content: { history_visibility: "shared" } },
            { type: "m.room.topic", state_key: "", content: { topic: "x" } },
        ],
        power_level_content_override: { ...element.power_level_content_override, users: { [teacher.getUserId()]: 100 }, notifications: { room: 50 }, ban: 50 },
    };
    const parts = (body) => Object.keys(body).filter((key) => !Object.keys(element).includes(key) || body[key] !== element[key]);
    const words = [];
    const makes = async (body) => {
        const reply = await ask(teacher, "POST", "/createRoom", body);
        if (reply.status === 200) await ask(parent, "POST", `/join/${q(reply.body.room_id)}`); // and reads all that there is
        return reply;
    };
    await w.withPolicy(NIGHT, async () => {
        for (const base of [element, { ...element, is_direct: false, preset: "private_chat" }, { invite }])
            for (const key of ["", ...parts(spoken)]) {
                const { [key]: _, ...rest } = { ...base, room_version: "10" }; // whose places were spoilt before the first key
                await forEach(inEachPlace(key === "" ? base : { [key]: spoken[key] }), async ([spoilt, own]) => {
                    words.push(own);
                    await makes({ ...(key === "" ? {} : rest), ...spoilt, invite: spoilt.invite ?? rest.invite ?? invite });
                });
            }
        for (const body of [element, { ...element, room_version: "12" }, { invite, is_direct: true }, { invite, preset: "private_chat" }])
            assert.equal((await makes(body)).status, 200, JSON.stringify(body));
    });
    assert.ok(words.length > 1000, String(words.length));
    const shown = await shownTo(parent);
    assert.deepEqual(words.filter((own) => shown.includes(own)), []);
});

test("F3: nor by an address, the directory, a mark of where one has read, or what lies open to all", async () => {
    const open = (await teacher.createRoom({ name: "Открытый урок", preset: "public_chat", visibility: "public" })).room_id;
    const { event_id } = await w.say(parent, chat, "прочитайте");
    const words = Array.from({ length: 16 }, word);
    const state = (room, type, content) => ask(teacher, "PUT", `/rooms/${q(room)}/state/${type}`, content);
    await w.withPolicy(NIGHT, async () => {
        const own = await said(teacher, "POST", "/createRoom", { name: words[0], preset: "private_chat" }); // for oneself
        const DOORS = [
            () => ask(teacher, "PUT", `/directory/room/${q(`#${words[1]}:school.example`)}`, { room_id: club }),
            () => ask(teacher, "PUT", `/directory/room/${q(`#${words[2]}:school.example`)}`, { room_id: own.room_id }),
            () => ask(teacher, "PUT", `/directory/list/room/${q(own.room_id)}`, { visibility: "public" }),
            () => state(own.room_id, "m.room.join_rules", { join_rule: "public" }),
            () => state(own.room_id, "m.room.history_visibility", { history_visibility: "world_readable" }),
            () => ask(teacher, "POST", `/rooms/${q(own.room_id)}/invite`, { user_id: parent.getUserId() }),
            () => ask(teacher, "POST", "/createRoom", { room_alias_name: words[3] }),
            () => ask(teacher, "POST", "/createRoom", { name: words[4], visibility: "public" }),
            () => state(open, "m.room.name", { name: words[5] }),
            () => sends(teacher, open, "m.room.message", { msgtype: "m.text", body: words[6] }),
            () => sends(teacher, library, "m.room.message", { msgtype: "m.text", body: words[7] }),
            () => ask(teacher, "POST", `/rooms/${q(chat)}/receipt/m.read/${q(event_id)}`, { thread_id: words[8] }),
            () => ask(teacher, "POST", `/rooms/${q(chat)}/receipt/m.read/${q(event_id)}`, { thread_id: `$${words[9]}` }),
            () => ask(teacher, "POST", `/rooms/${q(chat)}/receipt/m.read/${q(`$${words[10]}`)}`, {}),
            () => ask(teacher, "POST", `/rooms/${q(chat)}/read_markers`, { "m.fully_read": `$${words[11]}`, "m.read": `$${words[11]}` }),
            () => ask(teacher, "POST", `/rooms/${q(club)}/upgrade`, { new_version: "11" }),
        ];
        for (const door of DOORS) {
            const { status, body } = await door();
            assert.ok(status >= 400 && status < 500, `${door}: ${status} ${JSON.stringify(body)}`);
        }
        await ask(teacher, "PUT", `/rooms/${q(chat)}/typing/${q(teacher.getUserId())}`, { typing: true, timeout: 1000, [words[12]]: words[12] });
        await ask(teacher, "PUT", `/presence/${q(teacher.getUserId())}/status`, { presence: "online", status_msg: words[13] });
        await ask(teacher, "PUT", `/devices/${teacher.getDeviceId()}`, { display_name: words[14] });
        await ask(teacher, "PUT", `/rooms/${q(chat)}/state/m.room.member/${q(teacher.getUserId())}`, { membership: "join", displayname: words[15], [words[15]]: words[15] });
        await said(teacher, "POST", `/rooms/${q(chat)}/receipt/m.read/${q(event_id)}`, { thread_id: "main" });
    });
    const shown = await shownTo(parent);
    assert.deepEqual(words.filter((own) => shown.includes(own)), []);
    const pending = (await teacher.createRoom({ name: "Ждут", invite: [parent.getUserId()] })).room_id;
    await w.withPolicy(NIGHT, () => refused(teacher.sendStateEvent(pending, "m.room.name", { name: words[0] }, ""), "F3")); // who is invited reads it
});

test("E5: an address is given by who answers for the room, and is no sentence", async () => {
    const room = (await teacher.createRoom({ name: "Клуб", invite: [pupil.getUserId()], power_level_content_override: { users: { [pupil.getUserId()]: 100 } } })).room_id;
    await pupil.joinRoom(room);
    const names = (who, local) => ask(who, "PUT", `/directory/room/${q(`#${local}:school.example`)}`, { room_id: room });
    const { status, body } = await names(pupil, "drugoe-imya");
    assert.deepEqual([status, body["org.parta.rule"]], [403, "E5"]);
    for (const local of ["приходите-вечером", "come and see", "a".repeat(65), "come/and/see", "come!"])
        assert.equal((await names(teacher, local)).status, 400, local);
    assert.equal((await names(teacher, "club-2.robots")).status, 200);
    await refused(pupil.sendStateEvent(room, "m.room.canonical_alias", { alias: "#drugoe-imya:school.example" }, "").catch((e) => { throw Object.assign(e, { httpStatus: 403 }); }));
    await teacher.sendStateEvent(room, "m.room.canonical_alias", { alias: "#club-2.robots:school.example" }, "");
});
