// A6, D9: every door and every section of /sync where a person, or a sign of their life, is shown to another, between
// people of one school who stand in no relation, who are kept from each other, who are separate guardians of one child,
// and who are such guardians and colleagues. Which doors there are is read from tests/doors/table.txt.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { unzip } from "./harness.mjs";
import { HERE, V3, World, q } from "./world.mjs";
import { DeviceKeys } from "./signing.mjs";

const V1 = "/_matrix/client/v1";
const REASON = "Решение суда № 2-114/2026 от 3 марта";
let w, everybody, school, teacher, pairs, by;
let txn = 0;

const ask = (who, method, path, body) => w.server.request(method, path, { token: who.getAccessToken(), body });
const get = async (who, path) => {
    const { status, body } = await ask(who, "GET", path);
    return { status, body, text: JSON.stringify(body) };
};
const good = async (who, method, path, body) => {
    const reply = await ask(who, method, path, body);
    assert.equal(reply.status, 200, `${method} ${path}: ${JSON.stringify(reply.body)}`);
    return reply.body;
};
const position = async (who) => (await good(who, "GET", `${V3}/sync?set_presence=offline&timeout=0`)).next_batch;

const guardians = async (child, ...whom) => {
    for (const guardian of whom)
        await w.do(w.operator, "POST", "/guardianships", { child, guardian: guardian.getUserId() });
};
const custody = (child, guardian, to) =>
    w.do(w.office, "PUT", `/guardianships/${q(child)}/${q(guardian.getUserId())}/custody`, { custody: to, reason: REASON });

before(async () => {
    w = await World.start({ settings: "presence:\n  enabled: true\n" });
    school = await w.newClass("5 «С»", "5");
    teacher = await w.still(w.one({ role: "class_teacher" }));
    const child = async (n) =>
        (await w.newPerson("pupil", { class: school.class, birth_date: `2018-01-0${n}` })).user_id;
    const [kept, apart, work] = [await child(1), await child(2), await child(3)];
    const father = await w.newClient("teacher");
    await guardians(kept, father);
    const mother = await w.newClient("guardian", { child: kept });
    const [one, other] = [await w.newClient("guardian", { child: apart }), await w.newClient("guardian", { child: apart })];
    const colleagues = [await w.newClient("teacher"), await w.newClient("teacher")];
    await guardians(work, ...colleagues);
    by = { father, mother, child: await w.enter(kept), one, other, a: colleagues[0], b: colleagues[1], kept, apart };
    by.chat = (await by.child.createRoom({ preset: "trusted_private_chat", is_direct: true, invite: [father.getUserId()] })).room_id;
    await father.joinRoom(by.chat);
    await father.sendStateEvent(by.chat, "m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" }, "");
    by.others = await w.enter(apart);
    by.otherChat = (await by.others.createRoom({ preset: "trusted_private_chat", is_direct: true, invite: [other.getUserId()] })).room_id;
    await other.joinRoom(by.otherChat);
    by.stranger = await w.newClient("guardian", { child: (await w.newPerson("pupil", { class: school.class, birth_date: "2018-01-04" })).user_id });
    by.third = await w.still(w.one({ role: "head" }));
    everybody = await w.room("announcements");
    const both = (name, seen, club, x, y) => [[name, seen, club, x, y], [`${name}, the other way`, seen, club, y, x]];
    pairs = [
        ...both("people of one school", true, true, by.stranger, father),
        ...both("kept from each other: guardian and child", false, false, father, by.child),
        ...both("kept from each other: the child's guardians", false, false, father, mother),
        ...both("separate guardians", false, true, one, other),
        ...both("separate guardians who are colleagues", true, true, by.a, by.b),
    ];
});

after(() => w?.stop());

/** Who looks is not there by that: only what they say of themselves is a sign. */
/** Every kind of /sync that tells of rooms and presence. */
const KINDS = {
    plain: "",
    lazy: `&filter=${q('{"room":{"state":{"lazy_load_members":true}}}')}`,
    limited: `&filter=${q('{"room":{"timeline":{"limit":1}}}')}`,
    narrow: `&filter=${q('{"room":{"timeline":{"types":["m.nothing"]}}}')}`,
    after: "&use_state_after=true",
    full: "&full_state=true",
};

/** Whether an answer tells a sign of that person's life; of which kind. */
function signs(answer, person) {
    const found = [];
    for (const event of answer.presence?.events ?? []) if (event.sender === person) found.push("presence");
    for (const room of Object.values(answer.rooms?.join ?? {}))
        for (const event of room.ephemeral?.events ?? [])
            if (JSON.stringify(event).includes(person)) found.push(event.type);
    return found.sort();
}

