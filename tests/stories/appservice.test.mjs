/* Application services (Application Service API): a real HTTP service beside the real server. It is bound as everybody is (A2, F1, E9, J3, J4). */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Server, freePort, until } from "./harness.mjs";
import { DeviceKeys } from "./signing.mjs";

const V3 = "/_matrix/client/v3";
const q = encodeURIComponent;
const AS_TOKEN = "as-token-of-the-story-0001";
const HS_TOKEN = "hs-token-of-the-story-0001";

/** A tiny application service: keeps what it is told, in order, and answers as it is told to. */
class Service {
    constructor() {
        this.transactions = new Map(); // id → body, in order of first arrival
        this.arrivals = []; // ids, each time
        this.taken = []; // bodies that were answered well
        this.foreign = 0; // requests without the right token
        this.answer = (request, response, body) => {
            if (request.method === "PUT") this.taken.push(JSON.parse(body));
            response.writeHead(200, { "content-type": "application/json" }).end("{}");
        };
    }
    async listen(port) {
        this.port = port ?? (await freePort());
        this.http = createServer((request, response) => {
            let body = "";
            request.on("data", (piece) => (body += piece));
            request.on("end", () => {
                if (request.headers.authorization !== `Bearer ${HS_TOKEN}`) this.foreign += 1;
                const [, id] = request.url.match(/^\/_matrix\/app\/v1\/transactions\/([^?]+)$/) ?? [];
                if (id !== undefined) {
                    this.arrivals.push(id);
                    if (this.transactions.has(id)) assert.deepEqual(ids(JSON.parse(body)), ids(this.transactions.get(id)), "the same id, the same events");
                    else this.transactions.set(id, JSON.parse(body));
                }
                this.answer(request, response, body);
            });
        });
        await new Promise((done) => this.http.listen(this.port, "127.0.0.1", done));
        return this;
    }
    get events() {
        return [...this.transactions.values()].flatMap((t) => t.events);
    }
    bodies() {
        return this.events.filter((e) => e.type === "m.room.message").map((e) => e.content.body);
    }
    /** Away, as a killed process is: connections break. */
    async close() {
        this.http.closeAllConnections();
        await new Promise((done) => this.http.close(done));
    }
}
const ids = (transaction) => transaction.events.map((e) => e.event_id);

function registration(port, more = "") {
    return (
        `id: irc\nurl: http://127.0.0.1:${port}\nas_token: ${AS_TOKEN}\nhs_token: ${HS_TOKEN}\nsender_localpart: _irc\n` +
        `namespaces:\n  users: [{exclusive: true, regex: '@_irc_.*'}]\n  aliases: [{exclusive: true, regex: '#_irc_.*'}]\n` +
        `  rooms: []\nreceive_ephemeral: true\nprotocols: [irc]\n${more}`
    );
}

async function startWith(service, settings, more) {
    const folder = mkdtempSync(join(tmpdir(), "parta-appservices-"));
    writeFileSync(join(folder, "irc.yaml"), registration(service.port, more), { mode: 0o600 });
    const server = settings === "school" ? await Server.startSchool(`appservices: ${folder}\n`) : await Server.start(`policy:\n  mode: open\nappservices: ${folder}\n${settings === "open" ? "" : settings}`);
    server.appservices = folder;
    return server;
}

/** A request of the service's, as one of its users. */
function as(server, user, method, path, body, more = {}) {
    const query = new URLSearchParams({ ...(user && { user_id: user.startsWith("@") ? user : `@${user}:school.example` }), ...more });
    return server.request(method, `${path}${path.includes("?") ? "&" : "?"}${query}`, { token: AS_TOKEN, body: body ?? (method === "GET" ? undefined : {}) });
}
const register = (server, username, more = {}) =>
    server.request("POST", `${V3}/register`, { token: AS_TOKEN, body: { type: "m.login.application_service", username, inhibit_login: true, ...more } });

let server, service;

before(async () => {
    service = await new Service().listen();
    server = await startWith(service, "open");
});

after(async () => {
    await server?.stop();
    await service?.close();
    if (server) rmSync(server.appservices, { recursive: true, force: true });
});

test("it registers users of its namespace, acts as them and with their devices, and as nobody else", async () => {
    assert.equal((await server.request("GET", `${V3}/account/whoami`, { token: AS_TOKEN })).body.user_id, "@_irc:school.example");
    assert.equal((await register(server, "_irc_bob")).status, 200);
    assert.equal((await register(server, "_irc_bob")).body.errcode, "M_USER_IN_USE");
    assert.equal((await register(server, "bob")).body.errcode, "M_EXCLUSIVE");
    const anybody = { type: "m.login.application_service", username: "_irc_x" };
    assert.equal((await server.request("POST", `${V3}/register`, { body: anybody })).body.errcode, "M_MISSING_TOKEN");
    assert.equal((await server.request("POST", `${V3}/register`, { token: "x".repeat(30), body: anybody })).body.errcode, "M_UNKNOWN_TOKEN");
    assert.equal((await server.request("POST", `${V3}/register`, { body: { username: "_irc_x", password: "long enough", auth: { type: "m.login.dummy" } } })).body.errcode, "M_EXCLUSIVE");

    const who = await as(server, "_irc_bob", "GET", `${V3}/account/whoami`);
    assert.deepEqual(who.body, { user_id: "@_irc_bob:school.example", is_guest: false });
    await server.makeUser("human");
    for (const other of ["human", "_irc_nobody", "parta"]) {
        const refused = await as(server, other, "GET", `${V3}/account/whoami`);
        assert.equal(refused.status, 403, other);
        assert.equal(refused.body.errcode, "M_FORBIDDEN");
    }

    assert.equal((await as(server, "_irc_bob", "GET", `${V3}/account/whoami`, undefined, { device_id: "LAPTOP" })).body.errcode, "M_UNKNOWN_DEVICE");
    assert.equal((await as(server, "_irc_bob", "PUT", `${V3}/devices/LAPTOP`, { display_name: "Laptop" })).status, 201);
    assert.equal((await as(server, "_irc_bob", "PUT", `${V3}/devices/LAPTOP`, { display_name: "Laptop 2" })).status, 200);
    assert.equal((await as(server, "_irc_bob", "GET", `${V3}/account/whoami`, undefined, { device_id: "LAPTOP" })).body.device_id, "LAPTOP");
    assert.equal((await as(server, "_irc_bob", "GET", `${V3}/account/whoami`, undefined, { "org.matrix.msc3202.device_id": "LAPTOP" })).body.device_id, "LAPTOP");
    assert.equal((await as(server, "_irc_bob", "POST", `${V3}/keys/upload`)).status, 400); // no device, no keys
    assert.equal((await as(server, "_irc_bob", "DELETE", `${V3}/devices/LAPTOP`)).status, 200);
    assert.equal((await as(server, "_irc_bob", "POST", `${V3}/logout`)).status, 400);

    const login = await server.request("POST", `${V3}/login`, { token: AS_TOKEN, body: { type: "m.login.application_service", identifier: { type: "m.id.user", user: "_irc_bob" } } });
    assert.equal((await server.request("GET", `${V3}/account/whoami`, { token: login.body.access_token })).body.user_id, "@_irc_bob:school.example");
    const human = { type: "m.login.application_service", identifier: { type: "m.id.user", user: "human" } };
    assert.equal((await server.request("POST", `${V3}/login`, { token: AS_TOKEN, body: human })).body.errcode, "M_EXCLUSIVE");
});

