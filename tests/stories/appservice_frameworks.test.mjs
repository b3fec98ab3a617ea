/* Bridges as they are written: on matrix-bot-sdk's application service and on matrix-appservice-bridge, unchanged, beside the real server (Application Service API). The
 * one encrypts by a native library that a script of its package brings from elsewhere, the other by a proxy of its own, Pantalaimon: encrypted bridges are
 * tested with mautrix (tests/python_clients). */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Server, freePort, until } from "./harness.mjs";

/* Its encryption is a native library that only a script of the package's brings along, from elsewhere; it is not used here. */
const load = Module._load;
Module._load = (name, ...rest) => (name === "@matrix-org/matrix-sdk-crypto-nodejs" ? { StoreType: {}, default: {} } : load(name, ...rest));
const require = createRequire(import.meta.url);
const { Appservice, LogService, MatrixClient, MemoryStorageProvider, RichConsoleLogger } = require("matrix-bot-sdk");
const { AppServiceRegistration, Bridge, Logger } = require("matrix-appservice-bridge");
const framework = createRequire(require.resolve("matrix-appservice-bridge"))("@vector-im/matrix-bot-sdk"); // of its own
LogService.setLogger(new RichConsoleLogger()); // whose console says nothing here (harness.mjs)
Logger.configure({ console: "off" });

const V3 = "/_matrix/client/v3";
const q = encodeURIComponent;
let server, bridge, second, folder, heard;

/* What the bridge asks by itself when it hears of something, with nobody to hear of its end: where no server is there, it is asked again, as bridges do. */
let asking = 0, over = false;
for (const client of [MatrixClient, framework.MatrixClient]) {
    const { doRequest } = client.prototype;
    client.prototype.doRequest = async function (...args) {
        ++asking;
        let broken;
        const done = await until(async () => {
            try {
                return { reply: await doRequest.apply(this, args) };
            } catch (e) {
                broken = /ECONNREFUSED|ECONNRESET|EPIPE|socket hang up/.test(e.message);
                return broken && !over ? undefined : { e };
            }
        }, "a server to answer the bridge").finally(() => --asking);
        if (!done.e) return done.reply;
        if (over && broken) return new Promise(() => {}); // the test is over
        throw done.e;
    };
}
const quiet = () => until(() => asking === 0, "the bridge to ask for nothing");

before(async () => {
    const port = await freePort();
    folder = mkdtempSync(join(tmpdir(), "parta-frameworks-"));
    const registration = {
        id: "bridge",
        url: `http://127.0.0.1:${port}`,
        as_token: "as-token-of-the-bridge-1",
        hs_token: "hs-token-of-the-bridge-1",
        sender_localpart: "_bridge",
        namespaces: {
            users: [{ exclusive: true, regex: "@_bridge_.*:school.example" }],
            rooms: [],
            aliases: [{ exclusive: true, regex: "#_bridge_.*:school.example" }],
        },
        protocols: ["remote"],
        rate_limited: false,
        "de.sorunome.msc2409.push_ephemeral": true,
        "org.matrix.msc3202": true,
    };
    writeFileSync(join(folder, "bridge.yaml"), JSON.stringify(registration), { mode: 0o600 }); // JSON is YAML
    const port2 = await freePort();
    const registration2 = new AppServiceRegistration(`http://127.0.0.1:${port2}`); // as the framework's own --generate-registration makes it
    registration2.setId("irc");
    registration2.setAppServiceToken(AppServiceRegistration.generateToken());
    registration2.setHomeserverToken(AppServiceRegistration.generateToken());
    registration2.setSenderLocalpart("_irc");
    registration2.addRegexPattern("users", "@_irc_.*:school.example", true);
    registration2.addRegexPattern("aliases", "#_irc_.*:school.example", true);
    registration2.setProtocols(["irc"]);
    registration2.setRateLimited(false);
    registration2.pushEphemeral = true;
    registration2.outputAsYaml(join(folder, "irc.yaml"));
    server = await Server.start(`policy:\n  mode: open\nappservices: ${folder}\n`);
    heard = [];
    bridge = new Appservice({
        port,
        bindAddress: "127.0.0.1",
        homeserverName: "school.example",
        homeserverUrl: server.url,
        registration,
        storage: new MemoryStorageProvider(),
        joinStrategy: null,
    });
    second = new Bridge({
        homeserverUrl: server.url,
        domain: "school.example",
        registration: registration2,
        disableStores: true,
        controller: {
            onEvent: (request) => heard2.push(request.getData()),
            onEphemeralEvent: (request) => heard2.push(request.getData()),
            onUserQuery: (user) => (user.localpart === "_irc_asked" ? { name: "Спрошенный" } : null),
            onAliasQuery: (alias, localpart) => (localpart === "_irc_asked" ? { creationOpts: { name: "Asked for", preset: "public_chat", room_alias_name: localpart } } : null),
            thirdPartyLookup: {
                protocols: ["irc"],
                getProtocol: () => ({ user_fields: ["nick"], location_fields: ["channel"], icon: "", field_types: {}, instances: [{ network_id: "libera", desc: "Libera", fields: {} }] }),
                getUser: (protocol, { nick }) => [{ userid: `@_irc_${nick}:school.example`, protocol, fields: { nick } }],
            },
        },
    });
    bridge.on("room.message", (room, event) => heard.push({ room, event }));
    bridge.on("ephemeral.event", (event) => heard.push({ ephemeral: event }));
    bridge.on("thirdparty.protocol", (protocol, answer) => answer({ user_fields: [], location_fields: [], icon: "", field_types: {}, instances: [{ network_id: protocol, desc: "", fields: {} }] }));
    bridge.on("query.user", (id, create) => create(id.includes("_bridge_asked") ? { display_name: "Спрошенный" } : false));
    bridge.on("query.room", (alias, create) => create(alias.includes("_bridge_asked") ? { name: "Asked for", preset: "public_chat" } : false));
    await bridge.begin();
    await second.run(port2, undefined, "127.0.0.1");
});
const heard2 = [];

