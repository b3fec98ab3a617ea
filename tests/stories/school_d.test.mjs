// D: guardians, from the child's link to the last withdrawal. Numbers are those of school.md's rules.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { inRoom, seen } from "./harness.mjs";
import { ELSEWHERE, HERE, World, outcome, postOffice, q, refused } from "./world.mjs";

let w, leader, school;
const PASSWORD = "correct-horse-battery";

before(async () => {
    w = await World.start({ post: await postOffice() });
    school = await w.newClass("5Д", "5");
    leader = await w.newClient("class_teacher", { class: school.class });
});

after(() => w?.stop());

const CHILD = { birth_date: "2015-05-17" };
const newChild = (more = {}) => w.newClient("pupil", { class: school.class, ...CHILD, ...more });
const childsLink = async (child) => (await w.do(child, "POST", "/me/guardian_links")).token;
const look = (who, token) => w.api(who, "POST", "/guardian_links/look", { token });
const confirm = (who, token, more = {}) =>
    w.api(who, "POST", "/guardian_links/confirm", { token, bind_to: who.getUserId(), ...more });
const standing = async (who) => (await w.me(who)).standing;
const guardians = async (child) => (await w.me(child)).guardians.map((g) => g.user_id).sort();

/** A new account by the child's link, with a number of its own; nothing is confirmed yet. */
async function newParent(token, more = {}) {
    const contact = await w.proven(w.newPhone());
    return w.signUp({ token, contact, given_name: "Анна", family_name: "Родителева", ...more });
}

async function newGuardian(child) {
    const token = await childsLink(child);
    const parent = await newParent(token);
    const reply = await confirm(parent, token);
    assert.equal(reply.status, 200, JSON.stringify(reply.body));
    return parent;
}

/** Somebody of the sample with an address, who can confirm in the account that they have. */
async function knownGuardian(wanted) {
    const person = w.one(wanted);
    const client = await w.still(person);
    const added = await w.addContact(client, w.newPhone(), person.password);
    assert.equal(added.status, 200, JSON.stringify(added.body));
    return client;
}

test("D1, D2, D3, D7: the child's link, the parent signs up, sees, corrects, confirms; each sees the other", async () => {
    const child = await newChild();
    assert.equal(await standing(child), "restricted");
    const token = await childsLink(child);
    const parent = await newParent(token);
    assert.equal(await standing(parent), "pending");
    const seen = await look(parent, token);
    assert.equal(seen.status, 200, JSON.stringify(seen.body));
    const shown = seen.body.child;
    assert.deepEqual([shown.birth_date, shown.class_title], [CHILD.birth_date, "5Д"]);
    const reply = await confirm(parent, token, { child: { middle_name: "Петрович" } });
    assert.deepEqual(
        [reply.status, reply.body.outcome, reply.body.corrections],
        [200, "confirmed", "made"],
        JSON.stringify(reply.body),
    );
    assert.equal(await standing(child), "active");
    assert.equal(await standing(parent), "active");
    assert.deepEqual(await guardians(child), [parent.getUserId()]);
    const { items } = await w.do(parent, "GET", "/me/children");
    assert.deepEqual(
        items.map((c) => [c.user_id, c.middle_name, c.standing]),
        [[child.getUserId(), "Петрович", "active"]],
    );
    const room = await w.room("guardians", school.class);
    assert.ok((await w.joined(room)).includes(parent.getUserId()), "in the class guardians' room");
});

test("D1: only the pupil makes the link, and a third open one replaces the oldest", async () => {
    const child = await newChild();
    await w.no(403, "D1", leader, "POST", "/me/guardian_links");
    await w.no([400, 403], undefined, w.office, "POST", "/links", { kind: "guardian", user_id: child.getUserId() });
    const tokens = [await childsLink(child), await childsLink(child), await childsLink(child)];
    const parent = await newParent(tokens[2]);
    await w.no(403, "C2", undefined, "POST", "/signup", {
        token: tokens[0],
        password: PASSWORD,
        given_name: "А",
        family_name: "Б",
    });
    assert.equal((await confirm(parent, tokens[2])).status, 200);
});

test("D2: what the roster keeps of a child is the office's to correct", async () => {
    const child = await w.still(w.all({ role: "pupil", class: "8А" }).find((p) => w.rolesOf(p.id).length));
    const people = (await w.do(w.operator, "GET", `/guardianships?user_id=${q(child.getUserId())}`)).items;
    const parent = await w.still(w.server.people.find((p) => p.id === people[0].guardian));
    const before = (await w.do(w.operator, "GET", `/people/${q(child.getUserId())}`)).given_name;
    const asked = await w.do(parent, "POST", `/me/children/${q(child.getUserId())}/corrections`, {
        given_name: "Поправлена",
    });
    assert.equal(asked.corrections, "waits");
    assert.equal((await w.do(w.operator, "GET", `/people/${q(child.getUserId())}`)).given_name, before);
    const { items } = await w.do(w.office, "GET", `/applications?school=${HERE}&kind=correction`);
    assert.equal(items.length, 1);
    await w.do(
        w.office,
        "POST",
        `/applications/${items[0].application}/approve`,
        {},
        w.because("Мать принесла свидетельство"),
    );
    assert.equal((await w.do(w.operator, "GET", `/people/${q(child.getUserId())}`)).given_name, "Поправлена");
});

