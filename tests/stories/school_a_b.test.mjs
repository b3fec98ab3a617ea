// A: the closed space; B: roles. Told by people of the sample's two schools. Numbers are those of school.md's rules.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { inRoom, sdk, until } from "./harness.mjs";
import { ELSEWHERE, HERE, V3, World, outcome, q, refused } from "./world.mjs";

let w, pupil, classmate, teacher, guardian, head, stranger, strangersTeacher, outsider, outsiders, classRoom;
const NOBODY = "@pnobody0000:school.example";

/* An application service is an outsider like any other, whatever its registration names: it acts as its own user, by its token. */
const AS_TOKEN = "as-token-of-the-outsider";
const registrations = mkdtempSync(join(tmpdir(), "parta-outsider-"));
writeFileSync(
    join(registrations, "bridge.yaml"),
    `id: bridge\nurl: null\nas_token: ${AS_TOKEN}\nhs_token: hs-token-of-the-outsider\nsender_localpart: _bridge\nrate_limited: false\n` +
        `namespaces:\n  users: [{exclusive: false, regex: '@.*'}]\n  aliases: [{exclusive: false, regex: '#.*'}]\n  rooms: [{exclusive: false, regex: '!.*'}]\n` +
        `org.parta.schools: [${HERE}]\n`,
    { mode: 0o600 },
);

before(async () => {
    w = await World.start({ settings: `appservices: ${registrations}\n` });
    const leader = w.one({ role: "class_teacher", class: "8А" });
    [pupil, classmate] = await Promise.all(
        w
            .all({ role: "pupil", class: "8А" })
            .slice(0, 2)
            .map((p) => w.still(p)),
    );
    teacher = await w.still(leader);
    guardian = await w.still(w.one({ role: "guardian", class: "8А" }));
    head = await w.still(w.one({ role: "head" }));
    stranger = await w.still(w.one({ role: "pupil", school: w.there }));
    strangersTeacher = await w.still(w.one({ role: "class_teacher", school: w.there }));
    await w.server.makeUser("outsider");
    outsider = await w.server.signIn("outsider", undefined, { still: true });
    const service = w.server.client({ user_id: "@_bridge:school.example", access_token: AS_TOKEN });
    assert.equal((await service.whoami()).user_id, "@_bridge:school.example");
    assert.equal((await post(service, "/_matrix/client/v1/appservice/bridge/ping")).body.errcode, "M_URL_NOT_SET");
    outsiders = [stranger, strangersTeacher, outsider, service];
    classRoom = await w.room("class", "s1-c003");
});

after(async () => {
    await w?.stop();
    rmSync(registrations, { recursive: true, force: true });
});

const post = (who, path, body = {}) => w.server.request("POST", path, { token: who.getAccessToken(), body });

/** An act as a promise that fails as the SDK's do. */
async function asked(reply) {
    const { status, body } = await reply;
    if (status < 300) return body;
    throw Object.assign(new Error(JSON.stringify(body)), { httpStatus: status, data: body });
}

test("A1: lists of schools, classes, people and rooms hold the caller's school only", async () => {
    const schools = (await w.do(w.office, "GET", "/schools")).items.map((s) => s.school);
    assert.deepEqual(schools, [HERE]);
    const classes = (await w.do(w.office, "GET", "/classes?limit=500")).items;
    assert.ok(classes.length > 0 && classes.every((c) => c.school === HERE));
    const here = new Set(w.all({}).map((p) => p.id));
    const people = (await w.do(w.office, "GET", `/people?school=${HERE}&limit=500`)).items;
    assert.ok(people.length > 0 && people.every((p) => here.has(p.user_id)));
    for (const person of people)
        assert.ok(
            person.roles.every((role) => role.school === HERE),
            JSON.stringify(person),
        );
    const both = w.server.people.filter((p) => p.school === w.there && here.has(p.id));
    assert.ok(both.length > 0, "the sample has families with children in both schools");
    for (const { schools } of await w.rooms().then((rooms) => rooms)) assert.deepEqual(schools, [HERE]);
});

