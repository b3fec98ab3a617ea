// G4, H1: what cannot be taken back is done by the person, who proves once more who they are: the same interactive
// authentication and the same count of guesses at an account, at each of the doors.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
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
        "POST /_matrix/client/v1/login/get_token": [parent, "/_matrix/client/v1/login/get_token", {}],
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

test("H1: a session's guesses are counted together, whichever door they are made at", async () => {
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
    assert.equal(login.status, 200, "a session that guesses slows itself, and nobody who signs in");
});

/** A browser as curl is one: its cookies, and the form of the page that it was shown last. */
class Browser {
    cookies = {};
    async open(path, fields) {
        const reply = await fetch(w.server.url + path, {
            method: fields ? "POST" : "GET",
            redirect: "manual",
            headers: {
                cookie: Object.entries(this.cookies).map(([k, v]) => `${k}=${v}`).join("; "),
                ...(fields ? { origin: w.server.url, "content-type": "application/x-www-form-urlencoded" } : {}),
            },
            body: fields && new URLSearchParams({ form: this.form(path), ...fields }).toString(),
        });
        for (const line of reply.headers.getSetCookie()) {
            const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
            if (/Max-Age=0/.test(line)) delete this.cookies[name];
            else this.cookies[name] = value;
        }
        this.page = await reply.text();
        this.location = reply.headers.get("location");
        return reply.status;
    }
    form = (path) => this.page.match(new RegExp(`action="${path}">\\s*<input type="hidden" name="form" value="([^"]*)"`))[1];
    async signIn(person, password = person.password) {
        await this.open("/parta/sign-in");
        return this.open("/parta/sign-in", { user: person.id, password });
    }
}

test("H1: strangers who guess slow strangers; the browser that signed in before is none", async () => {
    const person = w.one({ role: "teacher" });
    const [own, strange] = [new Browser(), new Browser()];
    assert.equal(await own.signIn(person), 303);
    await own.open("/parta/account");
    assert.equal(await own.open("/parta/sign-out", {}), 303);
    let status;
    for (let i = 0; (status = await strange.signIn(person, "a guess")) !== 429; ++i) assert.ok(i < 10 && status === 403, `${i}: ${status}`);
    assert.equal(await strange.signIn(person), 429, "with the password, too");
    assert.equal(await own.signIn(person), 303);
    const known = own.cookies["parta-known"];
    Object.assign(strange.cookies, { "parta-known": known.slice(0, 16) + known.slice(16).split("").reverse().join("") });
    assert.equal(await strange.signIn(person), 429, "the name of a browser is not enough");
    assert.equal(await own.signIn(w.one({ role: "class_teacher" })), 303, "and others sign in with it as strangers");
});

/** RFC 6238, of a base32 secret. */
function totp(secret, step) {
    let bits = "";
    for (const c of secret) bits += "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0");
    const message = Buffer.alloc(8);
    message.writeBigUInt64BE(BigInt(step));
    const mac = createHmac("sha1", Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)))).update(message).digest();
    return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1000000).padStart(6, "0");
}

