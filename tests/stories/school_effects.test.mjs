// One effect, whatever it is asked by: what reaches a person in all their schools, what somebody gives themselves, who says
// whose guardian somebody is. Numbers are those of school.md's rules.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ELSEWHERE, HERE, World, q } from "./world.mjs";

let w, child, both, school;

before(async () => {
    w = await World.start();
    school = await w.newClass("5Э", "5");
    child = await w.newPerson("pupil", { class: school.class, birth_date: "2009-01-01" });
    both = await w.newPerson("teacher", { school: ELSEWHERE, person: "s2-secret-number" });
    await w.do(w.operator, "POST", "/guardianships", { child: child.user_id, guardian: both.user_id });
});

after(() => w?.stop());

test("A1, J3: what reaches the account of somebody of another school is refused alike, by whatever request", async () => {
    const client = await w.enter(both.user_id);
    const path = `/people/${q(both.user_id)}`;
    const names = { given_name: both.given_name, family_name: both.family_name };
    const requests = [
        ["PUT", `${path}/standing`, { standing: "locked" }],
        ["PUT", path, { ...names, enabled: false }],
        ["PUT", path, { ...names, given_name: "Мэллори" }],
        ["PUT", path, { ...names, birth_date: "2001-01-01" }],
        ["GET", `${path}/sessions`],
        ["DELETE", `${path}/sessions`],
        ["GET", `${path}/export`],
        ["POST", `${path}/erase`, {}],
        ["POST", "/links", { kind: "personal", user_id: both.user_id }],
    ];
    for (const [method, at, body] of requests) {
        const told = await w.no(403, undefined, w.office, method, at, body, w.because());
        assert.ok(["A1", "C2"].includes(told["org.parta.rule"]), JSON.stringify(told));
        assert.equal(JSON.stringify(told).includes(ELSEWHERE), false);
    }
    for (const what of ["suspend", "lock"]) {
        const told = await w.server.request("PUT", `/_matrix/client/v1/admin/${what}/${q(both.user_id)}`, {
            token: w.office.getAccessToken(),
            body: { suspended: true, locked: true },
        });
        assert.deepEqual([told.status, told.body["org.parta.rule"]], [403, "A1"], what);
    }
    assert.equal((await client.whoami()).user_id, both.user_id);
    const seen = await w.do(w.office, "GET", path);
    assert.equal(JSON.stringify(seen).includes("secret-number"), false, "nor is the other school's record told");
    assert.deepEqual(
        seen.roles.map((r) => [r.school, r.role]),
        [[HERE, "guardian"]],
    );
    assert.equal((await w.do(w.operator, "GET", path)).person, "s2-secret-number");
    await w.do(w.office, "POST", `${path}/leave`, { school: HERE });
    assert.equal((await client.whoami()).user_id, both.user_id, "what is this school's ends, and nothing else");
    const left = (await w.do(w.operator, "GET", path)).roles.map((r) => r.school);
    assert.deepEqual([...new Set(left)], [ELSEWHERE]);
});

test("J4: an administrator gives themselves nothing without saying why", async () => {
    const me = w.office.getUserId();
    const acts = [
        ["POST", `/people/${q(me)}/roles`, { school: HERE, role: "deputy" }],
        ["POST", `/classes/${q(school.class)}/enrollments`, { user_id: me, role: "class_teacher" }],
    ];
    for (const [method, at, body] of acts) {
        await w.no(403, "J4", w.office, method, at, body);
        await w.do(w.office, method, at, body, w.because("Больше некому: заболели все"));
        const [{ entry }] = (await w.do(w.operator, "GET", "/audit?newest=true&limit=1")).items;
        assert.equal(entry.reason, "Больше некому: заболели все", JSON.stringify(entry));
    }
    for (const standing of ["locked", "suspended"])
        await w.no(403, "J4", w.office, "PUT", `/people/${q(me)}/standing`, { standing }, w.because());
    await w.no(403, "J4", w.office, "POST", "/guardianships", { child: child.user_id, guardian: me }, w.because());
    await w.do(w.operator, "DELETE", `/people/${q(me)}/roles/${HERE}/deputy`);
    await w.do(w.operator, "DELETE", `/classes/${q(school.class)}/enrollments/${q(me)}/class_teacher`);
});

