// G: leaving, the rollover, what a person takes along and what is forgotten. Numbers are those of school.md's rules.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { crc32 } from "node:zlib";
import { inRoom, seen, until, unzip } from "./harness.mjs";
import { ELSEWHERE, HERE, World, outcome, q, refused } from "./world.mjs";

let w, teacher, classRoom;
const CLASS = "s1-c003"; // 8А
const PASSWORD = "correct-horse-battery";

before(async () => {
    w = await World.start();
    teacher = await w.still(w.one({ role: "class_teacher", class: "8А" }));
    classRoom = await w.room("class", CLASS);
});

after(() => w?.stop());

const newPupil = (more = {}) => w.newClient("pupil", { class: CLASS, birth_date: "2011-01-01", ...more });

/** A zip of these files, not packed. */
function zip(files) {
    const [locals, directory] = [[], []];
    let offset = 0;
    for (const [name, content] of Object.entries(files)) {
        const [path, bytes] = [Buffer.from(name), Buffer.from(content)];
        const common = Buffer.alloc(26);
        common.writeUInt16LE(20, 0);
        common.writeUInt16LE(0x800, 2);
        common.writeUInt32LE(crc32(bytes), 10);
        common.writeUInt32LE(bytes.length, 14);
        common.writeUInt32LE(bytes.length, 18);
        common.writeUInt16LE(path.length, 22);
        const tail = Buffer.alloc(14);
        tail.writeUInt32LE(offset, 10);
        locals.push(Buffer.from("PK\x03\x04"), common, path, bytes);
        directory.push(Buffer.from("PK\x01\x02\x14\0"), common, tail, path);
        offset += 30 + path.length + bytes.length;
    }
    const central = Buffer.concat(directory);
    const end = Buffer.alloc(18);
    end.writeUInt16LE(Object.keys(files).length, 4);
    end.writeUInt16LE(Object.keys(files).length, 6);
    end.writeUInt32LE(central.length, 8);
    end.writeUInt32LE(offset, 12);
    return Buffer.concat([...locals, central, Buffer.from("PK\x05\x06"), end]);
}

const fetchExport = (who, path) =>
    w.server.request("GET", `/_parta/v1${path}`, { token: who.getAccessToken?.() ?? who, raw: true });

/** In which rooms of a school that person is joined. */
async function roomsIn(school, id) {
    const rooms = await w.rooms(undefined, school);
    const inside = await Promise.all(rooms.map(async (r) => (await w.joined(r.room_id)).includes(id)));
    return rooms.filter((_, i) => inside[i]).map((r) => r.name);
}

test("G1: who leaves a school is out of all its rooms at once; other schools are untouched", async () => {
    const both = w.server.people.find(
        (p) =>
            p.school !== w.here &&
            p.role === "guardian" &&
            w.rolesOf(p.id).some((r) => r.school === w.here && r.role === "guardian") &&
            w.rolesOf(p.id).every((r) => r.role === "guardian"),
    );
    const client = await w.still(both);
    const { room_id } = await teacher.createRoom({ name: "Родительский комитет" });
    const before = await roomsIn(ELSEWHERE, both.id);
    assert.ok((await roomsIn(HERE, both.id)).length > 0 && before.length > 0);
    await w.do(client, "POST", "/me/leave", { school: HERE });
    assert.deepEqual(await roomsIn(HERE, both.id), []);
    assert.deepEqual(await roomsIn(ELSEWHERE, both.id), before);
    assert.ok((await w.me(client)).roles.every((r) => r.school === ELSEWHERE));
    await refused(client.joinRoom(room_id));
    await refused(teacher.invite(room_id, both.id));
    await w.roomsEqualRoster();
});

test("G1, G2: rooms that people made are left too, and where no school is left the account is closed", async () => {
    const pupil = await newPupil();
    await w.live(pupil);
    const { room_id } = await teacher.createRoom({ name: "Кружок", invite: [pupil.getUserId()] });
    await pupil.joinRoom(room_id);
    await inRoom(pupil, classRoom);
    await w.do(pupil, "POST", "/me/leave", { school: HERE });
    for (const room of [room_id, classRoom]) assert.ok(!(await w.joined(room)).includes(pupil.getUserId()));
    assert.equal((await outcome(pupil.whoami())).status, 401);
    const again = await outcome(w.server.signIn(pupil.getUserId(), PASSWORD, { still: true }));
    assert.equal(again.status, 403);
    pupil.stopClient();
});

