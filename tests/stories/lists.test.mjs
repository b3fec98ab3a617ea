// D9, A1: what stands in a list of the school API is there for whoever reads the list, and what is not there no door
// tells of: every list of docs/openapi.json, for everybody who may read one. A school's administrator who is kept from
// a child and from the child's mother, who is an administrator, too, sees neither, whatever they do.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { HERE, World, q } from "./world.mjs";

const REASON = "Решение суда № 2-114/2026 от 3 марта";
const API = JSON.parse(readFileSync(new URL("../../docs/openapi.json", import.meta.url), "utf8"));

let w, school, child, childs, father, mother, teacher, mate, mates, room, club, actors, secrets;

/** Of each list: how it is asked for, and the door of a row by itself (undefined: there is none). */
const person = (row) => `/people/${q(row.user_id)}`;
const ofThese = (...people) => `?user_ids=${people.map(q).join(",")}`;
const LISTS = {
    "/schools": { row: (x) => `/schools/${q(x.school)}` },
    "/classes": { ask: () => ["", `?school=${HERE}`], row: (x) => `/classes/${q(x.class)}` },
    "/classes/{class}/enrollments": { row: person },
    "/people": {
        ask: () => ["", `?school=${HERE}`, `?class=${school.class}`, `?school=${HERE}&name=${q("Ковр")}`,
            `?school=${HERE}&role=pupil`, `?school=${HERE}&standing=active`, ofThese(child, mate), ofThese(mate, mother.getUserId(), father.getUserId())],
        row: person,
    },
    "/people/{userId}/enrollments": { row: person },
    "/people/{userId}/sessions": {},
    "/guardianships": {
        ask: () => [`?school=${HERE}`, `?user_id=${q(child)}`, `?user_id=${q(mother.getUserId())}`,
            `?user_id=${q(father.getUserId())}`, `?user_id=${q(mate)}`, ofThese(mate, child), ofThese(mother.getUserId(), mate)],
        row: (x) => `/people/${q(x.child)}`,
    },
    "/rooms": { ask: () => [`?school=${HERE}`, ""], row: (x) => `/rooms/${q(x.room_id)}` },
    "/rooms/{roomId}/members": { row: (x) => (x.user_id.startsWith("@parta:") ? undefined : person(x)) },
    "/associations": { ask: () => [`?school=${HERE}`] },
    "/policy/versions": {},
    "/schools/{school}/policy/versions": {},
    "/imports": {},
    "/imports/held": { row: (x) => `/imports/held/${x.held}` },
    "/reports": { ask: () => ["", `?school=${HERE}`, `?school=${HERE}&state=open`], row: (x) => `/reports/${x.report}` },
    "/audit": { ask: () => ["", `?school=${HERE}`, `?school=${HERE}&newest=true`, `?school=${HERE}&act=guardianship.custody`] },
    "/operators": {},
    "/refusals": {},
    "/links": { ask: () => ["", `?school=${HERE}`, `?class=${school.class}`] },
    "/me/guardian_links": {},
    "/applications": {
        ask: () => ["?state=any", `?school=${HERE}&state=any`, `?class=${school.class}&state=any`],
        row: (x) => `/applications/${x.application}`,
    },
    "/claims": { ask: () => ["", `?school=${HERE}`] },
    "/me/children": {},
    "/me/children/{userId}/rooms": {},
};

const isList = (path) => {
    const schema = API.paths[path].get?.responses["200"]?.content?.["application/json"]?.schema;
    const whole = schema?.$ref ? API.components.schemas[schema.$ref.split("/").pop()] : schema;
    return whole?.properties?.items !== undefined;
};

/** The path with what its names may stand for: all of it. */
function filled(path) {
    const values = {
        class: [school.class], school: [HERE], userId: [child, mother.getUserId(), father.getUserId(), mate],
        roomId: [...room, club], child: [child, mate], guardian: [father.getUserId(), mother.getUserId()],
        held: ["1"], report: ["1"], application: ["1"],
    };
    const names = [...path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]);
    return names.reduce((paths, name) => {
        assert.ok(name in values, `${path}: what is ${name}?`);
        return paths.flatMap((p) => values[name].map((v) => p.replace(`{${name}}`, q(v))));
    }, [path]);
}

const get = (who, path) => w.api(who, "GET", path);

