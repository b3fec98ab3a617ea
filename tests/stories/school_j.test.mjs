// H: accounts; J: trust. Decisions can be asked for beforehand, the office is bound by them, and its log shows tampering.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ELSEWHERE, HERE, World, outcome, q, refused } from "./world.mjs";

let w, classRoom;
const CLASS = "s1-c003"; // 8А

before(async () => {
    w = await World.start({ settings: "support:\n  page: https://school.example/help\n" });
    classRoom = await w.room("class", CLASS);
});

after(() => w?.stop());

/** Draws the same numbers each time. */
function drawing(seed) {
    let state = seed;
    const below = (n) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % n;
    return { below, of: (list) => list[below(list.length)] };
}

test("J1: what explain says is what happens, over many acts of many people", async () => {
    const draw = drawing(20260901);
    const roles = ["pupil", "guardian", "teacher", "class_teacher", "head", "administrator", "deputy", "external"];
    const people = roles
        .flatMap((role) => [w.one({ role }), ...w.all({ role }).slice(-2)])
        .concat(w.one({ role: "pupil", school: w.there }));
    const targets = [...people, w.one({ role: "class_teacher", school: w.there })];
    const clients = new Map(await Promise.all(people.map(async (p) => [p.id, await w.still(p)])));
    const leader = await w.still(w.one({ role: "class_teacher", class: "8А" }));
    const club = (await leader.createRoom({ name: "Кружок", preset: "public_chat" })).room_id;
    const direct = (await w.directWith(leader, w.one({ role: "pupil", class: "8А" }))).room_id;
    const rooms = [
        club,
        direct,
        classRoom,
        ...(await w.rooms())
            .filter((r) => ["announcements", "staff", "library", "guardians"].includes(r.kind))
            .map((r) => r.room_id),
    ];
    const acts = {
        join: { needs: "room", run: (c, room) => c.joinRoom(room) },
        leave: { needs: "room", run: (c, room) => c.leave(room) },
        knock: { needs: "room", run: (c, room) => c.knockRoom(room) },
        send: { needs: "room", run: (c, room) => w.say(c, room, "слово") },
        state: {
            needs: "room",
            event_type: "m.room.topic",
            run: (c, room) => c.sendStateEvent(room, "m.room.topic", { topic: "тема" }, ""),
        },
        publish: { needs: "room", run: (c, room) => c.setRoomDirectoryVisibility(room, "private") },
        upgrade_room: { needs: "room", run: (c, room) => c.upgradeRoom(room, "1x") },
        invite: { needs: "both", run: (c, room, id) => c.invite(room, id) },
        kick: { needs: "both", run: (c, room, id) => c.kick(room, id) },
        ban: { needs: "both", run: (c, room, id) => c.ban(room, id) },
        profile: { needs: "target", run: (c, room, id) => c.getProfileInfo(id) },
        create_room: { needs: "none", run: (c) => c.createRoom({ name: "Клуб" }) },
    };
    const tally = { allowed: 0, refused: 0 };
    for (let i = 0; i < 400; ++i) {
        const [act, { needs, event_type, run }] = draw.of(Object.entries(acts));
        const [actor, target, room] = [draw.of(people), draw.of(targets), draw.of(rooms)];
        if (act === "kick" && actor.id === target.id) continue; // that is to leave
        const question = { act, actor: actor.id, event_type };
        if (needs === "room" || needs === "both") question.room_id = room;
        if (needs === "target" || needs === "both") question.target = target.id;
        const told = await w.explain(question);
        const { status, body } = await outcome(
            Promise.resolve(run(clients.get(actor.id), room, target.id)).then((done) => ({
                event_id: done?.event_id,
                room_id: done?.room_id ?? done?.roomId,
            })),
        );
        const what = `${i}: ${JSON.stringify(question)} by ${actor.role} on ${target.role}: ${JSON.stringify([told.allowed, told.rules, status, body])}`;
        ++tally[told.allowed ? "allowed" : "refused"];
        if (told.allowed) assert.equal(body?.["org.parta.rule"], undefined, what);
        else assert.ok(status >= 400, what);
        const rule = told.rules.find((r) => r.decides);
        if (body?.["org.parta.rule"]) assert.equal(body["org.parta.rule"], rule.rule, what);
        if (body?.["org.parta.rule"]) assert.equal(body.error, `${rule.ru} / ${rule.en}`, what);
    }
    assert.ok(tally.allowed > 40 && tally.refused > 100, JSON.stringify(tally));
});

