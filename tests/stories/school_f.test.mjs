// F: who may talk to whom, when, and what becomes of reports. Numbers are those of school.md's rules.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { inRoom, seen, text, until } from "./harness.mjs";
import { ELSEWHERE, HERE, SERVICE, V3, World, outcome, q, refused } from "./world.mjs";

let w, pupil, mate, teacher, subjectTeacher, head, parent, child, otherParent, strangerPupil, classRoom;
const CLASS = "s1-c003"; // 8А

before(async () => {
    w = await World.start();
    const kin = (await w.do(w.operator, "GET", `/guardianships?school=${HERE}&limit=500`)).items;
    const pupils = w.all({ role: "pupil", class: "8А" });
    const plain = (id) => w.rolesOf(id).every((r) => r.role === "guardian" && r.class === "8А");
    const own = kin.find((k) => pupils.some((p) => p.id === k.child) && plain(k.guardian));
    const other = kin.find((k) => k.child !== own.child && pupils.some((p) => p.id === k.child) && plain(k.guardian));
    const byId = (id) => w.still(w.server.people.find((p) => p.id === id));
    [child, parent, otherParent] = await Promise.all([byId(own.child), byId(own.guardian), byId(other.guardian)]);
    [pupil, mate] = await Promise.all(
        pupils
            .filter((p) => ![own.child, other.child].includes(p.id))
            .slice(0, 2)
            .map((p) => w.still(p)),
    );
    teacher = await w.still(w.one({ role: "class_teacher", class: "8А" }));
    const enrolled = (await w.do(w.operator, "GET", `/classes/${CLASS}-g1/enrollments`)).items;
    subjectTeacher = await byId(enrolled.find((e) => e.role === "teacher").user_id);
    head = await w.still(w.one({ role: "head" }));
    strangerPupil = await w.still(w.one({ role: "pupil", class: "1А" }));
    classRoom = await w.room("class", CLASS);
});

after(() => w?.stop());

/** Asker, asked, whether the default table of F1 lets them. */
const pairs = () => [
    [pupil, teacher, true, "a pupil and the class teacher"],
    [pupil, subjectTeacher, true, "a pupil and a subject teacher"],
    [pupil, mate, true, "classmates"],
    [child, parent, true, "a pupil and the own guardian"],
    [parent, child, true, "a guardian and the own child"],
    [parent, teacher, true, "a guardian and the child's class teacher"],
    [parent, subjectTeacher, true, "a guardian and the child's subject teacher"],
    [parent, otherParent, true, "guardians of one class"],
    [teacher, head, true, "colleagues"],
    [teacher, pupil, true, "a teacher and an own pupil"],
    [subjectTeacher, parent, true, "a teacher and an own pupil's guardian"],
    [pupil, strangerPupil, false, "a pupil and one of another class"],
    [pupil, otherParent, false, "a pupil and another's guardian"],
    [pupil, head, false, "a pupil and the head"],
    [parent, pupil, false, "a guardian and another's child"],
    [parent, head, false, "a guardian and the head"],
    [teacher, strangerPupil, false, "a teacher and a pupil of another class"],
    [head, pupil, false, "the head and a pupil"],
    [head, parent, false, "the head and a guardian"],
];

test("F1: direct chats by relation, whichever way they are begun", async () => {
    for (const [asker, asked, allowed, what] of pairs()) {
        const id = asked.getUserId();
        const ways = {
            "created with the invite": () => w.directWith(asker, id),
            "created, then invited": async () => {
                const { room_id } = await asker.createRoom({ preset: "private_chat" });
                await asker.invite(room_id, id);
            },
            "by a member event": async () => {
                const { room_id } = await asker.createRoom({ is_direct: true });
                await asker.sendStateEvent(room_id, "m.room.member", { membership: "invite" }, id);
            },
        };
        for (const [way, begin] of Object.entries(ways)) {
            if (allowed) await begin().catch((e) => assert.fail(`${what}, ${way}: ${JSON.stringify(e.data ?? e)}`));
            else await refused(begin(), "F1");
        }
    }
});

