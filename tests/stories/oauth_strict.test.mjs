// The OAuth 2.0 API as a client sees it that knows nothing of Matrix: oauth4webapi, which was written for the standards and holds every answer
// against them. What it does not look at by itself (statuses, headers, what is left out) is looked at here.
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import * as oauth from "oauth4webapi";
import { Server } from "./harness.mjs";
import { Reader } from "./pages_read.mjs";

const HTTP = { [oauth.allowInsecureRequests]: true }; // on loopback
const BACK = "https://app.example.com/back?keep=this";
const METADATA = {
    client_name: "A strict client", client_uri: "https://app.example.com/", redirect_uris: [BACK], application_type: "web", token_endpoint_auth_method: "none",
    grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"], response_types: ["code"],
};
const scope = (device = "STRICTDEVICE") => `urn:matrix:client:api:* urn:matrix:client:device:${device}`;
const none = oauth.None();
let server, as, client;

before(async () => {
    server = await Server.start();
    await server.request("POST", "/_matrix/client/v3/register", { body: { username: "anna", password: "correct horse", inhibit_login: true, auth: { type: "m.login.dummy" } } });
    const issuer = new URL(server.url);
    as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...HTTP }));
    client = await oauth.processDynamicClientRegistrationResponse(await oauth.dynamicClientRegistrationRequest(as, METADATA, HTTP));
});
after(() => server?.stop());

const anna = () => new Reader(server.url, "anna", "correct horse");
const whoami = async (token) => (await server.request("GET", "/_matrix/client/v3/account/whoami", { token })).status;

/** What the library throws for an answer that is an error by the standard: its code, the status, and that no answer may be kept. */
async function refusedWith(promise, error, status = 400) {
    const thrown = await promise.then(() => assert.fail(`no ${error}`), (e) => e);
    assert.ok(thrown instanceof oauth.ResponseBodyError, thrown.stack);
    assert.deepEqual([thrown.error, thrown.status], [error, status], JSON.stringify(thrown.cause));
    assert.match(thrown.error_description, /^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/); // RFC 6749, 5.2
    assert.match(thrown.response.headers.get("cache-control"), /no-store/);
}

async function asked(over = {}) {
    const verifier = oauth.generateRandomCodeVerifier(), state = oauth.generateRandomState();
    const url = new URL(as.authorization_endpoint);
    const parameters = {
        client_id: client.client_id, redirect_uri: BACK, response_type: "code", scope: scope(), state,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", ...over,
    };
    for (const [name, value] of Object.entries(parameters)) if (value !== null) url.searchParams.set(name, value);
    return { verifier, state, path: url.pathname + url.search };
}

/** Where the browser is sent once the person has decided. */
async function answered(path, decision = "allow") {
    const reader = await anna().through(path);
    await reader.decide("/parta/oauth2/authorize", decision);
    assert.equal(reader.status, 303, reader.page);
    return new URL(reader.at);
}

async function allowed(over) {
    const { verifier, state, path } = await asked(over);
    return { verifier, parameters: oauth.validateAuthResponse(as, client, await answered(path), state) };
}

const redeemed = async ({ verifier, parameters }, { of = client, back = BACK, with_ = verifier } = {}) =>
    oauth.processAuthorizationCodeResponse(as, of, await oauth.authorizationCodeGrantRequest(as, of, none, parameters, back, with_, HTTP));
const refreshed = async (token, of = client) => oauth.processRefreshTokenResponse(as, of, await oauth.refreshTokenGrantRequest(as, of, none, token, HTTP));
const registered = async (over) =>
    oauth.processDynamicClientRegistrationResponse(await oauth.dynamicClientRegistrationRequest(as, { ...METADATA, ...over }, HTTP));
const granted = async (type, parameters, of = client) =>
    oauth.processGenericTokenEndpointResponse(as, of, await oauth.genericTokenEndpointRequest(as, of, none, type, parameters, HTTP));

