// What clients know under the name that it had as a proposal: each flag of /versions does what it says, and so do the names that clients try without one.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server } from "./harness.mjs";
import { Asker, V1, V3, ids, of, q, query, registerAll } from "./asking.mjs";

const UNSTABLE = "/_matrix/client/unstable";
let server, anna, boris, vera;

before(async () => {
    server = await Server.start("policy:\n  mode: open\npush:\n  gateways: [http://127.0.0.1:9]\n");
    [anna, boris, vera] = await registerAll(server, ["anna", "boris", "vera"]);
});

after(() => server?.stop());

const edit = (of, body) => ({
    msgtype: "m.text", body, "m.new_content": { msgtype: "m.text", body }, "m.relates_to": { rel_type: "m.replace", event_id: of },
});
const inThread = (root, body) => ({ msgtype: "m.text", body, "m.relates_to": { rel_type: "m.thread", event_id: root } });
const isRedacted = async (who, room, id) => {
    const event = await who.get(of(room, `/event/${q(id)}`));
    assert.equal(Object.keys(event.content).length === 0, event.unsigned?.redacted_because !== undefined);
    return event.unsigned?.redacted_because !== undefined;
};

async function talk() {
    const room = await anna.create({ preset: "public_chat", name: "Класс" });
    await boris.join(room);
    return room;
}

let txn = 0;
const redactWith = (who, room, id, body) => who.try("PUT", of(room, `/redact/${q(id)}/w${++txn}`), body);

async function redactsWhatRelates(name) {
    const room = await talk();
    const root = await anna.send(room, "root");
    const edited = await anna.send(room, edit(root, "edited"));
    const notAnEdit = await boris.send(room, edit(root, "not anna's to edit"));
    const replies = [await anna.send(room, inThread(root, "one")), await boris.send(room, inThread(root, "two"))];
    const beside = await anna.send(room, "beside");
    assert.equal((await redactWith(anna, room, root, { [name]: ["m.replace"] })).status, 200);
    assert.deepEqual(await Promise.all([root, edited, notAnEdit, replies[0], beside].map((id) => isRedacted(anna, room, id))),
        [true, true, false, false, false]);
    assert.equal((await redactWith(boris, room, replies[1], { [name]: [] })).status, 200);
    // What somebody may not redact stays: boris may his own alone.
    const his = await boris.send(room, "his");
    const answers = [await anna.send(room, inThread(his, "anna's")), await boris.send(room, inThread(his, "his own"))];
    assert.equal((await redactWith(boris, room, his, { [name]: ["*"], reason: "why" })).status, 200);
    assert.deepEqual(await Promise.all([his, ...answers].map((id) => isRedacted(anna, room, id))), [true, false, true]);
    // And once more with the same transaction nothing more happens.
    const path = of(room, `/redact/${q(beside)}/same`);
    const first = await anna.ask("PUT", path, { [name]: ["*"] });
    assert.deepEqual(await anna.ask("PUT", path, { [name]: ["*"] }), first);
    assert.equal((await redactWith(anna, room, root, { [name]: "m.replace" })).body.errcode, "M_BAD_JSON");
    assert.equal((await redactWith(anna, room, root, { [name]: [1] })).body.errcode, "M_BAD_JSON");
    assert.equal((await redactWith(anna, room, root, { [name]: Array(51).fill("m.x") })).body.errcode, "M_INVALID_PARAM");
}

async function mutual(path) {
    const room = await talk();
    const { joined } = await anna.get(`${UNSTABLE}/uk.half-shot.msc2666/user/${path(boris.id)}`);
    assert.ok(joined.includes(room));
    await anna.refused(400, "M_INVALID_PARAM", "GET", `${UNSTABLE}/uk.half-shot.msc2666/user/${path("nobody")}`);
}

async function threads() {
    const room = await talk();
    const root = await anna.send(room, "root");
    await boris.send(room, inThread(root, "reply"));
    const { chunk } = await anna.get(`${V1}/rooms/${q(room)}/threads`);
    assert.deepEqual(ids(chunk), [root]);
    assert.equal(chunk[0].unsigned["m.relations"]["m.thread"].count, 1);
    return { room, root };
}