test("F1: a club of two is a chat of two, however it came about", async () => {
    const { room_id } = await teacher.createRoom({ name: "Кружок на двоих" });
    await refused(teacher.invite(room_id, strangerPupil.getUserId()), "F1");
    await teacher.invite(room_id, pupil.getUserId());
    await pupil.joinRoom(room_id);
    await teacher.invite(room_id, strangerPupil.getUserId());
    await strangerPupil.joinRoom(room_id);
    await w.say(strangerPupil, room_id, "нас трое");
    await pupil.leave(room_id);
    await refused(w.say(strangerPupil, room_id, "нас двое"), "F1");
    const knocking = { type: "m.room.join_rules", state_key: "", content: { join_rule: "knock" } };
    const alone = (await head.createRoom({ name: "Приёмная", initial_state: [knocking] })).room_id;
    await refused(pupil.knockRoom(alone), "F1");
    const open = (await head.createRoom({ name: "Открыто", preset: "public_chat", room_alias_name: "reception" }))
        .room_id;
    await refused(pupil.joinRoom(open), "F1");
    await refused(pupil.joinRoom("#reception:school.example"), "F1");
});

test("F1: a school narrows or widens each cell", async () => {
    await w.withPolicy({ direct: { pupil: { classmate: false }, staff: { pupil: true } } }, async () => {
        await refused(w.directWith(pupil, mate), "F1");
        await w.directWith(head, pupil);
        await refused(w.directWith(pupil, head), "F1");
    });
    await w.directWith(pupil, mate);
    await refused(w.directWith(head, pupil), "F1");
});

test("F2: a direct chat stays one: no third person, name, alias, listing, and an upgrade changes nothing", async () => {
    const { room_id } = await w.directWith(pupil, teacher);
    await teacher.joinRoom(room_id);
    for (const who of [pupil, teacher]) {
        await refused(who.invite(room_id, mate.getUserId()), "F2");
        await refused(who.sendStateEvent(room_id, "m.room.name", { name: "Клуб" }, ""), "F2");
        await refused(who.createAlias(`#direct${who === pupil}:school.example`, room_id), "F2");
        await refused(who.setRoomDirectoryVisibility(room_id, "public"), "F2");
    }
    await refused(mate.joinRoom(room_id));
    await refused(mate.knockRoom(room_id));
    await refused(w.office.joinRoom(room_id));
    await teacher.leave(room_id);
    await refused(pupil.invite(room_id, mate.getUserId()), "F2");
    await pupil.invite(room_id, teacher.getUserId());
    await teacher.joinRoom(room_id);
    const version = (await pupil.getStateEvent(room_id, "m.room.create", "")).room_version;
    const { replacement_room } = await pupil.upgradeRoom(room_id, version);
    await pupil.invite(replacement_room, teacher.getUserId());
    await teacher.joinRoom(replacement_room);
    await refused(pupil.invite(replacement_room, mate.getUserId()), "F2");
    await refused(teacher.sendStateEvent(replacement_room, "m.room.name", { name: "Клуб" }, ""), "F2");
});

test("F2: when the relation has ended the chat can only be read", async () => {
    const made = await w.newClass("7Ф", "7");
    const [one, two] = await Promise.all(
        [1, 2].map(() => w.newPerson("pupil", { class: made.class, birth_date: "2011-01-01" })),
    );
    const [a, b] = [await w.enter(one.user_id), await w.enter(two.user_id)];
    const { room_id } = await w.directWith(a, b);
    await b.joinRoom(room_id);
    await w.say(a, room_id, "пока вместе");
    await w.do(w.office, "POST", `/classes/${CLASS}/enrollments`, { user_id: two.user_id, role: "pupil" });
    await w.do(w.office, "DELETE", `/classes/${made.class}/enrollments/${q(two.user_id)}/pupil`);
    for (const who of [a, b]) {
        await refused(w.say(who, room_id, "а теперь?"), "F1");
        assert.ok((await w.read(who, room_id)).includes("пока вместе"));
    }
    await w.do(w.office, "POST", `/classes/${made.class}/enrollments`, { user_id: two.user_id, role: "pupil" });
    await w.say(b, room_id, "снова вместе");
});

/** Quiet hours all day but the hour twelve hours from now, in UTC. */
function allDay(mode, more = {}) {
    const at = (hours) => new Date(Date.now() + hours * 3600000).toISOString().slice(11, 16);
    return { quiet_hours: { mode, from: at(-11), to: at(11), utc_offset: "+00:00", ...more } };
}