test("A1: what another school has looks in the school API as what does not exist", async () => {
    const other = stranger.getUserId();
    const theirRoom = await w.room("class", "s2-c001", ELSEWHERE);
    const pairs = [
        ["GET", `/schools/${ELSEWHERE}`, "/schools/s99"],
        ["GET", `/schools/${ELSEWHERE}/policy`, "/schools/s99/policy"],
        ["POST", `/schools/${ELSEWHERE}/year`, "/schools/s99/year"],
        ["GET", "/classes/s2-c001", "/classes/s99-c001"],
        ["GET", "/classes/s2-c001/enrollments", "/classes/s99-c001/enrollments"],
        ["GET", `/people?school=${ELSEWHERE}`, "/people?school=s99"],
        ["GET", `/people/${q(other)}`, `/people/${q(NOBODY)}`],
        ["GET", `/people/${q(other)}/enrollments`, `/people/${q(NOBODY)}/enrollments`],
        ["GET", `/people/${q(other)}/sessions`, `/people/${q(NOBODY)}/sessions`],
        ["GET", `/people/${q(other)}/export`, `/people/${q(NOBODY)}/export`],
        ["POST", `/people/${q(other)}/erase`, `/people/${q(NOBODY)}/erase`],
        ["PUT", `/people/${q(other)}/standing`, `/people/${q(NOBODY)}/standing`, { standing: "locked" }],
        ["POST", `/people/${q(other)}/roles`, `/people/${q(NOBODY)}/roles`, { school: HERE, role: "teacher" }],
        ["GET", `/rooms/${q(theirRoom)}`, `/rooms/${q("!nothing:school.example")}`],
        ["GET", `/rooms/${q(theirRoom)}/members`, `/rooms/${q("!nothing:school.example")}/members`],
        ["GET", `/audit?school=${ELSEWHERE}`, "/audit?school=s99"],
        ["GET", `/me/children/${q(other)}/rooms`, `/me/children/${q(NOBODY)}/rooms`],
    ];
    for (const [method, theirs, nothing, body] of pairs) {
        const [there, nowhere] = [
            await w.api(w.office, method, theirs, body),
            await w.api(w.office, method, nothing, body),
        ];
        assert.equal(nowhere.status, 404, `${nothing}: ${JSON.stringify(nowhere.body)}`);
        assert.deepEqual([there.status, there.body], [nowhere.status, nowhere.body], theirs);
    }
});

test("A1: invite, kick, ban and a report of somebody elsewhere are answered as of nobody", async () => {
    const { room_id } = await teacher.createRoom({ name: "Кружок А1" });
    for (const who of [stranger.getUserId(), strangersTeacher.getUserId(), outsider.getUserId()]) {
        for (const act of ["invite", "kick", "ban", "unban"]) {
            const [there, nowhere] = await Promise.all([
                outcome(teacher[act](room_id, who)),
                outcome(teacher[act](room_id, NOBODY)),
            ]);
            assert.deepEqual(there, nowhere, `${act} ${who}`);
            assert.notEqual(there.status, 200, act);
        }
        const plan = (id) => ({ invite: [id], is_direct: true });
        const [there, nowhere] = await Promise.all([
            outcome(teacher.createRoom(plan(who))),
            outcome(teacher.createRoom(plan(NOBODY))),
        ]);
        assert.deepEqual(there, nowhere, "createRoom");
        const report = (id) => post(teacher, `${V3}/users/${q(id)}/report`, { reason: "?" });
        const [one, other] = [await report(who), await report(NOBODY)];
        assert.deepEqual([one.status, one.body], [other.status, other.body], "report");
    }
    await w
        .do(w.operator, "GET", "/reports")
        .then(({ items }) => assert.equal(items.length, 0, "nothing is kept of such reports"));
});

