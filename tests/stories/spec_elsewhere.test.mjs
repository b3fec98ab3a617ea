// What a signed-in person takes elsewhere: to a TURN server, to another service that asks who they are, to another device
// (Client-Server API, "Voice over IP", "OpenID", "Login"); and where they are signed in.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Server, freePort, until } from "./harness.mjs";
import { Asker, V1, by, q, register, registerAll } from "./asking.mjs";

const LOOPBACK = "127.0.0.1";
const NEEDED = "/login/get_token";
let server, dir, turnPort, anna, boris, nobody;

before(async () => {
    dir = mkdtempSync(join(tmpdir(), "parta-elsewhere-"));
    turnPort = await freePort();
    writeFileSync(join(dir, "secret"), "what both servers know\n");
    server = await Server.start(
        `policy:\n  mode: open\nturn:\n  uris: ["turn:${LOOPBACK}:${turnPort}?transport=udp"]\n  secret_file: ${dir}/secret\n  lifetime_ms: 600000\n`,
    );
    [anna, boris] = await registerAll(server, ["anna", "boris"]);
    nobody = new Asker(server);
});

after(async () => {
    await server?.stop();
    rmSync(dir, { recursive: true, force: true });
});

const whoseIs = (token) => nobody.try("GET", `/_matrix/federation/v1/openid/userinfo?access_token=${q(token)}`);

test("Debian's coturn takes what a person is given for it, and nothing else", async () => {
    await nobody.refused(401, "M_MISSING_TOKEN", "GET", "/voip/turnServer");
    const [given, again, others] = [
        await anna.get("/voip/turnServer"),
        await anna.get("/voip/turnServer"),
        await boris.get("/voip/turnServer"),
    ];
    assert.deepEqual([given.uris, given.ttl], [[`turn:${LOOPBACK}:${turnPort}?transport=udp`], 600]);
    const [until_s, name] = given.username.split(":");
    assert.ok(Math.abs(Number(until_s) - Date.now() / 1000 - 600) < 60);
    assert.equal(again.username.split(":")[1], name, "the same person has the same name there");
    assert.notEqual(others.username.split(":")[1], name);
    assert.ok(!JSON.stringify(given).includes("anna"), "A5: it does not say who it is");

    const options = ["-n", "--no-cli", "--use-auth-secret", "--static-auth-secret=what both servers know", "--realm=school.example", "-L", LOOPBACK];
    options.push("-p", String(turnPort), "--no-tls", "--no-dtls", "--allow-loopback-peers", "--log-file=stdout", `--pidfile=${dir}/pid`);
    const turn = spawn("turnserver", options, { stdio: "ignore", cwd: dir });
    const call = (username, password) => {
        const client = ["-u", username, "-w", password, "-y", "-n", "1", "-m", "1", "-p", String(turnPort), LOOPBACK];
        return spawnSync("turnutils_uclient", client, { encoding: "utf8", timeout: 15000, cwd: dir });
    };
    const relays = (username, password) => call(username, password).stdout.includes("lost packets 0 (0.0");
    try {
        await until(() => relays(given.username, given.password), "coturn to relay");
        assert.ok(!relays(given.username, others.password));
        assert.ok(!relays(`${Number(until_s) + 60}:${name}`, given.password));
    } finally {
        turn.kill("SIGKILL");
    }
});

test("another service learns by an OpenID token who somebody is, for an hour, also over a restart", async () => {
    const path = (who) => `/user/${q(who.id)}/openid/request_token`;
    await anna.refused(403, "M_FORBIDDEN", "POST", path(boris));
    const given = await anna.ask("POST", path(anna));
    assert.deepEqual(
        [given.token_type, given.matrix_server_name, given.expires_in],
        ["Bearer", "school.example", 3600],
    );
    assert.deepEqual((await whoseIs(given.access_token)).body, { sub: anna.id });
    await server.restart("SIGKILL");
    assert.deepEqual((await whoseIs(given.access_token)).body, { sub: anna.id });
    const turned = given.access_token.replace(/^(.{9})(.)/, (_, head, c) => head + (c === "A" ? "B" : "A"));
    for (const token of ["", "o", turned, given.access_token.slice(0, -1), `${given.access_token}0`, anna.token]) {
        const { status, body } = await whoseIs(token);
        assert.deepEqual([status, body.errcode], [401, "M_UNKNOWN_TOKEN"], token);
    }
    const thief = new Asker(server, { access_token: given.access_token });
    await thief.refused(401, "M_UNKNOWN_TOKEN", "GET", "/account/whoami");
    const gone = await register(server, "gone");
    const before = (await gone.ask("POST", path(gone))).access_token;
    await gone.ask("POST", "/account/deactivate", { auth: { ...by("gone"), session: await sessionOf(gone, "/account/deactivate") } });
    assert.equal((await whoseIs(before)).status, 401, "whoever has left is nobody");
});

const sessionOf = async (who, path) => (await who.try("POST", path)).body.session;

test("a login token signs one more device in, once, within two minutes; each needs the password anew", async () => {
    const getToken = `${V1}${NEEDED}`;
    const { flows } = await nobody.get("/login");
    assert.ok(flows.some((flow) => flow.type === "m.login.token" && flow.get_login_token));
    assert.equal((await anna.get("/capabilities")).capabilities["m.get_login_token"].enabled, true);
    const make = async () =>
        anna.ask("POST", getToken, { auth: { ...by("anna"), session: await sessionOf(anna, getToken) } });
    const [first, second] = [await make(), await make()];
    assert.equal(first.expires_in_ms, 120000);
    assert.notEqual(first.login_token, second.login_token);
    const login = (token) => ["POST", "/login", { type: "m.login.token", token, device_id: "BYTOKEN" }];
    await nobody.refused(403, "M_FORBIDDEN", ...login(first.login_token)); // a newer one ends it
    const signedIn = await nobody.ask(...login(second.login_token));
    assert.deepEqual([signedIn.user_id, signedIn.device_id], [anna.id, "BYTOKEN"]);
    assert.equal((await new Asker(server, signedIn).get("/account/whoami")).user_id, anna.id);
    await nobody.refused(403, "M_FORBIDDEN", ...login(second.login_token));
    await nobody.refused(403, "M_FORBIDDEN", ...login("made up"));
    await nobody.refused(400, "M_MISSING_PARAM", "POST", "/login", { type: "m.login.token" });
    assert.equal((await anna.try("POST", getToken)).status, 401);
});

test("a person sees by whois where they are signed in; others don't", async () => {
    const { user_id, devices } = await anna.get(`/admin/whois/${q(anna.id)}`);
    assert.equal(user_id, anna.id);
    assert.equal(devices[anna.device].sessions[0].connections[0].ip, LOOPBACK);
    await boris.refused(403, "M_FORBIDDEN", "GET", `/admin/whois/${q(anna.id)}`);
    await boris.refused(403, "M_FORBIDDEN", "GET", `/admin/whois/${q("@nobody:school.example")}`);
});