const raw = (who, room, body, txn) =>
    w.server.request("PUT", `${V3}/rooms/${q(room)}/send/m.room.message/${txn}`, {
        token: who.getAccessToken(),
        body: text(body),
    });

test("F3: quiet hours refuse, or warn, what staff and families write to each other, and nothing else", async () => {
    const { room_id } = await w.directWith(teacher, parent);
    await parent.joinRoom(room_id);
    const among = (await w.directWith(teacher, head)).room_id;
    await head.joinRoom(among);
    const { event_id } = await w.say(teacher, room_id, "до тихих часов");
    await w.withPolicy(allDay("refuse"), async () => {
        for (const who of [teacher, parent]) await refused(w.say(who, room_id, "ночью"), "F3");
        await refused(w.say(teacher, classRoom, "домашнее задание"), "F3");
        await w.say(pupil, classRoom, "pupils are not bound by default");
        await w.say(teacher, among, "коллеги");
        await parent.sendEvent(room_id, "m.reaction", {
            "m.relates_to": { rel_type: "m.annotation", event_id, key: "👍" },
        });
    });
    await w.withPolicy(allDay("refuse", { senders: ["guardian"] }), async () => {
        await w.say(teacher, room_id, "учителю можно");
        await refused(w.say(parent, room_id, "родителю нельзя"), "F3");
    });
    await w.withPolicy(allDay("warn"), async () => {
        const { status, body } = await raw(teacher, room_id, "всё же", "warned1");
        assert.equal(status, 200);
        assert.deepEqual([body["org.parta.notice"].rule, body["org.parta.notice"].held], ["F3", false]);
        assert.ok((await w.read(parent, room_id)).includes("всё же"));
    });
});

/** What carries words to the other side, by whatever act: [what, how, whether delay holds it back rather than refuses]. */
function waysToSpeak(who, other, room, reaction, club) {
    const send = (type, content) => () => who.sendEvent(room, type, content);
    const state = (type, content, key = "") => () => who.sendStateEvent(room, type, content, key);
    const relates = { rel_type: "m.annotation", event_id: reaction };
    const create = (more) => () => who.createRoom({ invite: [other.getUserId()], ...more });
    const membership = (act, where, body) => async () => {
        const token = who.getAccessToken();
        const answer = await w.server.request("POST", `${V3}/rooms/${q(where)}/${act}`, { token, body });
        if (answer.status >= 300) throw Object.assign(new Error(act), { httpStatus: answer.status, data: answer.body });
        return answer.body;
    };
    return [
        ["a message", send("m.room.message", text("слова")), true],
        ["a sticker", send("m.sticker", { body: "слова", url: "mxc://school.example/x", info: {} }), true],
        ["a poll", send("org.matrix.msc3381.poll.start", {}), true],
        ["the end of a poll", send("m.poll.end", { "m.text": [{ body: "слова" }] }), true],
        ["an unknown type", send("org.example.words", { body: "слова" }), true],
        ["a reaction of words", send("m.reaction", { "m.relates_to": { ...relates, key: "перезвоните мне" } }), true],
        ["a reaction with more", send("m.reaction", { "m.relates_to": { ...relates, key: "👍" }, b: "слова" }), true],
        ["a vote of words", send("m.poll.response", { "m.selections": ["приходите завтра"] }), true],
        ["a call", send("m.call.invite", { call_id: "c1", lifetime: 1000, offer: {}, version: 0 }), false],
        ["the ringing of a call", send("org.matrix.msc4075.rtc.notification", {}), false],
        ["a call's end with words", send("m.call.hangup", { call_id: "слова" }), false],
        ["joining a call", state("org.matrix.msc3401.call.member", { device_id: "A" }, who.getUserId()), false],
        ["a topic", state("m.room.topic", { topic: "слова" }), false],
        ["unknown state", state("org.example.words", { body: "слова" }), false],
        ["a redaction with a reason", () => who.redactEvent(room, reaction, undefined, { reason: "слова" }), false],
        ["an invite with a reason", membership("invite", club, { user_id: other.getUserId(), reason: "слова" }), false],
        ["an invite into a named room", membership("invite", club, { user_id: other.getUserId() }), false],
        ["a new direct chat with a topic", create({ is_direct: true, topic: "слова" }), false],
        ["a new room with a name", create({ name: "слова" }), false],
    ];
}