test("J4: an administrator decides nothing about their own child, or its other parent, whatever the reason", async () => {
    const me = w.office.getUserId();
    const own = await w.newClient("pupil", { class: school.class, birth_date: "2015-01-01" });
    const fellow = await w.newPerson("guardian", { child: own.getUserId() });
    const mate = await w.newClient("pupil", { class: school.class, birth_date: "2009-01-01" });
    await w.do(w.operator, "POST", "/guardianships", { child: own.getUserId(), guardian: me });
    const told = await w.server.request("POST", `/_matrix/client/v3/users/${q(own.getUserId())}/report`, {
        token: mate.getAccessToken(),
        body: { reason: "дерётся" },
    });
    assert.equal(told.status, 200, JSON.stringify(told.body));
    const reports = async (who) => (await w.do(who, "GET", `/reports?school=${HERE}`)).items.filter((r) => r.accused === own.getUserId());
    const [report] = await reports(w.operator);
    assert.ok(report);
    assert.deepEqual(await reports(w.office), []);
    await w.no(404, undefined, w.office, "POST", `/reports/${report.report}/close`, { resolution: "ничего не было" }, w.because());
    const names = { given_name: "Имя", family_name: "Фамилия" };
    const child = `/people/${q(own.getUserId())}`, parent = `/people/${q(fellow.user_id)}`;
    const acts = [
        ["PUT", child, { ...names, birth_date: "2005-01-01" }],
        ["PUT", `${child}/standing`, { standing: "suspended" }],
        ["DELETE", `${child}/sessions`],
        ["POST", `/classes/${q(school.class)}/enrollments`, { user_id: own.getUserId(), role: "pupil", end: "2030-01-01" }],
        ["DELETE", `/guardianships/${q(own.getUserId())}/${q(fellow.user_id)}`],
        ["PUT", `/guardianships/${q(own.getUserId())}/${q(fellow.user_id)}/custody`, { custody: "no_contact", reason: "решение суда от 3 марта" }],
        ["PUT", `${parent}/standing`, { standing: "locked" }],
        ["POST", `${parent}/erase`, {}],
        ["GET", `${parent}/export`],
        ["POST", "/links", { kind: "personal", user_id: fellow.user_id }],
    ];
    for (const [method, at, body] of acts) {
        const told = await w.no(403, "J4", w.office, method, at, body, w.because());
        assert.equal(told["org.parta.code"], "own_family", at);
    }
    await w.do(w.operator, "DELETE", `/guardianships/${q(own.getUserId())}/${q(me)}`);
});

test("C2, D7: nobody makes themselves a guardian by asking for it, or ends another's guardianship", async () => {
    const guardian = await w.newClient("guardian", { child: child.user_id });
    const second = await w.newPerson("guardian", { child: child.user_id });
    const other = await w.newPerson("pupil", { class: school.class, birth_date: "2009-01-01" });
    const teacher = await w.newClient("teacher");
    for (const who of [guardian, teacher])
        await w.no(403, "A4", who, "POST", "/guardianships", { child: other.user_id, guardian: who.getUserId() });
    await w.no(403, "A4", guardian, "DELETE", `/guardianships/${q(child.user_id)}/${q(second.user_id)}`);
    await w.do(guardian, "DELETE", `/guardianships/${q(child.user_id)}/${q(guardian.getUserId())}`);
});