test("metadata: found by the issuer, which they name; everything they name is there (RFC 8414)", async () => {
    assert.equal(as.issuer, `${server.url}/`);
    assert.equal(as.authorization_response_iss_parameter_supported, true);
    assert.deepEqual(as.code_challenge_methods_supported, ["S256"]);
    for (const [name, value] of Object.entries(as)) {
        if (!/_endpoint$|_uri$/.test(name)) continue;
        const reply = await fetch(value, { method: "OPTIONS", headers: { origin: "https://app.example.com", "access-control-request-method": "POST" } });
        assert.notEqual(reply.status, 404, name);
    }
    const elsewhere = new URL("https://elsewhere.example/");
    const reply = await oauth.discoveryRequest(new URL(server.url), { algorithm: "oauth2", ...HTTP });
    await assert.rejects(oauth.processDiscoveryResponse(elsewhere, reply), { code: oauth.JSON_ATTRIBUTE_COMPARISON });
});

test("registration: what was registered comes back, and what cannot be is refused as it says (RFC 7591)", async () => {
    for (const [name, value] of Object.entries(METADATA)) assert.deepEqual(client[name], value, name);
    assert.equal(client.client_secret, undefined);
    assert.equal((await registered({})).client_id, client.client_id);
    await refusedWith(registered({ redirect_uris: ["https://elsewhere.example/"] }), "invalid_redirect_uri");
    await refusedWith(registered({ redirect_uris: ["https://app.example.com/#fragment"] }), "invalid_redirect_uri");
    await refusedWith(registered({ client_uri: undefined }), "invalid_client_metadata");
    await refusedWith(registered({ token_endpoint_auth_method: "client_secret_basic" }), "invalid_client_metadata");
});

test("a code with PKCE: state, iss, tokens; what the person or the server refuses comes back by the same way (RFC 6749, 7636, 9207)", async () => {
    const tokens = await redeemed(await allowed());
    assert.deepEqual([tokens.token_type, tokens.scope], ["bearer", scope()]);
    assert.ok(tokens.refresh_token && tokens.expires_in !== 0);
    assert.equal(await whoami(tokens.access_token), 200);
    const { state, path } = await asked();
    const said = await answered(path, "deny");
    assert.equal(said.searchParams.get("keep"), "this");
    assert.throws(() => oauth.validateAuthResponse(as, client, said, state), { name: "AuthorizationResponseError", error: "access_denied" });
    for (const [over, error] of [
        [{ response_type: "token" }, "unsupported_response_type"], [{ scope: "openid" }, "invalid_scope"], [{ code_challenge: null }, "invalid_request"],
        [{ code_challenge_method: "plain" }, "invalid_request"], [{ code_challenge_method: null }, "invalid_request"],
    ]) {
        const wrong = await asked(over);
        const answer = await answered(wrong.path);
        assert.throws(() => oauth.validateAuthResponse(as, client, answer, wrong.state), { name: "AuthorizationResponseError", error }, JSON.stringify(over));
    }
});

test("an answer of another issuer, or of another request, is not taken (RFC 9207, RFC 9700 4.4)", async () => {
    const { state, path } = await asked();
    const good = await answered(path);
    oauth.validateAuthResponse(as, client, good, state);
    for (const change of [(p) => p.set("iss", "https://elsewhere.example/"), (p) => p.delete("iss"), (p) => p.set("state", "another")]) {
        const bad = new URL(good);
        change(bad.searchParams);
        assert.throws(() => oauth.validateAuthResponse(as, client, bad, state), { name: "OperationProcessingError" });
    }
});

