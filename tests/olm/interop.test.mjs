// A device with the bridge's encryption (tests/olm/device.c) and devices of matrix-sdk-crypto talk through what of a homeserver they need: keys,
// claims, messages between devices. The clients insist on cross-signing: what they read without a warning, they read here.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import { after, before, test } from "node:test";

const sdk = createRequire(new URL("../stories/package.json", import.meta.url))("@matrix-org/matrix-sdk-crypto-wasm");
const { DecryptionSettings, DeviceId, DeviceLists, EncryptionSettings, OlmMachine, RequestType, RoomId, TrustRequirement, UserId } = sdk;

const BOT = "@diary:b.example", ANNA = "@anna:b.example", ROOM = "!class:b.example";
const MEMBERS = [BOT, ANNA];
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "parta-olm-"));

/** What of a homeserver devices need of each other. */
class Server {
    devices = {}; oneTime = {}; fallback = {}; master = {}; selfSigning = {}; userSigning = {}; queues = {}; txns = new Set();

    answer(user, device, kind, body, request) {
        const at = `${user} ${device}`;
        switch (kind) {
        case "keys_upload":
            if (body.device_keys) (this.devices[user] ??= {})[device] = body.device_keys;
            Object.assign((this.oneTime[at] ??= {}), body.one_time_keys);
            if (body.fallback_keys && Object.keys(body.fallback_keys).length) this.fallback[at] = body.fallback_keys;
            return { one_time_key_counts: this.counts(at) };
        case "keys_query": {
            const pick = (all) => Object.fromEntries(Object.keys(body.device_keys).filter((u) => all[u]).map((u) => [u, all[u]]));
            return { device_keys: pick(this.devices), master_keys: pick(this.master), self_signing_keys: pick(this.selfSigning), user_signing_keys: {}, failures: {} };
        }
        case "keys_claim": {
            const one_time_keys = {};
            for (const [u, devices] of Object.entries(body.one_time_keys))
                for (const d of Object.keys(devices)) {
                    const pool = this.oneTime[`${u} ${d}`] ?? {}, id = Object.keys(pool)[0];
                    const key = id ? { [id]: pool[id] } : this.fallback[`${u} ${d}`];
                    if (id) delete pool[id];
                    if (key) (one_time_keys[u] ??= {})[d] = key;
                }
            return { one_time_keys, failures: {} };
        }
        case "to_device":
            if (!this.txns.has(request.txn_id))
                for (const [u, devices] of Object.entries(body.messages))
                    for (const [d, content] of Object.entries(devices)) {
                        const targets = d === "*" ? Object.keys(this.devices[u] ?? {}) : [d];
                        for (const t of targets) (this.queues[`${u} ${t}`] ??= []).push({ type: request.event_type, sender: user, content });
                    }
            this.txns.add(request.txn_id);
            return {};
        case "device_signing_upload":
            this.master[user] = body.master_key;
            this.selfSigning[user] = body.self_signing_key;
            return {};
        case "signatures_upload":
            for (const [id, object] of Object.entries(body[user] ?? {})) {
                const target = this.devices[user]?.[id] ?? this.master[user];
                for (const [by, signatures] of Object.entries(object.signatures)) Object.assign((target.signatures[by] ??= {}), signatures);
            }
            return { failures: {} };
        }
        throw new Error(kind);
    }
    counts(at) { return { signed_curve25519: Object.keys(this.oneTime[at] ?? {}).length }; }
    take(at) { const all = this.queues[at] ?? []; this.queues[at] = []; return all; }
}