test("F3: no act carries words to the other side in quiet hours; what says nothing goes through", async () => {
    const { room_id } = await w.directWith(teacher, parent);
    await parent.joinRoom(room_id);
    const club = (await teacher.createRoom({ name: "Родительский комитет" })).room_id;
    const { event_id } = await w.say(parent, room_id, "до тихих часов");
    const relates = { rel_type: "m.annotation", event_id, key: "👍" };
    const mine = (await teacher.sendEvent(room_id, "m.reaction", { "m.relates_to": relates })).event_id;
    await teacher.sendEvent(room_id, "m.call.invite", { call_id: "c1", lifetime: 1000, offer: {}, version: 0 }); // it ends at night
    const said = async () =>
        JSON.stringify((await parent.createMessagesRequest(room_id, null, 100, "b")).chunk).includes("слова");
    for (const mode of ["refuse", "delay"])
        await w.withPolicy({ ...allDay(mode), polls: ["teacher", "class_teacher"] }, async () => {
            for (const [what, act, waits] of waysToSpeak(teacher, parent, room_id, mine, club)) {
                if (mode === "refuse" || !waits) await refused(act(), "F3");
                else assert.match((await act()).event_id, /^\$held/, what);
                assert.ok(!(await said()), `${mode}: ${what}`);
            }
            const heart = { "m.relates_to": { ...relates, key: "❤️" } };
            await teacher.redactEvent(room_id, (await teacher.sendEvent(room_id, "m.reaction", heart)).event_id);
            await teacher.sendEvent(room_id, "m.call.hangup", { call_id: "c1", version: 0, reason: "user_hangup" });
            await teacher.sendReadReceipt({ getRoomId: () => room_id, getId: () => event_id, threadRootId: undefined });
            const bare = (await w.directWith(teacher, parent)).room_id;
            await w.server.request("POST", `${V3}/rooms/${q(bare)}/leave`, {
                token: teacher.getAccessToken(),
                body: { reason: "слова" },
            });
            const left = await teacher.getStateEvent(bare, "m.room.member", teacher.getUserId());
            assert.deepEqual([left.membership, left.reason], ["leave", undefined], "one goes, without words");
        });
    await w.withPolicy({ ...allDay("warn"), polls: ["teacher", "class_teacher"] }, async () => {
        const answer = await w.server.request("PUT", `${V3}/rooms/${q(room_id)}/state/m.room.topic`, {
            token: teacher.getAccessToken(),
            body: { topic: "предупреждён" },
        });
        assert.equal(answer.body["org.parta.notice"].rule, "F3");
    });
    await w.meanwhile(["DELETE FROM held_messages"]);
});

test("F3: delayed messages come when quiet hours end, once, with the sender's transaction id", async () => {
    const { room_id } = await w.directWith(subjectTeacher, parent);
    await parent.joinRoom(room_id);
    const policy = allDay("delay");
    await w.do(w.operator, "PUT", `/schools/${HERE}/policy`, { document: policy, reason: "Evenings are free" });
    const held = await raw(subjectTeacher, room_id, "утром увидите", "held1");
    assert.equal(held.status, 200);
    assert.equal(held.body["org.parta.notice"].held, true);
    const again = await raw(subjectTeacher, room_id, "утром увидите", "held1");
    assert.equal(again.body.event_id, held.body.event_id, "the same transaction is the same message");
    assert.ok(!(await w.read(parent, room_id)).includes("утром увидите"));
    await w.do(w.operator, "PUT", `/schools/${HERE}/policy`, { document: {}, reason: "Morning has come" });
    await w.meanwhile(["UPDATE held_messages SET due_ms = 1"]);
    await w.live(parent);
    await seen(parent, room_id, (e) => e.getContent().body === "утром увидите", "the held message");
    assert.deepEqual((await w.read(parent, room_id)).filter((body) => body === "утром увидите").length, 1);
});