test("J1: whom a direct chat would be with is asked beforehand, too", async () => {
    const roles = ["pupil", "guardian", "teacher", "class_teacher", "head"];
    const people = roles.map((role) => w.one({ role })).concat(w.one({ role: "pupil", school: w.there }));
    for (const one of people) {
        const client = await w.still(one);
        for (const other of people) {
            if (one === other) continue;
            const told = await w.explain({ act: "create_room", kind: "direct", actor: one.id, target: other.id });
            const refused = await client.createRoom({ is_direct: true, invite: [other.id] }).then(
                () => null,
                (e) => e,
            );
            assert.equal(told.allowed, refused === null, `${one.role} to ${other.role}: ${JSON.stringify(told)}`);
        }
    }
});

test("J1: the office's acts are explained too, as themselves and as an operator", async () => {
    const teacher = await w.still(w.one({ role: "class_teacher", class: "8А" }));
    const acts = {
        records_write: () => w.api(teacher, "POST", "/classes", { school: HERE, title: "9Ю", grade: "9" }),
        policy: () => w.api(teacher, "PUT", `/schools/${HERE}/policy`, { document: {}, reason: "just because I can" }),
        audit: () => w.api(teacher, "GET", `/audit?school=${HERE}`),
        import: () => w.api(teacher, "POST", `/schools/${HERE}/year`, { dry_run: true }),
        link: () => w.api(teacher, "POST", "/links", { kind: "class", class: CLASS, role: "pupil" }),
    };
    for (const [act, run] of Object.entries(acts)) {
        const told = await w.explain({
            act,
            actor: teacher.getUserId(),
            school: HERE,
            ...(act === "link" && { class: CLASS }),
        });
        const { status, body } = await run();
        assert.equal(status < 300, told.allowed, `${act}: ${JSON.stringify([told, status, body])}`);
        if (!told.allowed) assert.equal(body["org.parta.rule"], told.rules.find((r) => r.decides).rule);
    }
    const before = (await w.do(w.operator, "GET", "/audit?newest=true&limit=1")).items[0].entry.seq;
    await w.do(teacher, "POST", "/explain", { act: "create_room" });
    assert.equal(
        (await w.do(w.operator, "GET", "/audit?newest=true&limit=1")).items[0].entry.seq,
        before,
        "asking changes nothing",
    );
    await w.no(403, "A4", await w.still(w.one({ role: "pupil", class: "8А" })), "POST", "/explain", {
        act: "create_room",
        actor: teacher.getUserId(),
    });
});

test("J2: an override needs a reason, and stands in the log with it", async () => {
    const person = w.one({ role: "pupil", class: "8А" });
    const path = `/people/${q(person.id)}`;
    const body = { given_name: "Вера", family_name: "Правкина" };
    await w.no(403, "I4", w.office, "PUT", path, body);
    await w.no(400, undefined, w.office, "PUT", path, body, w.because("потому"));
    await w.do(w.office, "PUT", path, body, w.because("Смена фамилии, свидетельство в школе"));
    const { items } = await w.do(w.office, "GET", `/audit?school=${HERE}&newest=true&limit=5`);
    const { entry } = items.find((e) => e.entry.subject?.user === person.id);
    assert.equal(entry.reason, "Смена фамилии, свидетельство в школе");
    assert.equal(entry.actor, w.office.getUserId());
    assert.ok(!JSON.stringify(entry).includes("Правкина"), "no names in the log");
    assert.ok(
        entry.changes.some((c) => c["="] === "person" && c.family_name === "changed"),
        JSON.stringify(entry.changes),
    );
    await w.no(403, "A4", await w.still(w.one({ role: "head" })), "PUT", path, body, w.because());
});

/** `parta audit verify` without server or configuration. */
function verify(lines, ...options) {
    const file = join(w.server.dir, "audit.jsonl");
    writeFileSync(file, lines.join("\n") + "\n");
    const { status, stdout, stderr } = spawnSync(
        join(process.env.PARTA_BUILD, "parta"),
        ["audit", "verify", ...options, file],
        { encoding: "utf8", env: { PATH: process.env.PATH } },
    );
    return { status, said: stdout + stderr };
}

