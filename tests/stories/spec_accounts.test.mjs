// Accounts as the specification has them: registering, signing in, devices, sessions, profiles and what people keep here
// (Client-Server API, "Client Authentication", "Profiles", "Client Config", "Push Rules").
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, until } from "./harness.mjs";
import { Asker, V1, V3, by, q, query, register, registerAll } from "./asking.mjs";

let server, anna, boris, nobody;

before(async () => {
    server = await Server.start(
        "policy:\n  mode: open\ntokens:\n  access_lifetime_ms: 5000\nsupport:\n  email: help@school.example\n",
    );
    [anna, boris] = await registerAll(server, ["anna", "boris"]);
    nobody = new Asker(server);
});

after(() => server?.stop());

const dummy = { type: "m.login.dummy" };
const whoami = "/account/whoami";

test("anybody learns versions, sign-in flows, where the server and where help is", async () => {
    assert.ok((await nobody.get("/_matrix/client/versions")).versions.includes("v1.19"));
    assert.deepEqual(await nobody.get("/login"), {
        flows: [{ type: "m.login.password" }, { type: "m.login.token", get_login_token: true }, { type: "m.login.sso", oauth_aware_preferred: true }],
    });
    assert.ok((await nobody.get("/.well-known/matrix/client"))["m.homeserver"].base_url.startsWith("http"));
    assert.equal((await nobody.get("/.well-known/matrix/support")).contacts[0].email_address, "help@school.example");
    const { capabilities } = await anna.get("/capabilities");
    assert.deepEqual(
        [capabilities["m.room_versions"].default, capabilities["m.change_password"]],
        ["12", { enabled: true }],
    );
    assert.deepEqual(await anna.get("/thirdparty/protocols"), {});
    await anna.refused(404, "M_NOT_FOUND", "GET", "/thirdparty/protocol/irc");
});

test("every answer may be read by web pages of any origin; HEAD and OPTIONS are answered everywhere", async () => {
    for (const [method, path, status] of [
        ["GET", "/login", 200],
        ["HEAD", "/login", 200],
        ["OPTIONS", "/login", 200],
        ["GET", "/none", 404],
        ["OPTIONS", "/none", 200],
        ["GET", whoami, 401],
        ["PATCH", "/login", 405],
    ]) {
        const reply = await fetch(server.url + V3 + path, { method });
        const allow = (name) => reply.headers.get(`access-control-allow-${name}`);
        assert.deepEqual(
            [reply.status, allow("origin"), allow("methods"), allow("headers")],
            [status, "*", "GET, POST, PUT, DELETE, OPTIONS", "X-Requested-With, Content-Type, Authorization, Idempotency-Key, If-Match, If-None-Match, Parta-Override-Reason"],
            `${method} ${path}`,
        );
        const body = await reply.text();
        if (method === "HEAD") assert.equal(body, "");
        if (status === 405 || (path === "/none" && method === "GET"))
            assert.equal(JSON.parse(body).errcode, "M_UNRECOGNIZED");
    }
});

test("registration: in two steps, in one, without signing in, under a made-up name", async () => {
    const asked = await nobody.try("POST", "/register", { username: "vera", password: "vera-password" });
    assert.deepEqual([asked.status, asked.body.flows], [401, [{ stages: ["m.login.dummy"] }, { stages: ["m.login.registration_token"] }]]);
    const { session } = asked.body;
    const made = await nobody.ask("POST", "/register", {
        username: "vera",
        password: "vera-password",
        device_id: "HOME",
        auth: { ...dummy, session },
    });
    assert.deepEqual(
        [made.user_id, made.device_id, typeof made.access_token],
        ["@vera:school.example", "HOME", "string"],
    );
    const quiet = await nobody.ask("POST", "/register", {
        username: "quiet",
        password: "quiet-password",
        inhibit_login: true,
        auth: dummy,
    });
    assert.deepEqual(
        [quiet.user_id, quiet.access_token, quiet.device_id],
        ["@quiet:school.example", undefined, undefined],
    );
    const nameless = await nobody.ask("POST", "/register", { password: "some-password", auth: dummy });
    assert.match(nameless.user_id, /^@[a-z0-9._=/+-]+:school\.example$/);
    const refreshing = await nobody.ask("POST", "/register", {
        password: "some-password",
        refresh_token: true,
        auth: dummy,
    });
    assert.deepEqual([typeof refreshing.refresh_token, refreshing.expires_in_ms], ["string", 5000]);
});

