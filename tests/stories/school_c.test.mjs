// C: signing up. Links, applications, approval, codes. Numbers are those of school.md's rules.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { inRoom, sdk } from "./harness.mjs";
import { HERE, V3, World, outcome, postOffice, q, refused } from "./world.mjs";

let w, teacher, otherTeacher, guardian, pupil, classRoom;
const CLASS = "s1-c003"; // 8А
const PASSWORD = "correct-horse-battery";

before(async () => {
    w = await World.start({ post: await postOffice() });
    teacher = await w.still(w.one({ role: "class_teacher", class: "8А" }));
    otherTeacher = await w.still(w.one({ role: "class_teacher", class: "1А" }));
    guardian = await w.still(w.one({ role: "guardian", class: "8А" }));
    pupil = await w.still(w.one({ role: "pupil", class: "8А" }));
    classRoom = await w.room("class", CLASS);
});

after(() => w?.stop());

const link = (wish = {}, by = w.operator) =>
    w.do(by, "POST", "/links", { kind: "class", class: CLASS, role: "pupil", ...wish });
const NAMES = { given_name: "Ия", family_name: "Новикова", birth_date: "2011-03-04" };
const approve = (who, id, body) => w.api(who, "POST", `/applications/${id}/approve`, body);

/** Signs up by a class link: the client, and the number of the application. */
async function apply(token, more = {}) {
    const contact = more.contact ?? (await w.proven(w.newPhone()));
    const client = await w.signUp({ token, contact, ...NAMES, ...more });
    const [application] = (await w.me(client)).applications;
    return { client, application: application.application, told: application };
}

const openApplications = async (who) =>
    (await w.do(who, "GET", `/applications?school=${HERE}`)).items.map((a) => a.application);

/** Registers as clients do: the stages of one of the offered flows, in turn. */
async function register(stages, wanted = {}) {
    const client = sdk.createClient({ baseUrl: w.server.url });
    let session;
    for (const stage of [undefined, ...stages]) {
        const answer = await outcome(
            client.registerRequest({ password: PASSWORD, ...wanted, auth: stage && { session, ...stage } }),
        );
        if (answer.status === 200) return w.server.client(answer.body);
        assert.equal(answer.status, 401, JSON.stringify(answer.body));
        ({ session } = answer.body);
        const offered = answer.body.flows.some((flow) => stages.every((s) => flow.stages.includes(s.type)));
        assert.ok(offered, JSON.stringify(answer.body.flows));
    }
    assert.fail("not registered after all stages");
}

const phoneStage = async (number) => ({ type: "m.login.msisdn", threepid_creds: await w.proven(number) });

test("C1: a class link as registration token; the account waits, the administrator approves, the class room opens", async () => {
    const { token } = await link();
    const valid = await w.server.request(
        "GET",
        `/_matrix/client/v1/register/m.login.registration_token/validity?token=${token}`,
    );
    assert.equal(valid.body.valid, true);
    const child = await register([await phoneStage(w.newPhone()), { type: "m.login.registration_token", token }]);
    const { standing, applications } = await w.me(child);
    assert.equal(standing, "pending");
    const id = applications[0].application;
    await w.do(child, "PUT", `/applications/${id}`, NAMES);
    assert.ok(!(await w.joined(classRoom)).includes(child.getUserId()), "nobody is let in by a link alone");
    await refused(child.joinRoom(classRoom));
    assert.ok((await openApplications(w.office)).includes(id));
    assert.equal((await approve(w.office, id)).status, 200);
    await w.live(child);
    const room = await inRoom(child, classRoom);
    assert.match(room.getMember(child.getUserId()).name, /Новикова/);
    const { event_id } = await w.say(child, classRoom, "Я новенькая");
    assert.ok(event_id);
    assert.equal((await w.me(child)).standing, "active");
});

test("C1: the other order: the account is there first, the link comes later", async () => {
    const early = await register([await phoneStage(w.newPhone()), { type: "m.login.dummy" }]);
    const before = await w.me(early);
    assert.equal(before.standing, "pending");
    assert.ok(
        before.notices.some((n) => n.rule === "C1"),
        JSON.stringify(before.notices),
    );
    const { token } = await link();
    const body = { token, bind_to: early.getUserId(), ...NAMES };
    const { application } = await w.do(early, "POST", "/applications", body);
    await refused(early.joinRoom(classRoom));
    assert.equal((await approve(w.office, application)).status, 200);
    assert.ok((await w.joined(classRoom)).includes(early.getUserId()));
});