test("F3: a held message is taken back, edited and reacted to by the id that was told, and a drop is told", async () => {
    const { room_id } = await w.directWith(subjectTeacher, parent);
    await parent.joinRoom(room_id);
    const put = (document) => w.do(w.operator, "PUT", `/schools/${HERE}/policy`, { document, reason: "A story wants it so" });
    await put(allDay("delay"));
    const [first, second, third, fourth] = await Promise.all(
        ["не то", "вот так", "останется", "не дойдёт"].map(async (body, i) => (await raw(subjectTeacher, room_id, body, `told${i}`)).body.event_id),
    );
    const related = (event_id, more) => ({ "m.relates_to": { event_id, ...more } });
    await subjectTeacher.redactEvent(room_id, first, undefined, { reason: "передумала" });
    await subjectTeacher.redactEvent(room_id, first);
    const edit = { ...text("* вот эдак"), "m.new_content": text("вот эдак"), ...related(second, { rel_type: "m.replace" }) };
    await subjectTeacher.sendMessage(room_id, edit);
    await subjectTeacher.sendEvent(room_id, "m.reaction", related(third, { rel_type: "m.annotation", key: "👍" }));
    await refused(parent.redactEvent(room_id, second)); // nobody else knows it, or learns of it
    await put({});
    await w.meanwhile([
        "UPDATE held_messages SET due_ms = 1 WHERE state = 'waiting' AND content NOT LIKE '%не дойдёт%'",
    ]);
    await w.live(parent);
    await seen(parent, room_id, (e) => e.getContent().body === "останется", "the held messages");
    const { chunk } = await until(async () => {
        const page = await parent.createMessagesRequest(room_id, null, 100, "b");
        return page.chunk.some((e) => e.type === "m.reaction") && page;
    }, "the reaction");
    assert.ok(!JSON.stringify(chunk).includes("$held") && !JSON.stringify(chunk).includes("не то"));
    const of = (body) => chunk.find((e) => e.content.body === body);
    assert.equal(chunk.find((e) => e.type === "m.reaction").content["m.relates_to"].event_id, of("останется").event_id);
    assert.equal(of("* вот эдак").content["m.relates_to"].event_id, of("вот так").event_id);
    await subjectTeacher.redactEvent(room_id, third); // by the old name, when it has been delivered
    assert.ok(!(await w.read(parent, room_id)).includes("останется"));
    await put(allDay("refuse")); // the school has decided otherwise since
    await w.meanwhile(["UPDATE held_messages SET due_ms = 1 WHERE state = 'waiting'"]);
    const notice = await until(async () => {
        for (const room of (await subjectTeacher.getJoinedRooms()).joined_rooms) {
            const page = (await subjectTeacher.createMessagesRequest(room, null, 50, "b")).chunk;
            const found = page.find((e) => e.content["org.parta.dropped"]?.held === fourth);
            if (found) return found;
        }
    }, "a word on what was dropped");
    await put({});
    assert.deepEqual([notice.sender, notice.content.msgtype], [SERVICE, "m.notice"]);
    assert.ok(notice.content.body.includes("Сейчас тихие часы"));
    assert.ok(!(await w.read(parent, room_id)).includes("не дойдёт"));
});

test("F4: polls are started by role; everybody votes", async () => {
    const start = {
        "org.matrix.msc3381.poll.start": {
            question: { "org.matrix.msc1767.text": "Куда едем?" },
            answers: [{ id: "a", "org.matrix.msc1767.text": "В музей" }],
        },
    };
    await refused(pupil.sendEvent(classRoom, "org.matrix.msc3381.poll.start", start), "F4");
    await refused(pupil.sendEvent(classRoom, "m.poll.start", {}), "F4");
    const { event_id } = await teacher.sendEvent(classRoom, "org.matrix.msc3381.poll.start", start);
    await pupil.sendEvent(classRoom, "org.matrix.msc3381.poll.response", {
        "m.relates_to": { rel_type: "m.reference", event_id },
        "org.matrix.msc3381.poll.response": { answers: ["a"] },
    });
    // Clients ask the power levels whether to offer it.
    const offered = async (who) => {
        const levels = await who.getStateEvent(classRoom, "m.room.power_levels", "");
        const power = levels.users[who.getUserId()] ?? levels.users_default;
        return ["m.poll.start", "org.matrix.msc3381.poll.start", "org.matrix.msc3381.v2.poll.start"].map((type) => power >= levels.events[type]);
    };
    assert.deepEqual([await offered(teacher), await offered(pupil)], [[true, true, true], [false, false, false]]);
    await w.withPolicy({ polls: ["pupil"] }, async () => {
        assert.deepEqual(await offered(pupil), [true, true, true]);
        await pupil.sendEvent(classRoom, "org.matrix.msc3381.poll.start", start);
        await refused(teacher.sendEvent(classRoom, "org.matrix.msc3381.poll.start", start), "F4");
    });
    assert.deepEqual(await offered(pupil), [false, false, false]);
});

