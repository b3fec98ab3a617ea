// Signing up by links and guardians, over HTTP and with a real Matrix client. Rule numbers are school.md's.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, inRoom, sdk, startClient, until } from "./harness.mjs";

let server, admin, classTeacher, otherAdmin;
const clients = [];

const API = "/_parta/v1";

/** Signs in plainly; answers {token, id}. */
async function tokenOf(user, password) {
    const { status, body } = await server.request("POST", "/_matrix/client/v3/login", {
        body: { type: "m.login.password", identifier: { type: "m.id.user", user }, password },
    });
    assert.equal(status, 200, JSON.stringify(body));
    return { token: body.access_token, id: body.user_id };
}

const ask = (who, method, path, body) => server.api(who, method, path, body);

async function ok(who, method, path, body, status = 200) {
    const reply = await ask(who, method, path, body);
    assert.equal(reply.status, status, `${method} ${path}: ${JSON.stringify(reply.body)}`);
    return reply.body;
}

async function refused(who, method, path, body, rule, status = 403) {
    const reply = await ask(who, method, path, body);
    assert.equal(reply.status, status, `${method} ${path}: ${JSON.stringify(reply.body)}`);
    if (rule) {
        assert.equal(reply.body["org.parta.rule"], rule, JSON.stringify(reply.body));
        assert.match(reply.body.error, /[а-я].* \/ .*[a-z]/s, "in Russian and English");
    }
    return reply.body;
}

let classId, schoolId;

before(async () => {
    server = await Server.startSchool("");
    const leader = server.person({ role: "class_teacher" });
    const person = async (p) => ({ ...(await tokenOf(p.id, p.password)), ...p, id: p.id });
    classTeacher = await person(leader);
    admin = await person(server.person({ role: "administrator", school: leader.school }));
    otherAdmin = await person(server.people.find((p) => p.role === "administrator" && p.school !== leader.school));
    const classes = await ok(admin, "GET", "/classes?limit=500");
    const own = classes.items.find((c) => c.title === leader.class && c.kind === "homeroom");
    classId = own.class;
    schoolId = own.school;
});

after(async () => {
    for (const client of clients) client.stopClient();
    await server?.stop();
});

const linkFor = (who, role, more = {}) => ok(who, "POST", "/links", { kind: "class", class: classId, role, ...more }, 201);

async function signUp(token, person, status = 200) {
    const reply = await server.request("POST", API + "/signup", { body: { token, password: "correct horse battery", ...person } });
    assert.equal(reply.status, status, JSON.stringify(reply.body));
    return { token: reply.body.access_token, id: reply.body.user_id, body: reply.body };
}

let child;

test("C1, A3: a child signs up by the class teacher's link, waits, is told who confirms, and nothing else", async () => {
    const link = await linkFor(classTeacher, "pupil");
    assert.match(link.token, /^[A-Za-z0-9._~-]{32,64}$/);
    const look = await ok(null, "POST", "/signup/look", { token: link.token });
    assert.equal(look.role, "pupil");
    assert.equal(look.class_title, classTeacher.class);
    assert.ok(look.school_name);
    assert.ok(!JSON.stringify(look).includes("@"), "nothing of people");
    child = await signUp(link.token, { given_name: "Юра", family_name: "Новый", birth_date: "2016-05-05" });
    const me = await ok(child, "GET", "/me");
    assert.equal(me.standing, "pending");
    assert.deepEqual(me.applications[0].confirmers.map((c) => c.post), ["administrator"]);
    assert.equal(me.notices[0].rule, "A3");
    assert.ok(!JSON.stringify(me).includes(admin.id), "posts, not persons");
    for (const [method, path, body] of [
        ["GET", "/_matrix/client/v3/sync"],
        ["POST", "/_matrix/client/v3/createRoom", {}],
        ["GET", API + "/people"],
        ["GET", API + "/applications"],
        ["POST", API + "/me/guardian_links", {}],
    ]) {
        const reply = await server.request(method, path, { token: child.token, body });
        assert.equal(reply.status, 403, `${path}: ${JSON.stringify(reply.body)}`);
    }
});

test("C1: the class teacher approves only if the school lets them; then the child is in the class, restricted (D7)", async () => {
    const [waiting] = (await ok(admin, "GET", `/applications?school=${schoolId}`)).items;
    assert.equal(waiting.user_id, child.id);
    assert.deepEqual(waiting.namesakes, []);
    assert.deepEqual((await ok(classTeacher, "GET", "/applications")).items, []);
    assert.deepEqual((await ok(otherAdmin, "GET", "/applications")).items, []);
    await refused(otherAdmin, "GET", `/applications/${waiting.application}`, undefined, null, 404);
    await refused(classTeacher, "POST", `/applications/${waiting.application}/approve`, {}, "C1");
    await refused(child, "POST", `/applications/${waiting.application}/approve`, {});
    const done = await ok(admin, "POST", `/applications/${waiting.application}/approve`, {});
    assert.equal(done.state, "approved");
    const me = await ok(child, "GET", "/me");
    assert.equal(me.standing, "restricted");
    assert.deepEqual(me.roles.map((r) => r.role), ["pupil"]);
    assert.ok(me.notices.some((n) => n.rule === "D7"));
    const client = sdk.createClient({ baseUrl: server.url, accessToken: child.token, userId: child.id, deviceId: child.body.device_id });
    clients.push(client);
    await startClient(client);
    await until(() => client.getRooms().find((r) => r.getMyMembership() === "join" && r.name.startsWith(classTeacher.class)), "the class room");
});