/** All pages of a list; undefined: it is refused. */
async function whole(who, path, limit) {
    const items = [];
    for (let from = ""; from !== undefined; ) {
        const { status, body } = await get(who, `${path}${path.includes("?") ? "&" : "?"}limit=${limit}${from && `&from=${from}`}`);
        if (status !== 200) {
            assert.ok([400, 403, 404].includes(status) && items.length === 0, `${path}: ${status} ${JSON.stringify(body)}`);
            return undefined;
        }
        assert.ok(body.next === undefined || body.items.length >= limit, `${path}: a page is full, or the last`);
        items.push(...body.items);
        from = body.next;
    }
    return items;
}

before(async () => {
    w = await World.start();
    school = await w.newClass("7К");
    child = (await w.newPerson("pupil", { class: school.class, family_name: "Ковригина", given_name: "Ульяна" })).user_id;
    childs = await w.enter(child);
    mate = (await w.newPerson("pupil", { class: school.class, family_name: "Коврова" })).user_id;
    mates = await w.newClient("guardian", { child: mate });
    father = await w.newClient("administrator", { family_name: "Отцов" });
    mother = await w.newClient("administrator", { family_name: "Ковригова" });
    for (const guardian of [father, mother])
        await w.do(w.operator, "POST", "/guardianships", { child, guardian: guardian.getUserId() });
    teacher = await w.newClient("class_teacher", { class: school.class });
    room = [await w.room("class", school.class), await w.room("guardians", school.class), await w.room("school_space")];
    club = (await mother.createRoom({ name: "кружок", invite: [mates.getUserId(), teacher.getUserId()] })).room_id;

    // Of everything that there are lists of, something is by, of or about the two.
    await w.do(childs, "POST", "/me/guardian_links").catch(() => undefined);
    const letIn = await w.do(mother, "POST", "/links", { kind: "class", class: school.class, role: "pupil" });
    await w.do(w.office, "POST", "/links", { kind: "class", class: school.class, role: "guardian" });
    await w.do(mother, "PUT", `/schools/${HERE}/policy`, { document: {}, reason: "Так решили на совете" });
    const report = (who, about) => w.server.request("POST", `/_matrix/client/v3/users/${q(about)}/report`,
        { token: who.getAccessToken(), body: { reason: "Мешает на уроке" } });
    for (const [who, about] of [[childs, mate], [teacher, child], [mother, mate], [teacher, mate]])
        assert.equal((await report(who, about)).status, 200);
    const { items } = await w.do(w.office, "GET", `/reports?school=${HERE}`);
    const ofMate = items.filter((r) => r.accused === mate && r.reporter === teacher.getUserId());
    await w.do(mother, "POST", `/reports/${ofMate[0].report}/close`, { resolution: "Поговорили" });
    await w.signUp({ token: letIn.token, given_name: "Ульяна", family_name: "Ковригина" });
    await w.do(mother, "POST", `/me/children/${q(child)}/corrections`, { birth_date: "2013-05-05" });

    const token = async (scope) => (await w.do(w.operator, "POST", "/operators", { name: `lists-${scope}`, scopes: [scope] })).token;
    actors = {
        operator: w.operator, office: w.office, father, mother, teacher, child: childs, mates,
        head: await w.still(w.one({ role: "head" })), plain: await w.newClient("teacher"),
        reading: await token("read"), reporting: await token("reports"), auditing: await token("audit"),
        recording: await token("records"),
    };
    const record = async (id) => (await w.do(w.operator, "GET", `/people/${q(id)}`)).person;
    secrets = [child, mother.getUserId(), await record(child), await record(mother.getUserId()), "Ковриг", "2-114"];
});

after(() => w?.stop());

test("?user_ids= is those people one by one, all of them or nobody", async () => {
    const people = [mate, child, mother.getUserId()], strange = "@nobody:school.example";
    const one = await Promise.all(people.map((id) => w.do(w.operator, "GET", `/people/${q(id)}`)));
    assert.deepEqual((await w.do(w.operator, "GET", `/people${ofThese(...people)}`)).items, one);
    const kin = await Promise.all(people.map((id) => w.do(w.operator, "GET", `/guardianships?user_id=${q(id)}`)));
    assert.deepEqual((await w.do(w.operator, "GET", `/guardianships${ofThese(...people)}`)).items, kin.flatMap((list) => list.items));
    assert.ok(kin.every((list) => list.items.length > 0));
    const hundred = Array(100).fill(child);
    for (const list of ["/people", "/guardianships"])
        for (const [who, asked, status] of [[w.operator, ofThese(child, strange), 404], [w.operator, ofThese(...hundred), 200], [w.operator, ofThese(...hundred, mate), 400],
            [w.operator, "?user_ids=", 400], [w.operator, "?user_ids=,", 400], [mates, ofThese(mate, child), 403], [childs, ofThese(child, mate), 403]])
            assert.equal((await get(who, list + asked)).status, status, `${list}${asked.slice(0, 90)}`);
});

