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
        ["POST", "/guardianships", { child: child.user_id, guardian: me }],
    ];
    for (const [method, at, body] of acts) {
        await w.no(403, "J4", w.office, method, at, body);
        await w.do(w.office, method, at, body, w.because("Больше некому: заболели все"));
        const [{ entry }] = (await w.do(w.operator, "GET", "/audit?newest=true&limit=1")).items;
        assert.equal(entry.reason, "Больше некому: заболели все", JSON.stringify(entry));
    }
    for (const standing of ["locked", "suspended"])
        await w.no(403, "J4", w.office, "PUT", `/people/${q(me)}/standing`, { standing }, w.because());
    await w.do(w.operator, "DELETE", `/guardianships/${q(child.user_id)}/${q(me)}`);
    await w.do(w.operator, "DELETE", `/people/${q(me)}/roles/${HERE}/deputy`);
    await w.do(w.operator, "DELETE", `/classes/${q(school.class)}/enrollments/${q(me)}/class_teacher`);
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
