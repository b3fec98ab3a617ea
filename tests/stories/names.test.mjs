// Names and words as a channel (B3, F1): every way by which a name enters, and every place where words could hide.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { HERE, V3, World, q, refused } from "./world.mjs";

const CLASS = "s1-c003"; // 8А
const PASSWORD = "correct-horse-battery";
let w, pupil, teacher, head, library, board;

/** One of each kind; tests/unit/names.c has all. */
const BAD = ["\u0007", "Ан\u0085на", "\u200b\u200b", "А\u200bнна", "\u202eаннА", "А\u2067нна", "\u3164", "\u2800", "Ан\u00adна", "А\ue000", "\u{e0041}", "x".repeat(9000)];

before(async () => {
    w = await World.start();
    pupil = await w.still(w.one({ role: "pupil", class: "8А" }));
    teacher = await w.still(w.one({ role: "class_teacher", class: "8А" }));
    head = await w.still(w.one({ role: "head" }));
    board = await w.room("announcements");
    library = await w.room("library");
});

after(() => w?.stop());

const matrix = (who, method, path, body) =>
    w.server.request(method, path, { token: who?.getAccessToken?.() ?? who, body });

test("B3: no way to a name takes what nobody sees", async () => {
    const person = { school: HERE, role: "pupil", class: CLASS, given_name: "Анна", family_name: "Белая" };
    const someone = await w.do(w.operator, "POST", "/people", person);
    const made = await w.do(w.operator, "POST", "/classes", { school: HERE, title: "11Я", grade: "11" });
    const { token } = await w.do(w.operator, "POST", "/links", { kind: "class", class: CLASS, role: "pupil", uses: 100 });
    const applicant = await w.signUp({ token, given_name: "Юра", family_name: "Новый", birth_date: "2009-05-05" });
    const [{ application }] = (await w.me(applicant)).applications;
    const { room_id } = await teacher.createRoom({ name: "Клуб", preset: "private_chat" });
    const room = `${V3}/rooms/${q(room_id)}`;
    const device = `${V3}/devices/${q(teacher.getDeviceId())}`;
    const WAYS = {
        "people, given": (n) => w.api(w.operator, "POST", "/people", { ...person, given_name: n }),
        "people, family": (n) => w.api(w.operator, "POST", "/people", { ...person, family_name: n }),
        "people, middle": (n) => w.api(w.operator, "POST", "/people", { ...person, middle_name: n }),
        "people, changed": (n) =>
            w.api(w.operator, "PUT", `/people/${q(someone.user_id)}`, { given_name: n, family_name: "Белая" }),
        "class, title": (n) => w.api(w.operator, "POST", "/classes", { school: HERE, title: n }),
        "class, grade": (n) => w.api(w.operator, "POST", "/classes", { school: HERE, title: "11Ю", grade: n }),
        "class, changed": (n) => w.api(w.operator, "PUT", `/classes/${q(made.class)}`, { title: n }),
        "school, made": (n) => w.api(w.operator, "POST", "/schools", { name: n }),
        "school, changed": (n) => w.api(w.operator, "PUT", `/schools/${HERE}`, { name: n }),
        association: (n) => w.api(w.office, "POST", "/associations", { school: HERE, name: n }),
        "sign-up": (n) =>
            w.api(undefined, "POST", "/signup", { token, password: PASSWORD, given_name: n, family_name: "Новый" }),
        application: (n) => w.api(applicant, "PUT", `/applications/${application}`, { given_name: n }),
        "profile": (n) => matrix(applicant, "PUT", `${V3}/profile/${q(applicant.getUserId())}/displayname`, { displayname: n }),
        "room, created": (n) => matrix(teacher, "POST", `${V3}/createRoom`, { name: n }),
        "room, topic": (n) => matrix(teacher, "POST", `${V3}/createRoom`, { name: "Клуб", topic: n }),
        "room, alias": (n) => matrix(teacher, "POST", `${V3}/createRoom`, { name: "Клуб", room_alias_name: n }),
        "room, named": (n) => matrix(teacher, "PUT", `${room}/state/m.room.name`, { name: n }),
        "room, topic changed": (n) => matrix(teacher, "PUT", `${room}/state/m.room.topic`, { topic: n }),
        "room, alias added": (n) => matrix(teacher, "PUT", `${V3}/directory/room/${q(`#${n}:school.example`)}`, { room_id }),
        device: (n) => matrix(teacher, "PUT", device, { display_name: n }),
    };
    for (const [way, enter] of Object.entries(WAYS))
        for (const name of BAD) {
            if (name.trim() === "" || (way.includes("topic") && ["\u200b\u200b"].includes(name))) continue;
            const { status, body } = await enter(name);
            assert.ok([400, 403].includes(status), `${way} takes ${JSON.stringify(name).slice(0, 20)}: ${status} ${JSON.stringify(body)}`);
        }
    for (const way of ["people, given", "class, title", "sign-up", "room, named", "association"])
        assert.ok((await WAYS[way]("Мария-Анна № 7")).status < 300, `${way} takes what can be seen`);
});

test("B3: nobody takes the name out of a room by redacting the joining", async () => {
    const room = await w.room("class", CLASS);
    const state = await matrix(pupil, "GET", `${V3}/rooms/${q(room)}/state`);
    const joining = state.body.find((e) => e.type === "m.room.member" && e.state_key === pupil.getUserId());
    for (const who of [pupil, teacher]) await refused(who.redactEvent(room, joining.event_id), "B3");
    const member = await pupil.getStateEvent(room, "m.room.member", pupil.getUserId());
    assert.equal(member.displayname, joining.content.displayname);
});

test("F1: a picture is one that lies here, and a profile has no place for words", async () => {
    const own = `${V3}/profile/${q(pupil.getUserId())}`;
    const words = "mxc://school.example/meet-me-at-the-gate";
    for (const [field, value] of [
        ["avatar_url", words],
        ["avatar_url", "mxc://meet.me.at.the.gate/x"],
        ["org.example.bio", "встречаемся у ворот"],
        ["m.tz", "Europe/Meet_me_at_the_gate"],
        ["m.status", { text: "встречаемся" }],
    ]) {
        const { status, body } = await matrix(pupil, "PUT", `${own}/${field}`, { [field]: value });
        assert.equal(status, 403, `${field}: ${JSON.stringify(body)}`);
        assert.equal(body["org.parta.rule"], "F1");
    }
    const { room_id } = await teacher.createRoom({ name: "Клуб" });
    await refused(teacher.sendStateEvent(room_id, "m.room.avatar", { url: words }, ""), "F1");
    await refused(teacher.createRoom({ initial_state: [{ type: "m.room.avatar", content: { url: words } }] }), "F1");
    const { capabilities } = (await matrix(pupil, "GET", `${V3}/capabilities`)).body;
    assert.equal(capabilities["m.set_displayname"].enabled, false);
    assert.equal(capabilities["m.set_avatar_url"].enabled, true);
    assert.deepEqual(capabilities["m.profile_fields"], { enabled: true, allowed: ["avatar_url"] });
});

test("F1: joining, leaving and what a client adds to it are no letters", async () => {
    const said = "встречаемся у ворот";
    const member = async (room, who) => head.getStateEvent(room, "m.room.member", who.getUserId());
    assert.equal((await matrix(pupil, "POST", `${V3}/rooms/${q(library)}/join`, { reason: said })).status, 200);
    assert.equal((await matrix(head, "POST", `${V3}/rooms/${q(library)}/join`, {})).status, 200);
    assert.ok(!JSON.stringify(await member(library, pupil)).includes(said), "where only the staff writes");
    const again = { membership: "join", "org.example.note": said, displayname: said, avatar_url: "mxc://a.example/b" };
    await matrix(pupil, "PUT", `${V3}/rooms/${q(board)}/state/m.room.member/${q(pupil.getUserId())}`, again);
    assert.ok(!JSON.stringify(await member(board, pupil)).includes(said));
    await matrix(pupil, "POST", `${V3}/rooms/${q(library)}/leave`, { reason: said });
    const left = await member(library, pupil);
    assert.equal(left.membership, "leave");
    assert.equal(left.reason, undefined);
    const { room_id } = await teacher.createRoom({ name: "Клуб", invite: [pupil.getUserId()] });
    await matrix(pupil, "POST", `${V3}/rooms/${q(room_id)}/join`, { reason: "с удовольствием" });
    assert.equal((await teacher.getStateEvent(room_id, "m.room.member", pupil.getUserId())).reason, "с удовольствием");
});

test("F1, F2: no member of a member event carries words, whoever sends it, nor a reason from outside", async () => {
    const { room_id } = await teacher.createRoom({ name: "Кружок", preset: "private_chat" });
    await teacher.sendStateEvent(room_id, "m.room.join_rules", { join_rule: "knock" }, "");
    const own = `${V3}/rooms/${q(room_id)}/state/m.room.member/${q(pupil.getUserId())}`;
    await matrix(pupil, "POST", `${V3}/knock/${q(room_id)}`, { reason: "СЛОВА снаружи" });
    await matrix(teacher, "POST", `${V3}/rooms/${q(room_id)}/invite`, { user_id: pupil.getUserId(), reason: "СЛОВА тому, кого нет" });
    await matrix(pupil, "POST", `${V3}/join/${q(room_id)}`, { is_direct: "СЛОВА" });
    const CONTENTS = ["СЛОВА", { "СЛОВА": 1 }, ["СЛОВА"]];
    for (const words of CONTENTS) {
        await matrix(pupil, "PUT", own, { membership: "leave", is_direct: words, third_party_invite: words, СЛОВА: words });
        await matrix(teacher, "POST", `${V3}/rooms/${q(room_id)}/invite`, { user_id: pupil.getUserId() });
        await matrix(pupil, "PUT", own, { membership: "join", is_direct: words, reason: [words], displayname: words, avatar_url: words });
    }
    const got = await matrix(teacher, "GET", `${V3}/rooms/${q(room_id)}/messages?dir=b&limit=100`);
    assert.equal(got.status, 200);
    assert.ok(JSON.stringify(got.body ?? got.json).includes("m.room.member"));
    assert.ok(!JSON.stringify(got.body ?? got.json).includes("СЛОВА"), JSON.stringify(got.body ?? got.json));
});

test("what begins with org.parta. is the server's own word, and taken from no client", async () => {
    const { room_id } = await teacher.createRoom({ name: "Клуб" });
    const room = `${V3}/rooms/${q(room_id)}`;
    const text = { msgtype: "m.text", body: "x" };
    const WAYS = [
        ["POST", `${V3}/createRoom`, { initial_state: [{ type: "org.parta.x", content: {} }] }],
        ["POST", `${V3}/createRoom`, { initial_state: [{ type: "m.room.topic", content: { topic: "x", "org.parta.kind": 1 } }] }],
        ["PUT", `${room}/send/org.parta.mark/1`, {}],
        ["PUT", `${room}/send/m.room.message/2`, { ...text, "org.parta.mark": 5 }],
        ["PUT", `${room}/send/m.room.message/3`, { ...text, "m.new_content": { ...text, "org.parta.mark": 5 } }],
        ["PUT", `${room}/state/org.parta.kind`, {}],
        ["PUT", `${room}/state/m.room.topic`, { topic: "x", "org.parta.word": "y" }],
        ["PUT", `${V3}/profile/${q(teacher.getUserId())}/org.parta.kind`, { "org.parta.kind": "head" }],
        ["PUT", `${V3}/user/${q(teacher.getUserId())}/account_data/org.parta.x`, {}],
        ["PUT", `${V3}/user/${q(teacher.getUserId())}/rooms/${q(room_id)}/account_data/org.parta.x`, {}],
    ];
    for (const [method, path, body] of WAYS) {
        const reply = await matrix(teacher, method, path, body);
        assert.ok([400, 403].includes(reply.status), `${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
    }
    const made = await teacher.createRoom({ name: "Клуб", creation_content: { "org.parta.kind": "class" } });
    assert.equal((await teacher.getStateEvent(made.room_id, "m.room.create", ""))["org.parta.kind"], undefined);
});