after(async () => {
    bridge?.stop();
    await second?.close();
    await quiet();
    over = true;
    await server?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
});

test("matrix-bot-sdk: a bridge registers, acts, is told, and is asked", async () => {
    assert.equal(await bridge.botClient.getUserId(), "@_bridge:school.example");
    const intent = bridge.getIntentForSuffix?.("bob") ?? bridge.getIntent("_bridge_bob");
    await intent.ensureRegistered();
    await intent.ensureRegistered();
    assert.equal((await intent.underlyingClient.getWhoAmI()).user_id, "@_bridge_bob:school.example");
    await intent.underlyingClient.setDisplayName("Боб из сети");

    const human = await server.makeUser("human");
    const { body: { room_id: room } } = await server.request("POST", `${V3}/createRoom`, { token: human.access_token, body: { preset: "public_chat", invite: ["@_bridge_bob:school.example"] } });
    await intent.joinRoom(room);
    const say = (body) => server.request("PUT", `${V3}/rooms/${q(room)}/send/m.room.message/${q(body)}`, { token: human.access_token, body: { msgtype: "m.text", body } });
    for (let i = 0; i < 20; ++i) await say(`line ${i}`);
    const lines = () => heard.filter((h) => h.event?.content.body?.startsWith("line ")).map((h) => h.event.content.body);
    await until(() => lines().length >= 20, "the lines");
    assert.deepEqual(lines(), Array.from({ length: 20 }, (_, i) => `line ${i}`));

    const sent = await intent.sendText(room, "from the other network");
    const { body: event } = await server.request("GET", `${V3}/rooms/${q(room)}/event/${q(sent)}`, { token: human.access_token });
    assert.deepEqual([event.sender, event.content.body], ["@_bridge_bob:school.example", "from the other network"]);

    await server.request("PUT", `${V3}/rooms/${q(room)}/typing/${q(human.user_id)}`, { token: human.access_token, body: { typing: true } });
    await until(() => heard.some((h) => h.ephemeral?.type === "m.typing"), "typing");

    await until(() => heard.some((h) => h.event?.content.body === "from the other network"), "its own words");
    await quiet();
    await server.restart("SIGKILL");
    await say("line 20");
    await until(() => lines().length >= 21, "a line after the server was killed");
    assert.deepEqual(lines(), Array.from({ length: 21 }, (_, i) => `line ${i}`));

    const get = (path) => server.request("GET", path, { token: human.access_token });
    assert.equal((await get(`${V3}/profile/${q("@_bridge_asked:school.example")}`)).body.displayname, "Спрошенный");
    assert.equal((await get(`${V3}/profile/${q("@_bridge_never:school.example")}`)).status, 404);
    const joined = await server.request("POST", `${V3}/join/${q("#_bridge_asked:school.example")}`, { token: human.access_token, body: {} });
    assert.equal(joined.status, 200, JSON.stringify(joined.body));
});

