// Real clients for tests in other languages: matrix-js-sdk with its Rust crypto, told what to do by lines of JSON on standard input, one answer
// a line (tests/diary_keys/run). URL of the server and the bot's user id are arguments.
import readline from "node:readline";
import { sdk, startClient } from "./harness.mjs";

const [baseUrl, bot] = process.argv.slice(2);
const clients = {};

const acts = {
    /** A new device of the user, under a name of the test's; the first of a user makes the cross-signing keys. */
    async login({ name, user, password, first }) {
        const login = await sdk.createClient({ baseUrl }).loginRequest({ type: "m.login.password", identifier: { type: "m.id.user", user }, password });
        const client = sdk.createClient({ baseUrl, accessToken: login.access_token, userId: login.user_id, deviceId: login.device_id, timelineSupport: true });
        await client.initRustCrypto({ useIndexedDB: false });
        await startClient(client, { initialSyncLimit: 100, lazyLoadMembers: false, pollTimeout: 3000 });
        clients[name] = client;
        if (first)
            await client.getCrypto().bootstrapCrossSigning({
                authUploadDeviceSigningKeys: (send) => send({ type: "m.login.password", identifier: { type: "m.id.user", user }, password }),
            });
        return { device: login.device_id, token: login.access_token };
    },
    async logout({ name }) {
        await clients[name].logout(true);
        delete clients[name];
        return {};
    },
    /** Accepts the bot's invitations. */
    async join({ name }) {
        for (const room of clients[name].getRooms()) if (room.getMyMembership() === "invite") await clients[name].joinRoom(room.roomId);
        return {};
    },
    async say({ name, room, body }) {
        await clients[name].sendMessage(room, { msgtype: "m.text", body });
        return {};
    },
    /** What stands there of the bot's, as a person sees it, and what cannot be read. */
    async said({ name }) {
        const said = [], unreadable = [];
        for (const room of clients[name].getRooms()) {
            for (let page = 0; page < 10 && room.getLiveTimeline().getPaginationToken("b"); page++) await clients[name].scrollback(room, 100); // after a gap
            for (const event of room.getUnfilteredTimelineSet().getTimelines().flatMap((timeline) => timeline.getEvents())) {
                if (event.getSender() !== bot || event.isRedacted()) continue;
                if (event.isBeingDecrypted() || event.getType() === "m.room.encrypted" || event.isDecryptionFailure() || event.replacingEvent()?.isDecryptionFailure())
                    unreadable.push([event.getId(), event.isDecryptionFailure() ? event.getContent().body : "not yet"]);
                else if (event.getType() === "m.room.message" && event.getContent().body === undefined)
                    unreadable.push([event.getId(), "its edit not yet"]);
                else if (event.getType() === "m.room.message" && event.getWireContent()["m.relates_to"]?.rel_type !== "m.replace") {
                    const info = event.isEncrypted() ? await clients[name].getCrypto().getEncryptionInfoForEvent(event) : null;
                    said.push({ room: room.roomId, body: event.getContent().body, encrypted: event.isEncrypted(), shield: info?.shieldColour, why: info?.shieldReason });
                }
            }
        }
        return { said, unreadable };
    },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
    const { do: what, ...rest } = JSON.parse(line);
    const answer = await acts[what](rest).catch((e) => ({ error: String(e) }));
    process.stdout.write(JSON.stringify(answer) + "\n");
}
process.exit(0);
