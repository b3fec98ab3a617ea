// E: rooms. What the server keeps from the roster, and what people make. Numbers are those of school.md's rules.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { inRoom, refusal, seen, until } from "./harness.mjs";
import { ELSEWHERE, HERE, SERVICE, World, outcome, q, refused } from "./world.mjs";

let w, pupil, mate, thirdPupil, teacher, head, guardian, classRoom;
const CLASS = "s1-c003"; // 8А

before(async () => {
    w = await World.start();
    [pupil, mate, thirdPupil] = await Promise.all(
        w
            .all({ role: "pupil", class: "8А" })
            .slice(0, 3)
            .map((p) => w.still(p)),
    );
    teacher = await w.still(w.one({ role: "class_teacher", class: "8А" }));
    head = await w.still(w.one({ role: "head" }));
    guardian = await w.still(w.one({ role: "guardian", class: "8А" }));
    classRoom = await w.room("class", CLASS);
});

after(() => w?.stop());

const sorted = (people) => [...new Set(people.map((p) => p.id ?? p))].sort();

test("E1: school space, class spaces, and in each room those whom the roster puts there", async () => {
    const space = await w.room("school_space");
    const { rooms } = await head.getRoomHierarchy(space, 50);
    const children = rooms.flatMap((r) => r.children_state.map((c) => c.state_key));
    const [classSpace, staff, board, subject] = [
        await w.room("class_space", CLASS),
        await w.room("staff"),
        await w.room("announcements"),
        await w.room("subject", `${CLASS}-g1`),
    ];
    for (const child of [classSpace, board]) assert.ok(children.includes(child));
    for (const child of [staff, subject]) assert.ok(!children.includes(child), "others could not enter it, nor know its name");
    const inClass = await teacher.getRoomHierarchy(classSpace, 50);
    assert.ok(inClass.rooms[0].children_state.some((c) => c.state_key === classRoom));
    const pupils = w.all({ role: "pupil", class: "8А" });
    assert.deepEqual(await w.joined(classRoom), sorted([...pupils, teacher.getUserId()]));
    assert.deepEqual(
        await w.joined(await w.room("guardians", CLASS)),
        sorted([...w.all({ role: "guardian", class: "8А" }), teacher.getUserId()]),
    );
    const ofSubject = await w.joined(subject);
    assert.ok(pupils.every((p) => ofSubject.includes(p.id)) && ofSubject.length === pupils.length + 1);
    const staffRoles = ["teacher", "class_teacher", "staff", "deputy", "head", "administrator"];
    assert.deepEqual(await w.joined(staff), sorted(staffRoles.flatMap((role) => w.all({ role }))));
    const everybody = w.all({}).filter((p) => p.role !== "external");
    assert.deepEqual(await w.joined(board), sorted(everybody));
});

test("E1: in a space's tree everybody sees rooms that they are in or may join, by their names, and no others", async () => {
    const space = await w.room("school_space");
    const kinds = new Map((await w.rooms()).map((r) => [r.room_id, r.kind]));
    const { rooms: whole } = await head.getRoomHierarchy(space, 50);
    const children = whole.find((r) => r.room_id === space).children_state.map((c) => kinds.get(c.state_key) ?? "library");
    assert.deepEqual([...new Set(children)].sort(), ["announcements", "class_space", "library"]);
    for (const [name, who] of Object.entries({ pupil, guardian, teacher, head, other: await w.still(w.one({ role: "teacher" })) })) {
        const joined = (await who.getJoinedRooms()).joined_rooms;
        const { rooms } = await who.getRoomHierarchy(space, 50);
        assert.ok(rooms.length >= 3, name);
        for (const room of rooms) {
            assert.ok(room.name, `${name}: ${room.room_id} has a name`);
            assert.ok(joined.includes(room.room_id) || kinds.get(room.room_id) === "library" || room.join_rule === "restricted", `${name}: ${room.name}`);
            if (!joined.includes(room.room_id)) await who.joinRoom(room.room_id); // what is offered can be entered
        }
    }
});