test("timestamps are the service's to say, aliases of its namespace its own", async () => {
    await register(server, "_irc_ann");
    const { body: { room_id: room } } = await as(server, "_irc_ann", "POST", `${V3}/createRoom`, { preset: "public_chat", room_alias_name: "_irc_hall" });
    const { body: { event_id: event } } = await as(server, "_irc_ann", "PUT", `${V3}/rooms/${q(room)}/send/m.room.message/t1`, { msgtype: "m.text", body: "long ago" }, { ts: 1000000000000 });
    assert.equal((await as(server, "_irc_ann", "GET", `${V3}/rooms/${q(room)}/event/${q(event)}`)).body.origin_server_ts, 1000000000000);
    const again = await as(server, "_irc_ann", "PUT", `${V3}/rooms/${q(room)}/send/m.room.message/t1`, { msgtype: "m.text", body: "long ago" });
    assert.equal(again.body.event_id, event); // a transaction id means something without a device, too
    assert.equal((await as(server, "_irc_ann", "PUT", `${V3}/rooms/${q(room)}/send/m.room.message/t2`, {}, { ts: "soon" })).status, 400);
    assert.equal((await as(server, "_irc_ann", "PUT", `${V3}/rooms/${q(room)}/send/m.room.message/t2`, {}, { ts: "9007199254740993" })).status, 400);

    const synced = await as(server, "_irc_ann", "GET", `${V3}/sync?timeout=0`);
    assert.ok(synced.body.rooms.join[room].timeline.events.some((e) => e.event_id === event), "its user's /sync");

    // What it says is shown; jumping to a date goes by when the event came, and so do sliding sync's order and a notification's time.
    const came = Date.now();
    const sayAt = async (ts, txn, type = "m.room.message", body = { msgtype: "m.text", body: txn }) => (await as(server, "_irc_ann", "PUT", `${V3}/rooms/${q(room)}/send/${type}/${txn}`, body, { ts })).body.event_id;
    const [old, future] = [await sayAt(1000, "old"), await sayAt(Number.MAX_SAFE_INTEGER, "future")];
    const jump = async (ts, dir) => (await as(server, "_irc_ann", "GET", `/_matrix/client/v1/rooms/${q(room)}/timestamp_to_event?ts=${ts}&dir=${dir}`)).body;
    assert.deepEqual(await jump(came - 60_000, "f").then((b) => b.origin_server_ts > came - 60_000), true); // the room's beginning
    assert.deepEqual(await jump(came + 60_000, "b"), { event_id: future, origin_server_ts: Number.MAX_SAFE_INTEGER });
    assert.equal((await jump(1000, "b")).errcode, "M_NOT_FOUND");
    const undone = await sayAt(2000, "undo", "m.room.redaction", { redacts: old });
    assert.equal((await as(server, "_irc_ann", "GET", `${V3}/rooms/${q(room)}/event/${q(undone)}`)).body.origin_server_ts, 2000);
    const sliding = await as(server, "_irc_ann", "POST", "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", { lists: { all: { ranges: [[0, 9]], timeline_limit: 1, required_state: [] } } });
    assert.ok(Math.abs(sliding.body.rooms[room].bump_stamp - came) < 600_000, JSON.stringify(sliding.body));

    const alias = (name) => `${V3}/directory/room/${q(`#${name}:school.example`)}`;
    const token = (await server.makeUser("namer")).access_token;
    await server.request("POST", `${V3}/join/${q(room)}`, { token, body: {} });
    assert.equal((await server.request("PUT", alias("_irc_mine"), { token, body: { room_id: room } })).body.errcode, "M_EXCLUSIVE");
    assert.equal((await server.request("PUT", alias("mine"), { token, body: { room_id: room } })).status, 200);
    assert.equal((await as(server, "_irc_ann", "PUT", alias("other"), { room_id: room })).body.errcode, "M_EXCLUSIVE");
    assert.equal((await as(server, "_irc_ann", "PUT", alias("_irc_second"), { room_id: room })).status, 200);
    assert.equal((await server.request("POST", `${V3}/createRoom`, { token, body: { room_alias_name: "_irc_new" } })).body.errcode, "M_EXCLUSIVE");
});

const say = (server, token, room, body, txn = Math.random()) =>
    server.request("PUT", `${V3}/rooms/${q(room)}/send/m.room.message/${txn}`, { token, body: { msgtype: "m.text", body } });

