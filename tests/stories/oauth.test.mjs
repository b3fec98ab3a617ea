// Signing in by OAuth 2.0: with matrix-js-sdk's classes, and with what Element X sends, through the server's own pages, as a browser without
// JavaScript would; and what is stolen, replayed, mixed up or too late.
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { OAuth2, isValidAuthMetadata } from "matrix-js-sdk/lib/oauth/index.js";
import { Server } from "./harness.mjs";
import { Reader } from "./pages_read.mjs";

const ELEMENT_X = {
    client_name: "Element X", client_uri: "https://element.io/", redirect_uris: ["io.element.android:/"], application_type: "native",
    token_endpoint_auth_method: "none", response_types: ["code"], logo_uri: "https://element.io/mobile-icon.png", tos_uri: "https://element.io/acceptable-use-policy-terms",
    grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
};
const VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
let server, metadata, clientId;

before(async () => {
    server = new Server();
    await server.prepare("policy:\n  mode: open\n");
    await server.run();
    await server.request("POST", "/_matrix/client/v3/register", {
        body: { username: "anna", password: "correct horse", inhibit_login: true, auth: { type: "m.login.dummy" } },
    });
    metadata = (await server.request("GET", "/_matrix/client/v1/auth_metadata")).body;
    clientId = (await server.request("POST", "/parta/oauth2/register", { body: ELEMENT_X })).body.client_id;
});
after(() => server?.stop());

const anna = () => new Reader(server.url, "anna", "correct horse");

const question = (over = {}) => {
    const url = new URL(metadata.authorization_endpoint);
    const asked = {
        response_type: "code", client_id: clientId, redirect_uri: "io.element.android:/", state: "a state & more", code_challenge: CHALLENGE,
        code_challenge_method: "S256", scope: "urn:matrix:org.matrix.msc2967.client:api:* urn:matrix:org.matrix.msc2967.client:device:ABCDEFGHIJ", ...over,
    };
    for (const [k, v] of Object.entries(asked)) if (v !== null) url.searchParams.set(k, v);
    return url.pathname + url.search;
};

const post = async (endpoint, form) => {
    const reply = await fetch(endpoint, { method: "POST", body: new URLSearchParams(form) });
    return { status: reply.status, body: await reply.json() };
};
const redeem = (code, over = {}) =>
    post(metadata.token_endpoint, { grant_type: "authorization_code", code, redirect_uri: "io.element.android:/", client_id: clientId, code_verifier: VERIFIER, ...over });
const whoami = (token) => server.request("GET", "/_matrix/client/v3/account/whoami", { token });
const answer = (reader) => new URL(reader.at.replace("io.element.android:/", "https://answer.example/").replace("#", "?")).searchParams;

/** A code, as Element X gets one. */
async function code(over) {
    const reader = await anna().through(question(over));
    await reader.decide("/parta/oauth2/authorize", "allow");
    assert.equal(reader.status, 303, reader.page);
    return answer(reader).get("code");
}

test("what Element X sends: metadata, registration, a page that asks, tokens, refresh, the end", async () => {
    assert.equal(clientId, (await server.request("POST", "/parta/oauth2/register", { body: ELEMENT_X })).body.client_id);
    const reader = await anna().through(question());
    assert.equal(reader.status, 200, reader.page);
    for (const word of ["Element X", "io.element.android", "@anna:school.example"]) assert.ok(reader.page.includes(word), word);
    assert.match(reader.headers.get("content-security-policy"), /form-action 'self' io\.element\.android:/);
    assert.equal(reader.headers.get("access-control-allow-origin"), null);
    await reader.decide("/parta/oauth2/authorize", "allow");
    assert.equal(reader.status, 303);
    assert.ok(reader.at.startsWith("io.element.android:/?code="), reader.at);
    assert.equal(answer(reader).get("state"), "a state & more");
    assert.equal(answer(reader).get("iss"), metadata.issuer);
    const { status, body } = await redeem(answer(reader).get("code"));
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual((await whoami(body.access_token)).body, { user_id: "@anna:school.example", device_id: "ABCDEFGHIJ", is_guest: false });
    const next = await post(metadata.token_endpoint, { grant_type: "refresh_token", refresh_token: body.refresh_token, client_id: clientId });
    assert.equal((await whoami(next.body.access_token)).status, 200);
    assert.equal((await post(metadata.revocation_endpoint, { token: next.body.access_token, token_type_hint: "access_token", client_id: clientId })).status, 200);
    assert.equal((await whoami(next.body.access_token)).status, 401);
});