test("E1, B3: rooms and people are called in the school's language; those that are there follow when it changes, and no other school's", async () => {
    const called = async (school) => Object.fromEntries((await w.rooms(undefined, school)).map((r) => [r.room_id, r.name]));
    const [before, elsewhere] = [await called(), await called(ELSEWHERE)];
    const [board, parents] = [await w.room("announcements"), await w.room("guardians", CLASS)];
    const named = async (who) => (await pupil.getProfileInfo(who.getUserId())).displayname;
    const member = async (who) => (await teacher.getStateEvent(classRoom, "m.room.member", who.getUserId())).displayname;
    const [family, given] = (await named(pupil)).split(" ");
    const adult = await named(teacher);
    const [surname, name, patronymic] = adult.split(" ");
    await w.withPolicy({ language: "en" }, async () => {
        const now = await called();
        assert.match(now[board], /^Announcements\. /);
        assert.equal(now[parents], "8А: parents");
        assert.equal(now[await w.room("class_space", CLASS)], "Class 8А");
        assert.equal(now[classRoom], "8А");
        assert.match(now[await w.room("library")], /^Library\. /);
        assert.match(now[await w.room("staff")], /^Staff room\. /);
        const { rooms } = await teacher.getRoomHierarchy(await w.room("school_space"), 50, 1); // as clients show it, at once
        const shown = rooms.map((r) => r.name);
        for (const name of [/^Announcements\. /, /^Library\. /, /^Class 8А$/]) assert.ok(shown.some((n) => name.test(n)), `${name} in ${shown}`);
        assert.deepEqual(shown.filter((n) => /^(Класс|Объявления|Библиотека|Учительская|Staff room)/.test(n)), []);
        assert.equal(await named(pupil), `${given} ${family}`);
        assert.equal(await member(pupil), `${given} ${family}`, "in the rooms, too");
        assert.equal(await named(teacher), `${name} ${patronymic} ${surname}`);
        assert.deepEqual(await called(ELSEWHERE), elsewhere);
        const made = await w.newClass("9Я", "9");
        assert.equal((await called())[await w.room("guardians", made.class)], "9Я: parents");
    });
    const after = await called();
    for (const [room, what] of Object.entries(before)) assert.equal(after[room], what);
    assert.equal(await named(teacher), adult);
    assert.equal(await member(pupil), `${family} ${given}`);
});

test("E1: everyone reads the announcements, those who lead write them", async () => {
    const board = await w.room("announcements");
    await w.say(head, board, "Завтра каникулы");
    await w.say(w.office, board, "Начало в 9");
    for (const who of [pupil, teacher, guardian]) {
        assert.ok((await w.read(who, board)).includes("Завтра каникулы"));
        await refused(w.say(who, board, "ура"), "E1");
    }
});

test("E2: rooms follow each change of the records at once: enrolled, moved, given a role, taken out", async () => {
    const { user_id } = await w.newPerson("pupil", { class: CLASS, birth_date: "2011-01-01" });
    assert.ok((await w.joined(classRoom)).includes(user_id));
    await w.roomsEqualRoster();
    const other = await w.newClass("9Е", "9");
    await w.do(w.office, "POST", `/classes/${other.class}/enrollments`, { user_id, role: "pupil" });
    await w.do(w.office, "DELETE", `/classes/${CLASS}/enrollments/${q(user_id)}/pupil`);
    assert.ok(!(await w.joined(classRoom)).includes(user_id));
    assert.deepEqual(await w.joined(await w.room("class", other.class)), [user_id]);
    const staff = [w.office, "POST", `/people/${q(user_id)}/roles`, { school: HERE, role: "staff" }];
    await w.no(403, "B3", ...staff);
    await w.do(...staff, w.because("Помогает в кружке, договор есть"));
    assert.ok((await w.joined(await w.room("staff"))).includes(user_id));
    await w.do(w.office, "DELETE", `/people/${q(user_id)}/roles/${HERE}/staff`);
    assert.ok(!(await w.joined(await w.room("staff"))).includes(user_id));
    await w.do(w.office, "DELETE", `/classes/${other.class}`);
    await w.roomsEqualRoster();
});