test("J2: the exported log is verified offline; altered, dropped, swapped, inserted and cut-off entries are found", async () => {
    for (const role of ["pupil", "teacher", "staff"]) await w.newPerson(role, role === "pupil" ? { class: CLASS } : {});
    const head = (await w.do(w.operator, "GET", "/audit/head")).head;
    const { body } = await w.server.request("GET", "/_parta/v1/audit/export", { token: w.operator, raw: true });
    const lines = body.toString("utf8").trim().split("\n");
    assert.ok(lines.length > 6);
    const whole = verify(lines, "--head", head);
    assert.equal(whole.status, 0, whole.said);
    const key = JSON.parse(JSON.parse(lines[0]).entry).public_key;
    assert.equal(verify(lines, "--key", key).status, 0);
    const n = lines.length;
    const tampered = {
        altered: lines.with(3, lines[3].replace(/actor\\":\\"(.)/, 'actor\\":\\"x$1')),
        dropped: lines.toSpliced(3, 1),
        swapped: lines.with(3, lines[4]).with(4, lines[3]),
        doubled: lines.toSpliced(3, 0, lines[3]),
        "cut off": lines.slice(0, n - 1),
        "cut off, the header made to fit": lines.slice(0, n - 2),
        "without a header": lines.slice(1),
        "a signature of another entry": lines.with(
            3,
            JSON.stringify({ ...JSON.parse(lines[3]), signature: JSON.parse(lines[4]).signature }),
        ),
    };
    for (const [how, changed] of Object.entries(tampered)) {
        assert.notDeepEqual(changed, lines, how);
        const found = verify(changed, "--head", head);
        assert.equal(found.status, 1, `${how}: ${found.said}`);
        assert.match(found.said, /entry \d+/, how);
    }
    assert.equal(
        verify(lines, "--key", Buffer.alloc(32, 7).toString("base64").replace(/=+$/, "")).status,
        1,
        "another server's key",
    );
});

test("J2: what an act changed is in the log, before and after, also what followed", async () => {
    const entry = async (act) =>
        (await w.do(w.office, "GET", `/audit?school=${HERE}&act=${act}&newest=true&limit=1`)).items[0].entry;
    const has = (changes, wanted) =>
        assert.ok(
            changes.some((c) => Object.entries(wanted).every(([key, value]) => `${c[key]}` === `${value}`)),
            `${JSON.stringify(wanted)} in ${JSON.stringify(changes)}`,
        );
    const made = await w.newClass("4Ж", "4");
    const [one, two] = [await w.newPerson("class_teacher", { class: made.class }), await w.newPerson("teacher")];
    await w.do(w.office, "POST", `/classes/${made.class}/enrollments`, { user_id: two.user_id, role: "class_teacher" });
    const { changes } = await entry("enrollment.create");
    has(changes, { "-": "enrollment", class: made.class, person: one.person, role: "class_teacher" });
    has(changes, { "-": "role", person: one.person, role: "class_teacher", school: HERE });
    has(changes, { "+": "enrollment", class: made.class, person: two.person, role: "class_teacher" });
    has(changes, { "+": "power", person: two.person });
    has(changes, { "=": "account", state: "active,left", user: one.user_id }); /* it was all they were there */
    await w.do(w.office, "PUT", `/people/${q(two.user_id)}/standing`, { standing: "locked" });
    has((await entry("standing.change")).changes, { "=": "account", state: "active,locked", user: two.user_id });
    w.server.parta("token", "create");
    const { items } = await w.do(w.operator, "GET", "/audit?act=token.create&newest=true&limit=1");
    assert.equal(items[0].entry.actor, "operator:parta");
    has(items[0].entry.changes, { "+": "registration_token" });
});

test("J2: a school's part of the log is for its administrator, and holds that school only", async () => {
    await w.do(w.operator, "POST", "/classes", { school: ELSEWHERE, title: "3Й", grade: "3" });
    const { items } = await w.do(w.office, "GET", `/audit?school=${HERE}&limit=500`);
    assert.ok(
        items.length > 0 && items.every((e) => e.entry.school === HERE),
        JSON.stringify(items.find((e) => e.entry.school !== HERE)),
    );
    const { body } = await w.server.request("GET", `/_parta/v1/audit/export?school=${HERE}`, {
        token: w.office.getAccessToken(),
        raw: true,
    });
    assert.equal(verify(body.toString("utf8").trim().split("\n")).status, 0);
    assert.ok(!body.toString("utf8").includes(`"school\\":\\"${ELSEWHERE}`));
    await w.no([400, 403], undefined, w.office, "GET", "/audit");
});