test("C1: the class teacher approves if the school lets them, of the own class only", async () => {
    const { token } = await link();
    const { application, client } = await apply(token);
    await w.no(403, "C1", teacher, "POST", `/applications/${application}/approve`);
    await w.withPolicy({ class_teacher: { may: ["approve", "links", "reports", "people"] } }, async () => {
        const { applications } = await w.me(client);
        assert.deepEqual(
            applications[0].confirmers.map((c) => c.post),
            ["administrator", "class_teacher"],
        );
        for (const who of [otherTeacher, guardian, pupil, client])
            assert.ok((await approve(who, application)).status >= 400);
        assert.ok((await openApplications(teacher)).includes(application));
        assert.ok(!(await openApplications(otherTeacher)).includes(application));
        assert.equal((await approve(teacher, application)).status, 200);
    });
    assert.ok((await w.joined(classRoom)).includes(client.getUserId()));
});

test("C1: refused, withdrawn and decided applications let nobody in", async () => {
    const { token } = await link();
    const [one, two] = [await apply(token), await apply(token)];
    await w.do(w.office, "POST", `/applications/${one.application}/refuse`, { reason: "Не наш ученик" });
    await w.do(two.client, "POST", `/applications/${two.application}/withdraw`);
    for (const { client, application } of [one, two]) {
        assert.equal((await approve(w.office, application)).status, 409);
        await refused(client.joinRoom(classRoom));
        assert.equal((await w.me(client)).standing, "pending");
    }
    assert.equal((await w.me(one.client)).applications[0].reason, "Не наш ученик");
});

test("C2: who makes links: the administrator; the class teacher for pupils and guardians of the own class", async () => {
    await link({ role: "guardian" }, teacher);
    await link({ role: "pupil" }, teacher);
    const wish = { kind: "class", class: CLASS, role: "pupil" };
    for (const who of [otherTeacher, guardian, pupil]) await w.no(403, "C2", who, "POST", "/links", wish);
    await w.no(403, "C2", teacher, "POST", "/links", { ...wish, role: "teacher" });
    await w.no(403, "C2", teacher, "POST", "/links", { kind: "school", school: HERE, role: "staff" });
    await link({ kind: "school", class: undefined, school: HERE, role: "staff" });
    await w.withPolicy({ class_teacher: { may: [] } }, () => w.no(403, "C2", teacher, "POST", "/links", wish));
});

test("C2: a revoked, a used-up, an expired and an unknown link each say what is wrong, and admit nobody", async () => {
    const [revoked, once, expired] = [await link(), await link({ uses: 1 }), await link()];
    await w.do(w.office, "POST", `/links/${revoked.link}/revoke`);
    await apply(once.token);
    await w.meanwhile(["UPDATE links SET expires_ms = 1 WHERE link_no = ?", Number(expired.link)]);
    const sentences = new Set();
    for (const token of [revoked.token, once.token, expired.token, "x".repeat(32)]) {
        const reply = await w.api(undefined, "POST", "/signup", {
            token,
            password: PASSWORD,
            contact: await w.proven(w.newPhone()),
            ...NAMES,
        });
        assert.ok([403, 404].includes(reply.status), JSON.stringify(reply.body));
        assert.match(reply.body.error, /[а-я].* \/ .*[a-z]/, "in Russian and English");
        sentences.add(reply.body.error);
        const valid = await w.server.request(
            "GET",
            `/_matrix/client/v1/register/m.login.registration_token/validity?token=${token}`,
        );
        assert.equal(valid.body.valid, false);
    }
    assert.equal(sentences.size, 4);
    const states = Object.fromEntries(
        (await w.do(w.office, "GET", `/links?school=${HERE}&limit=500`)).items.map((l) => [l.link, l.state]),
    );
    assert.deepEqual(
        [revoked, once, expired].map((l) => states[l.link]),
        ["revoked", "used_up", "expired"],
    );
});

test("C2: of two who use a single-use link at the same moment one is admitted to apply", async () => {
    const { token } = await link({ uses: 1 });
    const contacts = await Promise.all([1, 2, 3, 4].map(() => w.proven(w.newPhone())));
    const replies = await Promise.all(
        contacts.map((contact) =>
            w.api(undefined, "POST", "/signup", { token, password: PASSWORD, contact, ...NAMES }),
        ),
    );
    assert.deepEqual(
        replies.map((r) => r.status).sort(),
        [200, 403, 403, 403],
        JSON.stringify(replies.map((r) => r.body)),
    );
});

test("C2: a personal link opens the account that the records name, once, and admits at once", async () => {
    const { user_id } = await w.newPerson("pupil", { class: CLASS, birth_date: "2011-01-01" });
    const made = await w.do(w.office, "POST", "/links", { kind: "personal", user_id });
    const client = await w.signUp({ token: made.token });
    assert.equal(client.getUserId(), user_id);
    assert.equal((await w.me(client)).standing, "active");
    assert.ok((await w.joined(classRoom)).includes(user_id));
    await w.no([403, 404], undefined, undefined, "POST", "/signup", { token: made.token, password: PASSWORD });
    await w.no(409, undefined, w.office, "POST", "/links", { kind: "personal", user_id });
});