test("E2: what the roster keeps is changed by hand only with a reason, and rooms follow that too", async () => {
    const person = w.one({ role: "pupil", class: "8А" }, 5);
    const path = `/classes/${CLASS}/enrollments/${q(person.id)}/pupil`;
    await w.no(403, "I4", w.office, "DELETE", path);
    assert.ok((await w.joined(classRoom)).includes(person.id));
    await w.do(w.office, "DELETE", path, undefined, w.because("Переведён сегодня, дневник отстаёт"));
    assert.ok(!(await w.joined(classRoom)).includes(person.id));
    await w.roomsEqualRoster();
    await w.do(
        w.office,
        "POST",
        `/classes/${CLASS}/enrollments`,
        { user_id: person.id, role: "pupil" },
        w.because("Ошибка исправлена"),
    );
    assert.ok((await w.joined(classRoom)).includes(person.id));
});

test("E2: a changed class teacher changes rooms and powers; a crash and a second import change nothing more", async () => {
    const made = await w.newClass("6К", "6");
    const [one, two] = [await w.newPerson("class_teacher", { class: made.class }), await w.newPerson("teacher")];
    const room = await w.room("class", made.class);
    assert.deepEqual(await w.joined(room), [one.user_id]);
    await w.do(w.office, "POST", `/classes/${made.class}/enrollments`, { user_id: two.user_id, role: "class_teacher" });
    assert.ok((await w.joined(room)).includes(two.user_id));
    assert.ok(!(await w.joined(room)).includes(one.user_id), "there is one class teacher");
    const replaced = await w.enter(two.user_id);
    await replaced.sendStateEvent(room, "m.room.topic", { topic: "Наш класс" }, "");
    const before = await Promise.all((await w.rooms()).map(async (r) => [r.room_id, await w.joined(r.room_id)]));
    await w.server.end("SIGKILL");
    w.server.importRoster();
    await w.server.run();
    for (const [id, people] of before) assert.deepEqual(await w.joined(id), people);
    await w.roomsEqualRoster();
    await w.roomsEqualRoster(ELSEWHERE);
});

test("E3: the service user made every roster room and nobody stands above it; no event forges power", async () => {
    const create = await pupil.getStateEvent(classRoom, "m.room.create", "");
    const levels = await pupil.getStateEvent(classRoom, "m.room.power_levels", "");
    assert.ok(
        Object.entries(levels.users).every(([id, power]) => id === SERVICE || power < 100),
        JSON.stringify(levels.users),
    );
    assert.ok((create.additional_creators ?? []).length === 0);
    const forgeries = [
        ["m.room.power_levels", { ...levels, users: { ...levels.users, [pupil.getUserId()]: 100 } }],
        ["m.room.join_rules", { join_rule: "public" }],
        ["m.room.history_visibility", { history_visibility: "world_readable" }],
        ["m.room.name", { name: "Не класс" }],
        ["m.room.canonical_alias", { alias: "#x:school.example" }],
        ["m.room.tombstone", { body: "уходим", replacement_room: "!x:school.example" }],
        ["m.room.server_acl", { deny: ["*"] }],
    ];
    for (const who of [pupil, teacher])
        for (const [type, content] of forgeries) await refused(who.sendStateEvent(classRoom, type, content, ""), "E3");
    for (const who of [teacher, head]) await refused(who.upgradeRoom(classRoom, "12"));
    await refused(teacher.createAlias("#klass:school.example", classRoom), "E3");
    await refused(teacher.setRoomDirectoryVisibility(classRoom, "public"), "E3");
    await teacher.sendStateEvent(classRoom, "m.room.topic", { topic: "8А" }, "");
    await refused(pupil.sendStateEvent(classRoom, "m.room.topic", { topic: "мой" }, ""), "E3");
    await refused(
        w.office
            .createRoom({ name: "8А", creation_content: { "org.parta.kind": "class" } })
            .then(async ({ room_id }) => {
                assert.equal(
                    (await w.rooms("club")).find((r) => r.room_id === room_id)?.kind,
                    "club",
                    "a word in the create event makes no roster room",
                );
                return w.office.joinRoom(classRoom);
            }),
        "E2",
    );
});

test("E4: whom the roster holds cannot leave, be kicked or banned; the office cannot either, but by the records", async () => {
    await refused(pupil.leave(classRoom), "E4");
    for (const who of [teacher]) {
        await refused(who.kick(classRoom, pupil.getUserId()), "E4");
        await refused(who.ban(classRoom, pupil.getUserId()), "E4");
    }
    for (const who of [head, w.office]) {
        await refused(who.kick(classRoom, pupil.getUserId()));
        await refused(who.ban(classRoom, pupil.getUserId()));
    }
    await refused(pupil.sendStateEvent(classRoom, "m.room.member", { membership: "leave" }, pupil.getUserId()), "E4");
    assert.ok((await w.joined(classRoom)).includes(pupil.getUserId()));
});