/** What each flag of /versions promises. A new flag needs its line here. */
const KEPT = {
    "org.matrix.msc2285.stable": async () => {
        const room = await talk();
        const id = await anna.send(room, "read in private");
        await boris.ask("POST", of(room, `/receipt/m.read.private/${q(id)}`));
        const receipts = async (who) => JSON.stringify((await who.sync({ filter: { room: { rooms: [room] } } })).rooms.join[room].ephemeral ?? {});
        assert.ok((await receipts(boris)).includes("m.read.private"));
        assert.ok(!(await receipts(anna)).includes("m.read.private"));
    },
    "org.matrix.msc3440.stable": threads,
    "org.matrix.msc3715.stable": async () => {
        const room = await talk();
        const root = await anna.send(room, "root");
        const replies = [await anna.send(room, inThread(root, "1")), await anna.send(room, inThread(root, "2"))];
        const { chunk } = await anna.get(`${V1}/rooms/${q(room)}/relations/${q(root)}?dir=f`);
        assert.deepEqual(ids(chunk), replies);
    },
    "org.matrix.msc3771": async () => {
        const { room, root } = await threads();
        const reply = await anna.send(room, inThread(root, "unread"));
        await boris.ask("POST", of(room, `/receipt/m.read/${q(reply)}`), { thread_id: root });
        const filter = { room: { rooms: [room], timeline: { unread_thread_notifications: true } } };
        assert.equal((await boris.sync({ filter })).rooms.join[room].unread_thread_notifications, undefined);
    },
    "org.matrix.msc3773": async () => {
        const { room, root } = await threads();
        await anna.send(room, inThread(root, "unread"));
        const filter = { room: { rooms: [room], timeline: { unread_thread_notifications: true } } };
        assert.ok((await boris.sync({ filter })).rooms.join[room].unread_thread_notifications[root].notification_count >= 1);
    },
    "org.matrix.msc3814": () => anna.refused(404, "M_NOT_FOUND", "GET", "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"),
    "org.matrix.msc3856.stable": threads,
    "org.matrix.msc3881": async () => {
        const pusher = {
            kind: "http", app_id: "app", pushkey: "k", app_display_name: "App", device_display_name: "Phone", lang: "en",
            data: { url: "http://127.0.0.1:9/_matrix/push/v1/notify" }, "org.matrix.msc3881.enabled": false,
        };
        await vera.ask("POST", "/pushers/set", pusher);
        const [there] = (await vera.get("/pushers")).pushers;
        assert.equal(there["org.matrix.msc3881.enabled"], false);
        assert.equal(there["org.matrix.msc3881.device_id"], (await vera.get("/account/whoami")).device_id);
        await vera.ask("POST", "/pushers/set", { kind: null, app_id: "app", pushkey: "k" });
    },
    "org.matrix.msc3912": async () => {
        await redactsWhatRelates("org.matrix.msc3912.with_relations");
        await redactsWhatRelates("with_rel_types");
    },
    "org.matrix.msc3981": async () => {
        const { room, root } = await threads();
        const reply = await anna.send(room, inThread(root, "reply"));
        const reaction = await boris.send(room, { "m.relates_to": { rel_type: "m.annotation", event_id: reply, key: "👍" } }, "m.reaction");
        const related = async (more) => ids((await anna.get(`${V1}/rooms/${q(room)}/relations/${q(root)}?limit=50${more}`)).chunk);
        assert.ok(!(await related("")).includes(reaction));
        assert.ok((await related("&recurse=true")).includes(reaction));
    },
    "org.matrix.msc4108": async () => {
        assert.equal((await anna.get(`${UNSTABLE}/io.element.msc4388/rendezvous`)).create_available, true);
    },
    "org.matrix.msc4380.stable": async () => {
        await vera.ask("PUT", `/user/${q(vera.id)}/account_data/m.invite_permission_config`, { default_action: "block" });
        const room = await anna.create();
        await anna.refused(403, "M_INVITE_BLOCKED", "POST", of(room, "/invite"), { user_id: vera.id });
        await vera.ask("PUT", `/user/${q(vera.id)}/account_data/m.invite_permission_config`, {});
        await anna.invite(room, vera);
    },
    "org.matrix.simplified_msc3575": async () => {
        const room = await talk();
        const lists = { all: { ranges: [[0, 0]], timeline_limit: 1, required_state: [] } };
        const answer = await boris.ask("POST", `${UNSTABLE}/org.matrix.simplified_msc3575/sync`, { lists });
        assert.equal(answer.rooms[room].initial, true);
    },
    "uk.half-shot.msc2666": () => mutual((id) => `shared_rooms/${q(id)}`),
    "uk.half-shot.msc2666.mutual_rooms": () => mutual((id) => `mutual_rooms/${q(id)}`),
    "uk.half-shot.msc2666.query_mutual_rooms": () => mutual((id) => `mutual_rooms?user_id=${q(id)}`),
    "uk.half-shot.msc2666.query_mutual_rooms.stable": async () => {
        const room = await talk();
        assert.ok((await anna.get(`${V1}/mutual_rooms?user_id=${q(boris.id)}`)).joined.includes(room));
    },
    "uk.tcpip.msc4133.stable": async () => {
        await anna.ask("PUT", `/profile/${q(anna.id)}/org.example.shoe`, { "org.example.shoe": 38 });
        assert.equal((await boris.get(`/profile/${q(anna.id)}`))["org.example.shoe"], 38);
    },
};