test("F5: a report goes to the administrator and the class teacher, never to the accused; the evidence stays", async () => {
    await w.live(teacher);
    const { event_id } = await w.say(mate, classRoom, "ты дурак");
    await pupil.reportEvent(classRoom, event_id, -100, "обзывается");
    await mate.redactEvent(classRoom, event_id);
    const list = async (who) => (await w.do(who, "GET", `/reports?school=${HERE}`)).items;
    const [report] = (await list(w.office)).filter((r) => r.event_id === event_id);
    assert.equal(report.evidence.content.body, "ты дурак");
    assert.deepEqual(
        [report.accused, report.reporter, report.reason],
        [mate.getUserId(), pupil.getUserId(), "обзывается"],
    );
    assert.ok((await list(teacher)).some((r) => r.report === report.report));
    for (const who of [mate, pupil, parent, head, subjectTeacher]) {
        assert.deepEqual((await w.api(who, "GET", `/reports?school=${HERE}`)).body.items ?? [], []);
        await w.no(404, undefined, who, "GET", `/reports/${report.report}`);
    }
    await w.no([403, 404], undefined, mate, "POST", `/reports/${report.report}/close`, { resolution: "всё хорошо" });
    await w.do(teacher, "POST", `/reports/${report.report}/close`, { resolution: "Помирились" });
    const closed = (await list(w.office)).find((r) => r.report === report.report);
    assert.deepEqual([closed.state, closed.handled_by], ["closed", teacher.getUserId()]);
});

test("F5: an accused class teacher or administrator does not see the report against them", async () => {
    const report = (who, whom) =>
        w.server.request("POST", `${V3}/users/${q(whom.getUserId())}/report`, {
            token: who.getAccessToken(),
            body: { reason: "жалоба" },
        });
    for (const accused of [teacher, w.office]) {
        assert.equal((await report(pupil, accused)).status, 200);
        const mine = (await w.do(accused, "GET", `/reports?school=${HERE}`)).items;
        assert.ok(
            mine.every((r) => r.accused !== accused.getUserId()),
            "not to the accused",
        );
        const all = (await w.do(w.operator, "GET", "/reports")).items;
        assert.ok(all.some((r) => r.accused === accused.getUserId()));
    }
    assert.ok(
        (await w.do(w.office, "GET", `/reports?school=${HERE}`)).items.some((r) => r.accused === teacher.getUserId()),
    );
    const room = await w.server.request("POST", `${V3}/rooms/${q(classRoom)}/report`, {
        token: pupil.getAccessToken(),
        body: { reason: "шумно" },
    });
    assert.equal(room.status, 200);
    assert.ok(
        (await w.do(w.office, "GET", `/reports?school=${HERE}`)).items.some(
            (r) => r.kind === "room" && r.room_id === classRoom,
        ),
    );
});

test("F5, J2: that a report was closed is in the log, but not for the accused", async () => {
    const accused = await w.newClient("administrator");
    const { status } = await w.server.request("POST", `${V3}/users/${q(accused.getUserId())}/report`, {
        token: pupil.getAccessToken(),
        body: { reason: "жалоба на администратора" },
    });
    assert.equal(status, 200);
    const { report } = (await w.do(w.office, "GET", `/reports?school=${HERE}&limit=500`)).items.find(
        (r) => r.accused === accused.getUserId(),
    );
    const head = async (who) => (await w.do(who, "GET", `/audit/head?school=${HERE}`)).head;
    const before = await head(accused);
    await w.do(w.office, "POST", `/reports/${report}/close`, { resolution: "решено" });
    assert.equal(await head(accused), before);
    assert.notEqual(await head(w.office), before);
    for (const [who, sees] of [
        [accused, false],
        [w.office, true],
        [w.operator, true],
    ])
        for (const door of [`/audit?school=${HERE}&limit=500&newest=true`, `/audit/export?school=${HERE}`]) {
            const token = who === w.operator ? w.operator : who.getAccessToken();
            const { body } = await w.server.request("GET", `/_parta/v1${door}`, { token, raw: true });
            assert.equal(body.toString("utf8").includes(report), sees, door);
        }
});