test("E5: clubs by role, with an owner who answers for them", async () => {
    for (const who of [pupil, guardian]) await refused(who.createRoom({ name: "Клуб" }), "E5");
    const { room_id } = await teacher.createRoom({ name: "Шахматы", invite: [pupil.getUserId()] });
    await pupil.joinRoom(room_id);
    const seenBy = async () => await w.do(w.office, "GET", `/rooms/${q(room_id)}`);
    assert.equal((await seenBy()).owner, teacher.getUserId());
    await w.no(403, "A4", teacher, "PUT", `/rooms/${q(room_id)}/owner`, { user_id: pupil.getUserId() });
    await w.no(409, undefined, w.office, "PUT", `/rooms/${q(room_id)}/owner`, { user_id: head.getUserId() });
    await w.do(w.office, "PUT", `/rooms/${q(room_id)}/owner`, { user_id: pupil.getUserId() });
    assert.equal((await seenBy()).owner, pupil.getUserId());
    await pupil.leave(room_id);
    await w.withPolicy({ rooms: { club: ["head"] } }, () => refused(teacher.createRoom({ name: "Ещё" }), "E5"));
});

test("E5: when the owner leaves the school somebody who is there answers for the club, of the staff first", async () => {
    const founder = await w.newClient("teacher");
    const { room_id } = await founder.createRoom({ name: "Театр", invite: [head.getUserId(), teacher.getUserId()] });
    await teacher.joinRoom(room_id);
    await teacher.invite(room_id, pupil.getUserId());
    for (const who of [pupil, head]) await who.joinRoom(room_id);
    await w.do(w.office, "DELETE", `/people/${q(founder.getUserId())}/roles/${HERE}/teacher`);
    assert.ok(!(await w.joined(room_id)).includes(founder.getUserId()));
    const { owner } = await w.do(w.office, "GET", `/rooms/${q(room_id)}`);
    assert.ok([teacher.getUserId(), head.getUserId()].includes(owner), owner);
});

test("E5: in a pupils' room of three or more somebody of the staff must be", async () => {
    const every = ["pupil", "teacher", "class_teacher", "staff", "deputy", "head", "administrator"];
    await w.withPolicy({ rooms: { club: every } }, async () => {
        const { room_id } = await pupil.createRoom({
            name: "Наш клуб",
            preset: "private_chat",
            invite: [mate.getUserId()],
        });
        await mate.joinRoom(room_id);
        await w.say(pupil, room_id, "нас двое");
        await refused(pupil.invite(room_id, thirdPupil.getUserId()), "E5");
        await pupil.invite(room_id, teacher.getUserId());
        await refused(w.say(mate, room_id, "пока она не вошла"), "E5");
        await teacher.joinRoom(room_id);
        await pupil.invite(room_id, thirdPupil.getUserId());
        await thirdPupil.joinRoom(room_id);
        await w.say(thirdPupil, room_id, "теперь можно");
        await teacher.leave(room_id);
        await refused(w.say(pupil, room_id, "и без неё?"), "E5");
        await w.withPolicy({ rooms: { club: every }, staff_in_pupils_rooms: false }, () =>
            w.say(pupil, room_id, "школа разрешила"),
        );
    });
});