test("matrix-appservice-bridge: registration, ghosts, rooms, aliases, networks, and nothing lost or twice when the server is killed", async () => {
    const human = await server.makeUser("irc-user");
    const ask = async (method, path, body, status = 200) => {
        const reply = await server.request(method, path, { token: human.access_token, body });
        assert.equal(reply.status, status, `${method} ${path}: ${JSON.stringify(reply.body)}`);
        return reply.body;
    };
    // A ghost, its profile, a portal room with the human in it, made and named by the bot.
    const ghost = second.getIntent("@_irc_alice:school.example");
    await ghost.ensureRegistered();
    await ghost.ensureProfile("Алиса (IRC)");
    const { room_id: room } = await second.getIntent().createRoom({ createAsClient: false, options: { name: "#portal", preset: "private_chat", invite: [human.user_id] } });
    await ask("POST", `${V3}/join/${q(room)}`, {});
    await ghost.join(room); // the bot, which may, invites it
    assert.equal((await ask("GET", `${V3}/rooms/${q(room)}/joined_members`)).joined["@_irc_alice:school.example"].display_name, "Алиса (IRC)");
    assert.equal((await ask("GET", `${V3}/rooms/${q(room)}/state/m.room.name`)).name, "#portal");

    // Both ways, over two kills of the server: each line once, and in order.
    const lines = () => heard2.filter((e) => e.type === "m.room.message" && e.sender === human.user_id).map((e) => e.content.body);
    const wanted = Array.from({ length: 30 }, (_, i) => `line ${i}`);
    for (let i = 0; i < 30; ++i) {
        await ask("PUT", `${V3}/rooms/${q(room)}/send/m.room.message/${i}`, { msgtype: "m.text", body: `line ${i}` });
        if (i % 10 === 0) await ghost.sendText(room, `from IRC ${i}`);
        if (i % 15 === 9) {
            await quiet();
            await server.restart("SIGKILL");
        }
    }
    await until(() => lines().length >= wanted.length, "the lines");
    assert.deepEqual(lines(), wanted);
    const { chunk } = await ask("GET", `${V3}/rooms/${q(room)}/messages?dir=b&limit=100`);
    assert.deepEqual(chunk.filter((e) => e.sender === "@_irc_alice:school.example" && e.type === "m.room.message").map((e) => e.content.body), ["from IRC 20", "from IRC 10", "from IRC 0"]);

    // Typing and receipts of people; what it does itself.
    await ask("PUT", `${V3}/rooms/${q(room)}/typing/${q(human.user_id)}`, { typing: true });
    await until(() => heard2.some((e) => e.type === "m.typing" && e.content.user_ids.includes(human.user_id)), "typing");
    await ask("POST", `${V3}/rooms/${q(room)}/receipt/m.read/${q(chunk[0].event_id)}`, {});
    await until(() => heard2.some((e) => e.type === "m.receipt" && e.content[chunk[0].event_id]?.["m.read"]?.[human.user_id]), "the receipt");
    await ghost.sendTyping(room, true);
    await ghost.sendReadReceipt(room, chunk[0].event_id);
    await second.getIntent().setPowerLevel(room, human.user_id, 50);
    assert.equal((await ask("GET", `${V3}/rooms/${q(room)}/state/m.room.power_levels`)).users[human.user_id], 50);
    await ghost.leave(room);

    // What is asked of it: a user, a room by its alias, a network.
    assert.equal((await ask("GET", `${V3}/profile/${q("@_irc_asked:school.example")}`)).displayname, "Спрошенный");
    await ask("GET", `${V3}/profile/${q("@_irc_never:school.example")}`, undefined, 404);
    const { room_id: asked } = await ask("POST", `${V3}/join/${q("#_irc_asked:school.example")}`, {});
    assert.equal((await ask("GET", `${V3}/rooms/${q(asked)}/state/m.room.name`)).name, "Asked for");
    await ask("POST", `${V3}/join/${q("#_irc_never:school.example")}`, {}, 404);
    const { irc, remote } = await ask("GET", `${V3}/thirdparty/protocols`); // of both bridges
    assert.deepEqual([irc.instances[0].network_id, remote.instances[0].network_id], ["libera", "remote"]);
    assert.equal((await ask("GET", `${V3}/thirdparty/user/irc?nick=bob`))[0].userid, "@_irc_bob:school.example");
    await second.getIntent().setRoomDirectoryVisibilityAppService(asked, "irc", "public");
    assert.deepEqual((await ask("POST", `${V3}/publicRooms`, { third_party_instance_id: "irc" })).chunk.map((r) => r.room_id), [asked]);
});