/** The bridge's side: a program, so that it can be killed. */
class Bridge {
    constructor(server, store = path.join(folder, "bridge.db")) { this.server = server; this.store = store; this.start(); }
    start() {
        const program = path.join(process.env.PARTA_BUILD, "tests/diary-device");
        this.child = spawn(program, [this.store, path.join(folder, "crypto.key"), BOT, "BRIDGE"], { stdio: ["pipe", "pipe", "inherit"] });
        this.lines = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    }
    async stop(signal = "SIGKILL") {
        const gone = new Promise((done) => this.child.once("exit", done));
        this.child.kill(signal);
        await gone;
    }
    async do(what, more = {}) {
        this.child.stdin.write(JSON.stringify({ do: what, ...more }) + "\n");
        const { value, done } = await this.lines.next();
        assert.ok(!done, "the program ended");
        return JSON.parse(value);
    }
    async speak() {
        for (let turn = 0; turn < 10; turn++) {
            const { value: requests } = await this.do("outgoing");
            if (!requests.length) return;
            for (const request of requests) {
                const body = this.server.answer(BOT, "BRIDGE", request.kind, request.body, request);
                assert.equal((await this.do("answered", { request, body })).answer, "done", request.kind);
            }
        }
        assert.fail("it never ends");
    }
    async listen() {
        for (const event of this.server.take(`${BOT} BRIDGE`)) await this.do("receive", { event });
        await this.speak();
    }
    room() { return this.do("room", { room_id: ROOM, settings: { algorithm: "m.megolm.v1.aes-sha2" }, members: MEMBERS }); }
    async say(body) {
        for (let turn = 0; turn < 5; turn++) {
            const { answer, value } = await this.do("encrypt", { room_id: ROOM, type: "m.room.message", content: { msgtype: "m.notice", body } });
            await this.speak();
            if (answer !== "ask") return event(BOT, value);
        }
        return assert.fail("it asks for ever");
    }
    async read(e) {
        await this.listen();
        return this.do("decrypt", { room_id: ROOM, event: e });
    }
}

let number = 0;
function event(sender, content) {
    return { type: "m.room.encrypted", sender, room_id: ROOM, event_id: `$e${++number}`, origin_server_ts: Date.now(), content, unsigned: {} };
}

const KINDS = { [RequestType.KeysUpload]: "keys_upload", [RequestType.KeysQuery]: "keys_query", [RequestType.KeysClaim]: "keys_claim",
    [RequestType.ToDevice]: "to_device", [RequestType.SignatureUpload]: "signatures_upload" };

/** A client's device. */
class Client {
    static async start(server, user, id, { identity = true } = {}) {
        const client = new Client();
        Object.assign(client, { server, user, id, machine: await OlmMachine.initialize(new UserId(user), new DeviceId(id)) });
        await client.speak();
        if (identity) {
            const boot = await client.machine.bootstrapCrossSigning(true);
            server.answer(user, id, "device_signing_upload", JSON.parse(boot.uploadSigningKeysRequest.body));
            await client.send(boot.uploadSignaturesRequest);
        }
        await client.machine.updateTrackedUsers(MEMBERS.map((u) => new UserId(u)));
        await client.speak();
        return client;
    }
    async send(request) {
        const body = this.server.answer(this.user, this.id, KINDS[request.type], JSON.parse(request.body), request);
        if (request.id) await this.machine.markRequestAsSent(request.id, request.type, JSON.stringify(body));
    }
    async speak() {
        for (let turn = 0; turn < 10; turn++) {
            const requests = await this.machine.outgoingRequests();
            if (!requests.length) return;
            for (const request of requests) await this.send(request);
        }
    }
    async listen(changed = []) {
        const at = `${this.user} ${this.id}`;
        await this.machine.receiveSyncChanges(JSON.stringify(this.server.take(at)), new DeviceLists(changed.map((u) => new UserId(u)), []),
            new Map(Object.entries(this.server.counts(at))), undefined, this.trust());
        await this.speak();
    }
    trust(level = TrustRequirement.CrossSigned) { return new DecryptionSettings(level); }
    async read(e) {
        await this.listen();
        const read = await this.machine.decryptRoomEvent(JSON.stringify(e), new RoomId(ROOM), this.trust());
        return JSON.parse(read.event).content.body;
    }
    async say(body) {
        const claim = await this.machine.getMissingSessions(MEMBERS.map((u) => new UserId(u)));
        if (claim) await this.send(claim);
        for (const request of await this.machine.shareRoomKey(new RoomId(ROOM), MEMBERS.map((u) => new UserId(u)), new EncryptionSettings())) await this.send(request);
        return event(this.user, JSON.parse(await this.machine.encryptRoomEvent(new RoomId(ROOM), "m.room.message", JSON.stringify({ msgtype: "m.text", body }))));
    }
}