test("every list of the API is known here", () => {
    assert.deepEqual(Object.keys(LISTS).sort(), Object.keys(API.paths).filter(isList).sort());
});

/** Every list for one actor: {path: items}; what is there is there by its own door. */
async function lists(who, told) {
    const seen = {};
    for (const [path, { ask = () => [""], row }] of Object.entries(LISTS))
        for (const asked of ask().flatMap((question) => filled(path).map((p) => p + question))) {
            const items = await whole(who, asked, 500);
            assert.deepEqual(await whole(who, asked, 2), items, `${told}: ${asked} by pages`);
            if (items === undefined) continue;
            seen[asked] = items;
            for (const door of new Set(items.map((item) => row?.(item)).filter(Boolean))) {
                const { status, body } = await get(who, door);
                assert.equal(status, 200, `${told}: ${asked} has ${door}: ${JSON.stringify(body)}`);
            }
        }
    return seen;
}

/** Somebody else applies under the child's name: that is no secret of the child's. */
const found = (what, path = "") =>
    secrets.filter((secret) => JSON.stringify(what).includes(secret) && !(path.startsWith("/applications") && secret === "Ковриг"));
let counts;

test("what stands in a list stands there by its own door, for everybody; nobody is kept from anybody yet", async () => {
    counts = {};
    for (const [name, who] of Object.entries(actors)) {
        const seen = await lists(who, name);
        counts[name] = Object.fromEntries(Object.entries(seen).map(([path, items]) => [path, items.length]));
        if (name !== "father") continue;
        const telling = Object.keys(seen).filter((path) => found(seen[path]).length > 0);
        for (const path of ["/people", "/classes", "/rooms", "/guardianships", "/reports", "/audit", "/links", "/applications", "/me", "/schools"])
            assert.ok(telling.some((p) => p.startsWith(path)), `${path} tells nothing, so that nothing is proven by it`);
    }
});

test("D9: whoever is kept from somebody finds them in no list, and by no door; everybody else as before", async () => {
    const custody = `/guardianships/${q(child)}/${q(father.getUserId())}/custody`;
    await w.do(w.office, "PUT", custody, { custody: "no_contact", reason: REASON });
    for (const [name, who] of Object.entries(actors)) {
        const seen = await lists(who, name);
        if (name === "father") {
            for (const [path, items] of Object.entries(seen)) assert.deepEqual(found(items, path), [], path);
            const here = seen[`/people?school=${HERE}`];
            assert.equal(here.length, counts.father[`/people?school=${HERE}`] - 2, "those two, and nobody else");
            for (const one of seen[`/rooms?school=${HERE}`]) {
                const members = seen[`/rooms/${q(one.room_id)}/members`]?.filter((m) => m.membership === "join");
                if (!members) continue;
                const service = (await get(w.operator, `/rooms/${q(one.room_id)}`)).body.joined - (await w.joined(one.room_id)).length;
                assert.equal(one.joined, members.length + service, `nor does a number tell: ${one.kind}`);
            }
        } else if (name === "operator" || name === "office") {
            for (const path of [`/people?school=${HERE}`, `/classes/${q(school.class)}/enrollments`, `/reports?school=${HERE}`])
                assert.equal(seen[path].length, counts[name][path], `${name}: ${path}`);
        }
    }
});

test("D9: nor does any other door of the API tell the one who is kept", async () => {
    for (const path of Object.keys(API.paths).filter((p) => API.paths[p].get && !p.endsWith("export")))
        for (const asked of filled(path)) {
            const { body } = await get(father, asked.startsWith("/audit") ? `${asked}?school=${HERE}` : asked);
            assert.deepEqual(found(body ?? "", asked), [], asked);
        }
    const log = await w.server.request("GET", `/_parta/v1/audit/export?school=${HERE}`, { token: father.getAccessToken(), raw: true });
    assert.equal(log.status, 200);
    assert.deepEqual(found(log.body.toString()), []);
});