test("matrix-js-sdk's classes: discovery, registration, code, refresh, revocation", async () => {
    assert.ok(isValidAuthMetadata(metadata));
    const id = await OAuth2.registerClient(metadata, {
        client_name: "A Web Client", client_uri: "https://app.example.com/", redirect_uris: ["https://app.example.com/callback"], application_type: "web",
        grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"], response_types: ["code"], token_endpoint_auth_method: "none",
    });
    const auth = new OAuth2(metadata, { clientId: id });
    const url = new URL(await auth.generateAuthorizationCodeGrantUrl("the state", "https://app.example.com/callback", "fragment"));
    const reader = await anna().through(url.pathname + url.search);
    await reader.decide("/parta/oauth2/authorize", "allow");
    assert.ok(reader.at.startsWith("https://app.example.com/callback#code="), reader.at);
    const tokens = await auth.completeAuthorizationCodeGrant(answer(reader).get("code"), "https://app.example.com/callback");
    assert.equal((await whoami(tokens.access_token)).body.device_id, auth.context.deviceId);
    const next = await auth.performRefreshTokenGrant(tokens.refresh_token);
    assert.equal((await whoami(next.access_token)).status, 200);
    await auth.revokeToken(next.refresh_token, "refresh_token");
    assert.equal((await whoami(next.access_token)).status, 401);
});

test("another device: its code is typed, looked at, allowed or not; matrix-js-sdk polls", async () => {
    const auth = new OAuth2(metadata, { clientId });
    for (const [decision, seen] of [["allow", "access_token"], ["deny", "error"]]) {
        const session = await auth.startDeviceAuthorizationGrant();
        const typed = session.user_code.toLowerCase().replace("-", " ");
        const reader = await anna().through(`/parta/device?user_code=${encodeURIComponent(typed)}`);
        assert.ok(reader.page.includes("Element X"), reader.page);
        await reader.decide("/parta/device", decision);
        assert.equal(reader.at, `/parta/device?done=device_${decision === "allow" ? "allowed" : "denied"}`);
        const outcome = await auth.waitForDeviceAuthorizationGrant({ ...session, interval: 0 });
        assert.ok(outcome[seen], JSON.stringify(outcome));
    }
    const reader = await anna().through("/parta/device?user_code=BCDF-GHJK");
    assert.match(reader.page, /no such code/);
});

/** Does something to the database of the stopped server. */
async function meanwhile(...statements) {
    await server.end();
    const db = new DatabaseSync(join(server.dir, "data", "parta.db"));
    for (const statement of statements) typeof statement === "function" ? statement(db) : db.exec(statement);
    db.close();
    await server.run();
}
const AGED = "UPDATE page_sessions SET created_ms = created_ms - 660000"; // eleven minutes