test("A1: a room of the school is to outsiders as one that does not exist, whichever door they try", async () => {
    const room = (
        await teacher.createRoom({
            name: "Кружок",
            preset: "public_chat",
            room_alias_name: "robots",
            visibility: "public",
        })
    ).room_id;
    const alias = "#robots:school.example";
    assert.equal((await pupil.getRoomIdForAlias(alias)).room_id, room, "to the school's own people it is there");
    for (const who of outsiders) {
        const told = []; // doors that tell that something is there
        const doors = {
            "look an alias up": (_, a) => who.getRoomIdForAlias(a),
            summary: (id) =>
                asked(
                    w.server.request("GET", `/_matrix/client/v1/room_summary/${q(id)}`, {
                        token: who.getAccessToken(),
                    }),
                ),
            hierarchy: (id) => who.getRoomHierarchy(id),
            messages: (id) => who.createMessagesRequest(id, null, 10, "b"),
            state: (id) => who.roomState(id),
            join: (id) => who.joinRoom(id),
            "join by alias": (_, a) => who.joinRoom(a),
            knock: (id) => who.knockRoom(id),
            leave: (id) => who.leave(id),
            send: (id) => w.say(who, id),
            upgrade: (id) => who.upgradeRoom(id, "12"),
            "read marker": (id) => who.setRoomReadMarkersHttpRequest(id, "$x"),
            typing: (id) => who.sendTyping(id, true, 1000),
            report: (id) => asked(post(who, `${V3}/rooms/${q(id)}/report`, { reason: "?" })),
        };
        for (const [door, open] of Object.entries(doors)) {
            const nowhere = await outcome(open("!AAAAAAAAAAAAAAAAAA:school.example", "#nothing:school.example"));
            for (const id of [room, classRoom]) {
                const there = await outcome(open(id, alias));
                if (JSON.stringify(there) !== JSON.stringify(nowhere)) told.push([door, there, nowhere]);
            }
        }
        assert.deepEqual(told, []);
        const listed = await who.publicRooms({ limit: 100 });
        assert.ok(
            listed.chunk.every((r) => r.room_id !== room),
            "directory",
        );
    }
});