test("H1: a second factor is asked for on the pages, of apps and before acts of weight; turning it off needs it", async () => {
    const person = w.one({ role: "teacher" }, 1);
    const page = new Browser();
    const FACTOR = "/parta/account/second-factor";
    const login = (password) =>
        w.server.request("POST", `${V3}/login`, { body: { type: "m.login.password", identifier: { type: "m.id.user", user: person.id }, password, device_id: "APP" } });
    assert.equal((await login(person.password)).status, 200); // the place is known from now on
    await page.signIn(person);
    await page.open(FACTOR);
    const secret = page.page.match(/name="secret" value="([A-Z2-7]{32})"/)[1];
    const step = Math.floor(Date.now() / 30000);
    assert.equal(await page.open(FACTOR, { secret, code: "000000", password: person.password }), 403);
    assert.ok(page.page.includes(secret), "the same secret, for the app has it by now");
    assert.equal(await page.open(FACTOR, { secret, code: totp(secret, step), password: person.password }), 200);
    const codes = [...page.page.matchAll(/<li><code>([a-z2-9-]{19})<\/code>/g)].map((m) => m[1]);
    assert.equal(codes.length, 10);

    const other = new Browser();
    assert.equal(await other.signIn(person), 200);
    assert.equal(other.cookies["parta-session"], undefined, "the password alone lets nobody in");
    const token = () => other.page.match(/name="token" value="(\w+)"/)[1];
    assert.equal(await other.open("/parta/sign-in/code", { token: token(), code: totp(secret, step) }), 403, "it was used");
    assert.equal(await other.open("/parta/sign-in/code", { token: token(), code: totp(secret, step + 1) }), 303);
    await other.open(FACTOR);
    assert.equal(await other.open(`${FACTOR}/once`, { password: person.password, factor: "wrong" }), 403);
    assert.equal(await other.open(`${FACTOR}/once`, { password: person.password, factor: codes[0] }), 200);
    const once = other.page.match(/<code>(\w{43})<\/code>/)[1];

    const refused = await login(person.password);
    assert.deepEqual([refused.status, refused.body.errcode], [403, "M_FORBIDDEN"]);
    const { status, body } = await login(once);
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal((await login(once)).status, 403);

    // A client that knows no such stage opens it in a browser, where nobody need be signed in, and goes on with the session alone.
    const FALLBACK = `${V3}/auth/org.parta.second_factor/fallback/web`;
    const remove = (auth) => w.server.request("POST", `${V3}/delete_devices`, { token: body.access_token, body: { devices: ["GONE"], ...(auth ? { auth } : {}) } });
    const known = { type: "m.login.password", identifier: { type: "m.id.user", user: person.id }, password: person.password };
    const { session } = (await remove()).body;
    assert.deepEqual((await remove({ ...known, session })).body.completed, ["m.login.password"]);
    const anywhere = new Browser();
    anywhere.cookies["parta-known"] = page.cookies["parta-known"]; // its guesses are counted apart
    assert.equal(await anywhere.open(FALLBACK), 404);
    assert.equal(await anywhere.open(`${FALLBACK}?session=nobodys`), 404);
    assert.equal(await anywhere.open(`${FALLBACK}?session=${session}`), 200);
    assert.equal(await anywhere.open(FALLBACK, { session, code: codes[0] }), 403, "spent");
    assert.deepEqual((await remove({ session })).body.completed, ["m.login.password"]);
    assert.equal(await anywhere.open(FALLBACK, { session, code: codes[3] }), 200);
    assert.match(anywhere.page, /id="auth-done"/);
    assert.equal((await remove({ session })).status, 200);
    assert.equal(await anywhere.open(FALLBACK.replace("web", "web?session=") + session), 404, "it is over");

    const act = (auth) => w.server.request("DELETE", `${V3}/devices/APP`, { token: body.access_token, body: auth ? { auth } : {} });
    const asked = (await act()).body;
    assert.deepEqual(asked.flows, [{ stages: ["m.login.password", "org.parta.second_factor"] }]);
    const auth = { session: asked.session, type: "m.login.password", identifier: { type: "m.id.user", user: person.id }, password: person.password };
    assert.deepEqual((await act(auth)).body.completed, ["m.login.password"]);
    assert.equal((await act({ session: asked.session, type: "org.parta.second_factor", code: codes[0] })).status, 401, "spent");
    assert.equal((await act({ session: asked.session, type: "org.parta.second_factor", code: codes[1] })).status, 200);

    await other.open(FACTOR);
    assert.equal(await other.open(`${FACTOR}/end`, { password: person.password, factor: "" }), 403);
    assert.equal(await other.open(`${FACTOR}/end`, { password: person.password, factor: codes[2] }), 303);
    assert.equal((await login(person.password)).status, 200);

    // Who has lost phone and recovery codes goes to the office, which says why; nobody does it to themself.
    await other.open(FACTOR);
    const next = other.page.match(/name="secret" value="([A-Z2-7]{32})"/)[1];
    assert.notEqual(next, secret);
    assert.equal(await other.open(FACTOR, { secret: next, code: totp(next, Math.floor(Date.now() / 30000)), password: person.password }), 200);
    const reset = (who, id, reason) =>
        w.server.request("POST", `/_parta/v1/people/${q(id)}/second-factor/reset`, { token: who.getAccessToken(), body: { reason } });
    const why = "Телефон потерян, личность проверена";
    assert.equal((await reset(w.office, person.id, "нет")).status, 400);
    assert.equal((await reset(w.office, w.office.getUserId(), why)).status, 403);
    assert.equal((await reset(doors[`POST ${"/_parta/v1"}/me/erase`][0], person.id, why)).status, 403);
    assert.equal((await login(person.password)).status, 403);
    assert.equal((await reset(w.office, person.id, why)).status, 200);
    assert.equal((await login(person.password)).status, 200);
    const { items } = await w.do(w.office, "GET", `/audit?school=${HERE}&act=second_factor.reset`);
    assert.deepEqual(items.map(({ entry }) => [entry.subject.user, entry.reason]), [[person.id, why]]);
});