test("G2: removal from the records is one step: rooms, roles and sessions; a guardian goes with the last child", async () => {
    const pupil = await newPupil({ birth_date: "2015-01-01" });
    const parent = await w.enter((await w.newPerson("guardian", { child: pupil.getUserId() })).user_id);
    const ofParents = await w.room("guardians", CLASS);
    assert.ok((await w.joined(ofParents)).includes(parent.getUserId()));
    await w.do(w.office, "POST", `/people/${q(pupil.getUserId())}/leave`, { school: HERE });
    assert.equal((await outcome(pupil.whoami())).status, 401);
    assert.ok(!(await w.joined(classRoom)).includes(pupil.getUserId()));
    assert.ok(!(await w.joined(ofParents)).includes(parent.getUserId()));
    assert.equal((await outcome(parent.whoami())).status, 401, "the last child has gone");
    await w.roomsEqualRoster();
});

test("G2: whom the roster keeps the office removes with a reason only; who has a second school stays signed in there", async () => {
    const person = w.one({ role: "pupil", class: "4А" });
    const client = await w.still(person);
    const path = `/people/${q(person.id)}/leave`;
    await w.no(403, "I4", w.office, "POST", path, { school: HERE });
    for (const who of [teacher, client]) {
        const other = w.one({ role: "pupil", class: "4А" }, 1);
        await w.no(403, "G1", who, "POST", `/people/${q(other.id)}/leave`, { school: HERE });
    }
    await w.do(w.operator, "POST", `/people/${q(person.id)}/roles`, { school: ELSEWHERE, role: "staff" }, w.because());
    await w.do(w.office, "POST", path, { school: HERE }, w.because("Переехал в другой город"));
    assert.deepEqual(await roomsIn(HERE, person.id), []);
    assert.equal((await client.whoami()).user_id, person.id);
    await w.roomsEqualRoster();
});

test("G2: whom the diary drops is out at the next import, while the server runs; comes back, the account opens again", async () => {
    const whole = readFileSync(join(w.server.dir, "school.zip"));
    const files = unzip(whole);
    const person = w.one({ role: "pupil", class: "4А" }, 3);
    const id = (await w.do(w.operator, "GET", `/people/${q(person.id)}`)).person;
    const client = await w.still(person);
    const room = await w.room("class", "s1-c002");
    assert.ok((await w.joined(room)).includes(person.id));
    const fewer = Object.fromEntries(
        Object.entries(files).map(([name, csv]) => [
            name,
            csv
                .split("\r\n")
                .filter((line) => !line.split(",").includes(id))
                .join("\r\n"),
        ]),
    );
    writeFileSync(join(w.server.dir, "school.zip"), zip(fewer));
    const told = w.server.importRoster("--dry-run");
    assert.ok((await w.joined(room)).includes(person.id), "a dry run changes nothing");
    assert.ok(told.length > 0);
    w.server.importRoster();
    assert.ok(!(await w.joined(room)).includes(person.id));
    assert.equal((await outcome(client.whoami())).status, 401);
    await w.roomsEqualRoster();
    writeFileSync(join(w.server.dir, "school.zip"), whole);
    w.server.importRoster();
    assert.ok((await w.joined(room)).includes(person.id));
    const again = await w.server.signIn(person.id, person.password, { still: true });
    assert.equal((await again.whoami()).user_id, person.id);
});

test("G4: the export is a zip that a person can read: who they are, where they are, what they wrote; of others nothing", async () => {
    const pupil = await newPupil();
    await w.say(pupil, classRoom, "Моё <b>слово</b>");
    await w.say(teacher, classRoom, "слово учителя");
    const reply = await fetchExport(pupil, "/me/export");
    assert.deepEqual([reply.status, reply.headers.get("content-type")], [200, "application/zip"]);
    const files = unzip(reply.body);
    assert.ok(files["index.html"].includes("Человек"), "the own name");
    assert.match(files["index.html"], /<!doctype html>/i);
    const data = JSON.parse(files["data.json"]);
    assert.ok(Object.keys(data).length > 3);
    const pages = Object.entries(files)
        .filter(([name]) => name.startsWith("rooms/"))
        .map(([, page]) => page)
        .join();
    assert.ok(pages.includes("Моё &lt;b&gt;слово&lt;/b&gt;"), "escaped");
    assert.ok(!Object.values(files).join().includes("слово учителя"), "what others wrote is theirs");
});

