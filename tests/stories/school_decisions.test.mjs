// C1, C4, D2, J4: between asking and deciding. What lay open when somebody asked for something else counts; whoever decides
// sees what is there now; nobody decides about themselves, and nobody's secret makes them somebody with more.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { HERE, World, postOffice, q } from "./world.mjs";

let w, five, six;
const PASSWORD = "correct-horse-battery";
const CHILD = { given_name: "Аня", family_name: "Заявкина", birth_date: "2019-03-04" };

before(async () => {
    w = await World.start({ post: await postOffice() });
    five = await w.newClass("5Щ", "5");
    six = await w.newClass("6Щ", "6");
});
after(() => w.stop());

const classLink = (role, at = five) => w.do(w.operator, "POST", "/links", { kind: "class", class: at.class, role });
const signsUp = async ({ token }, more = {}) =>
    w.signUp({ token, ...CHILD, contact: await w.proven(w.newPhone()), ...more });
const application = async (who) => (await w.me(who)).applications[0];
const guardians = async (child) => (await w.do(w.operator, "GET", `/guardianships?user_id=${q(child)}`)).items.map((g) => g.guardian);

test("C4, D2: a child whose own application lies open is nobody's guardian, before it is decided or afterwards", async () => {
    const mate = await w.newClient("pupil", { class: five.class, birth_date: "2015-01-01" });
    const applicant = await signsUp(await classLink("pupil"));
    const { token } = await w.do(mate, "POST", "/me/guardian_links");
    const confirm = () => w.no(403, "D2", applicant, "POST", "/guardian_links/confirm", { token, bind_to: applicant.getUserId() });
    await confirm();
    const { application: number } = await application(applicant);
    await w.do(w.office, "POST", `/applications/${number}/approve`);
    await confirm();
    await w.no(403, "D2", w.operator, "POST", "/guardianships", { child: mate.getUserId(), guardian: applicant.getUserId() });
    assert.deepEqual(await guardians(mate.getUserId()), []);
    // The other way round: who has asked to be a guardian becomes no pupil.
    const parent = await signsUp(await w.do(mate, "POST", "/me/guardian_links"), { birth_date: undefined });
    await w.no(403, "C4", parent, "POST", "/applications", { ...CHILD, token: (await classLink("pupil")).token, bind_to: parent.getUserId() });
});

test("C1: what the applicant changed after the office looked is not approved", async () => {
    const applicant = await signsUp(await classLink("pupil"));
    const { application: number } = await application(applicant);
    const path = `/applications/${number}`;
    const seen = (await w.server.api(w.office, "GET", path)).headers.get("etag");
    await w.do(applicant, "PUT", path, { family_name: "Директорова", birth_date: "2001-01-01" });
    for (const what of ["approve", "refuse"]) {
        await w.no(412, undefined, w.office, "POST", `${path}/${what}`, {}, { "if-match": seen });
        const told = await w.no(428, undefined, w.office, "POST", `${path}/${what}`, {}, { "if-match": "*" });
        assert.equal(told.errcode, "ORG.PARTA_VERSION_NEEDED");
    }
    assert.equal((await w.do(w.office, "GET", path)).state, "waiting");
});

test("J4: nobody approves their own application", async () => {
    const { token } = await classLink("guardian");
    await w.addContact(w.office, w.newPhone(), w.one({ role: "administrator" }).password);
    const { application: number } = await w.do(w.office, "POST", "/applications", { token, bind_to: w.office.getUserId() });
    const child = await w.newPerson("pupil", { class: five.class, birth_date: "2014-01-01" });
    const children = { children: [child.user_id] };
    await w.no(403, "J4", w.office, "POST", `/applications/${number}/approve`, children);
    assert.deepEqual(await guardians(child.user_id), []);
    await w.do(w.operator, "POST", `/applications/${number}/approve`, children);
    assert.deepEqual(await guardians(child.user_id), [w.office.getUserId()]);
});