test("one press hands no account over: a device code asks for the password, unless it was just given; whoever has power is asked at every door", async () => {
    const auth = new OAuth2(metadata, { clientId });
    const away = "/parta/sso?redirectUrl=" + encodeURIComponent("https://app.example/");
    const reader = await anna().through("/parta/account");
    await meanwhile(AGED);
    const session = await auth.startDeviceAuthorizationGrant();
    const device = `/parta/device?user_code=${session.user_code}`;
    await reader.ask(device);
    assert.match(reader.page, /127\.0\.0\.1/); // who asked, from where
    assert.match(reader.page, /whoever sent it gets your account/);
    assert.match(reader.page, /name="password"/);
    for (const password of [undefined, "wrong horse"]) {
        await reader.ask("/parta/device", reader.fields("/parta/device", { decision: "allow", ...(password && { password }) }));
        assert.equal(reader.status, 403, reader.page);
        assert.match(reader.page, /name="password"/); // to be typed again
    }
    const poll = () => post(metadata.token_endpoint, { grant_type: "urn:ietf:params:oauth:grant-type:device_code", device_code: session.device_code, client_id: clientId });
    assert.equal((await poll()).body.error, "authorization_pending");
    await reader.ask("/parta/device", reader.fields("/parta/device", { decision: "allow", password: "correct horse" }));
    assert.equal(reader.at, "/parta/device?done=device_allowed", reader.page);

    for (const path of [question(), away]) assert.doesNotMatch((await reader.ask(path)).page, /name="password"/); // as before, for people at large
    await meanwhile("UPDATE users SET admin = 1");
    for (const [path, action] of [[question(), "/parta/oauth2/authorize"], [away, "/parta/sso"]]) {
        await reader.ask(path);
        assert.match(reader.page, /name="password"/, path);
        await reader.decide(action, "allow");
        assert.equal(reader.status, 403, path);
        assert.match(reader.page, /name="password"/, path);
        await reader.ask(action, reader.fields(action, { decision: "allow", password: "correct horse" }));
        assert.equal(reader.status, 303, reader.page);
        assert.match(reader.at, /[?&](code|loginToken)=/);
    }
    await reader.ask(question());
    await reader.decide("/parta/oauth2/authorize", "deny"); // nobody needs to prove anything to say no
    assert.equal(answer(reader).get("error"), "access_denied");
    const fresh = await anna().through(question());
    assert.doesNotMatch(fresh.page, /name="password"/);
    await fresh.decide("/parta/oauth2/authorize", "allow");
    assert.ok(answer(fresh).get("code"));
    await meanwhile("UPDATE users SET admin = 0");
});

test("SSO: an address that would not come back from a provider is refused before anybody signs in", async () => {
    const to = (url) => fetch(`${server.url}/_matrix/client/v3/login/sso/redirect?redirectUrl=${encodeURIComponent(url)}`, { redirect: "manual" });
    assert.equal((await to("https://app.example/" + "a".repeat(490))).status, 302);
    assert.equal((await to("https://app.example/" + "a".repeat(500))).status, 400); // 512 bytes
    assert.equal((await to("https://app.example/" + "/".repeat(300))).status, 302);
    assert.equal((await to("https://app.example/" + "/".repeat(400))).status, 400); // within 512, but thrice as long in an address
});

test("whoever has no password, and came by a provider, signs in anew instead", async () => {
    const reader = await anna().through("/parta/account");
    let kept;
    await meanwhile(AGED, (db) => (kept = db.prepare("SELECT user_no, password_hash FROM users").all()), "UPDATE users SET password_hash = NULL, admin = 1");
    await reader.ask(question());
    assert.doesNotMatch(reader.page, /name="password"|value="allow"/);
    assert.match(reader.page, /sign in anew/i);
    await reader.ask("/parta/oauth2/authorize", reader.fields("/parta/oauth2/authorize", { decision: "allow" }));
    assert.equal(reader.status, 403, reader.page);
    await meanwhile((db) => kept.forEach((k) => db.prepare("UPDATE users SET password_hash = ?, admin = 0 WHERE user_no = ?").run(k.password_hash, k.user_no)));
});

test("a person says no, and a mail scanner that opens the address allows nothing", async () => {
    const reader = await anna().through(question());
    for (let i = 0; i < 3; ++i) assert.equal((await reader.ask(question())).status, 200);
    await reader.decide("/parta/oauth2/authorize", "deny");
    assert.equal(answer(reader).get("error"), "access_denied");
    assert.equal(answer(reader).get("state"), "a state & more");
    const forged = await fetch(server.url + "/parta/oauth2/authorize", {
        method: "POST", redirect: "manual", body: new URLSearchParams({ decision: "allow", client_id: clientId, redirect_uri: "io.element.android:/" }),
        headers: { cookie: [...reader.cookies].map(([k, v]) => `${k}=${v}`).join("; "), origin: "https://evil.test" },
    });
    assert.notEqual(forged.status, 303);
});