let parent, guardianLink;

test("D1, D4: the child's link is refused in the child's own session, with what to do", async () => {
    guardianLink = await ok(child, "POST", "/me/guardian_links", {}, 201);
    const said = await refused(child, "POST", "/guardian_links/look", { token: guardianLink.token }, "D4");
    assert.match(said.error, /другом.*устройстве/s);
    await refused(child, "POST", "/guardian_links/confirm", { token: guardianLink.token, bind_to: child.id }, "D4");
    assert.equal((await ok(child, "GET", "/me/guardian_links")).items.length, 1);
    await refused(classTeacher, "POST", "/me/guardian_links", {}, "D1");
});

test("C5: a link opened in a session binds to it only when told so", async () => {
    const link = await linkFor(classTeacher, "pupil");
    await refused(child, "POST", "/signup", { token: link.token, password: "correct horse battery" }, "C5", 409);
    await refused(classTeacher, "POST", "/applications", { token: link.token }, "C5", 409);
    await refused(classTeacher, "POST", "/guardian_links/confirm", { token: guardianLink.token }, "C5", 409);
    await refused(classTeacher, "POST", "/guardian_links/confirm", { token: guardianLink.token, bind_to: child.id }, "C5", 409);
    assert.equal((await ok(classTeacher, "POST", "/signup/look", { token: link.token })).signed_in_as, classTeacher.id);
});

test("D2, D3, D7: the parent signs up, sees the child's data, corrects it, confirms; each sees the other", async () => {
    parent = await signUp(guardianLink.token, { given_name: "Мария", family_name: "Новая", middle_name: "Петровна" });
    const look = await ok(parent, "POST", "/guardian_links/look", { token: guardianLink.token });
    assert.equal(look.child.given_name, "Юра");
    assert.equal(look.child.birth_date, "2016-05-05");
    assert.equal(look.child.corrections, "at_once");
    const confirmed = await ok(parent, "POST", "/guardian_links/confirm", {
        token: guardianLink.token,
        bind_to: parent.id,
        child: { given_name: "Юрий" },
    });
    assert.deepEqual(confirmed, { outcome: "confirmed", corrections: "made" });
    const mine = await ok(parent, "GET", "/me");
    assert.equal(mine.standing, "active");
    assert.deepEqual(mine.children.map((c) => c.user_id), [child.id]);
    const childs = await ok(child, "GET", "/me");
    assert.equal(childs.standing, "active");
    assert.deepEqual(childs.guardians.map((g) => g.user_id), [parent.id]);
    assert.equal(childs.name, "Новый Юрий");
    assert.ok(childs.notices.some((n) => n.rule === "D8"), "the child is told what guardians see");
    await refused(parent, "POST", "/guardian_links/confirm", { token: guardianLink.token, bind_to: parent.id }, "C2");
});

test("D8: a guardian sees in which rooms the child is and with whom, never what is written", async () => {
    const rooms = (await ok(parent, "GET", `/me/children/${encodeURIComponent(child.id)}/rooms`)).items;
    const room = rooms.find((r) => r.kind === "class");
    assert.ok(room.name.startsWith(classTeacher.class));
    assert.ok(room.with.length > 1);
    assert.deepEqual(Object.keys(room).sort(), ["kind", "members", "name", "room_id", "with"]);
    await refused(classTeacher, "GET", `/me/children/${encodeURIComponent(child.id)}/rooms`, undefined, null, 404);
    const peek = await server.request("GET", `/_matrix/client/v3/rooms/${encodeURIComponent(room.room_id)}/messages?dir=b`, { token: parent.token });
    assert.equal(peek.status, 403);
});

test("D5: the third is refused, whoever asks", async () => {
    const adults = server.people.filter((p) => p.role === "teacher" && p.school === classTeacher.school).slice(0, 2);
    const [second, third] = await Promise.all(adults.map((p) => tokenOf(p.id, p.password)));
    const links = [await ok(child, "POST", "/me/guardian_links", {}, 201), await ok(child, "POST", "/me/guardian_links", {}, 201)];
    const replies = await Promise.all(
        [second, third].map((who, i) => ask(who, "POST", "/guardian_links/confirm", { token: links[i].token, bind_to: who.id })),
    );
    assert.deepEqual(replies.map((r) => r.status).sort(), [200, 403], JSON.stringify(replies.map((r) => r.body)));
    assert.equal(replies.find((r) => r.status === 403).body["org.parta.rule"], "D5");
    await refused(child, "POST", "/me/guardian_links", {}, "D5");
    const won = replies[0].status === 200 ? second : third;
    await ok(won, "DELETE", `/me/children/${encodeURIComponent(child.id)}`);
});