test("it is told of what happens where its users are, in order, and of nothing else; typing and receipts too", async () => {
    await register(server, "_irc_eve");
    const human = await server.makeUser("talker");
    const token = human.access_token;
    const create = async (invite) => (await server.request("POST", `${V3}/createRoom`, { token, body: { preset: "public_chat", invite } })).body.room_id;
    const with_ = await create(["@_irc_eve:school.example"]);
    const without = await create();
    await say(server, token, without, "not for it");
    await say(server, token, with_, "before it came");
    await until(() => service.events.some((e) => e.type === "m.room.member" && e.state_key === "@_irc_eve:school.example"), "the invite");
    assert.equal((await as(server, "_irc_eve", "POST", `${V3}/join/${q(with_)}`)).status, 200);
    for (let i = 0; i < 30; ++i) await say(server, token, with_, `line ${i}`);
    await until(() => service.bodies().includes("line 29"), "the last line");
    assert.deepEqual(service.bodies().filter((b) => b.startsWith("line ")), Array.from({ length: 30 }, (_, i) => `line ${i}`));
    assert.ok(!service.bodies().includes("not for it") && !service.bodies().includes("before it came"));
    const event = service.events.find((e) => e.content.body === "line 3");
    assert.equal(event.room_id, with_);
    assert.equal(event.sender, human.user_id);
    assert.equal(service.foreign, 0);

    await server.request("PUT", `${V3}/rooms/${q(with_)}/typing/${q(human.user_id)}`, { token, body: { typing: true } });
    await server.request("POST", `${V3}/rooms/${q(with_)}/receipt/m.read/${q(event.event_id)}`, { token, body: {} });
    await server.request("POST", `${V3}/rooms/${q(with_)}/receipt/m.read.private/${q(event.event_id)}`, { token, body: {} });
    const ephemeral = () => [...service.transactions.values()].flatMap((t) => t.ephemeral ?? []);
    await until(() => ephemeral().some((e) => e.type === "m.typing" && e.room_id === with_ && e.content.user_ids.includes(human.user_id)), "typing");
    const receipt = await until(() => ephemeral().find((e) => e.type === "m.receipt" && e.room_id === with_), "the receipt");
    assert.ok(receipt.content[event.event_id]["m.read"][human.user_id].ts > 0);
    assert.ok(!JSON.stringify([...service.transactions.values()]).includes("m.read.private"));

    await as(server, "_irc_eve", "PUT", `${V3}/devices/EVE`, {});
    await server.request("PUT", `${V3}/sendToDevice/org.example.secret/1`, { token, body: { messages: { "@_irc_eve:school.example": { EVE: { word: "hush" } } } } });
    const message = await until(() => [...service.transactions.values()].flatMap((t) => t.to_device ?? []).find((m) => m.type === "org.example.secret"), "the message to the device");
    assert.deepEqual({ ...message }, { content: { word: "hush" }, sender: human.user_id, to_device_id: "EVE", to_user_id: "@_irc_eve:school.example", type: "org.example.secret" });

    assert.equal((await as(server, "_irc_eve", "POST", `${V3}/rooms/${q(with_)}/leave`)).status, 200);
    await until(() => service.events.some((e) => e.state_key === "@_irc_eve:school.example" && e.content.membership === "leave"), "its own leaving");
    await say(server, token, with_, "after it left");
    await register(server, "_irc_last"); // and whatever comes later is told, so that what is missing is missing
    await as(server, "_irc_last", "POST", `${V3}/createRoom`, { name: "last" });
    await until(() => service.events.some((e) => e.content.name === "last"), "the last room");
    assert.ok(!service.bodies().includes("after it left"));
});

