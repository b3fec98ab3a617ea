// J5: whatever one person can make, hold or ask for is bounded, and who reaches a bound is told which. The rows up to a bound are
// put into the stopped server's database; then the real door is tried: once within it, once beyond.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DatabaseSync } from "node:sqlite";
import { HERE, V3, World, q } from "./world.mjs";

const CLASS = "s1-c003"; // 8А
let w, pupil, mate, teacher, secondTeacher, secondClass, office;

/** The rows of bounds.def: word → most. */
const DEF = readFileSync(new URL("../../homeserver/store/bounds.def", import.meta.url), "utf8");
const MOST = Object.fromEntries([...DEF.matchAll(/^X\(\w+, "(\w+)", (\d+),/gm)].map(([, word, most]) => [word, Number(most)]));
MOST.idempotency_keys = 1000;
MOST.idempotency_bytes = 16777216;
MOST.contacts = 10;

before(async () => {
    w = await World.start({ settings: "push:\n  gateways: [http://127.0.0.1:9]\n" });
    [pupil, mate] = await Promise.all(w.all({ role: "pupil", class: "8А" }).slice(0, 2).map((p) => w.still(p)));
    teacher = await w.still(w.one({ role: "class_teacher", class: "8А" }));
    const other = w.all({ role: "class_teacher" }).find((p) => p.id !== teacher.getUserId());
    secondTeacher = await w.still(other);
    secondClass = (await w.do(w.operator, "GET", "/classes?limit=500")).items.find((c) => c.title === other.class && c.school === HERE).class;
    office = w.office;
});

after(() => w?.stop());

const ask = (who, method, path, body, headers) =>
    w.server.request(method, path, { token: who?.getAccessToken(), body, headers });

/** Fills with rows up to one below each bound. */
async function fill(rows) {
    await w.server.end();
    const db = new DatabaseSync(join(w.server.dir, "data", "parta.db"));
    const user = (client) => db.prepare("SELECT user_no FROM users WHERE localpart = ?").get(client.getUserId().slice(1).split(":")[0]).user_no;
    const of = (sql, value) => Object.values(db.prepare(sql).get(value))[0];
    db.exec("PRAGMA foreign_keys = ON; BEGIN");
    for (const row of rows) row({ db, user, of });
    db.exec("COMMIT");
    db.close();
    await w.server.run();
}

/** n rows of a statement whose first parameter is the row's number. */
const times = (db, n, sql, ...values) => {
    const statement = db.prepare(sql);
    for (let i = 1; i <= n; ++i) statement.run(i, ...values);
};

test("J5: every bound is kept at the door, and told", async () => {
    const { room_id: club } = await teacher.createRoom({ name: "Клуб" });
    const { room_id: large } = await teacher.createRoom({ name: "Клуб" });
    for (let i = 0; i * 60010 + 70000 < MOST.room_state_bytes; ++i) { /* small ones, each of which becomes long */
        await teacher.sendStateEvent(large, "org.example.state", {}, `k${i}`);
        if (i > 0) await teacher.sendStateEvent(large, "org.example.state", { x: "y".repeat(60000) }, `k${i}`);
    }
    const invitedTo = [];
    for (let i = 0; i < MOST.invites; ++i) {
        const { room_id } = await teacher.createRoom({ name: `Клуб ${i}`, invite: [pupil.getUserId()] });
        invitedTo.push(room_id);
    }
    const { user_id: newcomer } = await w.newPerson("staff");
    const kinds = [
        ({ db, user }) => {
            const have = db.prepare("SELECT count(*) AS n FROM devices WHERE user_no = ?").get(user(mate)).n;
            times(db, MOST.sessions - 1 - have, "INSERT INTO devices (user_no, device_id, created_ms, last_seen_ms) VALUES (?2, 'D' || ?1, 1, ?3)", user(mate), Date.now());
        },
        ({ db, user }) => times(db, MOST.account_data - 1, "INSERT INTO account_data VALUES (?2, 0, 'x.' || ?1, '{}', 1)", user(pupil)),
        ({ db, user }) =>
            times(db, 31, "INSERT INTO account_data VALUES (?2, 0, 'long.' || ?1, ?3, 1)", user(mate), JSON.stringify("x".repeat(65000))),
        ({ db, user }) =>
            times(db, MOST.rooms - 1, "INSERT INTO rooms (room_id, version, creator, created_ms, kind) VALUES ('!x' || ?1 || ':a.example', '12', ?2, 1, 'club')", user(office)),
        ({ db, user, of }) =>
            times(db, MOST.aliases - 1, "INSERT INTO aliases VALUES ('#x' || ?1 || ':school.example', ?3, ?2)", user(teacher), of("SELECT room_no FROM rooms WHERE room_id = ?", club)),
        ({ db, of }) => {
            const room = of("SELECT room_no FROM rooms WHERE room_id = ?", club);
            const pos = of("SELECT max(pos) FROM room_state WHERE room_no = ?", room);
            const have = of("SELECT count(*) FROM room_state WHERE room_no = ? AND type <> 'm.room.member'", room);
            times(db, MOST.room_state - have, "INSERT INTO room_state VALUES (?2, 'x.filled', '' || ?1, ?3)", room, pos);
        },
        ({ db, user }) =>
            times(db, MOST.links - 1, "INSERT INTO links (token_hash, kind, role, issuer, issuer_name, uses_allowed, created_ms, expires_ms) VALUES (CAST('a' || ?1 AS BLOB), 'class', 'pupil', ?2, '', 1, 1, ?3)", user(teacher), Date.now() + 1e9),
        ({ db, of }) =>
            times(db, MOST.personal_links - 1, "INSERT INTO links (token_hash, kind, role, person, issuer_name, uses_allowed, created_ms, expires_ms) VALUES (CAST('b' || ?1 AS BLOB), 'personal', '', ?2, '', 1, 1, ?3)", of("SELECT user_no FROM users WHERE localpart = ?", newcomer.slice(1).split(":")[0]), Date.now() + 1e9),
        ({ db, user, of }) =>
            times(db, MOST.applications - 1, "INSERT INTO applications (kind, user_no, school_no, role, state, created_ms) VALUES ('join', ?2, ?3, 'guardian', 'withdrawn', ?1)", user(teacher), of("SELECT school_no FROM schools WHERE sourced_id = ?", HERE)),
        ({ db, user, of }) =>
            times(db, 1, "INSERT INTO held_messages (room_no, sender, type, content, due_ms, created_ms) VALUES (?3, ?2, 'm.room.message', ?5, ?4, ?1)", user(secondTeacher), of("SELECT room_no FROM rooms WHERE room_id = ?", club), Date.now() + 1e9, JSON.stringify("x".repeat(MOST.held_message_bytes - 60100))),
        ({ db, user }) =>
            times(db, MOST.pushers - 1, "INSERT INTO pushers (user_no, app_id, pushkey, device_no, kind, app_name, device_name, lang, data, gateway, id_only, enabled, set_ms) SELECT ?2, 'app', 'k' || ?1, max(device_no), 'http', 'x', 'x', 'ru', '{}', 'http://127.0.0.1:9', 1, 1, 1 FROM devices WHERE user_no = ?2", user(pupil)),
        ({ db, user, of }) =>
            times(db, MOST.thread_subscriptions - 1, "INSERT INTO thread_subscriptions VALUES (?2, -?1, ?3, 2, 1, 1)", user(mate), of("SELECT room_no FROM rooms WHERE room_id = ?", club)),
        ({ db, user }) => times(db, MOST.reports - 1, "INSERT INTO reports (kind, reporter, reason, created_ms) VALUES ('user', ?2, 'x', ?1)", user(pupil)),
        ({ db, user, of }) =>
            times(db, MOST.held_messages - 1, "INSERT INTO held_messages (room_no, sender, type, content, due_ms, created_ms) VALUES (?3, ?2, 'm.room.message', '{}', ?4, ?1)", user(teacher), of("SELECT room_no FROM rooms WHERE room_id = ?", club), Date.now() + 1e9),
        ({ db }) =>
            times(db, 1, "INSERT INTO idempotency VALUES (?2, CAST('k' || ?1 AS BLOB), CAST('r' AS BLOB), 200, 0, zeroblob(?4), ?3)", secondTeacher.getUserId(), Date.now(), MOST.idempotency_bytes - 1),
        ({ db }) =>
            times(db, MOST.idempotency_keys - 1, "INSERT INTO idempotency VALUES (?2, CAST('k' || ?1 AS BLOB), CAST('r' AS BLOB), 200, 0, CAST('x' AS BLOB), ?3)", office.getUserId(), Date.now()),
        ({ db, user }) => times(db, MOST.key_backups - 1, "INSERT INTO key_backups VALUES (?2, ?1, 'x', '{}', 0, 0, 0, 0)", user(pupil)),
        ({ db, user }) => times(db, 1, "INSERT INTO key_backups VALUES (?2, ?1, 'x', '{}', 0, ?3, 0, 0)", user(mate), MOST.backup_keys - 1),
        ({ db, user }) => times(db, 1, "INSERT INTO key_backups VALUES (?2, ?1, 'x', '{}', 0, 0, ?3, 0)", user(teacher), MOST.backup_key_bytes - 50),
    ];
    await fill(kinds);
    const classRoom = await w.room("class", CLASS);
    const secondRoom = await w.room("class", secondClass);
    const { token } = await w.do(w.operator, "POST", "/links", { kind: "class", class: CLASS, role: "guardian", uses: 10 });
    const { token: token2 } = await w.do(w.operator, "POST", "/links", { kind: "school", school: HERE, role: "staff", uses: 10 });
    const login = (n) =>
        ask(undefined, "POST", `${V3}/login`, {
            type: "m.login.password",
            identifier: { type: "m.id.user", user: mate.getUserId() },
            password: w.all({ role: "pupil", class: "8А" })[1].password,
            device_id: `NEW${n}`,
        });
    const ofTeacher = { bind_to: teacher.getUserId(), given_name: "Анна", family_name: "Орлова" };
    const minutes = new Date().getUTCHours() * 60 + new Date().getUTCMinutes();
    const at = (m) => `${String(Math.floor((((minutes + m) % 1440) + 1440) % 1440 / 60)).padStart(2, "0")}:${String(((minutes + m) % 60 + 60) % 60).padStart(2, "0")}`;
    const backUp = (who, n) =>
        ask(who, "PUT", `${V3}/room_keys/keys/${q("!r:school.example")}/s${n}?version=1`,
            { first_message_index: 0, forwarded_count: 0, is_verified: true, session_data: { c: "x" } });
    const WAYS = {
        sessions: login,
        account_data: (n) => ask(pupil, "PUT", `${V3}/user/${q(pupil.getUserId())}/account_data/y.${n}`, {}),
        account_data_bytes: (n) =>
            ask(mate, "PUT", `${V3}/user/${q(mate.getUserId())}/account_data/y.${n}`, { x: "x".repeat(65000) }),
        rooms: () => ask(office, "POST", `${V3}/createRoom`, { name: "Клуб" }),
        aliases: (n) => ask(teacher, "PUT", `${V3}/directory/room/${q(`#y${n}:school.example`)}`, { room_id: club }),
        room_state: (n) => ask(teacher, "PUT", `${V3}/rooms/${q(club)}/state/y.${n}`, {}),
        room_state_bytes: (n) => ask(teacher, "PUT", `${V3}/rooms/${q(large)}/state/org.example.state/k${n === 0 ? 0 : "more"}`, { x: "y".repeat(60000) }),
        invites: async (n) => {
            if (n === 0) return { status: 200 }; /* those above */
            return ask(teacher, "POST", `${V3}/rooms/${q(club)}/invite`, { user_id: pupil.getUserId() });
        },
        links: () => w.api(teacher, "POST", "/links", { kind: "class", class: CLASS, role: "pupil" }),
        personal_links: () => w.api(w.operator, "POST", "/links", { kind: "personal", user_id: newcomer }),
        applications: (n) => w.api(teacher, "POST", "/applications", { token: n === 0 ? token : token2, ...ofTeacher }),
        pushers: (n) =>
            ask(pupil, "POST", `${V3}/pushers/set`, { kind: "http", app_id: "app", pushkey: `new${n}`, app_display_name: "x", device_display_name: "x", lang: "ru", data: { url: "http://127.0.0.1:9/_matrix/push/v1/notify" } }),
        thread_subscriptions: async (n) => {
            const { body } = await ask(mate, "GET", `${V3}/rooms/${q(classRoom)}/state`);
            return ask(mate, "PUT", `/_matrix/client/unstable/io.element.msc4306/rooms/${q(classRoom)}/thread/${q(body[n].event_id)}/subscription`, {});
        },
        reports: () => ask(pupil, "POST", `${V3}/users/${q(mate.getUserId())}/report`, { reason: "x" }),
        held_messages: (n) => ask(teacher, "PUT", `${V3}/rooms/${q(classRoom)}/send/m.room.message/held${n}`, { msgtype: "m.text", body: "x" }),
        held_message_bytes: (n) => ask(secondTeacher, "PUT", `${V3}/rooms/${q(secondRoom)}/send/m.room.message/long${n}`, { msgtype: "m.text", body: "x".repeat(60000) }),
        key_backups: () => ask(pupil, "POST", `${V3}/room_keys/version`, { algorithm: "x", auth_data: {} }),
        backup_keys: (n) => backUp(mate, n),
        backup_key_bytes: (n) => backUp(teacher, n),
        idempotency_bytes: (n) =>
            w.api(secondTeacher, "POST", "/links", { kind: "class", class: secondClass, role: "pupil" }, { "idempotency-key": `f123456789abcdef${n}` }),
        idempotency_keys: (n) =>
            w.api(office, "POST", "/links", { kind: "class", class: CLASS, role: "pupil" }, { "idempotency-key": `0123456789abcdef${n}` }),
    };
    const tried = async ([word, way]) => {
        for (const n of [0, 1]) {
            const { status, body } = await way(n);
            const told = `${word}, ${n}: ${status} ${JSON.stringify(body)}`;
            if (n === 0) {
                assert.ok(status < 300, told);
                continue;
            }
            assert.equal(status, 403, told);
            assert.equal(body.errcode, "M_RESOURCE_LIMIT_EXCEEDED", told);
            assert.equal(body["org.parta.bound"], `${word}: ${MOST[word]}`);
        }
    };
    // contacts have a story of their own; for identities the doors are pages of a provider's (tests/unit/provider_sign_in.c)
    assert.deepEqual(Object.keys(WAYS).concat("contacts", "identities").sort(), Object.keys(MOST).sort(), "every bound has its door here");
    const quiet = { quiet_hours: { mode: "delay", from: at(-60), to: at(60), utc_offset: "+00:00" } };
    for (const word of ["held_messages", "held_message_bytes"]) {
        await w.withPolicy(quiet, () => tried([word, WAYS[word]]));
        delete WAYS[word];
    }
    for (const way of Object.entries(WAYS)) await tried(way);
});

test("J5: a session that was not seen for a month makes room for a new one", async () => {
    await fill([({ db, user }) => db.prepare("UPDATE devices SET last_seen_ms = 1 WHERE user_no = ? AND device_id LIKE 'D1.%'").run(user(mate))]);
    const { status } = await ask(undefined, "POST", `${V3}/login`, {
        type: "m.login.password",
        identifier: { type: "m.id.user", user: mate.getUserId() },
        password: w.all({ role: "pupil", class: "8А" })[1].password,
    });
    assert.equal(status, 200);
    const { devices } = (await ask(mate, "GET", `${V3}/devices`)).body;
    assert.ok(devices.length === MOST.sessions && !devices.some((d) => d.device_id === "D1.0"));
});