test("D7: when the last guardian withdraws, the restriction returns; the child cannot end it", async () => {
    await refused(child, "DELETE", `/me/children/${encodeURIComponent(parent.id)}`, undefined, null, 404);
    await ok(parent, "DELETE", `/me/children/${encodeURIComponent(child.id)}`);
    const me = await ok(child, "GET", "/me");
    assert.equal(me.standing, "restricted");
    assert.deepEqual(me.guardians, []);
});

test("C2: a Matrix client uses a link as registration token; the account waits", async () => {
    const link = await linkFor(classTeacher, "guardian", { uses: 1 });
    const valid = await server.request("GET", `/_matrix/client/v1/register/m.login.registration_token/validity?token=${link.token}`);
    assert.deepEqual(valid.body, { valid: true });
    const client = sdk.createClient({ baseUrl: server.url });
    const began = await client.registerRequest({ username: "ivan", password: "correct horse battery" }).catch((e) => e.data);
    const made = await client.registerRequest({
        username: "ivan",
        password: "correct horse battery",
        auth: { type: "m.login.registration_token", token: link.token, session: began.session },
    });
    assert.match(made.user_id, /^@p[a-z0-9]{8,}:school\.example$/, "drawn, whatever was asked for (A5)");
    const me = await ok({ token: made.access_token }, "GET", "/me");
    assert.equal(me.standing, "pending");
    assert.equal(me.applications[0].role, "guardian");
    const after = await server.request("GET", `/_matrix/client/v1/register/m.login.registration_token/validity?token=${link.token}`);
    assert.deepEqual(after.body, { valid: false });
    await refused(null, "POST", "/signup/look", { token: link.token }, "C2");
    /* the applicant gives a name, the administrator says whose guardian that is */
    await ok({ token: made.access_token }, "PUT", `/applications/${me.applications[0].application}`, { given_name: "Иван", family_name: "Новый" });
    await refused(admin, "POST", `/applications/${me.applications[0].application}/approve`, {}, null, 400);
    await ok(admin, "POST", `/applications/${me.applications[0].application}/approve`, { children: [child.id] });
    assert.equal((await ok({ token: made.access_token }, "GET", "/me")).children[0].user_id, child.id);
});

test("C2: a personal link opens the account that the records hold, once", async () => {
    const made = await ok(admin, "POST", "/people", { school: schoolId, role: "staff", given_name: "Пётр", family_name: "Ожидаемый" }, 201);
    const link = await ok(admin, "POST", "/links", { kind: "personal", user_id: made.user_id }, 201);
    assert.deepEqual((await ok(null, "POST", "/signup/look", { token: link.token })).contact, []);
    const [first, second] = await Promise.all(
        [1, 2].map((n) => server.request("POST", API + "/signup", { body: { token: link.token, password: `correct horse ${n}` } })),
    );
    assert.deepEqual([first.status, second.status].sort(), [200, 403]);
    const opened = first.status === 200 ? first : second;
    assert.equal(opened.body.user_id, made.user_id);
    assert.equal((await ok({ token: opened.body.access_token }, "GET", "/me")).standing, "active");
    await refused(admin, "POST", "/links", { kind: "personal", user_id: made.user_id }, null, 409);
});

test("C1, C3: whoever waits can give up; whoever is confirmed does not go so", async () => {
    const link = await linkFor(classTeacher, "pupil");
    const somebody = await signUp(link.token, { given_name: "Ольга", family_name: "Передумавшая" });
    const asked = await ask(somebody, "DELETE", "/me");
    assert.equal(asked.status, 401, "with the password, because it cannot be taken back");
    const auth = { type: "m.login.password", identifier: { type: "m.id.user", user: somebody.id }, password: "correct horse battery", session: asked.body.session };
    assert.deepEqual(await ok(somebody, "DELETE", "/me", { auth }), {});
    assert.equal((await ask(somebody, "GET", "/me")).status, 401);
    await refused(child, "DELETE", "/me", undefined, null, 409);
});

test("C2: revoked, and made only by those who may", async () => {
    const link = await linkFor(classTeacher, "pupil");
    await refused(classTeacher, "POST", "/links", { kind: "class", class: classId, role: "teacher" }, "C2");
    await refused(classTeacher, "POST", "/links", { kind: "school", school: schoolId, role: "staff" }, "C2");
    await refused(otherAdmin, "POST", "/links", { kind: "class", class: classId, role: "pupil" }, null, 404);
    await refused(child, "POST", "/links", { kind: "class", class: classId, role: "pupil" });
    await refused(otherAdmin, "POST", `/links/${link.link}/revoke`, {}, null, 404);
    await ok(admin, "POST", `/links/${link.link}/revoke`, {});
    await refused(null, "POST", "/signup/look", { token: link.token }, "C2");
    const listed = (await ok(admin, "GET", `/links?school=${schoolId}&limit=500`)).items.find((l) => l.link === link.link);
    assert.equal(listed.state, "revoked");
    assert.equal(listed.token, undefined, "told once");
});