test("J3: an administrator is bound as everyone: no way into rooms, no outsiders, no stepping over rules", async () => {
    const outside = w.one({ role: "pupil", school: w.there });
    const pupil = w.one({ role: "pupil", class: "8А" });
    await refused(w.office.joinRoom(classRoom), "E2");
    await refused(w.office.createMessagesRequest(classRoom, null, 5, "b"));
    await refused(w.office.invite(classRoom, outside.id));
    await refused(w.directWith(w.office, pupil), "F1");
    await w.no(
        404,
        undefined,
        w.office,
        "POST",
        `/classes/${CLASS}/enrollments`,
        { user_id: outside.id, role: "pupil" },
        w.because(),
    );
    const kin = (await w.do(w.operator, "GET", `/guardianships?school=${HERE}&limit=500`)).items;
    const full = kin.find((k) => kin.filter((other) => other.child === k.child).length === 2);
    const third = w.one({ role: "guardian", class: "1А" });
    for (const caller of [w.office, w.operator])
        await w.no(
            [403, 409],
            "D5",
            caller,
            "POST",
            "/guardianships",
            { child: full.child, guardian: third.id },
            w.because(),
        );
    await w.no(403, undefined, w.office, "POST", "/operators", { name: "me", scopes: ["all"] });
    await w.no(403, undefined, w.office, "GET", "/policy");
    await w.no(403, undefined, w.office, "POST", "/imports");
});

test("J3: a server administrator's flag opens no school, and an operator's token reaches as far as its scopes", async () => {
    const made = await w.server.makeUser("superuser", "superuser-password", true);
    const chief = w.server.client(made);
    await refused(chief.joinRoom(classRoom));
    await refused(chief.getProfileInfo(w.one({ role: "pupil" }).id));
    await w.no([403, 404], undefined, chief, "GET", `/people?school=${HERE}`);
    const reader = w.server.operator("reader", "read");
    await w.do(reader, "GET", `/people?school=${HERE}`);
    await w.no(403, "J3", reader, "POST", "/classes", { school: HERE, title: "2Ц", grade: "2" });
    await w.no(403, "J3", reader, "GET", `/audit?school=${HERE}`);
    await w.no(403, undefined, reader, "POST", "/operators", { name: "other", scopes: ["all"] });
    const token = (await w.do(w.operator, "POST", "/operators", { name: "passing", scopes: ["read"] })).token;
    const mine = (await w.do(w.operator, "GET", "/operators")).items.find((o) => o.name === "passing");
    await w.do(w.operator, "DELETE", `/operators/${mine.operator}`);
    await w.no(401, undefined, token, "GET", `/people?school=${HERE}`);
    for (const operator of [w.operator, reader]) {
        const reply = await w.server.request("GET", "/_matrix/client/v3/joined_rooms", { token: operator });
        assert.equal(reply.status, 401, "a token of the school API is no session");
    }
});

test("H1: people see their sessions and end them, the office those of its school; a new password ends the others", async () => {
    const person = w.one({ role: "pupil", class: "8А" });
    const [first, second, third] = await Promise.all(
        [1, 2, 3].map(() => w.server.signIn(person.id, person.password, { still: true })),
    );
    const { devices } = await first.getDevices();
    assert.ok([first, second, third].every((c) => devices.some((d) => d.device_id === c.getDeviceId())));
    const auth = {
        type: "m.login.password",
        identifier: { type: "m.id.user", user: person.id },
        password: person.password,
    };
    await first.deleteDevice(second.getDeviceId(), auth);
    assert.equal((await outcome(second.whoami())).status, 401);
    const path = `/people/${q(person.id)}/sessions`;
    for (const role of ["head", "class_teacher", "guardian"])
        await w.no(403, "A4", await w.still(w.one({ role })), "GET", path);
    const listed = (await w.do(w.office, "GET", path)).items.map((d) => d.device_id);
    assert.ok(listed.includes(third.getDeviceId()) && !listed.includes(second.getDeviceId()));
    await w.do(w.office, "DELETE", `${path}/${third.getDeviceId()}`);
    assert.equal((await outcome(third.whoami())).status, 401);
    const other = await w.server.signIn(person.id, person.password, { still: true });
    await first.setPassword(auth, "another-good-password", true);
    assert.equal((await outcome(other.whoami())).status, 401);
    await w.do(w.office, "DELETE", path);
    assert.equal((await outcome(first.whoami())).status, 401);
});

test("H2: help is one step away: in the well-known file and in refusals", async () => {
    const known = await w.server.request("GET", "/.well-known/matrix/support");
    assert.equal(known.body.support_page, "https://school.example/help");
    const told = await refused(w.office.joinRoom(classRoom), "E2");
    assert.equal(told["org.parta.help"], "https://school.example/help");
});