let marks = 0;

/** Posts a report and answers its mark, by which the operator finds it; about: a path below /_matrix/client/v3. */
async function reported(who, about) {
    const reason = `жалоба-${++marks}!`;
    const { status, body } = await w.server.request("POST", `${V3}/${about}/report${about.event ?? ""}`, {
        token: who.getAccessToken(),
        body: { reason },
    });
    assert.equal(status, 200, `${about}: ${JSON.stringify(body)}`);
    return reason;
}

const found = async (who, mark, school = HERE) =>
    ((await w.api(who, "GET", `/reports?school=${school}&limit=500`)).body.items ?? []).filter((r) => r.reason === mark);

/** Whoever is accused learns of it by no door: not while it is open, and not when it is closed. */
async function staysHidden(accused, mark, what) {
    const [report] = (await w.do(w.operator, "GET", "/reports?limit=500")).items.filter((r) => r.reason === mark);
    assert.ok(report, `${what}: kept`);
    const doors = ["/reports?limit=500", `/reports?school=${HERE}&limit=500`, `/reports?school=${HERE}&state=open`, `/reports/${report.report}`];
    doors.push(`/audit?school=${HERE}&newest=true&limit=500`, `/audit/export?school=${HERE}`, "/me", "/me/export");
    for (const closed of [false, true]) {
        if (closed) await w.do(w.operator, "POST", `/reports/${report.report}/close`, { resolution: `решено ${mark}` });
        for (const door of doors) {
            const path = `/_parta/v1${door}`;
            const { body } = await w.server.request("GET", path, { token: accused.getAccessToken(), raw: true });
            for (const told of [mark, report.report])
                assert.ok(!body.toString("utf8").includes(told), `${what}: ${door}, ${closed ? "closed" : "open"}`);
        }
        await w.no([403, 404], undefined, accused, "POST", `/reports/${report.report}/close`, { resolution: "!" });
    }
}

test("F5: no report reaches whom it concerns, be it of a message, a person or a room, by any door", async () => {
    const direct = (await w.directWith(pupil, teacher)).room_id;
    await teacher.joinRoom(direct);
    const club = (await teacher.createRoom({ name: "Кружок жалоб", invite: [pupil.getUserId()] })).room_id;
    await pupil.joinRoom(club);
    const groups = (await w.rooms("subject")).map((r) => r.room_id);
    const inside = await Promise.all(groups.map((id) => w.joined(id)));
    const group = groups.find((_, i) => [pupil, subjectTeacher].every((who) => inside[i].includes(who.getUserId())));
    const guardians = await w.room("guardians", CLASS);
    const announcements = await w.room("announcements");
    const said = async (who, room) => `rooms/${q(room)}/report/${q((await w.say(who, room, "слово")).event_id)}`;
    const cases = [
        [teacher, pupil, await said(teacher, classRoom)],
        [teacher, pupil, await said(teacher, direct)],
        [teacher, parent, await said(teacher, guardians)],
        [head, pupil, await said(head, announcements)],
        [w.office, pupil, await said(w.office, announcements)],
        [teacher, pupil, `rooms/${q(classRoom)}`],
        [teacher, parent, `rooms/${q(guardians)}`],
        [teacher, pupil, `rooms/${q(direct)}`],
        [teacher, pupil, `rooms/${q(club)}`],
        [subjectTeacher, pupil, `rooms/${q(group)}`],
        [teacher, pupil, `users/${q(teacher.getUserId())}`],
        [subjectTeacher, pupil, `users/${q(subjectTeacher.getUserId())}`],
        [head, parent, `users/${q(head.getUserId())}`],
        [w.office, parent, `users/${q(w.office.getUserId())}`],
    ];
    for (const [accused, reporter, about] of cases) {
        const path = /^(rooms\/[^/]+)\/report(\/.*)$/.exec(about);
        const mark = await reported(reporter, path ? Object.assign(new String(path[1]), { event: path[2] }) : about);
        if (accused !== w.office) assert.equal((await found(w.office, mark)).length, 1, about);
        await staysHidden(accused, mark, about);
    }
});