const server = new Server();
let bridge, tablet, phone;

before(async () => {
    await sdk.initAsync?.();
    bridge = new Bridge(server);
    await bridge.speak();
    tablet = await Client.start(server, ANNA, "TABLET");
    await bridge.room();
    await bridge.speak();
});

after(async () => {
    await bridge?.stop();
    fs.rmSync(folder, { recursive: true, force: true });
});

test("the bridge's device is cross-signed, as a client sees it", async () => {
    const device = await tablet.machine.getDevice(new UserId(BOT), new DeviceId("BRIDGE"));
    assert.ok(device.isCrossSignedByOwner());
});

test("a client reads what the bridge writes, and the bridge what the client writes", async () => {
    assert.equal(await tablet.read(await bridge.say("a mark: 5")), "a mark: 5");
    const off = await tablet.say("off");
    const read = await bridge.read(off);
    assert.equal(read.answer, "done");
    assert.deepEqual(read.value, { type: "m.room.message", content: { msgtype: "m.text", body: "off" }, device_id: "TABLET" });
    assert.equal((await bridge.read(off)).answer, "done", "the same event again");
    assert.equal((await bridge.read({ ...off, event_id: "$replayed" })).answer, "refused");
    assert.equal(await tablet.read(await bridge.say("another")), "another");
});

test("a killed bridge goes on, both ways", async () => {
    await bridge.stop();
    bridge.start();
    assert.equal(await tablet.read(await bridge.say("after a kill")), "after a kill");
    assert.equal((await bridge.read(await tablet.say("marks daily"))).value.content.body, "marks daily");
});

test("a new device of the guardian reads what comes from then on; one that left does not", async () => {
    phone = await Client.start(server, ANNA, "PHONE", { identity: false });
    await bridge.do("changed", { users: [ANNA] });
    const first = await bridge.say("to both");
    assert.equal(await tablet.read(first), "to both");
    assert.equal(await phone.read(first), "to both");
    delete server.devices[ANNA].PHONE;
    await bridge.do("changed", { users: [ANNA] });
    await tablet.listen([ANNA]);
    const second = await bridge.say("to one");
    assert.notEqual(second.content.session_id, first.content.session_id);
    assert.equal(await tablet.read(second), "to one");
    await assert.rejects(phone.read(second));
});

test("a backup that is put back uses no session again", async () => {
    const names = ["", "-wal", "-shm"];
    await bridge.stop();
    for (const name of names) if (fs.existsSync(bridge.store + name)) fs.copyFileSync(bridge.store + name, path.join(folder, "backup" + name));
    bridge.start();
    const lost = await bridge.say("then lost");
    await bridge.stop();
    for (const name of names) {
        fs.rmSync(bridge.store + name, { force: true });
        if (fs.existsSync(path.join(folder, "backup" + name))) fs.copyFileSync(path.join(folder, "backup" + name), bridge.store + name);
    }
    bridge.start();
    assert.equal((await bridge.do("restored")).answer, "done");
    const after_it = await bridge.say("after the backup");
    assert.notEqual(after_it.content.session_id, lost.content.session_id);
    assert.equal(await tablet.read(after_it), "after the backup");
    assert.equal(await tablet.read(lost), "then lost");
    assert.equal((await bridge.read(await tablet.say("still here"))).value.content.body, "still here");
});

test("a message that the bridge cannot read mends the session", async () => {
    const sender = server.devices[ANNA].TABLET.keys["curve25519:TABLET"], mine = server.devices[BOT].BRIDGE.keys["curve25519:BRIDGE"];
    const broken = { type: "m.room.encrypted", sender: ANNA, content: { algorithm: "m.olm.v1.curve25519-aes-sha2", sender_key: sender, ciphertext: { [mine]: { type: 1, body: "AwogAAAA" } } } };
    const answer = await bridge.do("receive", { event: broken });
    assert.deepEqual([answer.answer, answer.news], ["refused", ["unreadable"]]);
    await bridge.speak();
    await tablet.listen();
    assert.equal(await tablet.read(await bridge.say("mended")), "mended");
    assert.equal((await bridge.read(await tablet.say("thanks"))).value.content.body, "thanks");
});
