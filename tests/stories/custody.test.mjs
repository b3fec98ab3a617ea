// D9: every door that there is, for both words of custody. Guardians who live apart learn nothing of each other through their child; who is kept from
// a child finds neither it nor its other guardian anywhere, and is refused as if there were none, in words that say nothing; nor does the child find them.
// Doors are read from tests/doors/table.txt and from the tables of the pages, so that a new one is asked, too. What the roster's own rooms show of who
// is in them (docs/school-rules.md, "What custody hides, and what it cannot") is no part of it: those rooms are not asked.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { until, unzip } from "./harness.mjs";
import { HERE, V3, World, postOffice, q } from "./world.mjs";
import { Visitor, pageRoutes } from "./visitor.mjs";

const REASON = "Решение суда № 2-114/2026 от 3 марта";
const TELLING = /суд|опек|запрет|court|custody|no_contact|"D9"/i;
const PASSWORD = "correct-horse-battery";
const TABLE = readFileSync(new URL("../doors/table.txt", import.meta.url), "utf8").split("\n");
// Where a roster's room stands in the answer with its members; and what begins something elsewhere.
const NOT_ASKED = /\/v3\/sync$|^GET \/_matrix\/client\/(v3\/notifications|v3\/keys\/changes)|sso\/redirect|fallback\/web|rendezvous/;

let w, post, school, child, childs, one, other, chat;

before(async () => {
    post = await postOffice();
    w = await World.start({ post, settings: "presence:\n  enabled: true\n" });
    school = await w.newClass("5 «О»", "5");
});

after(() => w?.stop());

const custody = (whose, guardian, to) => w.do(w.office, "PUT", `/guardianships/${q(whose)}/${q(guardian.getUserId())}/custody`, { custody: to, reason: REASON });

/** Rooms that somebody is asked into. */
const invitations = async (who) => Object.keys((await who.http.authedRequest("GET", "/sync", { timeout: 0 })).rooms?.invite ?? {});

/** A guardian who has left traces by every way that a guardian has: contacts, a device's name, a correction, a chat with the child. */
async function guardian(of, family_name, given_name, email) {
    const client = await w.newClient("guardian", { child: of.id, family_name, given_name });
    await w.addContact(client, email);
    await client.setDeviceDetails(client.getDeviceId(), { display_name: `телефон ${given_name}` });
    await w.do(client, "POST", `/me/children/${q(of.id)}/corrections`, { birth_date: "2015-09-09", note: `записка ${given_name}` });
    const { applications } = await w.me(client);
    const room = (await of.client.createRoom({ preset: "trusted_private_chat", is_direct: true, invite: [client.getUserId()] })).room_id;
    await client.joinRoom(room);
    const { event_id } = await w.say(client, room, `слова ${given_name}`);
    const page = await new Visitor(w.server.url).signIn({ id: client.getUserId(), password: PASSWORD });
    return {
        client, page, id: client.getUserId(), room, event: event_id, application: applications[0].application,
        secrets: [client.getUserId().slice(1).split(":")[0], family_name, given_name, email, room, applications[0].application],
    };
}

async function newChild(given_name) {
    const id = (await w.newPerson("pupil", { class: school.class, birth_date: "2015-01-01", family_name: "Общая", given_name })).user_id;
    const client = await w.enter(id);
    return { id, client, token: (await w.do(client, "POST", "/me/guardian_links")).token }; // open still when there are two (D5)
}

/** What a path's names may stand for, for somebody who looks for what is hidden. */
function filled(path, values) {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]);
    return names.reduce((paths, name) => paths.flatMap((p) => [values[name] ?? "1"].flat().map((v) => p.replace(`{${name}}`, q(v)))), [path]);
}

const asked = {
    messages: "?dir=b&limit=50", timestamp_to_event: "?dir=f&ts=0", thread_subscriptions: "?dir=b",
};