test("J4: who came by a personal link does nothing that lasts until somebody else than its issuer has confirmed them", async () => {
    const teacher = await w.newClient("class_teacher", { class: five.class });
    const child = await w.newPerson("pupil", { class: five.class, birth_date: "2015-01-01" });
    const parent = (await w.newPerson("guardian", { child: child.user_id })).user_id;
    const wish = { kind: "personal", user_id: parent };
    const told = await w.no(403, "J4", teacher, "POST", "/links", wish);
    assert.equal(told["org.parta.code"], "office_hands_out");
    // The office prints it, and keeps a copy.
    const { token, link } = await w.do(w.office, "POST", "/links", wish);
    const holder = await w.signUp({ token });
    assert.equal(holder.getUserId(), parent);
    const erase = () =>
        w.api(holder, "POST", `/people/${q(child.user_id)}/erase`, {
            auth: { type: "m.login.password", identifier: { type: "m.id.user", user: parent }, password: PASSWORD },
        });
    const refused = await erase();
    assert.deepEqual([refused.status, refused.body["org.parta.code"]], [403, "unconfirmed"], JSON.stringify(refused.body));
    assert.ok((await w.me(holder)).notices.some((n) => n.rule === "J4"), "and is told so beforehand");
    for (const [method, path, body] of [
        ["GET", `/people/${q(child.user_id)}/export`],
        ["DELETE", `/me/children/${q(child.user_id)}`],
        ["POST", `/claims/${link}/confirm`],
    ])
        await w.no(403, "J4", holder, method, path, body);
    await w.do(holder, "GET", "/me/children");
    // Those who would know better are told at once; the issuer is not the one to confirm.
    await w.no(403, "J4", w.office, "POST", `/claims/${link}/confirm`, {}, w.because());
    const claims = async (who) => (await w.do(who, "GET", "/claims")).items.map((c) => c.claim);
    assert.ok((await claims(teacher)).includes(link));
    assert.deepEqual(await claims(holder), []);
    await w.no(404, undefined, await w.newClient("teacher"), "POST", `/claims/${link}/confirm`);
    // The real parent comes and says that it was somebody else: the office takes the account back.
    await w.do(w.office, "POST", `/claims/${link}/undo`);
    assert.equal((await w.api(holder, "GET", "/me")).status, 401);
    const again = await w.do(w.office, "POST", "/links", wish);
    const real = await w.signUp({ token: again.token });
    await w.do(teacher, "POST", `/claims/${again.link}/confirm`);
    await w.do(real, "GET", "/me/children");
    assert.ok(!(await w.me(real)).notices.some((n) => n.rule === "J4"));
    assert.deepEqual(await claims(teacher), (await claims(teacher)).filter((c) => c !== again.link));
});

test("J4: a token that keeps records makes no administrator, and no token makes a longer-lived one", async () => {
    const records = w.server.operator("bridge", "read,records,accounts");
    const person = await w.do(records, "POST", "/people", { school: HERE, role: "staff", given_name: "Тень", family_name: "Теневая" });
    const give = (who, role) => [who, "POST", `/people/${q(person.user_id)}/roles`, { school: HERE, role }];
    await w.no(403, "J4", ...give(records, "administrator"));
    await w.no([403, 404], undefined, records, "POST", `/classes/${five.class}/enrollments`, { user_id: person.user_id, role: "class_teacher" });
    await w.no(403, undefined, records, "POST", "/people", { school: HERE, role: "administrator", given_name: "А", family_name: "Б" });
    const wish = { kind: "personal", user_id: person.user_id };
    const { token } = await w.do(records, "POST", "/links", wish);
    await w.do(...give(w.operator, "administrator"));
    await w.no(403, "J4", records, "POST", "/links", wish);
    await w.no(403, "J4", undefined, "POST", "/signup", { token, password: PASSWORD });
    const soon = Date.now() + 3600_000;
    const chief = await w.do(w.operator, "POST", "/operators", { name: "chief", scopes: ["all"], expires_ts: soon });
    await w.no(403, "J4", chief.token, "POST", "/operators", { name: "longer", scopes: ["read"] });
    await w.do(chief.token, "POST", "/operators", { name: "as-long", scopes: ["read"], expires_ts: soon });
});