test("E5: a teacher's club without its teacher is a pupils' room", async () => {
    const founder = await w.newClient("teacher");
    const { room_id } = await founder.createRoom({ name: "Радио", invite: [head.getUserId()] });
    await head.joinRoom(room_id);
    for (const who of [pupil, mate, guardian]) {
        await founder.invite(room_id, who.getUserId());
        await who.joinRoom(room_id);
    }
    await head.leave(room_id);
    await founder.setPowerLevel(room_id, pupil.getUserId(), 100);
    const standing = (state) =>
        w.do(w.operator, "PUT", `/people/${q(founder.getUserId())}/standing`, { standing: state });
    const closed = async () => {
        await refused(w.say(guardian, room_id, "слышно?"), "E5");
        await refused(pupil.sendStateEvent(room_id, "m.room.join_rules", { join_rule: "public" }, ""), "E5");
        const everybody = { history_visibility: "world_readable" };
        await refused(pupil.sendStateEvent(room_id, "m.room.history_visibility", everybody, ""), "E5");
        await refused(pupil.setRoomDirectoryVisibility(room_id, "public"), "E5");
        await refused(pupil.invite(room_id, thirdPupil.getUserId()), "E5");
        const { chunk } = await pupil.createMessagesRequest(room_id, null, 5, "b");
        assert.ok(chunk.length > 0, "what was said stays readable");
    };
    await w.say(pupil, room_id, "она здесь");
    await standing("locked");
    await closed();
    await w.no(409, undefined, w.office, "PUT", `/rooms/${q(room_id)}/owner`, { user_id: founder.getUserId() });
    await standing("active");
    await w.say(pupil, room_id, "она снова здесь");
    await founder.leave(room_id);
    await closed();
    await pupil.invite(room_id, teacher.getUserId());
    await teacher.joinRoom(room_id);
    await w.say(guardian, room_id, "теперь слышно");
});

test("E6: everyone has a private room for documents, from the first sign-in on, and enters nobody else's", async () => {
    const { user_id } = await w.newPerson("teacher");
    const client = await w.enter(user_id);
    const documents = async () => {
        const { joined_rooms } = await client.getJoinedRooms();
        const creates = await Promise.all(joined_rooms.map((id) => client.getStateEvent(id, "m.room.create", "")));
        return joined_rooms
            .filter((_, i) => creates[i]["org.parta.kind"] === "documents")
            .map((room_id) => ({ room_id }));
    };
    const [room, ...more] = await documents();
    assert.ok(room && more.length === 0);
    await w.live(client);
    await inRoom(client, room.room_id);
    await w.say(client, room.room_id, "паспорт.pdf");
    await refused(client.invite(room.room_id, teacher.getUserId()), "E6");
    await refused(client.createAlias("#docs:school.example", room.room_id), "E6");
    for (const who of [teacher, head, w.office]) {
        await refused(who.joinRoom(room.room_id));
        await refused(who.createMessagesRequest(room.room_id, null, 5, "b"));
    }
    await w.server.signIn(user_id, "correct-horse-battery", { still: true });
    assert.equal((await documents()).length, 1, "a second sign-in makes no second one");
});

test("E6: the school's library is open to all its people; staff adds to it", async () => {
    const library = await w.room("library");
    for (const who of [teacher, pupil, guardian]) await who.joinRoom(library);
    await w.say(teacher, library, "Учебник геометрии");
    assert.ok((await w.read(pupil, library)).includes("Учебник геометрии"));
    for (const who of [pupil, guardian]) await refused(w.say(who, library, "спам"), "E6");
    const stranger = await w.still(w.one({ role: "pupil", school: w.there }));
    await refused(stranger.joinRoom(library));
    await w.live(pupil);
    const joined = await inRoom(pupil, library);
    assert.match(joined.name, /Библиотека/);
});