test("C2: a link is kept as a hash, and shows itself once", async () => {
    const { token, link: number } = await link();
    assert.equal(token.length, 32);
    const listed = (await w.do(w.office, "GET", `/links?school=${HERE}&limit=500`)).items.find(
        (l) => l.link === number,
    );
    assert.ok(listed && !JSON.stringify(listed).includes(token));
    const bytes = w.server.parta("audit", "export");
    assert.ok(!bytes.includes(token), "nor does the audit log hold it");
});

test("C3: a phone number belongs to one account at a time; leaving frees it", async () => {
    const number = w.newPhone();
    const { token } = await link({ uses: 9 });
    const first = await apply(token, { contact: await w.proven(number) });
    const threepids = await w.server.request("GET", `${V3}/account/3pid`, { token: pupil.getAccessToken() });
    assert.deepEqual(threepids.body.threepids, []);
    assert.equal((await approve(w.office, first.application)).status, 200);
    await assert.rejects(w.proven(number), /holds a code/, "whoever tries is told by SMS, and proves nothing");
    assert.match(await w.post.next(number, 1), /уже есть/);
    await w.do(first.client, "POST", "/me/leave", { school: HERE });
    const second = await apply(token, { contact: await w.proven(number) });
    assert.notEqual(second.client.getUserId(), first.client.getUserId());
});

test("C3: without a proven number nobody signs up; with a wrong code nothing is proven", async () => {
    const { token } = await link();
    await w.no(403, "C3", undefined, "POST", "/signup", { token, password: PASSWORD, ...NAMES });
    const number = w.newPhone();
    const asked = { country: "RU", phone_number: number, client_secret: "wrong", send_attempt: 1 };
    const { body } = await w.server.request("POST", `${V3}/register/msisdn/requestToken`, { body: asked });
    const right = await w.post.code(number, 0);
    const guess = right === "000000" ? "111111" : "000000";
    await w.no([400, 401, 403], undefined, undefined, "POST", `/verifications/${body.sid}/code`, {
        client_secret: "wrong",
        token: guess,
    });
    const contact = { sid: body.sid, client_secret: "wrong" };
    await w.no([400, 401, 403], undefined, undefined, "POST", "/signup", {
        token,
        password: PASSWORD,
        contact,
        ...NAMES,
    });
});

test("C3: a primary pupil signs up with an e-mail address, by a class link; older ones need a number", async () => {
    const primary = await link({ class: "s1-c001" });
    const mail = await w.proven("primary@example.org");
    const { client } = await apply(primary.token, { contact: mail, birth_date: "2019-05-05" });
    assert.equal((await w.me(client)).standing, "pending");
    const older = await link();
    const contact = await w.proven("older@example.org");
    await w.no(403, "C3", undefined, "POST", "/signup", { token: older.token, password: PASSWORD, contact, ...NAMES });
});

test("C4: a guardian's number is refused for a pupil, and so is the guardian's own account", async () => {
    const number = w.newPhone();
    const early = await w.proven(number); // at the moment when nobody has it
    const added = await w.addContact(guardian, number, w.one({ role: "guardian", class: "8А" }).password);
    assert.equal(added.status, 200, JSON.stringify(added.body));
    const { token } = await link();
    const told = await w.no(400, "C4", undefined, "POST", "/signup", {
        token,
        password: PASSWORD,
        contact: early,
        ...NAMES,
    });
    assert.match(told.error, /родител/);
    const before = w.post.count(number);
    await assert.rejects(w.proven(number), /holds a code/);
    assert.match(
        await w.post.next(number, before),
        /свой номер, не родительский/,
        "the explanation goes to the number's owner",
    );
    const own = await w.no(403, "C4", guardian, "POST", "/applications", {
        token,
        bind_to: guardian.getUserId(),
        ...NAMES,
    });
    assert.match(own.error, /номер/);
});

test("C5: a link opened where somebody is signed in never binds to that session silently", async () => {
    const { token } = await link({ role: "guardian" });
    const seen = await w.do(guardian, "POST", "/signup/look", { token });
    assert.equal(seen.signed_in_as, guardian.getUserId(), "so that a page can ask");
    await w.no(409, "C5", guardian, "POST", "/signup", { token, password: PASSWORD, ...NAMES });
    await w.no(409, "C5", guardian, "POST", "/applications", { token, ...NAMES });
    await w.no(409, "C5", guardian, "POST", "/applications", { token, bind_to: pupil.getUserId(), ...NAMES });
    assert.deepEqual((await w.me(guardian)).applications, []);
    await w.no(403, "D2", guardian, "POST", "/applications", { token, bind_to: guardian.getUserId(), ...NAMES }); // a child's birth date
    await w.do(guardian, "POST", "/applications", { token, bind_to: guardian.getUserId(), given_name: "Anna", family_name: "Petrova" });
    assert.equal((await w.me(guardian)).applications.length, 1);
});