test("G4: who may export: the person, a guardian for a child, the office; only the person gets what was written", async () => {
    const pupil = await newPupil({ birth_date: "2015-01-01" });
    const parent = await w.enter((await w.newPerson("guardian", { child: pupil.getUserId() })).user_id);
    await w.say(pupil, classRoom, "между нами");
    const path = `/people/${q(pupil.getUserId())}/export`;
    for (const who of [parent, w.office, w.operator]) {
        const reply = await fetchExport(who, path);
        assert.equal(reply.status, 200);
        const all = Object.values(unzip(reply.body)).join();
        assert.ok(!all.includes("между нами"), "D8");
    }
    assert.ok(
        Object.values(unzip((await fetchExport(pupil, "/me/export")).body))
            .join()
            .includes("между нами"),
    );
    for (const who of [teacher, await w.still(w.one({ role: "head" }))]) await w.no(403, "G4", who, "GET", path);
    const { items } = await w.do(w.office, "GET", `/audit?school=${HERE}&act=person.export&limit=500`);
    const own = (await w.do(w.operator, "GET", "/audit?act=person.export&limit=500")).items;
    assert.ok(own.filter((e) => e.entry.subject.user === pupil.getUserId()).length >= 4, JSON.stringify(items));
});

const exported = async (who, path) => JSON.parse(unzip((await fetchExport(who, path)).body)["data.json"]);

test("A1, G4: what an office exports is of its own school: not where else somebody asked for a place, nor where they were", async () => {
    const person = await w.newClient("teacher");
    const path = `/people/${q(person.getUserId())}/export`;
    const there = (await w.do(w.operator, "GET", "/schools")).items.find((s) => s.school === ELSEWHERE).name;
    await w.do(w.operator, "POST", `/people/${q(person.getUserId())}/roles`, { school: ELSEWHERE, role: "staff" });
    await w.do(w.operator, "DELETE", `/people/${q(person.getUserId())}/roles/${ELSEWHERE}/staff`);
    const { token } = await w.do(w.operator, "POST", "/links", { kind: "school", school: ELSEWHERE, role: "teacher" });
    await w.do(person, "POST", "/applications", { token, bind_to: person.getUserId(), given_name: "Анна", family_name: "Петрова" });
    const own = await exported(person, "/me/export");
    assert.deepEqual(own.applications.map((a) => a.school), [there]);
    assert.ok(own.rooms.some((r) => r.membership === "leave"), "rooms of the other school");
    assert.deepEqual(await exported(w.operator, path).then((d) => d.applications.length), 1);
    const offices = await exported(w.office, path);
    assert.ok(!JSON.stringify(offices).includes(there), JSON.stringify(offices));
    assert.deepEqual([offices.applications, offices.roles.length, offices.rooms.filter((r) => r.membership !== "join")], [[], 1, []]);
    assert.ok(offices.rooms.length > 0, "its own");
    assert.ok([own, offices].every((data) => !JSON.stringify(data).includes("school_no")));
});

test("G1, G4: in an export a room that one has left has the name that it had then", async () => {
    const school = await w.newClass("9 «Прежняя»", "9");
    const pupil = await w.newClient("pupil", { class: school.class, birth_date: "2010-01-01" });
    await w.do(w.office, "POST", `/classes/${CLASS}/enrollments`, { user_id: pupil.getUserId(), role: "pupil" });
    await w.do(w.office, "DELETE", `/classes/${school.class}/enrollments/${q(pupil.getUserId())}/pupil`);
    await w.do(w.office, "PUT", `/classes/${school.class}`, { title: "9 «Нынешняя»", grade: "9" });
    const names = (data) => data.rooms.map((r) => `${r.membership} ${r.name}`).join();
    const data = await exported(pupil, "/me/export");
    assert.match(names(data), /leave [^,]*Прежняя/);
    assert.doesNotMatch(names(data), /Нынешняя/);
});

test("D9, G4: what somebody asked about a child from whom they are kept is in their export no more", async () => {
    const child = await newPupil({ birth_date: "2015-01-01" });
    const parent = await w.newClient("guardian", { child: child.getUserId() });
    const second = await newPupil({ birth_date: "2015-01-01" }); // or nothing would keep him here
    await w.do(w.operator, "POST", "/guardianships", { child: second.getUserId(), guardian: parent.getUserId() });
    await w.do(parent, "POST", `/me/children/${q(child.getUserId())}/corrections`, { birth_date: "2015-09-09", note: "Ошибка" });
    assert.equal((await exported(parent, "/me/export")).applications.length, 1);
    await w.do(w.office, "PUT", `/guardianships/${q(child.getUserId())}/${q(parent.getUserId())}/custody`, { custody: "no_contact", reason: "Решение суда № 2-114/2026" });
    assert.deepEqual((await exported(parent, "/me/export")).applications, []);
});