test("two tabs: each has its own code and state, and the back button makes no harm", async () => {
    const reader = await anna().through(question({ state: "one" }));
    const one = reader.fields("/parta/oauth2/authorize", { decision: "allow" });
    await reader.ask(question({ state: "two" }));
    await reader.decide("/parta/oauth2/authorize", "allow");
    const second = answer(reader);
    await reader.ask("/parta/oauth2/authorize", one);
    const first = answer(reader);
    assert.deepEqual([first.get("state"), second.get("state")], ["one", "two"]);
    await reader.ask("/parta/oauth2/authorize", one); // sent twice
    assert.equal(reader.status, 303);
    assert.equal(new Set([first.get("code"), second.get("code"), answer(reader).get("code")]).size, 3);
});

test("stolen, replayed, mixed up: no tokens, and what a replayed code brought ends", async () => {
    const other = (await server.request("POST", "/parta/oauth2/register", { body: { ...ELEMENT_X, client_name: "Another" } })).body.client_id;
    for (const over of [{ client_id: other }, { redirect_uri: "io.element.android:/x" }, { code_verifier: VERIFIER.replace("d", "e") }, { code_verifier: CHALLENGE }]) {
        const stolen = await code();
        assert.deepEqual((({ status, body }) => [status, body.error])(await redeem(stolen, over)), [400, "invalid_grant"], JSON.stringify(over));
        assert.equal((await redeem(stolen)).status, 400); // it was in wrong hands
    }
    const once = await code();
    const tokens = (await redeem(once)).body;
    assert.equal((await whoami(tokens.access_token)).status, 200);
    assert.equal((await redeem(once)).body.error, "invalid_grant");
    assert.equal((await whoami(tokens.access_token)).status, 401);
});

test("an address that the client has not registered is told to the person, and nobody is sent there", async () => {
    for (const over of [{ redirect_uri: "https://evil.test/" }, { redirect_uri: "io.element.android:/x" }, { redirect_uri: null }, { client_id: "nobody" }]) {
        const reader = await anna().through(question(over));
        assert.equal(reader.at, null, reader.at);
        assert.ok(reader.status >= 400);
        assert.doesNotMatch(reader.page, /(href|action)="[^"]*:\/\/evil\.test/);
    }
    const reader = await anna().through(question({ code_challenge_method: "plain" })); // nor by itself anywhere else
    assert.deepEqual([reader.status, reader.at], [400, null]);
    await reader.decide("/parta/oauth2/authorize", "allow");
    assert.equal(answer(reader).get("error"), "invalid_request");
});

test("who signs out everywhere, or is deactivated, has no code and no session left", async () => {
    const waiting = await code();
    const tokens = (await redeem(await code())).body;
    assert.equal((await server.request("POST", "/_matrix/client/v3/logout/all", { token: tokens.access_token, body: {} })).status, 200);
    assert.equal((await redeem(waiting)).body.error, "invalid_grant");
    assert.equal((await whoami(tokens.access_token)).status, 401);
});

test("the account's pages by action, and keys that are reset with the password", async () => {
    const reader = await anna().through("/parta/manage?action=org.matrix.device_delete&device_id=ABC%2FD");
    assert.equal(reader.at, "/parta/account/sessions/end?device_id=ABC%2FD");
    for (const action of metadata.account_management_actions_supported) {
        await reader.ask(`/parta/manage?action=${action}`);
        assert.match(reader.at, /^\/parta\/account/);
        assert.ok([200, 303].includes((await reader.ask(reader.at)).status), action);
    }
    await reader.ask("/parta/manage?action=//evil.test");
    assert.equal(reader.at, "/parta/account");
    await reader.ask("/parta/account/reset-keys");
    await reader.ask("/parta/account/reset-keys", reader.fields("/parta/account/reset-keys", { password: "wrong" }));
    assert.notEqual(reader.status, 303);
    await reader.ask("/parta/account/reset-keys", reader.fields("/parta/account/reset-keys", { password: "correct horse" }));
    assert.equal(reader.at, "/parta/account?done=keys_approved");
});

