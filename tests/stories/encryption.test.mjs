// End-to-end encryption with a client's own crypto: matrix-js-sdk with its Rust crypto, in memory. Two devices of a person verify each other
// by SAS, two people talk encrypted and show each other pictures, a phone is woken for what it alone can read, a new device restores
// from the backup (Client-Server API, "End-to-End Encryption").
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { Attachment, EncryptedAttachment } from "@matrix-org/matrix-sdk-crypto-wasm";
import { CryptoEvent, VerificationPhase, VerificationRequestEvent, VerifierEvent } from "matrix-js-sdk/lib/crypto-api/index.js";
import { Server, inRoom, sdk, startClient, text, until } from "./harness.mjs";

let server, gateway;
const clients = [], pushed = [];

before(async () => {
    gateway = createServer((request, response) => {
        let body = "";
        request.on("data", (piece) => (body += piece));
        request.on("end", () => {
            pushed.push(JSON.parse(body).notification);
            response.writeHead(200, { "content-type": "application/json" }).end('{"rejected":[]}');
        });
    });
    await new Promise((done) => gateway.listen(0, "127.0.0.1", done));
    server = await Server.start(`policy:\n  mode: open\npush:\n  gateways: [http://127.0.0.1:${gateway.address().port}]\n`);
});

after(async () => {
    for (const client of clients) client.stopClient();
    await server?.stop();
    gateway?.close();
});

/** A signed-in, syncing client with crypto; keys: what it unlocks secret storage with. */
async function device(user, keys = {}) {
    const login = await sdk.createClient({ baseUrl: server.url }).loginRequest({
        type: "m.login.password",
        identifier: { type: "m.id.user", user },
        password: `${user}-password`,
    });
    const client = sdk.createClient({
        baseUrl: server.url,
        accessToken: login.access_token,
        userId: login.user_id,
        deviceId: login.device_id,
        timelineSupport: true,
        verificationMethods: ["m.sas.v1"],
        cryptoCallbacks: {
            getSecretStorageKey: async ({ keys: wanted }) => {
                const id = Object.keys(wanted).find((name) => keys[name] ?? keys.any);
                return id ? [id, keys[id] ?? keys.any] : null;
            },
            cacheSecretStorageKey: (id, _info, key) => (keys[id] = key),
        },
    });
    await client.initRustCrypto({ useIndexedDB: false });
    await startClient(client, { pollTimeout: 3000 });
    clients.push(client);
    return client;
}

/** The first device of a person: with cross-signing keys, which need no password the first time. */
async function firstDevice(user, keys) {
    await server.makeUser(user);
    const client = await device(user, keys);
    await client.getCrypto().bootstrapCrossSigning({ authUploadDeviceSigningKeys: (send) => send(null) });
    return client;
}

async function encryptedChat(by, other) {
    const { room_id } = await by.createRoom({
        preset: "trusted_private_chat",
        is_direct: true,
        invite: [other.getUserId()],
        initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }],
    });
    await inRoom(other, room_id, "invite");
    await other.joinRoom(room_id);
    await inRoom(other, room_id);
    await inRoom(by, room_id);
    await until(() => by.getRoom(room_id).getMember(other.getUserId())?.membership === "join", "the other to have joined");
    return room_id;
}

/** Waits until the message is there in clear. */
function read(client, room, body) {
    return until(() => {
        const event = client.getRoom(room)?.getLiveTimeline().getEvents().find((e) => e.getContent().body === body);
        return event && !event.isDecryptionFailure() && event;
    }, `${client.getUserId()} to read "${body}"`);
}

async function verifyEachOther(known, fresh) {
    const phase = (request, wanted) =>
        until(() => request.phase >= wanted, `the verification to come to ${VerificationPhase[wanted]}`);
    const shown = (verifier) => new Promise((done) => verifier.on(VerifierEvent.ShowSas, done));
    const asked = new Promise((done) => known.once(CryptoEvent.VerificationRequestReceived, done));
    const ours = await fresh.getCrypto().requestOwnUserVerification();
    const theirs = await asked;
    await theirs.accept();
    await phase(ours, VerificationPhase.Ready);
    const verifier = await ours.startVerification("m.sas.v1");
    const sas = shown(verifier);
    const done = verifier.verify();
    await phase(theirs, VerificationPhase.Started);
    await until(() => theirs.verifier, "the other side's verifier");
    const otherSas = shown(theirs.verifier);
    const otherDone = theirs.verifier.verify();
    const [a, b] = [await sas, await otherSas];
    assert.deepEqual(a.sas.emoji, b.sas.emoji);
    await Promise.all([a.confirm(), b.confirm()]);
    await Promise.all([done, otherDone]);
}