test("registration refuses names, passwords and kinds that will not do, before it asks for authentication", async () => {
    const cases = [
        [400, "M_USER_IN_USE", { username: "anna", password: "good-password" }],
        [400, "M_INVALID_USERNAME", { username: "Анна", password: "good-password" }],
        [400, "M_INVALID_USERNAME", { username: "a b", password: "good-password" }],
        [400, "M_WEAK_PASSWORD", { username: "new", password: "short" }],
        [400, "M_BAD_JSON", { username: 5, password: "good-password" }],
    ];
    for (const [status, errcode, body] of cases) await nobody.refused(status, errcode, "POST", "/register", body);
    await nobody.refused(403, "M_GUEST_ACCESS_FORBIDDEN", "POST", "/register?kind=guest", {});
    await nobody.refused(400, "M_INVALID_PARAM", "POST", "/register?kind=robot", {});
    const available = (username) => ["GET", `/register/available${query({ username })}`];
    assert.deepEqual(await nobody.ask(...available("free")), { available: true });
    assert.deepEqual(await nobody.ask(...available("Free")), { available: true });
    for (const name of ["anna", "Anna", "ANNA"]) await nobody.refused(400, "M_USER_IN_USE", ...available(name));
    await nobody.refused(400, "M_INVALID_USERNAME", ...available("Анна"));
    assert.deepEqual(await nobody.get(`${V1}/register/m.login.registration_token/validity?token=none`), {
        valid: false,
    });
});

test("signing in: by name, by id, the old way; never wrongly", async () => {
    for (const body of [
        by("anna"),
        by("@anna:school.example", "anna-password"),
        by("ANNA", "anna-password"), // what a phone's keyboard makes of it
        by("@Anna:school.example", "anna-password"),
        { type: "m.login.password", user: "anna", password: "anna-password" },
    ])
        assert.equal((await nobody.ask("POST", "/login", body)).user_id, anna.id);
    const wrong = await nobody.refused(403, "M_FORBIDDEN", "POST", "/login", by("anna", "wrong"));
    assert.deepEqual(await nobody.refused(403, "M_FORBIDDEN", "POST", "/login", by("nobody", "wrong")), wrong);
    await nobody.refused(403, "M_FORBIDDEN", "POST", "/login", by("@anna:other.example", "anna-password"));
    await nobody.refused(401, "M_MISSING_TOKEN", "POST", "/login", { type: "m.login.application_service" });
    await nobody.refused(400, "M_MISSING_PARAM", "POST", "/login", {});
    await nobody.refused(400, "M_NOT_JSON", "POST", "/login", "{");
    await nobody.refused(400, "M_BAD_JSON", "POST", "/login", "[]");
    await nobody.refused(401, "M_MISSING_TOKEN", "GET", whoami);
    await new Asker(server, { access_token: "none" }).refused(401, "M_UNKNOWN_TOKEN", "GET", whoami);
});

test("signing in on a known device ends its session of before", async () => {
    const first = await anna.again({ device_id: "SAME" });
    const second = await anna.again({ device_id: "SAME" });
    await first.refused(401, "M_UNKNOWN_TOKEN", "GET", whoami);
    assert.deepEqual(await second.get(whoami), { user_id: anna.id, device_id: "SAME", is_guest: false });
});

test("refresh tokens: soft logout when time is up, each good once its successor is unused, none after sign-out", async () => {
    const login = await nobody.ask("POST", "/login", { ...by("boris"), refresh_token: true });
    assert.deepEqual([typeof login.refresh_token, login.expires_in_ms], ["string", 5000]);
    const first = new Asker(server, login);
    const expired = await until(async () => {
        const reply = await first.try("GET", whoami);
        return reply.status === 401 && reply.body;
    }, "the access token to expire");
    assert.deepEqual([expired.errcode, expired.soft_logout], ["M_UNKNOWN_TOKEN", true]);
    const refresh = (refresh_token) => nobody.ask("POST", "/refresh", { refresh_token });
    const unanswered = await refresh(login.refresh_token); // its answer may get lost: the old one still counts
    const fresh = await refresh(login.refresh_token);
    assert.notEqual(fresh.access_token, unanswered.access_token);
    const second = new Asker(server, { ...login, access_token: fresh.access_token });
    assert.equal((await second.get(whoami)).device_id, login.device_id);
    await nobody.refused(401, "M_UNKNOWN_TOKEN", "POST", "/refresh", { refresh_token: login.refresh_token });
    await nobody.refused(400, "M_MISSING_PARAM", "POST", "/refresh", {});
    const last = await refresh(fresh.refresh_token);
    await new Asker(server, { access_token: last.access_token }).ask("POST", "/logout");
    await nobody.refused(401, "M_UNKNOWN_TOKEN", "POST", "/refresh", { refresh_token: last.refresh_token });
});