test("an account is closed on its page with the password, for good, as by the API", async () => {
    const body = { username: "boris", password: "correct horse", auth: { type: "m.login.dummy" } };
    const { body: app } = await server.request("POST", "/_matrix/client/v3/register", { body });
    const reader = await new Reader(server.url, "boris", "correct horse").through("/parta/manage?action=org.matrix.account_deactivate");
    assert.equal(reader.at, "/parta/account/deactivate");
    await reader.ask(reader.at);
    assert.match(reader.page, /@boris:school\.example will be closed[\s\S]*for good/);
    const closes = (password) => reader.ask("/parta/account/deactivate", reader.fields("/parta/account/deactivate", { password }));
    await closes("wrong");
    assert.equal(reader.status, 403);
    assert.equal((await whoami(app.access_token)).status, 200);
    await closes("correct horse");
    assert.equal(reader.at, "/parta/sign-in?done=deactivated");
    assert.equal((await whoami(app.access_token)).status, 401);
    const login = { type: "m.login.password", identifier: { type: "m.id.user", user: "boris" }, password: "correct horse" };
    assert.equal((await server.request("POST", "/_matrix/client/v3/login", { body: login })).status, 403);
    await reader.ask("/parta/account");
    assert.match(reader.at, /^\/parta\/sign-in/);
});

test("in a school: prompt=create leads to the link, through signing up, and back to the app; whom the roster holds closes no account", async () => {
    const school = await Server.startSchool();
    const person = school.person({ role: "class_teacher" });
    const login = { type: "m.login.password", identifier: { type: "m.id.user", user: person.id }, password: person.password };
    const teacher = { token: (await school.request("POST", "/_matrix/client/v3/login", { body: login })).body.access_token };
    const classes = await school.api(teacher, "GET", "/classes?limit=500");
    const own = classes.body.items.find((c) => c.title === person.class && c.kind === "homeroom");
    const link = (await school.api(teacher, "POST", "/links", { kind: "class", class: own.class, role: "pupil" })).body.token;
    const app = (await school.request("POST", "/parta/oauth2/register", { body: ELEMENT_X })).body.client_id;
    const asked = question({ client_id: app, prompt: "create" });

    const reader = await new Reader(school.url).ask(asked);
    assert.match(reader.at, /^\/parta\/sign-up\?next=/);
    await reader.ask(reader.at);
    const typed = reader.fields("/parta/sign-up", { link: "no such link" });
    assert.equal((await reader.ask("/parta/sign-up", typed)).at, null);
    assert.match(reader.page, /role="alert"[\s\S]*value="no such link"/);
    await reader.ask("/parta/sign-up", reader.fields("/parta/sign-up", { link: ` ${school.url}/parta/join/${link}\n` }));
    assert.ok(reader.at.startsWith(`/parta/join/${link}?next=`), reader.at);
    await reader.ask(reader.at);
    const child = { family_name: "Новый", given_name: "Юра", birth_date: "2016-05-05", password: "correct horse battery" };
    await reader.ask("/parta/join", reader.fields("/parta/join", child));
    const plain = (address) => [address.split("?")[0], ...new URLSearchParams(address.split("?")[1])];
    assert.deepEqual(plain(reader.at), plain(asked));
    await reader.ask(reader.at);
    await reader.decide("/parta/oauth2/authorize", "allow");
    const tokens = await post(`${school.url}/parta/oauth2/token`, {
        grant_type: "authorization_code", code: answer(reader).get("code"), redirect_uri: "io.element.android:/", client_id: app, code_verifier: VERIFIER,
    });
    assert.equal(tokens.status, 200, JSON.stringify(tokens.body)); // and waits, as who has signed in with a password does (A3)
    assert.equal((await school.request("GET", "/_matrix/client/v3/account/whoami", { token: tokens.body.access_token })).status, 200);
    assert.equal((await school.request("GET", "/_matrix/client/v3/sync", { token: tokens.body.access_token })).status, 403);

    await reader.ask("/parta/sign-up?next=//evil.test"); // signed in: there is nothing to sign up for
    assert.equal(reader.at, "/parta/account");
    const stranger = await new Reader(school.url).ask("/parta/sign-up?next=//evil.test");
    assert.doesNotMatch(stranger.page, /"\/\/evil/);

    const held = await new Reader(school.url, person.id, person.password).through("/parta/account/deactivate");
    await held.ask("/parta/account/deactivate", held.fields("/parta/account/deactivate", { password: person.password }));
    assert.equal(held.status, 403);
    assert.match(held.page, /The school keeps your account/);
    await school.stop();
});