/** [door, text] of everything that one may read, by the APIs and by the pages. */
async function everything(who, page, values) {
    const told = [];
    const hear = (door, text) => told.push([door, text]);
    for (const line of TABLE) {
        const route = /^GET (\/_(?:matrix|parta)\S*) =/.exec(line)?.[1];
        if (!route || NOT_ASKED.test(`GET ${route}`)) continue;
        for (const path of filled(route, values)) {
            const more = asked[route.split("/").pop()] ?? (/mutual_rooms$/.test(route) ? `?user_id=${q([values.userId].flat()[0])}` : "");
            for (const query of route.startsWith("/_parta") ? ["", `?school=${HERE}`, ...[values.userId].flat().map((id) => `?user_id=${q(id)}`), `?class=${school.class}&state=any`] : [more]) {
                const reply = await w.server.request("GET", path + query, { token: who.getAccessToken(), raw: true });
                const zipped = reply.headers.get("content-type")?.includes("zip"); // somebody's export
                hear(`GET ${path}${query}`, `${[...reply.headers].join(" ")} ${zipped ? Object.values(unzip(reply.body)).join(" ") : reply.body}`);
            }
        }
    }
    for (const { path } of pageRoutes("GET"))
        for (const at of filled(path, values)) {
            const reply = await page.ask("GET", at);
            hear(`page ${at}`, `${[...reply.headers].join(" ")} ${reply.html}`);
        }
    const reading = [
        ...values.names.map((term) => [`${V3}/user_directory/search`, { search_term: term }]),
        [`${V3}/keys/query`, { device_keys: Object.fromEntries([values.userId].flat().map((id) => [id, []])) }],
        [`${V3}/keys/claim`, { one_time_keys: Object.fromEntries([values.userId].flat().map((id) => [id, { X: "signed_curve25519" }])) }],
        ["/_parta/v1/guardian_links/look", { token: values.token }],
        ...[values.userId].flat().flatMap((target) => [
            ["/_parta/v1/explain", { act: "create_room", kind: "direct", target }],
            ["/_parta/v1/explain", { act: "invite", room: values.roomId[0], target }],
            ["/_parta/v1/explain", { act: "child", target }],
        ]),
    ];
    for (const [path, body] of reading) {
        const reply = await w.server.request("POST", path, { token: who.getAccessToken(), body, raw: true });
        const text = reply.body.toString();
        const echoed = [values.userId].flat().filter((id) => JSON.stringify(body).includes(id)); // what one has said oneself is no news
        hear(`POST ${path} ${JSON.stringify(body)}`, echoed.reduce((left, id) => left.replaceAll(id, ""), text));
    }
    return told;
}

/** The doors behind which something of the secrets stands that the asker has not said in the asking. */
const tell = (told, secrets) =>
    told.filter(([door, text]) => secrets.some((secret) => !decodeURIComponent(door).includes(secret) && text.includes(secret))).map(([door]) => door);

let values, both;