test("E7: external staff are in named rooms only, without directory or direct chats, until the end date", async () => {
    const today = new Date().toISOString().slice(0, 10);
    const person = await w.newPerson("external", { end: today });
    const coach = await w.enter(person.user_id);
    const { room_id } = await teacher.createRoom({ name: "Плавание", invite: [pupil.getUserId(), mate.getUserId()] });
    await Promise.all([pupil, mate].map((who) => who.joinRoom(room_id)));
    await refused(teacher.invite(room_id, person.user_id), "E7");
    await refused(coach.joinRoom(classRoom), "E7", "E2");
    const named = `/rooms/${q(room_id)}/named/${q(person.user_id)}`;
    await w.no(403, "A4", teacher, "PUT", named);
    await w.do(w.office, "PUT", named);
    await teacher.invite(room_id, person.user_id);
    await coach.joinRoom(room_id);
    await w.say(coach, room_id, "Тренировка в среду");
    await refused(w.directWith(coach, pupil), "E7");
    await refused(w.directWith(pupil, coach), "E7", "F1");
    await refused(coach.createRoom({ name: "Своя" }), "E7");
    assert.deepEqual((await coach.searchUserDirectory({ term: "а" })).results, []);
    assert.ok(!(await w.joined(await w.room("staff"))).includes(person.user_id));
    const spare = await teacher.createRoom({ name: "Бассейн", invite: [pupil.getUserId()] });
    await w.do(w.office, "PUT", `/rooms/${q(spare.room_id)}/named/${q(person.user_id)}`);
    await teacher.invite(spare.room_id, person.user_id);
    await coach.joinRoom(spare.room_id);
    await w.do(w.office, "DELETE", `/rooms/${q(spare.room_id)}/named/${q(person.user_id)}`);
    assert.ok(!(await w.joined(spare.room_id)).includes(person.user_id), "no longer named: out");
    const user = "(SELECT user_no FROM users WHERE localpart = ?)";
    const name = person.user_id.slice(1).split(":")[0];
    const yesterday = new Date(Date.now() - 86400000).toISOString().slice(0, 10);
    const before = new Date(Date.now() - 2 * 86400000).toISOString().slice(0, 10);
    await w.meanwhile(
        [`UPDATE roles SET end_date = ? WHERE role = 'external' AND user_no = ${user}`, yesterday, name],
        ["UPDATE settled SET day = ?", before],
    );
    await until(
        async () => !(await w.joined(room_id)).includes(person.user_id),
        "the end date to take effect by itself",
    );
    assert.equal((await outcome(coach.whoami())).status, 401);
});

test("E8: teachers of two schools share an association room once both schools agree, by a code", async () => {
    const there = await w.still(w.one({ role: "administrator", school: w.there }));
    const theirTeacher = await w.still(w.one({ role: "class_teacher", school: w.there }));
    for (const who of [teacher, pupil, head])
        await w.no(403, "A4", who, "POST", "/associations", { school: HERE, name: "Математики" });
    const { room_id } = await w.do(w.office, "POST", "/associations", { school: HERE, name: "Математики города" });
    await teacher.joinRoom(room_id);
    await refused(theirTeacher.joinRoom(room_id));
    await refused(pupil.joinRoom(room_id), "E8");
    const { code } = await w.do(w.office, "POST", `/associations/${q(room_id)}/codes`, { school: HERE });
    await w.no(404, undefined, there, "POST", "/associations/agree", { school: ELSEWHERE, code: "A".repeat(24) });
    const agreed = await w.do(there, "POST", "/associations/agree", { school: ELSEWHERE, code });
    assert.equal(agreed.room_id, room_id);
    await w.no(404, undefined, there, "POST", "/associations/agree", { school: ELSEWHERE, code });
    await theirTeacher.joinRoom(room_id);
    await w.live(teacher);
    const { event_id } = await w.say(theirTeacher, room_id, "Коллеги, здравствуйте");
    await seen(teacher, room_id, (e) => e.getId() === event_id);
    const theirPupil = await w.still(w.one({ role: "pupil", school: w.there }));
    for (const who of [theirPupil, guardian]) await refused(who.joinRoom(room_id));
    assert.ok((await teacher.getProfileInfo(theirTeacher.getUserId())).displayname, "they share a room");
    await refused(pupil.getProfileInfo(theirTeacher.getUserId()));
    const early = await w.do(there, "POST", `/associations/${q(room_id)}/codes`, { school: ELSEWHERE });
    await w.do(there, "POST", `/associations/${q(room_id)}/leave`, { school: ELSEWHERE });
    await w.no(404, undefined, there, "POST", "/associations/agree", { school: ELSEWHERE, code: early.code }); // of a school that has left
    assert.ok(!(await w.joined(room_id)).includes(theirTeacher.getUserId()));
    await refused(theirTeacher.joinRoom(room_id));
    assert.ok((await w.joined(room_id)).includes(teacher.getUserId()));
});