test("the token endpoint refuses a code as the standard says (RFC 6749 5.2, RFC 7636 4.6)", async () => {
    const other = await registered({ client_name: "Another" });
    for (const over of [{ of: other }, { back: "https://app.example.com/back" }, { with_: oauth.generateRandomCodeVerifier() }])
        await refusedWith(redeemed(await allowed(), over), "invalid_grant");
    const late = await allowed();
    const db = new DatabaseSync(join(server.dir, "data", "parta.db"));
    db.exec("PRAGMA busy_timeout = 20000; UPDATE oauth_codes SET expires_ms = 1"); // as if its time had passed
    db.close();
    await refusedWith(redeemed(late), "invalid_grant");
    const once = await allowed();
    const tokens = await redeemed(once);
    await refusedWith(redeemed(once), "invalid_grant");
    assert.equal(await whoami(tokens.access_token), 401); // 4.1.2
    await refusedWith(redeemed(await allowed(), { of: { client_id: "nobody" } }), "invalid_client", 401);
    await refusedWith(granted("authorization_code", {}), "invalid_request");
    await refusedWith(granted("authorization_code", [["code", "a"], ["code", "b"], ["redirect_uri", BACK], ["code_verifier", once.verifier]]), "invalid_request");
    await refusedWith(granted("password", { username: "anna", password: "correct horse" }), "unsupported_grant_type");
    await refusedWith(granted("client_credentials", {}), "unsupported_grant_type");
    const alone = await registered({ client_name: "No devices", grant_types: ["authorization_code", "refresh_token"] });
    await refusedWith(granted("urn:ietf:params:oauth:grant-type:device_code", { device_code: "x" }, alone), "unauthorized_client");
});

test("refresh: other tokens each time; an old one, or another client's, ends in invalid_grant (RFC 6749 6, RFC 9700 4.14)", async () => {
    const first = await redeemed(await allowed({ scope: scope("REFRESHED") }));
    const second = await refreshed(first.refresh_token);
    assert.notEqual(second.refresh_token, first.refresh_token);
    assert.equal(await whoami(second.access_token), 200);
    await refusedWith(refreshed(second.refresh_token, await registered({ client_name: "Another" })), "invalid_grant");
    const third = await refreshed(second.refresh_token);
    assert.equal(await whoami(third.access_token), 200);
    await refusedWith(refreshed(first.refresh_token), "invalid_grant");
    assert.equal(await whoami(third.access_token), 401);
    await refusedWith(refreshed(third.refresh_token), "invalid_grant");
    await refusedWith(refreshed("never was one"), "invalid_grant");
});

test("another device: pending, slower, denied, allowed (RFC 8628)", async () => {
    const begin = async (parameters) => oauth.processDeviceAuthorizationResponse(as, client, await oauth.deviceAuthorizationRequest(as, client, none, parameters, HTTP));
    const poll = async (device) => oauth.processDeviceCodeResponse(as, client, await oauth.deviceCodeGrantRequest(as, client, none, device.device_code, HTTP));
    await refusedWith(begin({ scope: "openid" }), "invalid_scope");
    await refusedWith(begin({}), "invalid_request");
    for (const decision of ["deny", "allow"]) {
        const device = await begin({ scope: scope(`DEVICE${decision}`) });
        assert.ok(device.verification_uri_complete.startsWith(`${device.verification_uri}?user_code=`));
        assert.ok(device.expires_in > 60 && device.interval > 0);
        await refusedWith(poll(device), "authorization_pending");
        await refusedWith(poll(device), "slow_down");
        const { pathname, search } = new URL(device.verification_uri_complete);
        await (await anna().through(pathname + search)).decide("/parta/device", decision);
        if (decision === "deny") await refusedWith(poll(device), "access_denied");
        else assert.equal(await whoami((await poll(device)).access_token), 200);
        await refusedWith(poll(device), "invalid_grant"); // it was told
    }
    await refusedWith(poll({ device_code: "never was one" }), "invalid_grant");
});

test("revocation: of either token, once more, of none; a type that there is not (RFC 7009)", async () => {
    const revoke = async (token, hint) =>
        oauth.processRevocationResponse(await oauth.revocationRequest(as, client, none, token, { ...HTTP, additionalParameters: hint ? { token_type_hint: hint } : {} }));
    for (const [kind, hint] of [["access_token", "access_token"], ["refresh_token", "refresh_token"], ["refresh_token", "access_token"], ["access_token", undefined]]) {
        const tokens = await redeemed(await allowed({ scope: scope("REVOKED") }));
        await revoke(tokens[kind], hint);
        assert.equal(await whoami(tokens.access_token), 401, `${kind} ${hint}`);
        await refusedWith(refreshed(tokens.refresh_token), "invalid_grant");
        await revoke(tokens[kind], hint); // 2.2: it is gone, which was wanted
    }
    await revoke("never was one", "access_token");
    await refusedWith(revoke("x", "id_token"), "unsupported_token_type");
});