test("G4: erasure needs the password; what was written, the name and the account go, for everybody", async () => {
    const pupil = await newPupil({ given_name: "Аграфена", family_name: "Забвенская" });
    const id = pupil.getUserId();
    const { event_id } = await w.say(pupil, classRoom, "забудьте меня");
    await w.live(teacher);
    await seen(teacher, classRoom, (e) => e.getId() === event_id);
    assert.equal((await w.server.api(pupil, "POST", "/me/erase", { password: PASSWORD })).status, 401); // stories/proof tells more
    await w.do(pupil, "POST", "/me/erase");
    assert.equal((await outcome(pupil.whoami())).status, 401);
    assert.equal((await outcome(w.server.signIn(id, PASSWORD, { still: true }))).status, 403);
    await until(async () => !(await w.joined(classRoom)).includes(id), "the erasure to be done");
    assert.ok(!(await w.read(teacher, classRoom)).includes("забудьте меня"));
    await until(() => teacher.getRoom(classRoom).findEventById(event_id)?.isRedacted(), "the redaction to be seen");
    const event = await teacher.fetchRoomEvent(classRoom, event_id);
    assert.deepEqual(event.content, {});
    const left = [
        await teacher.roomState(classRoom),
        (await teacher.createMessagesRequest(classRoom, null, 500, "b")).chunk,
        (await w.do(w.operator, "GET", "/people?limit=500")).items,
        await outcome(teacher.getProfileInfo(id)),
        w.server.parta("audit", "export"),
    ];
    assert.ok(!JSON.stringify(left).includes("Забвенская") && !JSON.stringify(left).includes("Аграфена"));
    await w.server.end();
    const db = readFileSync(join(w.server.dir, "data", "parta.db"));
    await w.server.run();
    assert.ok(!db.includes("забудьте меня"), "not even in the file");
});

test("G4: a guardian erases a child's account; nobody else's", async () => {
    const pupil = await newPupil({ birth_date: "2015-01-01" });
    const parent = await w.enter((await w.newPerson("guardian", { child: pupil.getUserId() })).user_id);
    const other = await newPupil();
    const path = (who) => `/people/${q(who.getUserId())}/erase`;
    await w.no([403, 404], undefined, parent, "POST", path(other));
    await w.no(403, "G4", teacher, "POST", path(pupil));
    await w.do(parent, "POST", path(pupil));
    assert.equal((await outcome(pupil.whoami())).status, 401);
    await w.no(403, "I4", w.office, "POST", `/people/${q(w.one({ role: "pupil", class: "1А" }).id)}/erase`);
});

test("G3: the year turns in one step: classes rise, the last leave, old rooms stay to be read", async () => {
    const eleventh = await w.newClass("11Я", "11");
    const graduate = await w.newClient("pupil", { class: eleventh.class, birth_date: "2009-01-01" });
    const pupil = await w.still(w.one({ role: "pupil", class: "8А" }));
    const guardian = await w.still(w.one({ role: "guardian", class: "8А" }));
    await w.say(pupil, classRoom, "последнее слово восьмого");
    const inside = await w.joined(classRoom);
    const titles = async () =>
        (await w.do(w.office, "GET", `/classes?school=${HERE}&limit=500`)).items
            .filter((c) => !c.ended)
            .map((c) => c.title)
            .sort();
    const before = await titles();
    for (const who of [teacher, await w.still(w.one({ role: "head" }))])
        await w.no(403, "A4", who, "POST", `/schools/${HERE}/year`);
    const dry = await w.do(w.office, "POST", `/schools/${HERE}/year`, { dry_run: true });
    assert.ok(dry.dry_run && dry.difference.length > 0 && dry.changes.promoted >= 3);
    assert.deepEqual(await titles(), before, "a dry run changes nothing");
    assert.equal(await w.room("class", CLASS), classRoom);

    const turned = await w.do(w.office, "POST", `/schools/${HERE}/year`);
    assert.deepEqual(turned.changes, dry.changes);
    assert.ok((await titles()).includes("9А") && !(await titles()).includes("8А"));
    const next = await w.room("class", CLASS);
    assert.notEqual(next, classRoom);
    assert.deepEqual(await w.joined(next), inside);
    await w.roomsEqualRoster();
    assert.ok((await w.read(pupil, classRoom)).includes("последнее слово восьмого"));
    for (const who of [pupil, teacher]) {
        await refused(w.say(who, classRoom, "ещё одно"), "G3");
        await w.say(who, next, "девятый");
    }
    await refused(guardian.joinRoom(classRoom));
    await teacher.sendStateEvent(next, "m.room.topic", { topic: "9А" }, "");
    assert.equal((await outcome(graduate.whoami())).status, 401, "who has finished has left");
    await w.no(409, undefined, w.office, "POST", `/schools/${HERE}/year`);
    assert.ok(
        (await w.joined(await w.room("class", "s2-c003", ELSEWHERE))).length > 0,
        "the other school is where it was",
    );
});