test("D2: no minor confirms a pupil", async () => {
    const [child, mate] = [await newChild(), await newChild({ birth_date: "2011-01-01" })];
    await w.addContact(mate, w.newPhone());
    const told = await confirm(mate, await childsLink(child));
    assert.deepEqual([told.status, told.body["org.parta.rule"]], [403, "D2"], JSON.stringify(told.body));
    assert.equal(await standing(child), "restricted");
});

test("D4: the link opened in the child's own session is refused, and the refusal says what to do", async () => {
    const child = await newChild();
    const token = await childsLink(child);
    for (const reply of [await look(child, token), await confirm(child, token)]) {
        assert.deepEqual([reply.status, reply.body["org.parta.rule"]], [403, "D4"], JSON.stringify(reply.body));
        for (const way of [
            /другом\s+устройстве/,
            /другом\s+браузере/,
            /приватном|инкогнито/,
            /выйдите/,
            /another device/,
            /private window/,
            /sign the pupil out/,
        ])
            assert.match(reply.body.error, way);
    }
    const parent = await newParent(token);
    assert.equal((await confirm(parent, token)).status, 200, "the link was not spent by the child's tries");
});

test("D4: nor with the child's own phone, or without any of one's own", async () => {
    const child = await newChild();
    const number = w.newPhone();
    assert.equal((await w.addContact(child, number)).status, 200);
    const token = await childsLink(child);
    await assert.rejects(w.proven(number), /holds a code/, "the child's number proves nothing for another account");
    await w.no(403, "C3", undefined, "POST", "/signup", {
        token,
        password: PASSWORD,
        given_name: "А",
        family_name: "Б",
    });
    const bare = await w.still(w.one({ role: "guardian", class: "4А" }));
    const reply = await confirm(bare, token);
    assert.deepEqual([reply.status, reply.body["org.parta.rule"]], [403, "D4"], JSON.stringify(reply.body));
});

test("D5: a third guardian is refused, with a link and by the office", async () => {
    const child = await newChild();
    const early = await childsLink(child);
    const third = await newParent(early);
    const two = [(await newGuardian(child)).getUserId(), (await newGuardian(child)).getUserId()].sort();
    assert.deepEqual(await guardians(child), two);
    const told = await confirm(third, early);
    assert.ok(told.status === 403, JSON.stringify(told.body));
    await w.no(403, "D5", child, "POST", "/me/guardian_links");
    const other = w.one({ role: "guardian", class: "1А" }).id;
    for (const caller of [w.office, w.operator])
        await w.no([403, 409], "D5", caller, "POST", "/guardianships", { child: child.getUserId(), guardian: other });
    assert.deepEqual(await guardians(child), two);
});

test("D5: two who confirm for the second place at the same moment: one is admitted", async () => {
    const child = await newChild();
    const first = await newGuardian(child);
    const tokens = [await childsLink(child), await childsLink(child)];
    const parents = await Promise.all(tokens.map((token) => newParent(token)));
    const replies = await Promise.all(parents.map((parent, i) => confirm(parent, tokens[i])));
    assert.deepEqual(replies.map((r) => r.status).sort(), [200, 403], JSON.stringify(replies.map((r) => r.body)));
    assert.equal(replies.find((r) => r.status === 403).body["org.parta.rule"], "D5");
    const both = await guardians(child);
    assert.equal(both.length, 2);
    assert.ok(both.includes(first.getUserId()));
});

test("D1: two who use one link at the same moment: one account is made", async () => {
    const token = await childsLink(await newChild());
    const contacts = await Promise.all([1, 2, 3].map(() => w.proven(w.newPhone())));
    const replies = await Promise.all(
        contacts.map((contact) =>
            w.api(undefined, "POST", "/signup", {
                token,
                contact,
                password: PASSWORD,
                given_name: "А",
                family_name: "Б",
            }),
        ),
    );
    assert.deepEqual(replies.map((r) => r.status).sort(), [200, 403, 403]);
});

test("D6, B2: one account is guardian of several children in several schools, and a teacher besides", async () => {
    const there = await w.newClass("5Ж", "5", ELSEWHERE);
    const far = await w.enter(
        (await w.newPerson("pupil", { school: ELSEWHERE, class: there.class, ...CHILD })).user_id,
    );
    const children = [await newChild(), await newChild(), far];
    const parent = await knownGuardian({ role: "class_teacher", class: "8А" });
    for (const child of children) {
        const token = await childsLink(child);
        const reply = await confirm(parent, token);
        assert.equal(reply.status, 200, JSON.stringify(reply.body));
        assert.equal(await standing(child), "active");
    }
    const { items } = await w.do(parent, "GET", "/me/children");
    assert.deepEqual(items.map((c) => c.user_id).sort(), children.map((c) => c.getUserId()).sort());
    const { roles } = await w.me(parent);
    assert.deepEqual(
        roles
            .filter((r) => r.role === "guardian")
            .map((r) => r.school)
            .sort(),
        [HERE, ELSEWHERE],
    );
    assert.ok(roles.some((r) => r.role === "class_teacher"));
    assert.ok((await w.joined(await w.room("guardians", there.class, ELSEWHERE))).includes(parent.getUserId()));
});