/** Sliding sync in both forms: the signs in its extensions, since pos or at once. */
const on = { enabled: true };
const sliding = (extensions) => ({
    "/_matrix/client/v4/sync": { set_presence: "offline", lists: { all: { timeline_limit: 5, required_state: {} } }, extensions },
    "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?set_presence=offline": {
        lists: { all: { timeline_limit: 5, ranges: [[0, 999]], required_state: [] } }, extensions,
    },
});
async function slide(viewer, path, pos, id) {
    const body = { conn_id: path.slice(-9), ...sliding({ receipts: on, typing: on })[path] };
    const answer = await good(viewer, "POST", pos && !path.includes("v4") ? `${path}&pos=${pos}` : path, path.includes("v4") ? { ...body, pos } : body);
    const found = Object.entries(answer.extensions)
        .filter(([, extension]) => JSON.stringify(extension.rooms ?? {}).includes(id))
        .map(([name]) => name);
    return { pos: answer.pos, found: found.sort(), rooms: answer.rooms, extensions: answer.extensions };
}

/** The person shows every sign there is: that they type, have read, and are there. */
async function live(person, event) {
    const id = person.getUserId();
    await good(person, "PUT", `${V3}/presence/${q(id)}/status`, { presence: "online" });
    await good(person, "POST", `${V3}/rooms/${q(everybody)}/receipt/m.read/${q(event)}`, {});
    await good(person, "PUT", `${V3}/rooms/${q(everybody)}/typing/${q(id)}`, { typing: true, timeout: 60000 });
}
async function rest(person) {
    const id = person.getUserId();
    await good(person, "PUT", `${V3}/presence/${q(id)}/status`, { presence: "offline" });
    await good(person, "PUT", `${V3}/rooms/${q(everybody)}/typing/${q(id)}`, { typing: false });
}
const news = async () => (await w.say(by.third, everybody, `Новость ${++txn}`)).event_id;

/** One after another: signs in every kind of /sync, at once and as a poll that waits; the end of typing is one, too. */
async function shown(viewer, person, seen, name) {
    const id = person.getUserId();
    const event = await news();
    const since = await position(viewer);
    const slides = {};
    for (const path of Object.keys(sliding())) slides[path] = (await slide(viewer, path, undefined, id)).pos;
    await live(person, event);
    for (const [path, pos] of Object.entries(slides)) {
        const expected = seen ? ["receipts", "typing"] : [];
        const later = await slide(viewer, path, pos, id);
        assert.deepEqual(later.found, expected, `${name}: ${path}: ${JSON.stringify(later.extensions)}`);
        if (!seen) assert.equal(JSON.stringify([later.rooms, later.extensions]).includes(everybody), false, `${name}: ${path}: that there is news`);
        assert.deepEqual((await slide(viewer, path, undefined, id)).found, expected, `${name}: initial ${path}`);
    }
    for (const [kind, more] of Object.entries(KINDS)) {
        const answer = await good(viewer, "GET", `${V3}/sync?set_presence=offline&timeout=0&since=${since}${more}`);
        const expected = seen ? ["m.receipt", "m.typing", "presence"] : [];
        assert.deepEqual(signs(answer, id), expected, `${name}: ${kind}: ${JSON.stringify(answer.rooms)}`);
        if (!seen && kind === "plain") assert.equal(answer.rooms?.join?.[everybody], undefined, `${name}: that there is news`);
        const whole = await good(viewer, "GET", `${V3}/sync?set_presence=offline&timeout=0${more}`);
        assert.deepEqual(signs(whole, id), expected, `${name}: initial ${kind}`);
    }
    const now = await position(viewer);
    await rest(person);
    const ended = await good(viewer, "GET", `${V3}/sync?set_presence=offline&timeout=0&since=${now}`);
    assert.equal(ended.rooms?.join?.[everybody] !== undefined, seen, `${name}: the end of typing`);
    assert.deepEqual(signs(ended, id), seen ? ["presence"] : [], name);
}

/** What polls that wait are told, one after another, up to the one that tells what is looked for; others' signs answer
 * polls, too. */
async function polled(who, since, found) {
    for (const answers = []; ;) {
        const answer = await good(who, "GET", `${V3}/sync?set_presence=offline&timeout=20000&since=${since}`);
        answers.push(answer);
        if (found(answer)) return answers;
        since = answer.next_batch;
    }
}