test("H1, J4: a school asks its staff for a second factor: told before the day, then nothing of the office without it; nobody puts it off for themselves", async () => {
    const person = w.one({ role: "administrator" });
    assert.equal(person.id, w.office.getUserId());
    const NEEDED = "/parta/account/second-factor/needed?next=%2Fparta%2Faccount";
    const set = (who, second_factor) =>
        w.api(who, "PUT", `/schools/${HERE}/policy`, { document: { second_factor: { roles: ["administrator"], grace_days: 0, ...second_factor } }, reason: "Приказ о защите данных" });
    const explained = () => w.do(w.operator, "POST", "/explain", { act: "records_read", actor: person.id, school: HERE });
    assert.equal((await set(w.operator, { from: "2099-01-15" })).status, 200);

    // In the days before it is said, and nothing is refused.
    assert.deepEqual((await explained()).facts.second_factor, { set: false, missing: false, needed_from: "2099-01-15" });
    const told = (await w.do(w.office, "GET", "/me")).notices.find((n) => n.rule === "H1");
    assert.match(told.en, /From 2099-01-15/);
    assert.match(told.ru, /С 15\.01\.2099/);
    const page = new Browser();
    assert.equal(await page.signIn(person), 303);
    assert.equal(page.location, NEEDED);
    await page.open(NEEDED);
    assert.match(page.page, /15 January 2099[\s\S]*href="\/parta\/account\/second-factor"[\s\S]*href="\/parta\/account">Later/);
    // Whichever door they come by: a personal link, too.
    assert.equal((await set(w.operator, { from: "2099-01-15", roles: ["administrator", "staff"] })).status, 200);
    const { user_id } = await w.newPerson("staff");
    const { token } = await w.do(w.operator, "POST", "/links", { kind: "personal", user_id });
    const newcomer = new Browser();
    assert.equal(await newcomer.open(`/parta/join/${token}`), 200);
    assert.equal(await newcomer.open("/parta/join", { token, password: PASSWORD }), 303, newcomer.page);
    assert.equal(newcomer.location, NEEDED + q("?done=joined"));
    assert.ok(newcomer.cookies["parta-known"], "and their browser is known from now on");
    assert.equal((await set(w.operator, { from: "2099-01-15" })).status, 200);
    await w.do(w.office, "GET", `/people?school=${HERE}`);
    for (const eased of [{ from: "2099-01-16" }, { roles: ["head"], from: "2099-01-15" }, { from: "2099-01-15", grace_days: 60, roles: [] }])
        assert.equal((await set(w.office, eased)).body["org.parta.rule"], "J4", JSON.stringify(eased));
    assert.equal((await set(w.office, { from: "2099-01-14", roles: ["administrator", "head"] })).status, 200, "to ask for more is theirs");

    // From that day on nothing of the office; as a person, and in chats, all as ever.
    assert.equal((await set(w.operator, { from: "2020-01-01" })).status, 200);
    for (const [method, path, body] of [
        ["GET", `/people?school=${HERE}`],
        ["PUT", `/schools/${HERE}/policy`, { document: {}, reason: "Приказ отменён, совсем" }],
        ["POST", "/links", { kind: "school", school: HERE, role: "staff" }],
        ["GET", `/audit?school=${HERE}`],
    ])
        assert.equal((await w.no(403, "H1", w.office, method, path, body))["org.parta.code"] ?? "second_factor_missing", "second_factor_missing", path);
    const why = await explained();
    assert.deepEqual([why.allowed, why.rules.find((r) => r.decides).code, why.facts.second_factor], [false, "second_factor_missing", { set: false, missing: true, needed_from: why.facts.second_factor.needed_from }]);
    assert.ok((await w.do(w.office, "GET", "/me")).notices.some((n) => n.rule === "H1"));
    await w.do(w.office, "GET", `/people/${q(person.id)}/sessions`);
    const { room_id } = await w.office.createRoom({ name: "Кружок" });
    await w.office.sendTextMessage(room_id, "чаты работают");
    await page.open("/parta/account");
    assert.doesNotMatch(page.page, /href="\/parta\/class\//);

    // Two minutes later it is there, and so is the office.
    await page.open("/parta/account/second-factor");
    const secret = page.page.match(/name="secret" value="([A-Z2-7]{32})"/)[1];
    const code = totp(secret, Math.floor(Date.now() / 30000));
    assert.equal(await page.open("/parta/account/second-factor", { secret, code, password: person.password }), 200);
    const [recovery] = [...page.page.matchAll(/<li><code>([a-z2-9-]{19})<\/code>/g)].map((m) => m[1]);
    await w.do(w.office, "GET", `/people?school=${HERE}`);
    assert.ok(!(await w.do(w.office, "GET", "/me")).notices.some((n) => n.rule === "H1"));
    await page.open("/parta/account/second-factor");
    assert.equal(await page.open("/parta/account/second-factor/end", { password: person.password, factor: recovery }), 303);
    await w.no(403, "H1", w.office, "GET", `/people?school=${HERE}`);
    assert.equal((await w.api(w.operator, "PUT", `/schools/${HERE}/policy`, { document: {}, reason: "Конец этой истории" })).status, 200);
    await w.do(w.office, "GET", `/people?school=${HERE}`);
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