test("every flag of /versions is kept, and none is kept that is not there", async () => {
    const { unstable_features } = await anna.get("/_matrix/client/versions");
    assert.deepEqual(Object.keys(unstable_features).sort(), Object.keys(KEPT).sort());
    for (const [flag, on] of Object.entries(unstable_features)) {
        assert.equal(on, true, flag);
        await KEPT[flag]();
    }
});

test("state_after comes under the name by which it was asked for, by the worker and on the loop", async () => {
    const room = await talk();
    const filter = { room: { rooms: [room] } };
    const NAMES = {
        use_state_after: "state_after",
        "org.matrix.msc4222.use_state_after": "org.matrix.msc4222.state_after",
    };
    for (const [ask, answer] of Object.entries(NAMES)) {
        const keys = (section) => Object.keys(section).filter((key) => key.includes("state"));
        const first = await boris.sync({ filter, [ask]: true });
        assert.deepEqual(keys(first.rooms.join[room]), [answer]);
        const waiting = boris.sync({ filter, [ask]: true, since: first.next_batch, timeout: 20000 });
        await anna.send(room, "news");
        assert.deepEqual(keys((await waiting).rooms.join[room]), [answer]);
    }
    const both = await boris.sync({ filter, use_state_after: true, "org.matrix.msc4222.use_state_after": true });
    assert.ok(both.rooms.join[room].state_after);
});

test("a room's summary comes by nheko's names, and says no more by them", async () => {
    const room = await talk();
    const stable = await vera.get(`${V1}/room_summary/${q(room)}`);
    for (const path of [`rooms/${q(room)}/summary`, `summary/${q(room)}`]) {
        const { "im.nheko.summary.room_version": room_version, "im.nheko.summary.version": version, ...rest } =
            await vera.get(`${UNSTABLE}/im.nheko.summary/${path}`);
        assert.deepEqual(rest, stable);
        assert.deepEqual([room_version, version], [stable.room_version, stable.room_version]);
    }
    const closed = await anna.create({ preset: "private_chat" });
    await vera.refused(404, "M_NOT_FOUND", "GET", `${UNSTABLE}/im.nheko.summary/rooms/${q(closed)}/summary`);
});

test("devices have their members, known or not; typing ends whatever is said of the time", async () => {
    const fresh = await anna.again({ device_id: "NAMELESS" });
    const { devices } = await anna.get("/devices");
    const nameless = devices.find((d) => d.device_id === "NAMELESS");
    assert.equal(nameless.display_name, null);
    for (const device of devices)
        for (const member of ["device_id", "display_name", "last_seen_ip", "last_seen_ts"]) assert.ok(member in device, member);
    assert.equal((await fresh.get("/devices/NAMELESS")).display_name, null);

    const room = await talk();
    const typing = of(room, `/typing/${q(anna.id)}`);
    for (const body of [{ typing: false }, { typing: false, timeout: 0 }, { typing: false, timeout: null }, { typing: false, timeout: -1 }])
        await anna.ask("PUT", typing, body);
    await anna.refused(400, "M_INVALID_PARAM", "PUT", typing, { typing: true, timeout: 0 });
});

test("a poll notifies, and an answer to it does not, under every name", async () => {
    const room = await talk();
    const count = async () => (await boris.sync({ filter: { room: { rooms: [room] } } })).rooms.join[room].unread_notifications.notification_count;
    let before = await count();
    for (const [type, more] of [["m.poll.start", 1], ["org.matrix.msc3381.poll.start", 1], ["org.matrix.msc3381.v2.poll.start", 1],
        ["m.poll.response", 0], ["org.matrix.msc3381.poll.response", 0], ["m.poll.end", 1], ["org.matrix.msc3381.poll.end", 1]]) {
        await anna.send(room, { "org.example.poll": 1 }, type);
        assert.equal(await count(), before + more, type);
        before += more;
    }
});