test("E9: encryption by kind of room: forbidden where the roster keeps, allowed in direct chats, as the policy says", async () => {
    const megolm = { algorithm: "m.megolm.v1.aes-sha2" };
    const turnOn = (who, room) => who.sendStateEvent(room, "m.room.encryption", megolm, "");
    await refused(turnOn(teacher, classRoom), "E9");
    await refused(teacher.sendEvent(classRoom, "m.room.encrypted", { ...megolm, ciphertext: "x" }), "E9");
    const { room_id } = await w.directWith(pupil, mate);
    await turnOn(pupil, room_id);
    const club = (await teacher.createRoom({ name: "Тайный" })).room_id;
    await w.withPolicy({ encryption: { direct: "forbidden", club: "required", class: "required" } }, async () => {
        const other = (await w.directWith(pupil, thirdPupil)).room_id;
        await refused(turnOn(pupil, other), "E9");
        await refused(w.say(teacher, club, "открыто"), "E9");
        await turnOn(teacher, club);
        await refused(w.say(teacher, classRoom, "открыто"), "E9");
        await refused(turnOn(pupil, classRoom));
    });
});

test("E9: where it is not forbidden whoever has the post turns it on in a room of the roster, and power levels say so to clients", async () => {
    const megolm = { algorithm: "m.megolm.v1.aes-sha2" };
    const group = `${CLASS}-g1`;
    const room = await w.room("subject", group);
    const { items } = await w.do(w.operator, "GET", `/rooms/${q(room)}/members?limit=500`);
    const theirs = (post) => w.still(w.one({ id: items.find((m) => m.held && m.power >= 50 === post).user_id }));
    const [theirTeacher, theirPupil] = [await theirs(true), await theirs(false)];
    const needed = async (where) => (await theirTeacher.getStateEvent(where, "m.room.power_levels", "")).events["m.room.encryption"];
    assert.equal(await needed(room), 100);
    await w.withPolicy({ encryption: { subject: "allowed" } }, async () => {
        assert.equal(await needed(room), 50);
        await refused(theirPupil.sendStateEvent(room, "m.room.encryption", megolm, ""));
        assert.equal((await teacher.getStateEvent(classRoom, "m.room.power_levels", "")).events["m.room.encryption"], 100);
    });
    assert.equal(await needed(room), 100, "the policy is as before, and so are the levels");
    await refused(theirTeacher.sendStateEvent(room, "m.room.encryption", megolm, ""), "E9");
    await w.withPolicy({ encryption: { subject: "required" } }, async () => {
        await refused(w.say(theirTeacher, room, "открыто"), "E9");
        await theirTeacher.sendStateEvent(room, "m.room.encryption", megolm, "");
    });
    assert.equal(await needed(room), 100);
});

// Element X asks for encryption in every new direct chat, and shows a chat that was refused as broken.
test("E9: encryption asked for with a new room where it is forbidden is taken out, once in the log, or the room is refused", async () => {
    const chat = (type = "m.room.encryption") => ({
        is_direct: true,
        invite: [mate.getUserId()],
        initial_state: [{ type, state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }],
    });
    const state = (room) => pupil.getStateEvent(room, "m.room.encryption", "");
    const log = async () => (await w.do(w.office, "GET", `/audit?school=${HERE}&act=room.encryption_stripped`)).items;
    const known = async () => (await w.server.request("GET", "/.well-known/matrix/client")).body["io.element.e2ee"];
    assert.deepEqual(await known(), { default: false, force_disable: false });
    await w.withPolicy({ encryption: { direct: "forbidden" } }, async () => {
        const before = (await log()).length;
        const { room_id } = await pupil.createRoom(chat());
        assert.equal((await refusal(state(room_id))).errcode, "M_NOT_FOUND");
        const entries = await log();
        assert.equal(entries.length, before + 1);
        assert.equal(entries.find((e) => e.entry.subject.room === room_id).entry.actor, pupil.getUserId());
        await refused(pupil.sendStateEvent(room_id, "m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" }, ""), "E9");
        const unstable = (await pupil.createRoom(chat("org.matrix.msc3414.encryption"))).room_id;
        assert.equal((await refusal(pupil.getStateEvent(unstable, "org.matrix.msc3414.encryption", ""))).errcode, "M_NOT_FOUND");
        const said = await w.explain({ act: "create_room", actor: pupil.getUserId(), kind: "direct" });
        assert.deepEqual(said.facts.encryption, { rule: "forbidden", new_rooms: "strip" });
    });
    await w.withPolicy({ encryption: { direct: "forbidden", new_rooms: "refuse" } }, () => refused(pupil.createRoom(chat()), "E9"));
    const encrypted = (await pupil.createRoom(chat())).room_id;
    assert.equal((await state(encrypted)).algorithm, "m.megolm.v1.aes-sha2");
});