test("whatever it answers but 200 with an object, and whoever is killed: nothing is lost, nothing comes under a second id", async () => {
    const human = await server.makeUser("steady");
    await register(server, "_irc_steady");
    const { body: { room_id: room } } = await server.request("POST", `${V3}/createRoom`, { token: human.access_token, body: { preset: "public_chat" } });
    await as(server, "_irc_steady", "POST", `${V3}/join/${q(room)}`);
    const good = service.answer;
    const json = { "content-type": "application/json" };
    const bad = [
        (request, response) => response.writeHead(500, json).end("{}"),
        (request, response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>It works!</html>"),
        (request, response) => response.writeHead(200, json).end("[]"),
        (request, response) => response.socket.destroy(),
        (request, response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
        (request, response) => response.writeHead(200, json).write("{"), // and no more
    ];
    let n = 0;
    for (let round = 0; round < 6; ++round) {
        service.answer = bad[round];
        const arrived = service.arrivals.length;
        for (let i = 0; i < 5; ++i) assert.equal((await say(server, human.access_token, room, `kept ${n++}`)).status, 200);
        await until(() => service.arrivals.length > arrived, "an attempt");
        if (round % 2 === 0) await server.restart("SIGKILL");
        else {
            await service.close();
            await service.listen(service.port);
        }
        service.answer = good;
        await say(server, human.access_token, room, `kept ${n++}`);
        await until(() => service.bodies().includes(`kept ${n - 1}`), `round ${round}`);
    }
    assert.deepEqual(service.bodies().filter((b) => b.startsWith("kept ")), Array.from({ length: n }, (_, i) => `kept ${i}`));
    const seen = service.events.map((e) => e.event_id);
    assert.equal(new Set(seen).size, seen.length, "no event in two transactions");
    assert.ok(service.arrivals.length > service.transactions.size, "some came again, under their ids");
});

test("a transaction that was not taken comes again under its id with all that was in it, messages to devices too, also after a kill", async () => {
    const human = await server.makeUser("insists");
    await register(server, "_irc_insists");
    assert.ok((await as(server, "_irc_insists", "PUT", `${V3}/devices/INSISTS`, { display_name: "bridge" })).status < 300);
    const { body: { room_id: room } } = await server.request("POST", `${V3}/createRoom`, { token: human.access_token, body: { preset: "public_chat" } });
    await as(server, "_irc_insists", "POST", `${V3}/join/${q(room)}`);
    await say(server, human.access_token, room, "insists: all before is taken");
    await until(() => service.bodies().includes("insists: all before is taken"), "what was before");
    const good = service.answer;
    const came = new Map(); // id → bodies, each time
    let hold; // the first is answered once the others wait, so that they are one transaction
    service.answer = (request, response, body) => {
        const id = service.arrivals.at(-1);
        came.set(id, [...(came.get(id) ?? []), JSON.parse(body)]);
        if (came.size === 1) hold = () => response.writeHead(200, { "content-type": "application/json" }).end("{}");
        else response.writeHead(500).end();
    };
    const words = ["insists 0", "insists 1", "insists 2", "insists 3"];
    await say(server, human.access_token, room, words[0]);
    await until(() => hold, "the first");
    for (const word of words.slice(1)) await say(server, human.access_token, room, word);
    const { access_token: token } = human;
    await server.request("PUT", `${V3}/sendToDevice/org.example.insists/1`, { token, body: { messages: { "@_irc_insists:school.example": { INSISTS: { word: "hush" } } } } });
    hold();
    const several = await until(() => [...came].find(([, bodies]) => JSON.stringify(bodies[0]).includes("insists 3"))?.[0], "several at once");
    await server.restart("SIGKILL");
    service.answer = (request, response, body) => {
        const id = service.arrivals.at(-1);
        came.set(id, [...(came.get(id) ?? []), JSON.parse(body)]);
        good(request, response, body);
    };
    await until(() => came.get(several).length > 1 && service.taken.some((t) => JSON.stringify(t).includes("insists 3")), "it came again");
    const told = (body) => [body.events.map((e) => e.content.body), (body.to_device ?? []).map((m) => m.content.word)];
    assert.deepEqual(told(came.get(several)[0]), [words.slice(1), ["hush"]]);
    for (const body of came.get(several)) assert.deepEqual(told(body), told(came.get(several)[0]));
    service.answer = good;
});

test("it is asked for users and rooms that are not there yet, for networks, and pings itself", async () => {
    const good = service.answer;
    const human = await server.makeUser("seeker");
    const get = (path) => server.request("GET", path, { token: human.access_token });
    const asked = [];
    service.answer = async (request, response, body) => {
        asked.push(`${request.method} ${request.url}`);
        const reply = (status, value) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
        const url = decodeURIComponent(request.url);
        if (url.startsWith("/_matrix/app/v1/users/@_irc_made")) {
            await register(server, url.match(/@(\w+):/)[1]);
            return reply(200, {});
        }
        if (url.startsWith("/_matrix/app/v1/rooms/#_irc_made")) {
            await as(server, "", "POST", `${V3}/createRoom`, { preset: "public_chat", room_alias_name: "_irc_made" });
            return reply(200, {});
        }
        if (url === "/_matrix/app/v1/thirdparty/protocol/irc") return reply(200, { user_fields: ["nick"], location_fields: ["channel"], icon: "mxc://a/b", field_types: {}, instances: [{ network_id: "freenode", desc: "Freenode", fields: {} }] });
        if (url === "/_matrix/app/v1/thirdparty/user/irc?nick=боб") return reply(200, [{ userid: "@_irc_bob:school.example", protocol: "irc", fields: {} }]);
        if (url === "/_matrix/app/v1/ping") return reply(JSON.parse(body).transaction_id === "bad" ? 403 : 200, { errcode: "M_FORBIDDEN" });
        if (request.method === "PUT") return reply(200, {});
        return reply(404, {});
    };
    assert.equal((await get(`${V3}/profile/${q("@_irc_made:school.example")}`)).status, 200);
    assert.equal((await get(`${V3}/profile/${q("@_irc_never:school.example")}`)).status, 404);
    assert.ok(asked.includes("GET /_matrix/app/v1/users/%40_irc_never%3Aschool.example") && asked.includes("GET /users/%40_irc_never%3Aschool.example"), "the older path, too");
    // Whom a new room invites is asked for, too; and one that does not answer at first is asked again.
    let refusals = 2;
    const patient = service.answer;
    service.answer = (request, response, body) => (request.url.includes("_invited") && refusals-- > 0 ? response.writeHead(503).end() : patient(request, response, body));
    const made = await server.request("POST", `${V3}/createRoom`, { token: human.access_token, body: { invite: ["@_irc_made_invited:school.example"] } });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    assert.equal(asked.filter((a) => a.includes("invited")).length, 1, "once it answered");
    service.answer = patient;
    assert.equal((await get(`${V3}/profile/${q("@other:school.example")}`)).status, 404);
    assert.ok(!asked.some((a) => a.includes("other")), "of other names it is not asked");
    const joined = await server.request("POST", `${V3}/join/${q("#_irc_made:school.example")}`, { token: human.access_token, body: {} });
    assert.equal(joined.status, 200);
    assert.deepEqual((await get(`${V3}/directory/room/${q("#_irc_made:school.example")}`)).body.room_id, joined.body.room_id);
    assert.equal((await get(`${V3}/directory/room/${q("#_irc_never:school.example")}`)).status, 404);

    assert.equal((await get(`${V3}/thirdparty/protocols`)).body.irc.instances[0].network_id, "freenode");
    assert.equal((await get(`${V3}/thirdparty/protocol/irc`)).body.user_fields[0], "nick");
    assert.equal((await get(`${V3}/thirdparty/protocol/xmpp`)).status, 404);
    assert.equal((await get(`${V3}/thirdparty/user/irc?nick=${q("боб")}`)).body[0].userid, "@_irc_bob:school.example");
    assert.equal((await get(`${V3}/thirdparty/location/irc?channel=x`)).status, 404);

    // Of several services that bridge a network all are asked at once: each answers here only once the other was asked, too.
    const second = await new Service().listen();
    const meet = () => {
        const met = Promise.withResolvers();
        let there = 0;
        return () => (++there === 2 && met.resolve(), met.promise);
    };
    const lookup = (answer, tail) => async (request, response, body) => {
        if (!request.url.startsWith("/_matrix/app/v1/thirdparty")) return answer(request, response, body);
        await both();
        if (request.url.includes("/protocol/")) response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ user_fields: [tail], location_fields: [], icon: "", field_types: {}, instances: [{ network_id: tail, desc: "", fields: {} }] }));
        else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify([{ userid: `@${tail}:school.example`, protocol: "irc", fields: {} }]));
    };
    const answer = service.answer;
    service.answer = lookup(answer, "one");
    second.answer = lookup(good, "two");
    let both = meet();
    const third = registration(second.port).replaceAll("_irc", "_second").replace("id: irc", "id: second").replaceAll("-0001", "-0003");
    writeFileSync(join(server.appservices, "second.yaml"), third, { mode: 0o600 });
    server.parta("appservice", "reload");
    assert.deepEqual((await get(`${V3}/thirdparty/protocols`)).body.irc.instances.map((i) => i.network_id), ["one", "two"]);
    both = meet();
    assert.deepEqual((await get(`${V3}/thirdparty/protocol/irc`)).body.instances.map((i) => i.network_id), ["one", "two"]);
    both = meet();
    assert.deepEqual((await get(`${V3}/thirdparty/user/irc?nick=x`)).body.map((u) => u.userid), ["@one:school.example", "@two:school.example"]);
    service.answer = answer;
    rmSync(join(server.appservices, "second.yaml"));
    server.parta("appservice", "reload");
    await second.close();

    const listed = async (network) => (await server.request("POST", `${V3}/publicRooms`, { token: human.access_token, body: { third_party_instance_id: network } })).body.chunk.map((c) => c.room_id);
    const publish = (network, visibility) => as(server, "", "PUT", `${V3}/directory/list/appservice/${network}/${q(joined.body.room_id)}`, { visibility });
    assert.equal((await publish("irc", "public")).status, 200);
    assert.equal((await publish("xmpp", "public")).status, 403);
    assert.equal((await server.request("PUT", `${V3}/directory/list/appservice/irc/${q(joined.body.room_id)}`, { token: human.access_token, body: { visibility: "public" } })).status, 403);
    assert.deepEqual([await listed("irc"), await listed("xmpp")], [[joined.body.room_id], []]);
    const own = (await server.request("POST", `${V3}/createRoom`, { token: human.access_token, body: { visibility: "public" } })).body.room_id;
    const search = async (body) => (await server.request("POST", `${V3}/publicRooms`, { token: human.access_token, body })).body;
    const found = async (body) => (await search(body)).chunk.map((c) => c.room_id);
    assert.deepEqual((await found({ include_all_networks: true })).sort(), [joined.body.room_id, own].sort());
    assert.deepEqual(await found({ include_all_networks: false }), [own]);
    assert.equal((await search({ include_all_networks: true, third_party_instance_id: "irc" })).errcode, "M_INVALID_PARAM");
    assert.equal((await publish("irc", "private")).status, 200);
    assert.deepEqual(await listed("irc"), []);

    const ping = (id, token, transaction_id) => server.request("POST", `/_matrix/client/v1/appservice/${id}/ping`, { token, body: { transaction_id } });
    assert.ok((await ping("irc", AS_TOKEN, "meow")).body.duration_ms >= 0);
    const bad = await ping("irc", AS_TOKEN, "bad");
    assert.deepEqual([bad.status, bad.body.errcode, bad.body.status, bad.body.body], [502, "M_BAD_STATUS", 403, '{"errcode":"M_FORBIDDEN"}']);
    assert.equal((await ping("xmpp", AS_TOKEN)).body.errcode, "M_FORBIDDEN");
    assert.equal((await ping("irc", human.access_token)).body.errcode, "M_FORBIDDEN");
    await service.close();
    assert.deepEqual((await ping("irc", AS_TOKEN)).body.errcode, "M_CONNECTION_FAILED");
    await service.listen(service.port);
    service.answer = good;
});