/** Polls that wait tell all that others are told but the signs. */
async function waits(viewer, person, seen, name) {
    const id = person.getUserId();
    const event = await news();
    const from = [await position(viewer), await position(by.third)]; // before there is a sign
    const last = `Последнее ${++txn}`;
    const sign = (answer) => signs(answer, id).length > 0;
    const mine = polled(viewer, from[0], (answer) => (seen ? sign(answer) : JSON.stringify(answer).includes(last)));
    const told = polled(by.third, from[1], sign);
    await live(person, event);
    await told;
    await w.say(by.third, everybody, last);
    if (!seen) assert.deepEqual((await mine).flatMap((answer) => signs(answer, id)), [], name);
    await mine;
    await rest(person);
}

/** The doors of the table that ask for a profile, with what one sees there. */
async function doors(viewer, person, seen, name) {
    const id = person.getUserId();
    await good(person, "PUT", `${V3}/presence/${q(id)}/status`, { presence: "online" });
    const nobody = "@nobody000:school.example";
    const table = readFileSync(new URL("../doors/table.txt", import.meta.url), "utf8");
    const routes = [...table.matchAll(/^GET (\/_matrix\S*) = (?:.* )?profile(?: .*)?$/gm)].map((m) => m[1]);
    assert.ok(routes.length >= 4);
    for (const route of routes) {
        const path = (whom) => route.replace("{userId}", q(whom)).replace("{keyName}", "displayname") + (route.includes("{userId}") ? "" : `?user_id=${q(whom)}`);
        const told = await get(viewer, path(id));
        const none = await get(viewer, path(nobody));
        if (seen) assert.ok(told.status === 200 && told.text !== none.text, `${name}: ${route}: ${told.text}`);
        else assert.deepEqual(told, none, `${name}: ${route}`);
    }
    const asking = [...table.matchAll(/^(\w+_SECTION) = (?:.* )?profile/gm)].map((m) => m[1]);
    assert.deepEqual(asking.sort(), ["DEVICE_LISTS_SECTION", "JOINED_ROOMS_SECTION", "PRESENCE_SECTION"], "shown() and keys() look at what these tell");
    const keysOf = async (whom) => (await good(viewer, "POST", `${V3}/keys/query`, { device_keys: { [whom]: [] } })).device_keys;
    assert.equal(id in (await keysOf(id)), seen, `${name}: keys`);
    assert.deepEqual(await keysOf(nobody), {});
    if (!seen) {
        const { results } = await good(viewer, "POST", `${V3}/user_directory/search`, { search_term: "Новый", limit: 100 });
        assert.equal(results.some((r) => r.user_id === id), false, `${name}: found`);
    }
    await rest(person);
}

test("A6: before anything is settled all of them see each other", async () => {
    for (const [name, , , viewer, person] of pairs) {
        await shown(viewer, person, true, name);
        await doors(viewer, person, true, name);
    }
});

test("D9: signs of life, profiles and rooms in common: whoever is kept apart, or separate, is told of none", async () => {
    await custody(by.kept, by.father, "no_contact");
    await custody(by.apart, by.one, "separate");
    const work = (await w.do(w.operator, "GET", `/guardianships?user_id=${q(by.a.getUserId())}`)).items[0].child;
    await custody(work, by.a, "separate");
    for (const [name, seen, , viewer, person] of pairs) {
        await shown(viewer, person, seen, name);
        await waits(viewer, person, seen, name);
        await doors(viewer, person, seen, name);
    }
});

test("D9: of whom one does not see no new keys are told, though a chat in which messages are encrypted is there still", async () => {
    const { father, child } = by;
    const publish = (who) => good(who, "POST", `${V3}/keys/upload`, new DeviceKeys(who.getUserId(), who.getDeviceId()).upload());
    const changed = async (who, since) => (await good(who, "GET", `${V3}/sync?set_presence=offline&timeout=0&since=${since}`)).device_lists?.changed ?? [];
    const since = await position(father), own = await position(child);
    await publish(child);
    assert.ok((await changed(child, own)).includes(child.getUserId()));
    assert.deepEqual(await changed(father, since), []);
    const { changed: later } = await good(father, "GET", `${V3}/keys/changes?from=${since}&to=${await position(father)}`);
    assert.deepEqual(later, []);
    await good(father, "PUT", `${V3}/sendToDevice/org.example.test/${++txn}`, { messages: { [child.getUserId()]: { "*": { word: "слово" } } } });
    assert.equal((await good(child, "GET", `${V3}/sync?set_presence=offline&timeout=0&since=${own}`)).to_device, undefined);
});