test("two people talk encrypted, and the server sees none of it", async () => {
    const anna = await firstDevice("anna"), boris = await firstDevice("boris");
    const room = await encryptedChat(anna, boris);
    await anna.sendMessage(room, text("тайна"));
    await read(boris, room, "тайна");
    await boris.sendMessage(room, text("ответ"));
    await read(anna, room, "ответ");
    const event = boris.getRoom(room).getLiveTimeline().getEvents().find((e) => e.getContent().body === "тайна");
    assert.equal(event.getWireType(), "m.room.encrypted");
    assert.equal(JSON.stringify(event.getWireContent()).includes("тайна"), false);
    const tablet = await device("boris"); // signs in while they talk: the next message is for it, too
    await until(async () => (await anna.getCrypto().getUserDeviceInfo([boris.getUserId()])).get(boris.getUserId()).size === 2, "anna to know boris's tablet");
    await anna.sendMessage(room, text("обоим"));
    await read(tablet, room, "обоим");
    await read(boris, room, "обоим");
});

test("a picture in an encrypted chat: what lies on the server is sealed, who is there opens it", async () => {
    const zoya = await firstDevice("zoya"), ilya = await firstDevice("ilya");
    const room = await encryptedChat(zoya, ilya);
    const picture = Uint8Array.from({ length: 50_000 }, (_, i) => (i * i) % 251);
    const sealed = Attachment.encrypt(picture);
    const { content_uri } = await zoya.uploadContent(new Blob([sealed.encryptedData]), { type: "application/octet-stream" });
    const file = { ...JSON.parse(sealed.mediaEncryptionInfo), url: content_uri };
    await zoya.sendMessage(room, { msgtype: "m.image", body: "урок.png", file, info: { mimetype: "image/png", size: picture.length } });
    const content = (await read(ilya, room, "урок.png")).getContent();
    const reply = await fetch(ilya.mxcUrlToHttp(content.file.url, undefined, undefined, undefined, false, true, true), {
        headers: { authorization: `Bearer ${ilya.getAccessToken()}` },
    });
    assert.equal(reply.status, 200);
    const lies = new Uint8Array(await reply.arrayBuffer());
    assert.notDeepEqual(lies.slice(0, 1000), picture.slice(0, 1000));
    const opened = Attachment.decrypt(new EncryptedAttachment(lies, JSON.stringify(content.file)));
    assert.deepEqual(Buffer.from(opened), Buffer.from(picture));
});

test("a phone is woken for what it alone can read: told which event, and then reads it", async () => {
    const lev = await firstDevice("lev"), maya = await firstDevice("maya");
    const room = await encryptedChat(lev, maya);
    await maya.setPusher({
        kind: "http",
        app_id: "org.example.app",
        pushkey: "maya's phone",
        app_display_name: "App",
        device_display_name: "Phone",
        lang: "ru",
        data: { url: `http://127.0.0.1:${gateway.address().port}/_matrix/push/v1/notify`, format: "event_id_only" },
    });
    const { event_id } = await lev.sendMessage(room, text("проснись"));
    const woken = await until(() => pushed.find((n) => n.event_id === event_id), "the push");
    assert.deepEqual([woken.room_id, woken.devices.map((d) => d.pushkey)], [room, ["maya's phone"]]);
    assert.equal(woken.content, undefined);
    const event = await maya.fetchRoomEvent(room, event_id);
    assert.equal(event.type, "m.room.encrypted");
    await read(maya, room, "проснись");
    await maya.sendReadReceipt(maya.getRoom(room).findEventById(event_id));
    await until(() => pushed.some((n) => n.event_id === undefined && !n.counts?.unread), "the number to fall");
});

test("two devices of a person verify each other by SAS, and others trust the second", async () => {
    const vera = await firstDevice("vera"), gleb = await firstDevice("gleb");
    await encryptedChat(vera, gleb);
    const tablet = await device("vera");
    const trusted = (by) => by.getCrypto().getDeviceVerificationStatus(vera.getUserId(), tablet.getDeviceId());
    assert.equal((await trusted(vera))?.crossSigningVerified ?? false, false);
    await verifyEachOther(vera, tablet);
    await until(async () => (await trusted(vera))?.signedByOwner, "the tablet to be signed by its owner");
    await until(async () => (await trusted(gleb))?.signedByOwner, "gleb to see that it is");
});

test("a new device restores what was said from the backup", async () => {
    const keys = {};
    const dasha = await firstDevice("dasha", keys), egor = await firstDevice("egor");
    const room = await encryptedChat(dasha, egor);
    const crypto = dasha.getCrypto();
    const recovery = await crypto.createRecoveryKeyFromPassphrase();
    await crypto.bootstrapSecretStorage({
        createSecretStorageKey: async () => recovery,
        setupNewSecretStorage: true,
        setupNewKeyBackup: true,
    });
    await egor.sendMessage(room, text("до потери телефона"));
    await read(dasha, room, "до потери телефона");
    await until(async () => (await dasha.http.authedRequest("GET", "/room_keys/version")).count >= 1, "the key to be backed up");
    await dasha.logout(true);
    const fresh = await device("dasha", { any: recovery.privateKey });
    const before = fresh.getRoom(room).getLiveTimeline().getEvents().find((e) => e.getWireType() === "m.room.encrypted");
    assert.ok(before);
    await fresh.getCrypto().loadSessionBackupPrivateKeyFromSecretStorage();
    const restored = await fresh.getCrypto().restoreKeyBackup();
    assert.ok(restored.imported >= 1 && restored.imported === restored.total);
    await read(fresh, room, "до потери телефона");
});