test("its users are limited together, it itself is not", async () => {
    const other = await new Service().listen();
    const folder = mkdtempSync(join(tmpdir(), "parta-appservices-"));
    writeFileSync(join(folder, "irc.yaml"), registration(other.port), { mode: 0o600 });
    const local = await Server.start(`  appservice: 1/h burst 3\npolicy:\n  mode: open\nappservices: ${folder}\n`); // the first line belongs to rate_limits
    try {
        await register(local, "_irc_bot");
        const status = async (user) => (await as(local, user, "GET", `${V3}/account/whoami`)).status;
        const seen = [];
        for (let i = 0; i < 5; ++i) seen.push(await status("_irc_bot"));
        assert.ok(seen.includes(429), JSON.stringify(seen));
        for (let i = 0; i < 10; ++i) assert.equal(await status(""), 200);
    } finally {
        await local.stop();
        await other.close();
        rmSync(folder, { recursive: true, force: true });
    }
});

test("MSC3202: whose keys it needs anew and no more, and what its devices have left, come with transactions; who is there, too", async () => {
    const other = await new Service().listen();
    const local = await startWith(other, "presence:\n  enabled: true\n", "org.matrix.msc3202: true\n");
    try {
        const all = (member) => [...other.transactions.values()].flatMap((t) => (t[member] === undefined ? [] : [t[member]]));
        const ask = async (who, method, path, body = {}) => {
            const reply = await local.request(method, path, { token: who.access_token, body: method === "GET" ? undefined : body });
            assert.equal(reply.status, 200, `${method} ${path}: ${JSON.stringify(reply.body)}`);
            return reply.body;
        };
        const bot = async (path, body) => {
            const reply = await as(local, "_irc_bot", "POST", path, body, { device_id: "BOT" });
            assert.equal(reply.status, 200, `${path}: ${JSON.stringify(reply.body)}`);
            return reply.body;
        };
        /* What was told since `from`: a set of names of each list. */
        const lists = (from) => all("device_lists").slice(from).reduce((sum, l) => ({ changed: sum.changed.union(new Set(l.changed)), left: sum.left.union(new Set(l.left)) }), { changed: new Set(), left: new Set() });
        const [early, late, aside] = [await local.makeUser("early"), await local.makeUser("late"), await local.makeUser("aside")];
        await register(local, "_irc_bot");
        await as(local, "_irc_bot", "PUT", `${V3}/devices/BOT`);
        const keys = new DeviceKeys("@_irc_bot:school.example", "BOT");
        const fallback_keys = { "signed_curve25519:F": keys.signed({ fallback: true, key: "c3Vic3RpdHV0ZSBvZiBhIGtleSBvZiBjdXJ2ZTI1NTE" }) };
        await bot(`${V3}/keys/upload`, { ...keys.upload(3), fallback_keys });

        const make = async (who, encrypted) => (await ask(who, "POST", `${V3}/createRoom`, { preset: "public_chat", initial_state: encrypted ? [{ type: "m.room.encryption", content: { algorithm: "m.megolm.v1.aes-sha2" } }] : [] })).room_id;
        const [room, plain] = [await make(early, true), await make(aside, false)];

        // It comes to a room: all who are there. Somebody comes: they. Not those of rooms without encryption, until it comes there.
        await bot(`${V3}/join/${q(plain)}`);
        await bot(`${V3}/join/${q(room)}`);
        await until(() => lists(0).changed.has(early.user_id), "who was there");
        await ask(late, "POST", `${V3}/join/${q(room)}`);
        await until(() => lists(0).changed.has(late.user_id), "who came");
        await ask(aside, "POST", `${V3}/keys/upload`, new DeviceKeys(aside.user_id, aside.device_id).upload());
        await ask(late, "POST", `${V3}/keys/upload`, new DeviceKeys(late.user_id, late.device_id).upload());
        await say(local, aside.access_token, plain, "all keys are told of");
        await until(() => other.bodies().includes("all keys are told of"), "what was said after that");
        assert.ok(!lists(0).changed.has(aside.user_id));
        await ask(aside, "PUT", `${V3}/rooms/${q(plain)}/state/m.room.encryption`, { algorithm: "m.megolm.v1.aes-sha2" });
        await until(() => lists(0).changed.has(aside.user_id), "who is where encryption came");
        assert.deepEqual([...lists(0).left], []);

        // Each claim is told; of nobody else's devices; also that the fallback key was used.
        const left = () => all("device_one_time_keys_count").map((c) => c["@_irc_bot:school.example"]?.BOT?.signed_curve25519);
        const unused = () => all("device_unused_fallback_key_types").map((t) => t["@_irc_bot:school.example"]?.BOT);
        for (const n of [2, 1, 0]) {
            const from = left().length;
            await ask(early, "POST", `${V3}/keys/claim`, { one_time_keys: { "@_irc_bot:school.example": { BOT: "signed_curve25519" } } });
            await until(() => left().slice(from).includes(n), `${n} left`);
            assert.deepEqual(unused().at(-1), ["signed_curve25519"]);
        }
        await ask(early, "POST", `${V3}/keys/claim`, { one_time_keys: { "@_irc_bot:school.example": { BOT: "signed_curve25519" }, [late.user_id]: { [late.device_id]: "signed_curve25519" } } });
        await until(() => unused().at(-1)?.length === 0, "the fallback key's use");
        assert.ok(all("device_one_time_keys_count").every((c) => Object.keys(c).every((id) => id === "@_irc_bot:school.example")));

        // Who goes is needed no more, but for those who are elsewhere with it still; where it goes, all are.
        const both = await make(late, true);
        await bot(`${V3}/join/${q(both)}`);
        await ask(early, "POST", `${V3}/join/${q(both)}`);
        await until(() => other.events.some((e) => e.room_id === both && e.state_key === early.user_id), "the third room");
        await ask(early, "POST", `${V3}/rooms/${q(room)}/leave`);
        await ask(aside, "POST", `${V3}/rooms/${q(plain)}/leave`);
        await until(() => lists(0).left.has(aside.user_id), "who went");
        assert.deepEqual([...lists(0).left], [aside.user_id]);
        await bot(`${V3}/rooms/${q(both)}/leave`);
        await until(() => lists(0).left.has(early.user_id), "all from whom it went");
        assert.deepEqual([...lists(0).left].sort(), [aside.user_id, early.user_id].sort()); // late is in the first room still
        for (const t of other.transactions.values()) assert.deepEqual(t.device_lists, t["org.matrix.msc3202.device_lists"]);

        // Presence of those with whom it is in a room, and of nobody else.
        const there = () => all("ephemeral").flat().filter((e) => e.type === "m.presence");
        for (const who of [early, aside, late]) await ask(who, "PUT", `${V3}/presence/${q(who.user_id)}/status`, { presence: "online", status_msg: `of ${who.user_id}` });
        const told = await until(() => there().find((e) => e.sender === late.user_id), "presence");
        assert.deepEqual([told.content.presence, told.content.status_msg], ["online", `of ${late.user_id}`]);
        assert.deepEqual([...new Set(there().map((e) => e.sender))], [late.user_id]);
        await ask(aside, "POST", `${V3}/join/${q(room)}`); // and of who comes to it, as they are
        await until(() => there().some((e) => e.sender === aside.user_id && e.content.presence === "online"), "presence of who came");

        // What is told as it is now is not lost with an attempt that failed, nor while either side is away.
        const taken = (from, member) => other.taken.slice(from).flatMap((t) => (t[member] === undefined ? [] : [t[member]])).flat();
        const of = (from, type) => taken(from, "ephemeral").filter((e) => e.type === type);
        const good = other.answer;
        const claim = () => ask(early, "POST", `${V3}/keys/claim`, { one_time_keys: { "@_irc_bot:school.example": { BOT: "signed_curve25519" } } });
        const happens = async (word) => {
            await bot(`${V3}/keys/upload`, { one_time_keys: Object.fromEntries([0, 1].map((n) => [`signed_curve25519:${word}${n}`, keys.signed({ key: "c3Vic3RpdHV0ZSBvZiBhIGtleSBvZiBjdXJ2ZTI1NTE" })])) });
            await claim();
            const { event_id } = (await say(local, late.access_token, room, word)).body;
            await ask(late, "PUT", `${V3}/presence/${q(late.user_id)}/status`, { presence: "online", status_msg: word });
            await ask(late, "POST", `${V3}/rooms/${q(room)}/receipt/m.read/${q(event_id)}`);
            await ask(late, "POST", `${V3}/rooms/${q(room)}/receipt/m.read.private/${q(event_id)}`);
            await bot(`${V3}/rooms/${q(room)}/receipt/m.read.private/${q(event_id)}`);
            return event_id;
        };
        const arrived = async (from, event_id, n) => {
            const counts = () => taken(from, "device_one_time_keys_count").some((c) => c["@_irc_bot:school.example"]?.BOT?.signed_curve25519 === n);
            await until(counts, "the count of keys");
            const receipts = () => Object.assign({ "m.read": {}, "m.read.private": {} }, ...of(from, "m.receipt").map((e) => e.content[event_id] ?? {}));
            await until(() => receipts()["m.read"][late.user_id] && receipts()["m.read.private"]["@_irc_bot:school.example"], "the receipts");
            assert.deepEqual(Object.keys(receipts()["m.read.private"]), ["@_irc_bot:school.example"]); // nobody else's
        };
        let from = other.taken.length;
        let attempts = other.arrivals.length;
        other.answer = (request, response) => response.writeHead(500).end();
        const first = await happens("first");
        await until(() => other.arrivals.length > attempts + 1, "attempts");
        other.answer = good;
        await arrived(from, first, 1);
        await until(() => of(from, "m.presence").some((e) => e.sender === late.user_id && e.content.status_msg === "first"), "presence");

        await other.close();
        from = other.taken.length;
        const second = await happens("second");
        await local.restart("SIGKILL");
        await other.listen(other.port);
        await say(local, early.access_token, room, "after that");
        await arrived(from, second, 2);
        await until(() => of(from, "m.presence").some((e) => e.sender === late.user_id && e.content.presence === "offline"), "who has not come again");
    } finally {
        await local.stop();
        await other.close();
        rmSync(local.appservices, { recursive: true, force: true });
    }
});