test("before anything is settled the doors tell each guardian of the other", async () => {
    child = await newChild("Василиса");
    childs = child.client;
    one = await guardian(child, "Однова", "Аристарх", "aristarh@school.example");
    other = await guardian(child, "Отдельнова", "Зинаида", "zinaida@school.example");
    values = {
        userId: [other.id, child.id], child: child.id, guardian: other.id, roomId: [other.room, await w.room("class", school.class)], roomIdOrAlias: other.room, eventId: other.event,
        deviceId: other.client.getDeviceId(), application: other.application, school: HERE, class: school.class, keyName: "displayname", eventType: "m.room.name",
        stateKey: "", names: ["Отдельнова", "Зинаида", "Василиса"], token: child.token,
    };
    both = [[one, other, values], [other, one, { ...values, userId: [one.id, child.id], guardian: one.id, roomId: [one.room, values.roomId[1]], roomIdOrAlias: one.room, eventId: one.event, deviceId: one.client.getDeviceId(), application: one.application, names: ["Однова", "Аристарх"] }]];
    for (const [who, whom, asks] of both) {
        const told = tell(await everything(who.client, who.page, asks), whom.secrets);
        for (const door of [/page \/parta\/child\//, /\/me\/children\/.*\/rooms/, /\/guardianships\?user_id/, /\/profile\//, /user_directory/])
            assert.ok(told.some((d) => door.test(d)), `${door} tells nothing, so that nothing is proven by it: ${told}`);
    }
});

test("D9, separately: no door of any API and no page tells one guardian of the other, whoever of the two was said to live apart", async () => {
    await custody(child.id, other.client, "separate");
    for (const [who, whom, asks] of both) {
        const told = await everything(who.client, who.page, asks);
        assert.deepEqual(tell(told, whom.secrets), []);
        for (const [door, text] of told.filter(([d]) => /^page|_parta\/v1\/me|guardian/.test(d) && !d.includes("export"))) assert.doesNotMatch(text, TELLING, door);
        assert.ok(told.some(([door, text]) => door.startsWith("page /parta/child/") && text.includes("Василиса")), "the child is theirs as before");
    }
    assert.equal((await w.me(childs)).guardians.length, 2, "the child sees both");
});

test("D9, separately: a class teacher whose own child is in the class reads of the other guardian neither there nor on the sheets", async () => {
    const pupil = await newChild("Ефросинья");
    const leading = await w.newClient("class_teacher", { class: school.class });
    await w.do(w.operator, "POST", "/guardianships", { child: pupil.id, guardian: leading.getUserId() });
    const apart = await w.newPerson("guardian", { child: pupil.id, family_name: "Непришедшая", given_name: "Пелагея" });
    const page = await new Visitor(w.server.url).signIn({ id: leading.getUserId(), password: PASSWORD });
    const at = `/parta/class/${q(school.class)}`;
    assert.match((await page.get(at)).html, /Ефросинья[^]*Пелагея/);
    await w.do(w.office, "PUT", `/guardianships/${q(pupil.id)}/${q(apart.user_id)}/custody`, { custody: "separate", reason: REASON });
    const roll = (await page.get(at)).html;
    assert.match(roll, /Ефросинья/);
    assert.doesNotMatch(roll, /Пелагея|Непришедшая/);
    const office = await new Visitor(w.server.url).signIn(w.one({ role: "administrator" }));
    assert.match((await office.get(at)).html, /Ефросинья[^]*Пелагея/, "whoever else leads the class sees both");
    const sheets = await office.send(await office.form(at, "/parta/class-sheets"));
    assert.match(sheets.html, /Пелагея/);
});

/** Every door that changes something of a person, out of the table. */
const acts = TABLE.map((line) => /^(POST|PUT|DELETE) (\/_(?:matrix|parta)\S*\{(?:userId|child|guardian)\}\S*) =/.exec(line)).filter(Boolean)
    .filter(([, , path]) => !/\/user\/\{userId\}|\/rooms\/\{roomId\}\/typing/.test(path)); // one's own
const BODY = { reason: REASON, given_name: "Иной", family_name: "Иной", standing: "locked", role: "teacher", school: HERE, body: "слово", custody: "shared", displayname: "Иной", presence: "online", locked: true, suspended: true };

test("D9: the office sees why somebody waits who came by a child's link, and nobody else does; once they are let in, whom it concerns is told", async () => {
    const of = await newChild("Жданная");
    const first = await w.newClient("guardian", { child: of.id, family_name: "Первая", given_name: "Алла" });
    const leader = await w.newClient("class_teacher", { class: school.class, family_name: "Классная", given_name: "Нина" });
    await custody(of.id, first, "separate");
    const contact = await w.proven(w.newPhone());
    const comes = await w.signUp({ token: of.token, contact, given_name: "Егор", family_name: "Приходящий" });
    const told = await w.api(comes, "POST", "/guardian_links/confirm", { token: of.token, bind_to: comes.getUserId() });
    assert.equal(told.body.outcome, "waits");
    const { items } = await w.do(w.office, "GET", `/applications?school=${HERE}&kind=guardian`);
    const mine = items.find((a) => a.user_id === comes.getUserId());
    assert.equal(mine?.settled, true, JSON.stringify(items));
    assert.equal((await w.do(w.office, "GET", `/applications/${mine.application}`)).settled, true);
    for (const who of [leader, comes, first, of.client]) {
        const seen = await w.api(who, "GET", `/applications/${mine.application}`);
        assert.ok(!("settled" in seen.body), JSON.stringify(seen.body));
    }
    const unasked = await w.api(w.office, "POST", `/applications/${mine.application}/approve`);
    assert.deepEqual([unasked.status, unasked.body["org.parta.code"]], [403, "settled"]);
    await custody(of.id, first, "shared");
    assert.ok(!("settled" in (await w.do(w.office, "GET", `/applications/${mine.application}`))));
    await w.do(w.office, "POST", `/applications/${mine.application}/approve`);
    assert.ok(!("settled" in (await w.do(w.office, "GET", `/applications/${mine.application}`))));
    for (const who of [first, leader]) await until(async () => (await invitations(who)).length > 0, "the notice of a new guardian");
});

test("D9, no contact: child and other guardian are nowhere offered, the guardian not to them; every act is refused as of a stranger, in neutral words", async () => {
    const pupil = await newChild("Мелания");
    const kept = await guardian(pupil, "Удалов", "Евлампий", "evlampiy@school.example");
    const stays = await guardian(pupil, "Близкая", "Агриппина", "agrippina@school.example");
    const far = await w.newClass("6 «Д»", "6"); // or nothing would keep him here
    const second = await w.newPerson("pupil", { class: far.class, birth_date: "2014-01-01" });
    await w.do(w.operator, "POST", "/guardianships", { child: second.user_id, guardian: kept.id });
    await custody(pupil.id, kept.client, "no_contact");

    const classRoom = await w.room("class", school.class);
    const his = { ...values, userId: [pupil.id, stays.id, second.user_id], child: pupil.id, guardian: stays.id, roomId: [kept.room, stays.room, classRoom], roomIdOrAlias: kept.room, eventId: kept.event, deviceId: stays.client.getDeviceId(), application: [kept.application, stays.application], names: ["Мелания", "Близкая"], token: pupil.token };
    // The chat of the two is the child's still, to be read (the guardian has left it, and nobody writes there): it is not asked.
    const childs = { ...his, userId: [kept.id], roomId: [stays.room, classRoom], roomIdOrAlias: stays.room, eventId: stays.event, application: kept.application, deviceId: kept.client.getDeviceId(), names: ["Удалов"], guardian: kept.id };
    const hidden = [...stays.secrets, pupil.id.slice(1).split(":")[0], "Мелания", "2015-09-09"];
    const pupilPage = await new Visitor(w.server.url).signIn({ id: pupil.id, password: PASSWORD });
    for (const [who, page, asks, secrets] of [[kept.client, kept.page, his, hidden], [stays.client, stays.page, { ...childs, roomId: [kept.room, classRoom], roomIdOrAlias: kept.room, eventId: kept.event }, kept.secrets.filter((s) => s !== kept.room)], [pupil.client, pupilPage, childs, kept.secrets.filter((s) => s !== kept.room)]]) {
        const told = await everything(who, page, asks);
        assert.deepEqual(tell(told, secrets), [], who.getUserId());
        for (const [door, text] of told.filter(([d]) => !/\/refusals|export/.test(d))) assert.doesNotMatch(text, TELLING, door);
    }

    const stranger = w.one({ school: w.there, role: "pupil" }).id; // of another school: nor does he learn that they are at his
    assert.ok(acts.length > 15);
    for (const [, method, route] of acts)
        for (const whom of [pupil.id, stays.id]) {
            const answers = [];
            for (const target of [whom, stranger]) {
                const path = filled(route, { ...his, userId: target, child: route.includes("{guardian}") && whom === stays.id ? second.user_id : target, guardian: target, role: "teacher" })[0];
                const { status, body } = await w.server.request(method, path, { token: kept.client.getAccessToken(), body: method === "DELETE" ? undefined : BODY });
                assert.doesNotMatch(JSON.stringify(body), TELLING, path);
                answers.push(`${status} ${JSON.stringify(body)}`.replaceAll(target, "@x"));
            }
            assert.equal(answers[0], answers[1], `${method} ${route}: as of a stranger`);
            assert.match(answers[0], route.endsWith("/report") ? /^[24]/ : /^4/, `${method} ${route} ${answers[0]}`);
        }
    for (const invite of [pupil.id, stays.id]) {
        const [refused, strange] = await Promise.all([invite, stranger].map((id) => w.directWith(kept.client, id).then(() => "made", (e) => [e.httpStatus, e.data])));
        assert.notEqual(refused, "made");
        assert.deepEqual(refused, strange);
    }
});