test("signing out ends one session, or all", async () => {
    const [one, two, three] = [await boris.again(), await boris.again(), await boris.again()];
    await one.ask("POST", "/logout");
    const { soft_logout } = await one.refused(401, "M_UNKNOWN_TOKEN", "GET", whoami);
    assert.ok(!soft_logout);
    await two.get(whoami);
    await two.ask("POST", "/logout/all");
    for (const who of [two, three, boris]) await who.refused(401, "M_UNKNOWN_TOKEN", "GET", whoami);
    boris = new Asker(server, await nobody.ask("POST", "/login", by("boris")));
});

test("devices are listed, named and, with the password, removed", async () => {
    const egor = await register(server, "egor", { initial_device_display_name: "Компьютер" });
    const [tablet, phone] = [await egor.again({ device_id: "TABLET" }), await egor.again({ device_id: "PHONE" })];
    const { devices } = await egor.get("/devices");
    assert.deepEqual(devices.map((d) => d.device_id).sort(), [egor.device, "PHONE", "TABLET"].sort());
    assert.equal(devices.find((d) => d.device_id === egor.device).display_name, "Компьютер");
    await egor.ask("PUT", "/devices/TABLET", { display_name: "Планшет" });
    assert.equal((await egor.get("/devices/TABLET")).display_name, "Планшет");
    for (const [method, body] of [["GET"], ["PUT", { display_name: "x" }]])
        await egor.refused(404, "M_NOT_FOUND", method, "/devices/NONE", body);
    await anna.refused(404, "M_NOT_FOUND", "GET", "/devices/TABLET");
    const asked = await egor.try("DELETE", "/devices/TABLET");
    assert.deepEqual([asked.status, asked.body.flows], [401, [{ stages: ["m.login.password"] }]]);
    const { session } = asked.body;
    const wrong = await egor.refused(401, "M_FORBIDDEN", "DELETE", "/devices/TABLET", {
        auth: { ...by("egor", "wrong"), session },
    });
    assert.deepEqual([wrong.session, wrong.completed], [session, []]);
    await egor.refused(401, "M_FORBIDDEN", "DELETE", "/devices/TABLET", { auth: { ...by("anna"), session } });
    await tablet.get(whoami);
    await egor.ask("DELETE", "/devices/TABLET", { auth: { ...by("egor"), session } });
    await tablet.refused(401, "M_UNKNOWN_TOKEN", "GET", whoami);
    await egor.ask("POST", "/delete_devices", { devices: ["PHONE", "NONE"], auth: by("egor") });
    await phone.refused(401, "M_UNKNOWN_TOKEN", "GET", whoami);
    assert.equal((await egor.get("/devices")).devices.length, 1);
});

test("a new password ends the other sessions, unless told not to", async () => {
    const dora = await register(server, "dora");
    const other = await dora.again();
    const change = (from, to, more) => [
        "POST",
        "/account/password",
        { new_password: to, auth: by("dora", from), ...more },
    ];
    assert.equal((await dora.try("POST", "/account/password", { new_password: "second-password" })).status, 401);
    await dora.refused(400, "M_WEAK_PASSWORD", ...change("dora-password", "short"));
    await dora.ask(...change("dora-password", "second-password", { logout_devices: false }));
    await other.get(whoami);
    await dora.ask(...change("second-password", "third-password"));
    await other.refused(401, "M_UNKNOWN_TOKEN", "GET", whoami);
    await dora.get(whoami);
    await nobody.refused(403, "M_FORBIDDEN", "POST", "/login", by("dora", "second-password"));
    await dora.again({}, "third-password");
});