test("J2: a registration that comes, changes or goes is in force at once, and in the log of operators and of the schools it names; also over a restart", async () => {
    const other = await new Service().listen();
    const school = await startWith(other, "school", "org.parta.schools: [s1]\n");
    try {
        const operator = school.operator();
        /* Of a school's log, or what is no school's. */
        const log = async (of) => {
            const reply = await school.api(operator, "GET", `/audit?act=appservice.&limit=200${of ? `&school=${of}` : ""}`);
            assert.equal(reply.status, 200, JSON.stringify(reply.body));
            assert.ok(!JSON.stringify(reply.body).includes("token-of-the-story"));
            const entries = reply.body.items.map(({ entry }) => (typeof entry === "string" ? JSON.parse(entry) : entry));
            return entries.filter((e) => of || e.details);
        };
        const mine = (entries) => entries.filter((e) => e.subject.application_service === "second").map((e) => [e.act, e.actor, ...(e.details?.schools ?? [])].join(" ")).sort();
        const file = join(school.appservices, "..", `second-${other.port}.yaml`);
        const second = (schools) => writeFileSync(file, registration(other.port, `org.parta.schools: [${schools}]\n`).replaceAll("irc", "second").replaceAll("-0001", "-0002"), { mode: 0o600 });
        assert.ok((await log()).some((e) => e.act === "appservice.add" && e.subject.application_service === "irc"), "what was there at the start");
        second("s1");
        school.parta("appservice", "add", file);
        assert.equal((await school.request("GET", `${V3}/account/whoami`, { token: AS_TOKEN.replace("0001", "0002") })).body.user_id, "@_second:school.example");
        second("s2");
        writeFileSync(join(school.appservices, "second.yaml"), readFileSync(file));
        assert.deepEqual(school.parta("appservice", "reload").trim().split("\n").sort(), ["irc", "second"]);
        school.parta("appservice", "reload"); // nothing is another
        const by = "operator:parta";
        const all = [`appservice.add ${by} s1`, `appservice.change ${by} s2`];
        assert.deepEqual(mine(await log()), all);
        assert.deepEqual(mine(await log("s1")), [`appservice.add ${by}`, `appservice.change ${by}`]);
        assert.deepEqual(mine(await log("s2")), [`appservice.change ${by}`]);
        school.parta("appservice", "remove", "second");
        assert.equal((await school.request("GET", `${V3}/account/whoami`, { token: AS_TOKEN.replace("0001", "0002") })).status, 401);
        assert.deepEqual(mine(await log()), [...all, `appservice.remove ${by} s2`]);
        writeFileSync(join(school.appservices, "second.yaml"), readFileSync(file), { mode: 0o600 });
        await school.restart("SIGTERM");
        assert.deepEqual(mine(await log()), [all[0], `appservice.add ${by} s2`, all[1], `appservice.remove ${by} s2`].sort());
        rmSync(file);
    } finally {
        await school.stop();
        await other.close();
        rmSync(school.appservices, { recursive: true, force: true });
    }
});