test("D9: the roster's rooms are as they are: messages and members stay to be seen", async () => {
    // Father and child meet in the class he teaches.
    await w.do(w.operator, "POST", `/classes/${q(school.class)}/enrollments`, { user_id: by.father.getUserId(), role: "class_teacher" },
        w.because("Другого классного руководителя нет"));
    const shared = [];
    for (const kind of ["class", "guardians"]) {
        const room_id = await w.room(kind, school.class);
        shared.push({ room_id, people: await w.joined(room_id) });
    }
    for (const [name, , , viewer, person] of pairs) {
        const since = await position(viewer);
        const { room_id } = shared.find((r) => r.people.includes(viewer.getUserId()) && r.people.includes(person.getUserId()));
        const { event_id } = await w.say(person, room_id, "Сообщение");
        const { text } = await get(viewer, `${V3}/sync?set_presence=offline&timeout=0&since=${since}`);
        assert.ok(text.includes(event_id) && text.includes(person.getUserId()), name);
        assert.ok((await get(viewer, `${V3}/rooms/${q(room_id)}/joined_members`)).text.includes(person.getUserId()), name);
    }
});

test("D9: a club of somebody from whom one is kept is as no club, whichever door one tries", async () => {
    for (const [name, , may, viewer, person] of pairs) {
        const owner = teacher;
        const club = await owner.createRoom({
            name: `Кружок ${++txn}`, room_alias_name: `club${txn}`, visibility: "public", preset: "public_chat",
            initial_state: [{ type: "m.room.history_visibility", state_key: "", content: { history_visibility: "world_readable" } }],
        });
        const space = await owner.createRoom({
            name: `Круг ${txn}`, preset: "public_chat", creation_content: { type: "m.space" },
        });
        await owner.sendStateEvent(space.room_id, "m.space.child", { via: ["school.example"] }, club.room_id);
        const alias = `#club${txn}:school.example`;
        const { event_id } = await w.say(owner, club.room_id, "Слово кружка");
        await good(by.third, "POST", `${V3}/join/${q(club.room_id)}`, {}); // two alone would be a chat (F1)
        await good(person, "POST", `${V3}/join/${q(club.room_id)}`, {});
        const room = q(club.room_id);
        const table = readFileSync(new URL("../doors/table.txt", import.meta.url), "utf8");
        const values = { roomId: room, roomIdOrAlias: room, eventId: q(event_id), relType: "m.annotation", eventType: "m.room.name", stateKey: "" };
        const routes = [...table.matchAll(/^GET (\/_matrix\S*\{roomId(?:OrAlias)?\}\S*) = (?!none)/gm)].map((m) =>
            m[1].replace(/\{(\w+)\}/g, (_, key) => values[key]) +
            (m[1].endsWith("/messages") ? "?dir=b" : m[1].endsWith("timestamp_to_event") ? "?dir=f&ts=0" : ""));
        routes.push(`${V1}/room_summary/${q(alias)}`, `${V3}/directory/room/${q(alias)}`);
        let open = 0;
        for (const path of routes) {
            const told = await get(viewer, path);
            open += told.status === 200;
            if (!may) assert.ok([403, 404].includes(told.status), `${name}: ${path}: ${told.text}`);
        }
        assert.ok(!may || open >= 8, `${name}: ${open}`);
        const lists = [await get(viewer, `${V3}/publicRooms?limit=1000`), await get(viewer, `${V1}/rooms/${q(space.room_id)}/hierarchy`)];
        assert.equal(lists[0].text.includes(club.room_id), may, `${name}: publicRooms`);
        assert.equal(lists[1].body.rooms.some((r) => r.room_id === club.room_id), may, `${name}: hierarchy`);
        assert.equal((await ask(viewer, "POST", `${V3}/join/${room}`, {})).status, may ? 200 : 403, `${name}: join`);
    }
});

test("D9, G4: a guardian's export of a child names no chat of it with whom the guardian does not see", async () => {
    const rooms = async (who, of) => {
        const at = `${w.server.url}/_parta/v1/${of}/export`;
        const reply = await fetch(at, { headers: { authorization: `Bearer ${who.getAccessToken()}` } });
        assert.equal(reply.status, 200, of);
        const files = unzip(Buffer.from(await reply.arrayBuffer()));
        return { index: files["index.html"], ids: JSON.parse(files["data.json"]).rooms.map((r) => r.room_id) };
    };
    for (const [child, chat, asks, itsOwn, client] of [
        [by.kept, by.chat, by.mother, undefined, by.child],
        [by.apart, by.otherChat, by.one, by.other, by.others],
    ]) {
        const told = await rooms(asks, `people/${q(child)}`);
        assert.ok(told.ids.length > 1 && !told.ids.includes(chat) && !told.index.includes(chat));
        if (itsOwn) assert.ok((await rooms(itsOwn, `people/${q(child)}`)).ids.includes(chat), "one's own");
        assert.ok((await rooms(client, "me")).ids.includes(chat), "the child's own");
    }
});
