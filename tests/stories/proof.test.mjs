// G4, H1: what cannot be taken back is done by the person, who proves once more who they are: the same interactive
// authentication and the same count of guesses at an account, at each of the doors.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { HERE, V3, World, postOffice, q } from "./world.mjs";

const PASSWORD = "correct-horse-battery";
const ROOT = new URL("../..", import.meta.url).pathname;
let w, doors;

before(async () => {
    w = await World.start({ post: await postOffice() });
    // Guesses are counted here; nothing else is.
    writeFileSync(w.server.config, readFileSync(w.server.config, "utf8").replace("account: off", "account: 1/min burst 10"));
    await w.server.restart();
    const { class: homeroom } = await w.newClass("5Ю", "5");
    const child = await w.newPerson("pupil", { class: homeroom, birth_date: "2015-01-01" });
    const parent = await w.enter((await w.newPerson("guardian", { child: child.user_id })).user_id);
    const waiting = await w.signUp({
        token: (await w.do(w.operator, "POST", "/links", { kind: "school", school: HERE, role: "staff" })).token,
        given_name: "Ждущая",
        family_name: "Заявка",
        contact: await w.proven(w.newPhone()),
    });
    const other = await w.newPerson("staff");
    const api = "/_parta/v1";
    // Each door: by whom, where, and what is asked beside the proof.
    doors = {
        [`POST ${api}/me/erase`]: [parent, `${api}/me/erase`, {}],
        [`POST ${api}/people/{userId}/erase`]: [parent, `${api}/people/${q(child.user_id)}/erase`, {}],
        [`POST ${api}/me/leave`]: [parent, `${api}/me/leave`, { school: HERE }],
        [`DELETE ${api}/me`]: [waiting, `${api}/me`, {}],
        [`POST ${V3}/account/deactivate`]: [parent, `${V3}/account/deactivate`, {}],
        [`POST ${V3}/account/password`]: [parent, `${V3}/account/password`, { new_password: "another-horse-battery" }],
        [`DELETE ${V3}/devices/{deviceId}`]: [parent, `${V3}/devices/${q(parent.getDeviceId())}`, {}],
        [`POST ${V3}/delete_devices`]: [parent, `${V3}/delete_devices`, { devices: [parent.getDeviceId()] }],
        [`POST ${V3}/account/3pid/add`]: [parent, `${V3}/account/3pid/add`, { sid: "x", client_secret: "y" }],
    };
    doors["by the office"] = [w.office, `${api}/people/${q(other.user_id)}/erase`, {}, "POST"];
});
after(() => w.stop());

const ask = ([who, path, body, method], name, auth) =>
    w.server.request(method ?? name.split(" ")[0], path, { token: who.getAccessToken(), body: auth ? { ...body, auth } : body });
const guess = (door, session, password = "not the password") => ({
    type: "m.login.password",
    identifier: { type: "m.id.user", user: door[0].getUserId() },
    password,
    session,
});

test("H1: the doors are all that the route tables know", () => {
    const found = new Set();
    for (const folder of ["client-api", "policy/api"]) {
        for (const file of readdirSync(`${ROOT}/${folder}`).filter((f) => f.endsWith(".c"))) {
            const text = readFileSync(`${ROOT}/${folder}/${file}`, "utf8");
            for (const [, method, prefix, path, flags] of text.matchAll(/\{HTTP_(\w+),\s*(V3 )?"([^"]+)",\s*\w+,([^}]*)\}/g))
                if (/ROUTE_PROOF|ROUTE_PROVES/.test(flags)) found.add(`${method} ${prefix ? V3 : ""}${path}`);
        }
    }
    assert.deepEqual([...found].sort(), Object.keys(doors).filter((d) => d.includes("/")).sort());
});

test("H1: a password is compared in two places only: signing in, and the stage of interactive authentication", () => {
    const callers = [];
    const walk = (folder) => {
        for (const entry of readdirSync(folder, { withFileTypes: true })) {
            const path = `${folder}/${entry.name}`;
            if (entry.isDirectory()) walk(path);
            else if (entry.name.endsWith(".c"))
                for (const [, name] of readFileSync(path, "utf8").matchAll(/^ .*\b(password_verify|login_check_password)\(/gm))
                    callers.push(`${path.slice(ROOT.length)}: ${name}`);
        }
    };
    for (const folder of ["homeserver", "policy", "client-api"]) walk(`${ROOT}${folder}`);
    assert.deepEqual(callers.map((c) => c.replace(/^\/+/, "")).sort(), [
        "client-api/login_common.c: login_check_password",
        "homeserver/accounts/login.c: password_verify",
        "homeserver/accounts/login.c: password_verify",
    ]);
});

test("G4, H1: at each door nothing is done without proof", async () => {
    for (const [name, door] of Object.entries(doors)) {
        const first = await ask(door, name);
        const told = `${name}: ${first.status} ${JSON.stringify(first.body)}`;
        assert.equal(first.status, 401, told);
        assert.deepEqual(first.body.flows, [{ stages: ["m.login.password"] }], told);
        const { status } = await w.server.request("GET", `${V3}/account/whoami`, { token: door[0].getAccessToken() });
        assert.equal(status, 200, `${name}: nothing has happened`);
    }
    // A session of one door opens no other.
    const [[one, at], [two, there]] = Object.entries(doors).slice(0, 2);
    const { session } = (await ask(at, one)).body;
    assert.equal((await ask(there, two, guess(there, session, PASSWORD))).status, 403);
});

test("H1: guesses are counted by account, whichever door they are made at", async () => {
    const mine = Object.entries(doors).filter(([, door]) => door[0].getUserId() === doors[`POST ${"/_parta/v1"}/me/erase`][0].getUserId());
    const seen = [];
    for (let i = 0; i < 10; ++i) {
        const [name, door] = mine[i % mine.length];
        const { session } = (await ask(door, name)).body;
        const told = await ask(door, name, guess(door, session));
        seen.push(told.status);
        assert.equal(told.body.errcode, "M_FORBIDDEN", `${name}: ${JSON.stringify(told.body)}`);
    }
    assert.deepEqual(new Set(seen), new Set([401]));
    for (const [name, door] of mine) {
        const { session } = (await ask(door, name)).body;
        for (const password of ["another guess", PASSWORD]) {
            const told = await ask(door, name, guess(door, session, password));
            assert.deepEqual([told.status, told.body.errcode], [429, "M_LIMIT_EXCEEDED"], `${name}: ${JSON.stringify(told.body)}`);
        }
    }
    const [[, [who]]] = mine;
    const login = await w.server.request("POST", `${V3}/login`, {
        body: { type: "m.login.password", identifier: { type: "m.id.user", user: who.getUserId() }, password: PASSWORD },
    });
    assert.equal(login.status, 429, "and signing in is one of them");
});

test("G4: with the password it is done", async () => {
    const waiting = doors["DELETE /_parta/v1/me"];
    const { session } = (await ask(waiting, "DELETE /_parta/v1/me")).body;
    assert.equal((await ask(waiting, "DELETE /_parta/v1/me", guess(waiting, session, PASSWORD))).status, 200);
    const office = doors["by the office"];
    const started = (await ask(office, "by the office")).body.session;
    const done = await ask(office, "by the office", guess(office, started, w.one({ role: "administrator" }).password));
    assert.equal(done.status, 200, JSON.stringify(done.body));
    // An operator's token is its own proof.
    const other = await w.newPerson("staff");
    await w.do(w.operator, "POST", `/people/${q(other.user_id)}/erase`);
});