test("F5: a class teacher is told of a room report from the class that is not about a room of theirs", async () => {
    const announcements = await reported(pupil, `rooms/${q(await w.room("announcements"))}`);
    assert.equal((await found(teacher, announcements)).length, 1);
    const own = await reported(w.office, `rooms/${q(await w.room("announcements"))}`);
    assert.equal((await found(w.office, own)).length, 1, "who reports a room is not accused by it");
});

test("F5, E8: a report in an association goes to the offices of both schools, and never to the accused", async () => {
    const there = await w.still(w.one({ role: "administrator", school: w.there }));
    const theirTeacher = await w.still(w.one({ role: "class_teacher", school: w.there }));
    const stranger = await reported(teacher, `users/${q(theirTeacher.getUserId())}`);
    assert.deepEqual((await w.do(w.operator, "GET", "/reports?limit=500")).items.filter((r) => r.reason === stranger), []);
    const { room_id } = await w.do(w.office, "POST", "/associations", { school: HERE, name: "Жалобы города" });
    const { code } = await w.do(w.office, "POST", `/associations/${q(room_id)}/codes`, { school: HERE });
    await w.do(there, "POST", "/associations/agree", { school: ELSEWHERE, code });
    for (const who of [teacher, theirTeacher, there]) await who.joinRoom(room_id);
    const { event_id } = await w.say(theirTeacher, room_id, "слово");
    const event = Object.assign(new String(`rooms/${q(room_id)}`), { event: `/${q(event_id)}` });
    for (const about of [`users/${q(theirTeacher.getUserId())}`, event]) {
        const mark = await reported(teacher, about);
        assert.equal((await found(w.office, mark)).length, 1, `${about}: here`);
        assert.equal((await found(there, mark, ELSEWHERE)).length, 1, `${about}: there`);
        assert.deepEqual(await found(theirTeacher, mark, ELSEWHERE), []);
    }
    const mark = await reported(teacher, `users/${q(there.getUserId())}`);
    assert.equal((await found(w.office, mark)).length, 1);
    assert.deepEqual(await found(there, mark, ELSEWHERE), []);
});

test("F6: what is urgent breaks quiet hours: by whom the school lets, with a reason, marked, counted and in the log", async () => {
    const announcements = await w.room("announcements");
    const urgent = (reason) => ({ ...text("Школа закрыта: авария"), "org.parta.urgent": reason });
    const why = { reason: "Авария на теплотрассе" };
    await w.withPolicy(allDay("refuse"), async () => {
        await refused(w.say(head, announcements, "без пометки"), "F3");
        for (const bad of [{}, { reason: "" }, { reason: "!!!!!!!!!!!!" }, { reason: "аааааааааааа" }, "срочно", { reason: 1 }])
            await refused(head.sendMessage(announcements, urgent(bad)), "F6");
        await refused(teacher.sendMessage(classRoom, urgent(why)), "F6");
        await refused(head.sendEvent(announcements, "m.reaction", urgent(why))); // only messages can be
        const { event_id } = await head.sendMessage(announcements, urgent(why));
        const { chunk } = await parent.createMessagesRequest(announcements, null, 20, "b");
        assert.deepEqual(chunk.find((e) => e.event_id === event_id).content["org.parta.urgent"], why);
        const log = (await w.do(w.office, "GET", `/audit?school=${HERE}&act=message.urgent`)).items;
        assert.deepEqual([log.length, log[0].entry.reason, log[0].entry.actor], [1, why.reason, head.getUserId()]);
        for (let n = 1; n < 5; ++n) await head.sendMessage(announcements, urgent(why));
        await refused(head.sendMessage(announcements, urgent(why)), "F6");
    });
    await w.withPolicy(allDay("delay", { urgent: ["class_teacher"] }), async () => {
        assert.doesNotMatch((await teacher.sendMessage(classRoom, urgent(why))).event_id, /^\$held/);
    });
});