test("D7: who is restricted reads, and writes to the class teacher; with a guardian everything opens, without the last it closes", async () => {
    const child = await newChild();
    const room = await w.room("class", school.class);
    const mate = await newChild({ birth_date: "2011-01-01" });
    await w.say(leader, room, "Добро пожаловать");
    const closed = async () => {
        assert.equal(await standing(child), "restricted");
        assert.ok((await w.read(child, room)).includes("Добро пожаловать"), "reads");
        await refused(w.say(child, room, "можно?"), "D7");
        await refused(w.directWith(child, mate), "D7");
        await refused(
            child.sendEvent(room, "m.reaction", {
                "m.relates_to": { rel_type: "m.annotation", event_id: "$x", key: "+" },
            }),
            "D7",
        );
    };
    await closed();
    const { room_id } = await w.directWith(child, leader);
    const { event_id } = await w.say(child, room_id, "Здравствуйте, это я");
    await leader.joinRoom(room_id);
    await w.live(leader);
    await seen(leader, room_id, (e) => e.getId() === event_id);
    const one = await newGuardian(child);
    const two = await newGuardian(child);
    assert.equal(await standing(child), "active");
    await w.say(child, room, "теперь можно");
    await w.directWith(child, mate);
    await w.do(one, "DELETE", `/me/children/${q(child.getUserId())}`);
    assert.equal(await standing(child), "active", "one is left");
    await w.do(two, "DELETE", `/me/children/${q(child.getUserId())}`);
    await closed();
    assert.ok((await w.joined(room)).includes(child.getUserId()), "the roster holds them all the same");
    assert.deepEqual(
        (await w.me(child)).notices.map((n) => n.rule),
        ["D7"],
    );
});

test("D7: what restricted allows is policy: age, and where to write", async () => {
    const child = await newChild();
    const room = await w.room("class", school.class);
    await w.withPolicy({ restricted: { may: ["write_class"] } }, async () => {
        await w.say(child, room, "школа разрешила");
        await refused(w.directWith(child, leader), "D7");
    });
    const older = await newChild({ birth_date: "2011-01-01" });
    assert.equal(await standing(older), "active");
    await w.withPolicy({ restricted: { age: 0 } }, async () =>
        assert.equal(await standing(await newChild()), "active"),
    );
});

test("D8: a guardian sees which rooms the child is in and with whom, never what is written; the child is told", async () => {
    const child = await newChild();
    const parent = await newGuardian(child);
    const room = await w.room("class", school.class);
    await w.say(leader, room, "секрет класса");
    const { room_id } = await w.directWith(child, leader);
    const rooms = await w.do(parent, "GET", `/me/children/${q(child.getUserId())}/rooms`);
    assert.deepEqual(new Set(rooms.items.map((r) => r.room_id)).has(room), true);
    const direct = rooms.items.find((r) => r.room_id === room_id);
    assert.equal(direct.kind, "direct");
    const inClass = rooms.items.find((r) => r.room_id === room);
    assert.ok(
        inClass.with.length > 0 && inClass.with.every((name) => typeof name === "string" && !name.startsWith("@")),
    );
    assert.ok(!JSON.stringify(rooms).includes("секрет"));
    for (const id of [room, room_id]) {
        await refused(parent.joinRoom(id));
        await refused(parent.createMessagesRequest(id, null, 10, "b"));
        await refused(parent.roomState(id));
    }
    assert.ok((await w.me(child)).notices.some((n) => n.rule === "D8"));
    const stranger = await w.still(w.one({ role: "guardian", class: "1А" }));
    for (const who of [stranger, child, leader])
        await w.no(404, undefined, who, "GET", `/me/children/${q(child.getUserId())}/rooms`);
    const zip = await w.server.request("GET", `/_parta/v1/people/${q(child.getUserId())}/export`, {
        token: parent.getAccessToken(),
        raw: true,
    });
    assert.equal(zip.status, 200);
});

test("C2, D2: where the school approves guardians, a confirmation waits for it", async () => {
    const child = await newChild();
    await w.withPolicy({ guardians: { need_approval: true } }, async () => {
        const token = await childsLink(child);
        const parent = await newParent(token);
        assert.equal((await confirm(parent, token)).body.outcome, "waits");
        assert.equal(await standing(child), "restricted");
        assert.equal(await standing(parent), "pending");
        const { items } = await w.do(w.office, "GET", `/applications?school=${HERE}&kind=guardian`);
        await w.do(w.office, "POST", `/applications/${items.at(-1).application}/approve`);
        assert.deepEqual([await standing(child), await standing(parent)], ["active", "active"]);
    });
});