test("a deactivated account has left its rooms, cannot sign in, and its name stays taken", async () => {
    const gone = await register(server, "gone");
    const room = await gone.create({ preset: "public_chat" });
    await anna.join(room);
    assert.equal((await gone.try("POST", "/account/deactivate")).status, 401);
    await gone.ask("POST", "/account/deactivate", { auth: by("gone"), erase: true });
    await gone.refused(401, "M_UNKNOWN_TOKEN", "GET", whoami);
    assert.equal((await nobody.try("POST", "/login", by("gone"))).status, 403);
    assert.equal((await anna.stateOf(room, "m.room.member", gone.id)).membership, "leave");
    await nobody.refused(400, "M_USER_IN_USE", "POST", "/register", { username: "gone", password: "good-password" });
});

test("phone numbers and e-mail addresses are refused, not pretended", async () => {
    assert.deepEqual(await anna.get("/account/3pid"), { threepids: [] });
    for (const path of [
        "/account/3pid/add",
        "/account/3pid/bind",
        "/account/3pid/delete",
        "/account/3pid/unbind",
        "/account/3pid/email/requestToken",
        "/register/email/requestToken",
        "/account/password/msisdn/requestToken",
    ])
        await anna.refused(403, "M_THREEPID_DENIED", "POST", path, {
            client_secret: "s",
            email: "a@b.example",
            send_attempt: 1,
        });
});

test("profiles: typed fields, own fields, bounded, only one's own", async () => {
    const field = (name, who = anna) => `/profile/${q(who.id)}/${name}`;
    const put = (name, value) => ["PUT", field(name), { [name]: value }];
    await anna.ask(...put("displayname", "Анна"));
    await anna.ask(...put("org.example.club", { chess: [1] }));
    await anna.ask(...put("m.tz", "Europe/Moscow"));
    assert.deepEqual(await boris.get(`/profile/${q(anna.id)}`), {
        displayname: "Анна",
        "org.example.club": { chess: [1] },
        "m.tz": "Europe/Moscow",
    });
    assert.deepEqual(await nobody.get(field("displayname")), { displayname: "Анна" });
    await boris.refused(403, "M_FORBIDDEN", ...put("displayname", "x"));
    await anna.refused(400, "M_BAD_JSON", ...put("displayname", 5));
    await anna.refused(400, "M_MISSING_PARAM", "PUT", field("org.example.club"), { other: 1 });
    await anna.refused(400, "M_INVALID_PARAM", ...put("avatar_url", "https://a.example/b"));
    await anna.refused(400, "M_PROFILE_TOO_LARGE", ...put("org.example.long", "x".repeat(65536)));
    const long = `a.${"x".repeat(300)}`;
    await anna.refused(400, "M_KEY_TOO_LARGE", ...put(long, 1));
    await anna.ask("DELETE", field("org.example.club"));
    await boris.refused(404, "M_NOT_FOUND", "GET", field("org.example.club"));
    await boris.refused(404, "M_NOT_FOUND", "GET", `/profile/${q("@none:school.example")}`);
});

test("account data, tags and filters are kept for their owner alone", async () => {
    const room = await anna.create();
    const mine = `/user/${q(anna.id)}`,
        there = `${mine}/rooms/${q(room)}`;
    for (const path of [`${mine}/account_data/org.example`, `${there}/account_data/org.example`]) {
        await anna.refused(404, "M_NOT_FOUND", "GET", path);
        await anna.ask("PUT", path, { a: 1 });
        assert.deepEqual(await anna.get(path), { a: 1 });
        await boris.refused(403, "M_FORBIDDEN", "GET", path);
        await boris.refused(403, "M_FORBIDDEN", "PUT", path, {});
        await anna.refused(400, "M_BAD_JSON", "PUT", path, "[]");
    }
    await anna.refused(405, "M_BAD_JSON", "PUT", `${mine}/account_data/m.push_rules`, {});
    await anna.refused(405, "M_BAD_JSON", "PUT", `${there}/account_data/m.fully_read`, {});
    await anna.ask("PUT", `${there}/tags/m.favourite`, { order: 0.25 });
    await anna.ask("PUT", `${there}/tags/u.work`);
    assert.deepEqual(await anna.get(`${there}/tags`), { tags: { "m.favourite": { order: 0.25 }, "u.work": {} } });
    await anna.ask("DELETE", `${there}/tags/m.favourite`);
    assert.deepEqual(await anna.get(`${there}/account_data/m.tag`), { tags: { "u.work": {} } });
    await boris.refused(403, "M_FORBIDDEN", "GET", `${there}/tags`);
    const filter = { room: { timeline: { limit: 3 } }, event_fields: ["type"] };
    const { filter_id } = await anna.ask("POST", `${mine}/filter`, filter);
    assert.deepEqual(await anna.get(`${mine}/filter/${filter_id}`), filter);
    assert.deepEqual(await anna.ask("POST", `${mine}/filter`, filter), { filter_id });
    await anna.refused(404, "M_NOT_FOUND", "GET", `${mine}/filter/999`);
    await boris.refused(403, "M_FORBIDDEN", "GET", `${mine}/filter/${filter_id}`);
    await anna.refused(400, "M_BAD_JSON", "POST", `${mine}/filter`, { room: 5 });
});