test("A1, A2, F1, E9, J4: in a school it is bound as everybody is, and is told of the schools that its registration names", async () => {
    const other = await new Service().listen();
    const school = await startWith(other, "school", "org.parta.schools: [s1]\n");
    try {
        school.operatorToken = school.operator();
        const list = async (path) => (await school.api(school.operatorToken, "GET", path)).body.items;
        const pupil = school.person({ role: "pupil", class: "8А" });
        const teacher = school.person({ role: "class_teacher", class: "8А" });
        const token = async (person) => (await school.request("POST", `${V3}/login`, { body: { type: "m.login.password", identifier: { type: "m.id.user", user: person.id }, password: person.password } })).body.access_token;
        assert.equal((await register(school, "_irc_bot")).status, 200);

        // J4: no token but a person's own makes anybody that person; also where a pattern would match everybody.
        for (const person of [pupil, teacher]) {
            assert.equal((await as(school, person.id, "GET", `${V3}/account/whoami`)).status, 403);
            assert.equal((await as(school, person.id, "GET", `${V3}/sync`)).status, 403);
        }
        writeFileSync(join(school.appservices, "irc.yaml"), registration(other.port, "org.parta.schools: [s1]\n").replace("users: [", "users: [{exclusive: false, regex: '@.*'}, "));
        school.process.kill("SIGHUP");
        await until(() => school.log.includes("reloaded"), "SIGHUP");
        assert.equal((await as(school, pupil.id, "GET", `${V3}/account/whoami`)).status, 403);
        assert.equal((await school.request("POST", `${V3}/login`, { token: AS_TOKEN, body: { type: "m.login.application_service", identifier: { type: "m.id.user", user: pupil.id } } })).status, 403);

        // A1, A2: a school's room is not there for it, by whatever door.
        const [room] = (await list("/rooms?kind=class")).filter((r) => r.class === "s1-c003");
        const R = q(room.room_id);
        const doors = [
            ["POST", `${V3}/join/${R}`], ["POST", `${V3}/knock/${R}`], ["POST", `${V3}/rooms/${R}/join`],
            ["GET", `${V3}/rooms/${R}/messages?dir=b`], ["GET", `${V3}/rooms/${R}/state`], ["GET", `${V3}/rooms/${R}/members`],
            ["GET", `/_matrix/client/v1/room_summary/${R}`], ["GET", `/_matrix/client/v1/rooms/${R}/hierarchy`],
            ["PUT", `${V3}/rooms/${R}/send/m.room.message/1`, { msgtype: "m.text", body: "x" }],
            ["PUT", `${V3}/rooms/${R}/state/m.room.encryption`, { algorithm: "m.megolm.v1.aes-sha2" }], // E9
            ["PUT", `${V3}/rooms/${R}/state/m.room.member/${q("@_irc_bot:school.example")}`, { membership: "join" }],
            ["POST", `${V3}/rooms/${R}/invite`, { user_id: "@_irc_bot:school.example" }],
            ["POST", `${V3}/rooms/${R}/kick`, { user_id: pupil.id }],
            ["PUT", `${V3}/rooms/${R}/typing/${q("@_irc_bot:school.example")}`, { typing: true }],
            ["PUT", `${V3}/directory/room/${q("#_irc_class:school.example")}`, { room_id: room.room_id }],
            ["GET", `${V3}/profile/${q(pupil.id)}`],
            ["GET", "/_parta/v1/people?school=s1"], ["GET", "/_parta/v1/rooms?school=s1"],
        ];
        for (const [method, path, body] of doors) {
            const reply = await as(school, "_irc_bot", method, path, body);
            const empty = reply.status === 200 && JSON.stringify(reply.body.items ?? reply.body.rooms ?? null) === "[]";
            assert.ok([403, 404].includes(reply.status) || empty, `${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
        }
        // F1: it is no relation of anybody's.
        for (const extra of [{ is_direct: true, invite: [pupil.id] }, { invite: [pupil.id, teacher.id] }, { preset: "public_chat", invite: [pupil.id] }])
            assert.notEqual((await as(school, "_irc_bot", "POST", `${V3}/createRoom`, extra)).status, 200, JSON.stringify(extra));
        const found = await as(school, "_irc_bot", "POST", `${V3}/user_directory/search`, { search_term: pupil.name.split(" ")[0] });
        assert.deepEqual(found.body.results ?? [], []);

        // A pupil does not get it into the class room either.
        const mine = await token(pupil);
        assert.notEqual((await school.request("POST", `${V3}/rooms/${R}/invite`, { token: mine, body: { user_id: "@_irc_bot:school.example" } })).status, 200);

        // Nothing that was said there was told, though its pattern of people matches everybody. What is said in a room of its own comes after that.
        const theirs = await token(teacher);
        assert.equal((await say(school, theirs, room.room_id, "of the class alone")).status, 200);
        await as(school, "_irc_bot", "POST", `${V3}/createRoom`, { name: "afterwards" });
        await until(() => other.events.some((e) => e.content.name === "afterwards"), "its own room");
        assert.ok(!other.bodies().includes("of the class alone"));

        // It is asked for what people of its schools look for, and of nobody else: what they look for is no business of its.
        const asks = [];
        other.answer = (request, response) => {
            if (request.method === "GET") asks.push(decodeURIComponent(request.url));
            response.writeHead(request.method === "GET" ? 404 : 200, { "content-type": "application/json" }).end("{}");
        };
        const stranger = await token(school.people.find((p) => p.role === "pupil" && p.school !== pupil.school));
        const looks = (word) => [
            ["GET", `${V3}/profile/${q(`@_irc_${word}:school.example`)}`],
            ["GET", `${V3}/directory/room/${q(`#_irc_${word}:school.example`)}`],
            ["POST", `${V3}/join/${q(`#_irc_${word}:school.example`)}`, {}],
            ["POST", `${V3}/knock/${q(`#_irc_${word}:school.example`)}`, {}],
            ["GET", `${V3}/thirdparty/protocols`],
            ["GET", `${V3}/thirdparty/protocol/irc`],
            ["GET", `${V3}/thirdparty/user/irc?nick=${word}`],
            ["GET", `${V3}/thirdparty/location/irc?channel=${word}`],
            ["GET", `${V3}/thirdparty/user?userid=${q(`@_irc_${word}:school.example`)}`],
            ["GET", `${V3}/thirdparty/location?alias=${q(`#_irc_${word}:school.example`)}`],
        ];
        for (const [method, path, body] of looks("theirs")) assert.ok((await school.request(method, path, { token: stranger, body })).status < 500);
        assert.deepEqual(asks, []);
        for (const [method, path, body] of looks("ours")) {
            const before = asks.length;
            await school.request(method, path, { token: mine, body });
            assert.ok(asks.length > before, `${method} ${path}`);
        }
        assert.ok(!JSON.stringify(asks).includes("theirs"));

        // A room whose id it names is told of where the registration names its school, and nowhere else.
        const reload = async (schools) => {
            const before = school.log.split("reloaded").length;
            writeFileSync(join(school.appservices, "irc.yaml"), registration(other.port, `org.parta.schools: [${schools}]\n`).replace("rooms: []", "rooms: [{exclusive: false, regex: '!.*'}]"));
            school.process.kill("SIGHUP");
            await until(() => school.log.split("reloaded").length > before, "SIGHUP");
        };
        await reload("s2");
        await say(school, theirs, room.room_id, "of another school");
        await as(school, "_irc_bot", "POST", `${V3}/createRoom`, { name: "and then" });
        await until(() => other.events.some((e) => e.content.name === "and then"), "its own room");
        const explain = async () => (await school.api(school.operatorToken, "POST", "/explain", { act: "see", actor: "@_irc_bot:school.example", room_id: room.room_id })).body;
        const explained = await explain();
        assert.deepEqual(explained.facts.application_service, { id: "irc", schools: ["s2"], may_be_told: false });
        assert.equal(explained.allowed, false);
        await reload("s1");
        assert.deepEqual((await explain()).facts.application_service, { id: "irc", schools: ["s1"], may_be_told: true });
        // What is one person's own, or between two, it never is.
        const own = await school.api(school.operatorToken, "POST", `/people/${q(pupil.id)}/notices`, { body: "for the pupil alone" });
        assert.equal(own.status, 201, JSON.stringify(own.body));
        const [documents] = await list("/rooms?kind=documents");
        const pair = await school.request("POST", `${V3}/createRoom`, { token: mine, body: { is_direct: true, invite: [teacher.id] } });
        assert.equal(pair.status, 200, JSON.stringify(pair.body));
        await say(school, theirs, room.room_id, "it may hear this");
        await until(() => other.bodies().includes("it may hear this"), "the class's room");
        assert.ok(!other.bodies().includes("of another school"));

        // What was begun to be told, and not taken, comes again under its id, but for what its registration lets it see no more.
        const takes = other.answer;
        const begun = new Map();
        other.answer = (request, response, body) => {
            const id = other.arrivals.at(-1);
            if (request.method === "PUT") begun.set(id, body);
            other.transactions.delete(id);
            response.writeHead(500).end();
        };
        const withIt = () => [...begun].find(([, body]) => body.includes("taken back"))?.[0];
        await say(school, theirs, room.room_id, "taken back");
        const id = await until(withIt, "it was begun");
        await reload("s2");
        other.answer = takes;
        await until(() => other.transactions.has(id), "it came again");
        assert.deepEqual([ids(JSON.parse(begun.get(id))).length, ids(other.transactions.get(id))], [1, []]);
        assert.ok(!other.bodies().includes("taken back"));
        await reload("s1");

        // J4: once its registration is gone nobody acts as its users, not by a session that it had made either.
        const signedIn = await register(school, "_irc_signed_in", { inhibit_login: false });
        const whoami = () => school.request("GET", `${V3}/account/whoami`, { token: signedIn.body.access_token });
        assert.equal((await whoami()).status, 200);
        rmSync(join(school.appservices, "irc.yaml"));
        const reloads = school.log.split("reloaded").length;
        school.process.kill("SIGHUP");
        await until(() => school.log.split("reloaded").length > reloads, "SIGHUP");
        assert.equal((await whoami()).status, 401);
        assert.equal((await school.request("GET", `${V3}/account/whoami`, { token: mine })).status, 200);
        assert.deepEqual(other.bodies().filter((body) => body.startsWith("for the pupil")), []);
        assert.ok(!other.events.some((e) => e.room_id === pair.body.room_id || e.room_id === documents?.room_id));
    } finally {
        await school.stop();
        await other.close();
        rmSync(school.appservices, { recursive: true, force: true });
    }
});
