// Whose keys one may learn, and to whose devices one may write, in a school (A1, A6, F1; Client-Server API, "End-to-End Encryption").
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { V3, World, q } from "./world.mjs";
import { DeviceKeys } from "./signing.mjs";

const NOBODY = "@nobody000:school.example";
let w, pupil, mate, teacher, stranger;
let txn = 0;

const ask = (who, method, path, body) => w.server.request(method, `${V3}${path}`, { token: who.getAccessToken(), body });
const good = async (who, method, path, body) => {
    const reply = await ask(who, method, path, body);
    assert.equal(reply.status, 200, `${method} ${path}: ${JSON.stringify(reply.body)}`);
    return reply.body;
};
const publish = (who) => good(who, "POST", "/keys/upload", new DeviceKeys(who.getUserId(), who.getDeviceId()).upload());
const query = async (who, ...whom) => (await good(who, "POST", "/keys/query", { device_keys: Object.fromEntries(whom.map((id) => [id, []])) })).device_keys;
const claim = async (who, whom) =>
    (await good(who, "POST", "/keys/claim", { one_time_keys: { [whom.getUserId()]: { [whom.getDeviceId()]: "signed_curve25519" } } })).one_time_keys;
const sync = (who, since) => good(who, "GET", `/sync?timeout=0${since ? `&since=${since}` : ""}`);
/** What whom gets of what who writes to all their devices. */
async function written(who, whom) {
    const { next_batch } = await sync(whom);
    await good(who, "PUT", `/sendToDevice/org.example.test/${++txn}`, { messages: { [whom.getUserId()]: { "*": { n: txn } } } });
    return (await sync(whom, next_batch)).to_device?.events ?? [];
}
const chat = async (by, other) => {
    const { room_id } = await by.createRoom({ preset: "trusted_private_chat", is_direct: true, invite: [other.getUserId()],
        initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }] });
    return room_id;
};

before(async () => {
    w = await World.start();
    const one = w.one({ role: "pupil" });
    pupil = await w.still(one);
    mate = await w.still(w.all({ role: "pupil", class: one.class }).find((p) => p.id !== one.id));
    teacher = await w.still(w.one({ role: "class_teacher" }));
    stranger = await w.still(w.server.people.find((p) => p.school === w.there && p.role === "pupil" && w.rolesOf(p.id).length === 1));
    for (const who of [pupil, mate, teacher, stranger]) await publish(who);
});

after(() => w?.stop());

test("A1, A6: keys are told as profiles are: within the school, and of a stranger not even that they exist", async () => {
    assert.equal(Object.keys((await query(pupil, mate.getUserId()))[mate.getUserId()]).length, 1);
    assert.deepEqual(await query(pupil, stranger.getUserId(), NOBODY), {});
    assert.deepEqual(await claim(pupil, stranger), {});
    assert.deepEqual(await written(pupil, stranger), []);
    const signed = { [stranger.getUserId()]: { x: {} }, [NOBODY]: { x: {} } };
    const { failures } = await good(pupil, "POST", "/keys/signatures/upload", signed);
    assert.deepEqual(failures[stranger.getUserId()], failures[NOBODY]);
});

test("F1: one writes to devices, and takes their keys, where one shares a room in which messages are encrypted", async () => {
    assert.deepEqual(await claim(pupil, mate), {}); // the class room is not
    assert.deepEqual(await written(pupil, mate), []);
    const { next_batch } = await sync(mate);
    const room = await chat(pupil, mate);
    assert.equal(Object.keys(await claim(pupil, mate)).length, 1); // an invite is enough: the first message is for who is invited, too
    await mate.joinRoom(room);
    assert.ok((await sync(mate, next_batch)).device_lists.changed.includes(pupil.getUserId()));
    const [event] = await written(mate, pupil);
    assert.deepEqual([event.sender, event.type], [mate.getUserId(), "org.example.test"]);
    assert.equal((await written(pupil, pupil)).length, 1); // one's own devices always
    const since = (await sync(mate)).next_batch;
    await pupil.leave(room);
    assert.deepEqual((await sync(mate, since)).device_lists, { changed: [], left: [pupil.getUserId()] });
    assert.deepEqual(await written(pupil, mate), []);
});

test("A6: what a device is called its owner alone is told", async () => {
    await good(mate, "PUT", `/devices/${q(mate.getDeviceId())}`, { display_name: "Телефон Маши" });
    const theirs = await query(pupil, mate.getUserId()), own = await query(mate, mate.getUserId());
    assert.equal(JSON.stringify(theirs).includes("Маши"), false);
    assert.equal(own[mate.getUserId()][mate.getDeviceId()].unsigned.device_display_name, "Телефон Маши");
});