test("push rules: the specification's defaults, own ones in their places, all switches", async () => {
    const rule = (kind, id, rest = "") => `/pushrules/global/${kind}/${q(id)}${rest}`;
    const listed = async (kind) => (await anna.get("/pushrules/")).global[kind].map((r) => r.rule_id);
    const defaults = [
        ".m.rule.master",
        ".m.rule.suppress_notices",
        ".m.rule.invite_for_me",
        ".m.rule.member_event",
        ".m.rule.is_user_mention",
        ".m.rule.is_room_mention",
        ".m.rule.tombstone",
        ".m.rule.reaction",
        ".m.rule.room.server_acl",
        ".org.matrix.msc3930.rule.poll_response",
        ".m.rule.suppress_edits",
    ];
    assert.deepEqual(await listed("override"), defaults);
    assert.deepEqual(await listed("underride"), [
        ".m.rule.call",
        ".org.matrix.msc3914.rule.room.call",
        ".m.rule.encrypted_room_one_to_one",
        ".m.rule.room_one_to_one",
        ".m.rule.message",
        ".m.rule.encrypted",
        ".org.matrix.msc3930.rule.poll_start_one_to_one",
        ".org.matrix.msc3930.rule.poll_start",
        ".org.matrix.msc3930.rule.poll_end_one_to_one",
        ".org.matrix.msc3930.rule.poll_end",
    ]);
    const notify = { actions: ["notify"], conditions: [] };
    await anna.ask("PUT", rule("override", "first"), notify);
    await anna.ask("PUT", rule("override", "third", "?after=first"), notify);
    await anna.ask("PUT", rule("override", "second", "?before=third"), notify);
    assert.deepEqual(await listed("override"), [defaults[0], "first", "second", "third", ...defaults.slice(1)]);
    await anna.ask("PUT", rule("content", "word"), { actions: [{ set_tweak: "highlight" }], pattern: "слово" });
    assert.equal((await anna.get(rule("content", "word"))).pattern, "слово");
    await anna.ask("PUT", rule("sender", boris.id), { actions: [] });
    await anna.ask("PUT", rule("override", "first", "/enabled"), { enabled: false });
    assert.deepEqual(await anna.get(rule("override", "first", "/enabled")), { enabled: false });
    await anna.ask("PUT", rule("underride", ".m.rule.message", "/actions"), { actions: [] });
    assert.deepEqual(await anna.get(rule("underride", ".m.rule.message", "/actions")), { actions: [] });
    const cases = [
        [400, "M_UNKNOWN", rule("override", "x", "?before=none"), notify],
        [400, "M_INVALID_PARAM", rule("override", ".mine"), notify],
        [400, "M_INVALID_PARAM", rule("override", "a/b"), notify],
        [400, "M_MISSING_PARAM", rule("override", "x"), {}],
        [400, "M_MISSING_PARAM", rule("content", "x"), { actions: [] }],
        [404, "M_NOT_FOUND", rule("override", "none", "/enabled"), { enabled: true }],
        [404, "M_NOT_FOUND", rule("override", "none", "/actions"), { actions: [] }],
        [404, "M_NOT_FOUND", rule("nonsense", "x"), notify],
    ];
    for (const [status, errcode, path, body] of cases) await anna.refused(status, errcode, "PUT", path, body);
    await anna.ask("DELETE", rule("override", "second"));
    await anna.refused(404, "M_NOT_FOUND", "DELETE", rule("override", "second"));
    await anna.refused(404, "M_NOT_FOUND", "GET", rule("override", "second"));
    assert.equal((await anna.try("DELETE", rule("override", ".m.rule.master"))).status, 400);
    const since = await anna.now();
    await anna.ask("DELETE", rule("override", "third"));
    assert.deepEqual(
        (await anna.sync({ since })).account_data.events.map((e) => e.type),
        ["m.push_rules"],
    );
});