/** Paths that begin with a name of the file's own, spelt out. */
function withoutMacros(text) {
    for (const [, name, value] of [...text.matchAll(/^#define (\w+) ("\/_matrix[^"]*")$/gm)])
        text = text.replaceAll(new RegExp(`(\\{HTTP_\\w+,\\s*)${name}\\b`, "g"), `$1${value}`);
    return text.replaceAll(/"\s+"/g, "");
}

/** Every route of the Client-Server API whose path names that: [method, path]. */
function routesWith(parameter) {
    const folder = new URL("../../client-api/", import.meta.url);
    const files = readdirSync(folder).filter((name) => name.endsWith(".c"));
    const text = files.map((name) => withoutMacros(readFileSync(new URL(name, folder), "utf8"))).join("");
    const table = text.matchAll(/\{HTTP_(\w+),\s*"(\/_matrix[^"]*)"/g);
    return [...table].map(([, method, path]) => [method, path]).filter(([, path]) => path.includes(`{${parameter}}`));
}

test("A1: names and numbers tell nothing of what other schools have", async () => {
    const there = await w.still(w.one({ school: w.there, role: "class_teacher" }));
    const office = await w.still(w.one({ school: w.there, role: "administrator" }));
    const alias = "#shakhmaty:school.example";
    const path = `/_matrix/client/v3/directory/room/${q(alias)}`;
    const rooms = [];
    for (const who of [teacher, there]) {
        const { room_id } = await who.createRoom({ name: "Шахматы" });
        rooms.push(room_id);
        await who.createAlias(alias, room_id);
        await who.createRoom({ name: "Шашки", room_alias_name: "shashki" });
        await assert.rejects(who.createRoom({ name: "Шашки", room_alias_name: "shashki" }), (e) => e.httpStatus === 400);
    }
    for (const [who, room] of [[teacher, rooms[0]], [there, rooms[1]]]) {
        assert.equal((await who.getRoomIdForAlias(alias)).room_id, room, "each school has its own");
        await who.sendStateEvent(room, "m.room.canonical_alias", { alias }, "");
    }
    await there.deleteAlias(alias);
    assert.equal((await teacher.getRoomIdForAlias(alias)).room_id, rooms[0]);
    const own = await w.server.request("PUT", path, { token: teacher.getAccessToken(), body: { room_id: rooms[0] } });
    assert.equal(own.status, 409, "one's own school's names are taken");

    /* sourcedIds: the same answer for what another school has and for what nobody has; asked behind the gate */
    const someone = { school: HERE, role: "staff", given_name: "Ян", family_name: "Новый" };
    const theirs = await w.do(w.operator, "POST", "/people", { ...someone, school: ELSEWHERE, person: "their-own" });
    await w.do(w.operator, "POST", "/classes", { school: ELSEWHERE, title: "1Щ", class: "their-class" });
    assert.ok(theirs.user_id);
    for (const [url, body, taken, free] of [
        ["/people", { ...someone }, { person: "their-own" }, { person: "nobodys" }],
        ["/classes", { school: HERE, title: "1Щ" }, { class: "their-class" }, { class: "nobodys" }],
        ["/schools", { name: "Школа" }, { school: ELSEWHERE }, { school: "nobodys" }],
    ])
        for (const who of [w.office, teacher]) {
            const [a, b] = [await w.api(who, "POST", url, { ...body, ...taken }), await w.api(who, "POST", url, { ...body, ...free })];
            assert.ok(a.status >= 400, url);
            assert.deepEqual([a.status, a.body], [b.status, b.body], url);
        }
    await w.do(w.office, "POST", "/people", { ...someone, person: `${HERE}:77` });
    await w.no(409, undefined, w.office, "POST", "/people", { ...someone, person: `${HERE}:77` });

    /* numbers: how many others made meanwhile is not in them */
    const link = async (who, school) =>
        Number((await w.do(who, "POST", "/links", { kind: "school", school, role: "staff" })).link);
    const entry = async (who, school) =>
        (await w.do(who, "GET", `/audit?school=${school}&newest=true&limit=1`)).items[0].entry.seq;
    const report = async (who, about) => {
        const asked = await w.server.request("POST", `/_matrix/client/v3/users/${q(about)}/report`, {
            token: who.getAccessToken(),
            body: { reason: "проверка" },
        });
        assert.equal(asked.status, 200, JSON.stringify(asked.body));
    };
    const newest = async () => Math.max(...(await w.do(w.office, "GET", `/reports?school=${HERE}`)).items.map((r) => r.report));
    const firsts = { link: await link(w.office, HERE), entry: await entry(w.office, HERE) };
    await report(pupil, classmate.getUserId());
    firsts.report = await newest();
    await link(office, ELSEWHERE);
    const seconds = { link: await link(w.office, HERE), entry: await entry(w.office, HERE) };
    await report(pupil, classmate.getUserId());
    seconds.report = await newest();
    for (const kind of Object.keys(firsts)) {
        assert.ok(Number.isSafeInteger(seconds[kind]) && firsts[kind] > 2 ** 40, JSON.stringify({ firsts, seconds }));
        assert.ok(seconds[kind] > firsts[kind] + 100, `${kind}: ${firsts[kind]}, ${seconds[kind]}`);
    }
    const head = async () => (await w.do(w.office, "GET", `/audit/head?school=${HERE}`)).head;
    const before = await head();
    await link(office, ELSEWHERE);
    assert.equal(await head(), before, "the log of a school ends with its own entries");
});

test("A1: every route that takes a room or a person answers an outsider alike, be there one or not", async () => {
    const values = {
        eventType: "m.room.topic",
        stateKey: "",
        eventId: "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        receiptType: "m.read",
        tag: "u.x",
        type: "org.example.x",
        relType: "m.thread",
        keyName: "displayname",
    };
    const body = {
        user_id: NOBODY,
        reason: "x",
        msgtype: "m.text",
        body: "x",
        topic: "x",
        typing: true,
        timeout: 100,
        new_version: "12",
        visibility: "public",
        displayname: "x",
        suspended: true,
        locked: true,
        membership: "join",
    };
    const pairs = [
        ["roomId", [classRoom, await w.room("announcements")], "!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
        ["roomIdOrAlias", [classRoom], "!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
        ["userId", [pupil.getUserId(), head.getUserId()], NOBODY],
    ];
    let [asked, told, unique] = [0, [], 0];
    for (const who of outsiders)
        for (const [parameter, existing, nothing] of pairs)
            for (const [method, path] of routesWith(parameter)) {
                const ask = async (value) => {
                    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name) =>
                        q(
                            name === parameter
                                ? value
                                : (values[name] ?? (name === "userId" ? who.getUserId() : `t${++unique}`)),
                        ),
                    );
                    ++asked;
                    const reply = await w.server.request(method, `${filled}?dir=b&limit=5&ts=0`, {
                        token: who.getAccessToken(),
                        body: ["PUT", "POST"].includes(method) ? body : undefined,
                    });
                    return JSON.stringify([reply.status, reply.body]).replaceAll(value, "");
                };
                const nowhere = await ask(nothing);
                for (const value of existing) {
                    const there = await ask(value);
                    if (there !== nowhere) told.push([method, path, there, nowhere]);
                }
            }
    assert.ok(asked > 400, "the route tables were found");
    assert.deepEqual(told, []);
});

test("A2: an outsider cannot join by id, alias, invite, knock, forged or restricted join", async () => {
    const club = (await teacher.createRoom({ name: "Открытый кружок", preset: "public_chat", room_alias_name: "open" }))
        .room_id;
    const knocking = (
        await teacher.createRoom({
            name: "Постучите",
            initial_state: [{ type: "m.room.join_rules", state_key: "", content: { join_rule: "knock" } }],
        })
    ).room_id;
    for (const who of outsiders) {
        const own =
            who === stranger ? undefined : (await who.createRoom({ name: "Своя", preset: "public_chat" })).room_id;
        for (const room of [classRoom, club, knocking]) {
            await refused(who.joinRoom(room));
            await refused(who.knockRoom(room));
            await refused(who.sendStateEvent(room, "m.room.member", { membership: "join" }, who.getUserId()));
            await refused(pupil.invite(room, who.getUserId()));
            await refused(teacher.invite(room, who.getUserId()));
        }
        await refused(who.joinRoom("#open:school.example"));
        if (!own) continue;
        const allow = [{ type: "m.room_membership", room_id: own }];
        const restricted = { type: "m.room.join_rules", state_key: "", content: { join_rule: "restricted", allow } };
        const plan = { name: "По членству", room_version: "11", initial_state: [restricted] };
        await assert.rejects(teacher.createRoom(plan), (e) => e.httpStatus === 400 && e.data["org.parta.rule"] === "G4");
        for (const theirs of [pupil, teacher]) {
            await refused(theirs.joinRoom(own));
            await refused(who.invite(own, theirs.getUserId()));
        }
    }
    const inside = await w.joined(classRoom);
    assert.ok(outsiders.every((who) => !inside.includes(who.getUserId())));
});

test("A2: a room upgrade lets no outsider in, and the new room keeps its school", async () => {
    const { room_id } = await teacher.createRoom({ name: "Переезд", preset: "public_chat", room_version: "11" });
    await pupil.joinRoom(room_id);
    const { replacement_room } = await teacher.upgradeRoom(room_id, "12");
    for (const who of outsiders) {
        await refused(who.joinRoom(room_id));
        await refused(who.joinRoom(replacement_room));
        await refused(teacher.invite(replacement_room, who.getUserId()));
        await refused(who.upgradeRoom(classRoom, "12"));
    }
    await pupil.joinRoom(replacement_room);
    assert.ok((await w.joined(replacement_room)).includes(pupil.getUserId()));
});

test("A2: nor do the administrator's own API and the operator's let them in", async () => {
    for (const caller of [w.office, w.operator]) {
        for (const who of [stranger, outsider]) {
            const path = `/rooms/${q(classRoom)}/named/${q(who.getUserId())}`;
            const reply = await w.api(caller, "PUT", path, {}, w.because());
            assert.ok(reply.status >= 400, `${path}: ${JSON.stringify(reply.body)}`);
        }
        const enrolled = await w.api(w.office, "POST", "/classes/s1-c003/enrollments", {
            user_id: stranger.getUserId(),
            role: "pupil",
        });
        assert.equal(enrolled.status, 404);
    }
    assert.ok(!(await w.joined(classRoom)).includes(stranger.getUserId()));
});

test("A3: a pending account signs in, sees who must confirm it, and nothing else", async () => {
    const { token } = await w.do(w.operator, "POST", "/links", { kind: "class", class: "s1-c003", role: "pupil" });
    const waiting = await w.signUp({ token, given_name: "Мария", family_name: "Ждущая", birth_date: "2012-02-02" });
    const me = await w.me(waiting);
    assert.equal(me.standing, "pending");
    assert.deepEqual(
        me.applications[0].confirmers.map((c) => c.post),
        ["administrator"],
    );
    assert.ok(me.notices.some((n) => n.rule === "A3"));
    const acts = {
        join: () => waiting.joinRoom(classRoom),
        create: () => waiting.createRoom({}),
        direct: () => w.directWith(waiting, teacher),
        profile: () => waiting.getProfileInfo(pupil.getUserId()),
        people: () => waiting.searchUserDirectory({ term: "а" }),
        rooms: () => waiting.publicRooms({}),
        sync: () => asked(w.server.request("GET", `${V3}/sync?timeout=0`, { token: waiting.getAccessToken() })),
    };
    for (const [name, act] of Object.entries(acts)) {
        const { status, body } = await outcome(act());
        assert.deepEqual([status, body.errcode], [403, "M_FORBIDDEN"], name);
    }
    for (const path of [
        `/people?school=${HERE}`,
        "/classes",
        `/rooms?school=${HERE}`,
        "/links",
        "/applications",
        "/reports",
        "/me/children",
    ]) {
        const reply = await w.api(waiting, "GET", path);
        assert.ok(reply.status >= 400 || reply.body.items.length === 0, `${path}: ${JSON.stringify(reply.body)}`);
    }
    await refused(teacher.invite(classRoom, waiting.getUserId()));
    assert.ok(!(await w.joined(classRoom)).includes(waiting.getUserId()));
});

test("A3: a suspended account reads and leaves; a locked one is told so; both come back", async () => {
    const person = w.all({ role: "pupil", class: "8А" })[3];
    const client = await w.live(person);
    const { event_id } = await w.say(client, classRoom, "до");
    const admin = (what, value) =>
        w.server.request("PUT", `/_matrix/client/v1/admin/${what}/${q(person.id)}`, {
            token: w.office.getAccessToken(),
            body: value,
        });
    assert.equal((await admin("suspend", { suspended: true })).status, 200);
    const error = await outcome(w.say(client, classRoom, "во время"));
    assert.deepEqual([error.status, error.body.errcode], [403, "M_USER_SUSPENDED"]);
    assert.ok((await w.read(client, classRoom)).includes("до"), "reads");
    await client.redactEvent(classRoom, event_id);
    assert.equal((await admin("suspend", { suspended: false })).status, 200);
    await w.say(client, classRoom, "после");
    assert.equal((await admin("lock", { locked: true })).status, 200);
    const locked = await outcome(client.whoami());
    assert.deepEqual([locked.status, locked.body.errcode, locked.body.soft_logout], [401, "M_USER_LOCKED", true]);
    assert.equal((await admin("lock", { locked: false })).status, 200);
    assert.equal((await client.whoami()).user_id, person.id);
    assert.ok((await w.joined(classRoom)).includes(person.id), "the place in the class was kept");
});

test("A3: only the office of the person's school suspends and locks", async () => {
    const put = (who, what, whom) =>
        w.server.request("PUT", `/_matrix/client/v1/admin/${what}/${q(whom)}`, {
            token: who.getAccessToken(),
            body: { suspended: true, locked: true },
        });
    for (const who of [pupil, teacher, guardian, head, stranger, outsider])
        for (const what of ["suspend", "lock"])
            assert.equal((await put(who, what, classmate.getUserId())).status, 403, what);
    const [there, nowhere] = [await put(w.office, "lock", stranger.getUserId()), await put(w.office, "lock", NOBODY)];
    assert.deepEqual([there.status, there.body], [nowhere.status, nowhere.body]);
    assert.equal((await stranger.whoami()).user_id, stranger.getUserId());
    const own = `/people/${q(w.office.getUserId())}/standing`;
    await w.no(403, undefined, w.office, "PUT", own, { standing: "locked" });
});

test("A4: power levels alone give nobody what a role does not", async () => {
    const { room_id } = await teacher.createRoom({ name: "Кружок А4", room_version: "11" });
    await teacher.invite(room_id, pupil.getUserId());
    await pupil.joinRoom(room_id);
    const levels = await teacher.getStateEvent(room_id, "m.room.power_levels", "");
    await teacher.sendStateEvent(
        room_id,
        "m.room.power_levels",
        { ...levels, users: { ...levels.users, [pupil.getUserId()]: 100 } },
        "",
    );
    await refused(pupil.invite(room_id, stranger.getUserId()));
    await refused(pupil.sendEvent(room_id, "m.poll.start", { "m.text": [{ body: "?" }] }), "F4");
    await refused(pupil.createRoom({ name: "Клуб учеников" }), "E5");
    for (const path of [`/people?school=${HERE}`, `/rooms?school=${HERE}`, `/audit?school=${HERE}`])
        await w.no(403, "A4", pupil, "GET", path);
    const ofClass = (who, id) => w.api(who, "GET", `/people?class=${id}`);
    assert.equal((await ofClass(teacher, "s1-c003")).body.items.length > 8, true, "the class teacher's own class");
    for (const [who, id] of [
        [teacher, "s1-c001"],
        [guardian, "s1-c003"],
        [head, "s1-c003"],
    ])
        assert.equal((await ofClass(who, id)).status, 403);
    await w.no(403, "A4", teacher, "POST", "/classes", { school: HERE, title: "Своя", grade: "5" });
});

test("A5: no identity server, no federation, no third-party invite; nothing of a person in ids", async () => {
    const known = await w.server.request("GET", "/.well-known/matrix/client");
    assert.equal(known.body["m.identity_server"], undefined);
    for (const path of [
        "/_matrix/federation/v1/version",
        "/_matrix/key/v2/server",
        "/_matrix/media/v3/preview_url?url=http://example.org",
    ])
        assert.equal((await w.server.request("GET", path)).status, 404, path);
    const invite = { id_server: "id.example", id_access_token: "t", medium: "email", address: "a@example.org" };
    const club = (await teacher.createRoom({ name: "Кружок А5" })).room_id;
    assert.equal((await post(teacher, `${V3}/rooms/${q(club)}/invite`, invite)).status, 403);
    await refused(teacher.sendStateEvent(club, "m.room.third_party_invite", { display_name: "a" }, "x"), "A5");
    for (const person of w.server.people) assert.match(person.id, /^@p[a-z0-9]{10}:school\.example$/);
    const profile = await pupil.getProfileInfo(teacher.getUserId());
    assert.deepEqual(
        Object.keys(profile).filter((key) => !["displayname", "avatar_url"].includes(key)),
        [],
    );
});

test("A6: profiles are read within the school or a room; outside it they are as nobody's", async () => {
    assert.ok((await pupil.getProfileInfo(head.getUserId())).displayname);
    for (const who of outsiders)
        assert.deepEqual(
            await outcome(who.getProfileInfo(pupil.getUserId())),
            await outcome(who.getProfileInfo(NOBODY)),
        );
    assert.deepEqual(
        await outcome(pupil.getProfileInfo(stranger.getUserId())),
        await outcome(pupil.getProfileInfo(NOBODY)),
    );
    const bare = await w.server.request("GET", `${V3}/profile/${q(pupil.getUserId())}`);
    const nobody = await w.server.request("GET", `${V3}/profile/${q(NOBODY)}`);
    assert.deepEqual([bare.status, bare.body], [nobody.status, nobody.body], "nobody signed in");
});

test("A6: the directory finds only those whom the searcher may contact", async () => {
    const finds = async (who, person) => {
        const term = person.name.split(" ").at(-1);
        const { results } = await who.searchUserDirectory({ term, limit: 100 });
        return results.some((r) => r.user_id === person.id);
    };
    const leader = w.one({ role: "class_teacher", class: "8А" });
    const [me, mate] = w.all({ role: "pupil", class: "8А" });
    const younger = w.one({ role: "pupil", class: "1А" });
    assert.ok(await finds(pupil, mate), "a classmate");
    assert.ok(await finds(pupil, leader), "the class teacher");
    assert.ok(!(await finds(pupil, younger)), "not a pupil of another class");
    assert.ok(!(await finds(pupil, w.one({ role: "head" }))), "not the head");
    assert.ok(await finds(head, leader), "staff find staff");
    assert.ok(!(await finds(guardian, younger)), "a guardian does not find others' children");
    for (const who of outsiders) assert.ok(!(await finds(who, me)));
});

test("B1: each role is in its rooms, and the regional operator in none", async () => {
    const staff = await w.joined(await w.room("staff"));
    const board = await w.joined(await w.room("announcements"));
    const guardians = await w.joined(await w.room("guardians", "s1-c003"));
    for (const role of ["teacher", "class_teacher", "head", "deputy", "administrator"])
        for (const { id } of w.all({ role })) assert.ok(staff.includes(id) && board.includes(id), role);
    for (const role of ["pupil", "guardian"]) for (const { id } of w.all({ role })) assert.ok(board.includes(id), role);
    for (const { id } of w.all({ role: "guardian", class: "8А" })) assert.ok(guardians.includes(id));
    for (const { id } of w.all({ role: "external" })) assert.ok(!staff.includes(id) && !board.includes(id), "external");
    for (const room of await w.rooms())
        assert.ok(
            (await w.joined(room.room_id)).every(
                (id) => w.server.people.some((p) => p.id === id) || id.startsWith("@p"),
            ),
            room.name,
        );
});

test("B2: a teacher who is a parent has both rights, in one account", async () => {
    const both = w
        .all({ role: "class_teacher" })
        .find((t) => w.rolesOf(t.id).some((r) => r.role === "guardian" && r.school === w.here));
    const client = await w.still(both);
    const me = await w.me(client);
    assert.deepEqual([...new Set(me.roles.map((r) => r.role))].sort(), ["class_teacher", "guardian", "teacher"]);
    const child = me.children[0].user_id;
    const childsClass = w.rolesOf(both.id).find((r) => r.role === "guardian").class;
    const otherParent = w
        .all({ role: "guardian", class: childsClass })
        .find((p) => p.id !== both.id && !w.rolesOf(p.id).some((r) => r.role !== "guardian"));
    await w.directWith(client, { id: child });
    await w.directWith(client, otherParent);
    await w.directWith(client, w.one({ role: "pupil", class: both.class }));
    await w.directWith(client, w.one({ role: "head" }));
    const foreign = w.one({ role: "pupil", class: "8А" });
    await refused(w.directWith(client, foreign), "F1");
    const childless = w
        .all({ role: "guardian" })
        .find(
            (p) =>
                p.class !== childsClass &&
                p.class !== both.class &&
                !w.rolesOf(p.id).some((r) => [childsClass, both.class].includes(r.class)),
        );
    await refused(w.directWith(client, childless), "F1");
});

test("B2: the relation decides, not the strongest role: a teacher's powers reach no child of another class", async () => {
    await refused(w.directWith(head, pupil), "F1");
    await refused(w.directWith(teacher, w.one({ role: "pupil", class: "1А" })), "F1");
    await w.directWith(teacher, pupil);
});

test("B3: names and roles come from the records, never from what somebody types", async () => {
    const before = (await classmate.getProfileInfo(pupil.getUserId())).displayname;
    await refused(pupil.setDisplayName("Директор"), "B3");
    await refused(
        asked(
            w.server.request("PUT", `${V3}/profile/${q(pupil.getUserId())}/displayname`, {
                token: pupil.getAccessToken(),
                body: { displayname: "Завуч" },
            }),
        ),
        "B3",
    );
    const member = { membership: "join", displayname: "Директор" };
    await pupil.sendStateEvent(classRoom, "m.room.member", member, pupil.getUserId()).catch(() => {});
    assert.equal((await teacher.getStateEvent(classRoom, "m.room.member", pupil.getUserId())).displayname, before);
    assert.match(
        (await pupil.getProfileInfo(teacher.getUserId())).displayname,
        /^\S+ \S+ \S+$/,
        "adults with their patronymic",
    );
    const { token } = await w.do(w.operator, "POST", "/links", { kind: "class", class: "s1-c003", role: "pupil" });
    const told = { token, given_name: "Пётр", family_name: "Хитрый", note: "я директор" };
    await w.no(400, undefined, undefined, "POST", "/signup", { ...told, password: "correct-horse-battery", role: "head" });
    const liar = await w.signUp(told);
    assert.equal((await w.me(liar)).applications[0].role, "pupil");
});

test("B3: an administrator corrects a role afterwards", async () => {
    const person = await w.newPerson("staff");
    const client = await w.enter(person.user_id);
    await refused(client.joinRoom(classRoom));
    await w.do(w.office, "DELETE", `/people/${q(person.user_id)}/roles/${HERE}/staff`);
    assert.equal((await outcome(client.whoami())).status, 401, "no school is left: signed out");
    assert.equal((await w.do(w.operator, "GET", `/people/${q(person.user_id)}`)).standing, "left");
});