test("D10, D7: a guardian asks for another birth date and the office decides, whatever the guardian does meanwhile", async () => {
    const pupil = await w.newPerson("pupil", { class: school.class, birth_date: "2018-01-01" });
    const guardian = await w.newClient("guardian", { child: pupil.user_id });
    const corrections = `/me/children/${q(pupil.user_id)}/corrections`;
    const record = () => w.do(w.operator, "GET", `/people/${q(pupil.user_id)}`);
    const asked = await w.do(guardian, "POST", corrections, { given_name: "Юрий", birth_date: "2005-01-01" });
    assert.equal(asked.corrections, "in_part");
    assert.deepEqual([(await record()).given_name, (await record()).birth_date], ["Юрий", "2018-01-01"]);
    const open = await w.do(w.office, "GET", `/applications?school=${HERE}&kind=correction&state=waiting`);
    const { application, version } = open.items.find((a) => a.child === pupil.user_id);
    await w.do(guardian, "DELETE", `/me/children/${q(pupil.user_id)}`);
    assert.deepEqual([(await record()).birth_date, (await record()).standing], ["2018-01-01", "restricted"]);
    const match = { "if-match": `"${version}"` };
    await w.no(409, undefined, w.office, "POST", `/applications/${application}/approve`, {}, match);
    assert.equal((await record()).birth_date, "2018-01-01", "and nothing of it came true");
});

const REASON = "Решение суда № 2-114/2026 от 3 марта";
const custody = (who, child, guardian, to, reason = REASON) =>
    w.api(who, "PUT", `/guardianships/${q(child)}/${q(guardian)}/custody`, { custody: to, reason });

/** A child whose guardians are a teacher of the school and somebody who is nothing else there. */
async function family() {
    const pupil = await w.newPerson("pupil", { class: school.class, birth_date: "2018-01-01" });
    const father = await w.newClient("teacher");
    await w.do(w.operator, "POST", "/guardianships", { child: pupil.user_id, guardian: father.getUserId() });
    const mother = await w.newClient("guardian", { child: pupil.user_id });
    const childs = await w.enter(pupil.user_id);
    return { pupil: pupil.user_id, childs, father, mother };
}

test("D9: separate guardians are not shown to each other through the child, and each goes on as before", async () => {
    const { pupil, childs, father, mother } = await family();
    const chat = (await childs.createRoom({ preset: "trusted_private_chat", is_direct: true, invite: [father.getUserId()] })).room_id;
    await father.joinRoom(chat);
    const list = async (who) => (await w.do(who, "GET", `/guardianships?user_id=${q(pupil)}`)).items.map((g) => g.guardian);
    const rooms = async (who) => (await w.do(who, "GET", `/me/children/${q(pupil)}/rooms`)).items;
    const found = async (who, whom) => {
        const name = (await whom.getProfileInfo(whom.getUserId())).displayname;
        const { results } = await who.searchUserDirectory({ term: name });
        return results.some((r) => r.user_id === whom.getUserId());
    };
    assert.equal((await list(mother)).length, 2);
    assert.ok((await rooms(mother)).some((r) => r.room_id === chat));
    assert.equal(await found(mother, father), true);
    assert.equal((await custody(w.office, pupil, father.getUserId(), "separate")).status, 200);
    assert.deepEqual(await list(mother), [mother.getUserId()]);
    assert.deepEqual(await list(father), [father.getUserId()]);
    assert.equal((await list(w.office)).length, 2);
    assert.equal((await rooms(mother)).some((r) => r.room_id === chat), false, "the other's chat with the child");
    assert.ok((await rooms(father)).some((r) => r.room_id === chat), "one's own");
    assert.equal(await found(mother, father), false);
    for (const who of [father, mother]) {
        assert.deepEqual((await w.me(who)).children.map((c) => c.user_id), [pupil]);
        assert.equal(JSON.stringify(await w.do(who, "GET", `/guardianships?user_id=${q(pupil)}`)).includes("separate"), false);
    }
    assert.equal((await w.me(childs)).guardians.length, 2, "the child sees both");
});

test("D9: no contact: the guardian is nowhere offered, everything is refused as to a stranger, and nothing says why", async () => {
    const { pupil, childs, father, mother } = await family();
    const him = father.getUserId();
    const chat = (await childs.createRoom({ preset: "trusted_private_chat", is_direct: true, invite: [him] })).room_id;
    await father.joinRoom(chat);
    for (const who of [mother, father, childs, await w.newClient("teacher")])
        assert.equal((await custody(who, pupil, him, "no_contact")).status, 403);
    assert.equal((await custody(w.office, pupil, him, "no_contact", "суд")).status, 400);
    const settled = await custody(w.office, pupil, him, "no_contact");
    assert.deepEqual([settled.status, settled.body], [200, { custody: "no_contact", together: [] }]);
    const [{ entry }] = (await w.do(w.operator, "GET", "/audit?newest=true&limit=1&act=guardianship.custody")).items;
    assert.deepEqual([entry.reason, entry.changes.find((c) => c["+"] === "custody").kind], [REASON, "no_contact"]);

    assert.deepEqual((await w.me(father)).children, []);
    assert.deepEqual((await w.me(childs)).guardians.map((g) => g.user_id), [mother.getUserId()]);
    const told = [];
    const never = async (promise) => told.push(JSON.stringify(await promise));
    const api = (method, path, body) => w.no([403, 404], undefined, father, method, path, body, w.because());
    for (const whom of [pupil, mother.getUserId()]) {
        const at = `/people/${q(whom)}`;
        await never(api("GET", at));
        await never(api("GET", `${at}/export`));
        await never(api("POST", `${at}/erase`, {}));
        await never(api("POST", `${at}/leave`, { school: HERE }));
        await never(api("PUT", `${at}/standing`, { standing: "locked" }));
        for (const ask of [
            () => father.getProfileInfo(whom),
            () => father.createRoom({ preset: "trusted_private_chat", is_direct: true, invite: [whom] }),
        ])
            await never(ask().then(() => assert.fail("it was allowed"), (e) => e.data));
        const { results } = await father.searchUserDirectory({ term: "Новый" });
        assert.equal(results.some((r) => r.user_id === whom), false);
        told.push(JSON.stringify((await w.api(father, "POST", "/explain", { act: "create_room", kind: "direct", target: whom })).body));
    }
    const child = `/me/children/${q(pupil)}`;
    await never(api("GET", `${child}/rooms`));
    await never(api("POST", `${child}/corrections`, { given_name: "Иной" }));
    await never(api("DELETE", child));
    await never(api("GET", `/guardianships?user_id=${q(pupil)}`));
    await never(api("GET", `/guardianships/${q(pupil)}/${q(him)}/custody`));
    await never(api("POST", "/guardianships", { child: pupil, guardian: him }));
    for (const [who, other] of [[father, "отец"], [childs, "ребёнок"]])
        await never(who.sendTextMessage(chat, other).then(() => assert.fail("it was sent"), (e) => e.data));
    const { token: anew } = await w.do(childs, "POST", "/me/guardian_links");
    await never(api("POST", "/guardian_links/look", { token: anew }));
    await never(api("POST", "/guardian_links/confirm", { token: anew, bind_to: him }));
    for (const words of told)
        for (const word of ["суд", "опек", "запрет", "court", "custody", "no_contact", "D9"])
            assert.equal(words.toLowerCase().includes(word.toLowerCase()), false, words);
    assert.equal((await father.getJoinedRooms()).joined_rooms.includes(chat), false);
    const guardians = await w.room("guardians", school.class);
    assert.equal((await w.joined(guardians)).includes(mother.getUserId()), true);
    assert.equal((await w.joined(guardians)).includes(him), false);
    assert.equal((await father.whoami()).user_id, him, "he teaches there still");

    // J1: what would bring them together is explained to the office as it is refused, and with the reason it is not.
    const place = { user_id: him, role: "teacher" };
    const asked = { act: "roles", class: school.class, target: him, role: "teacher" };
    const explained = await w.do(w.office, "POST", "/explain", asked);
    const refused = await w.no(403, "D9", w.office, "POST", `/classes/${school.class}/enrollments`, place);
    assert.deepEqual(explained.rules.filter((r) => r.decides).map((r) => [r.rule, r.code, r.overridable]), [["D9", refused["org.parta.code"], true]]);
    assert.equal(explained.allowed, false);
    assert.equal((await w.do(w.office, "POST", "/explain", { ...asked, act: "approve" })).rules.some((r) => r.rule === "D9"), true);
    assert.equal((await w.do(w.office, "POST", "/explain", { ...asked, role: undefined })).allowed, true, "no place is given");
    await w.no(400, undefined, w.office, "POST", "/explain", { ...asked, role: "king" });
});
