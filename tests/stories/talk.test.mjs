// A class and its teacher talk through a real client (plain homeserver: policy.mode open).
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Server, inRoom, refusal, sdk, seen, startClient, text, until } from "./harness.mjs";

let server, teacher, pupil, roomId;

before(async () => {
    server = await Server.start();
    teacher = await server.newClient("teacher");
    pupil = await server.newClient("pupil");
    roomId = (await teacher.createRoom({ name: "5А", preset: "private_chat", invite: [pupil.getUserId()] })).room_id;
    await inRoom(pupil, roomId, "invite");
    await pupil.joinRoom(roomId);
    await inRoom(teacher, roomId);
    await inRoom(pupil, roomId);
});

after(async () => {
    teacher?.stopClient();
    pupil?.stopClient();
    await server?.stop();
});

/** The ids of all events that the client has in one piece before and including its live timeline. */
function wholeTimeline(room) {
    const ids = [];
    for (let t = room.getLiveTimeline(); t; t = t.getNeighbouringTimeline(sdk.EventTimeline.BACKWARDS))
        ids.unshift(...t.getEvents().map((e) => e.getId()));
    return ids;
}

test("a message arrives on the other side, once, with its transaction id at home", async () => {
    const { event_id } = await teacher.sendMessage(roomId, text("Доброе утро, класс!"));
    const got = await seen(pupil, roomId, (e) => e.getId() === event_id, "the message");
    assert.equal(got.getContent().body, "Доброе утро, класс!");
    await seen(teacher, roomId, (e) => e.getId() === event_id && e.getUnsigned().transaction_id, "its own message, echoed");
    assert.equal(got.getUnsigned().transaction_id, undefined);
});

test("an edit replaces the text", async () => {
    const { event_id } = await teacher.sendMessage(roomId, text("Урок в 9:00"));
    await teacher.sendMessage(roomId, {
        ...text("* Урок в 10:00"),
        "m.new_content": text("Урок в 10:00"),
        "m.relates_to": { rel_type: "m.replace", event_id },
    });
    await until(
        () =>
            pupil.getRoom(roomId).getLiveTimeline().getEvents().find((e) => e.getId() === event_id)?.getContent().body ===
            "Урок в 10:00",
        "the edit",
    );
});

test("a redaction takes the content away everywhere", async () => {
    const { event_id } = await pupil.sendMessage(roomId, text("ой"));
    await seen(teacher, roomId, (e) => e.getId() === event_id);
    await pupil.redactEvent(roomId, event_id);
    await until(
        () => teacher.getRoom(roomId).findEventById(event_id)?.isRedacted(),
        "the redaction",
    );
    const stored = await server.request("GET", `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/event/${encodeURIComponent(event_id)}`, {
        token: teacher.getAccessToken(),
    });
    assert.deepEqual(stored.body.content, {});
    const error = await refusal(
        pupil.redactEvent(roomId, (await teacher.sendMessage(roomId, text("не трогай"))).event_id),
    );
    assert.equal(error.errcode, "M_FORBIDDEN");
});

test("receipts and typing arrive on the other side", async () => {
    const { event_id } = await teacher.sendMessage(roomId, text("Прочтите, пожалуйста"));
    const event = await seen(pupil, roomId, (e) => e.getId() === event_id);
    await pupil.sendReadReceipt(event);
    await until(
        () => teacher.getRoom(roomId).getEventReadUpTo(pupil.getUserId()) === event_id,
        "the receipt",
    );
    await pupil.sendTyping(roomId, true, 30000);
    await until(() => teacher.getRoom(roomId).getMember(pupil.getUserId())?.typing, "typing");
    await pupil.sendTyping(roomId, false, 0);
    await until(() => !teacher.getRoom(roomId).getMember(pupil.getUserId())?.typing, "typing to end");
});

test("unread counts rise with a message and fall with the receipt", async () => {
    const { event_id } = await teacher.sendMessage(roomId, text("pupil, к доске!"));
    const event = await seen(pupil, roomId, (e) => e.getId() === event_id);
    await until(() => pupil.getRoom(roomId).getUnreadNotificationCount("total") >= 1, "an unread message");
    await pupil.sendReadReceipt(event);
    await until(() => pupil.getRoom(roomId).getUnreadNotificationCount("total") === 0, "none unread");
});

test("what was taken back, or comes from somebody ignored, is not unread", async () => {
    const unread = () => pupil.getRoom(roomId).getUnreadNotificationCount("total");
    const { event_id } = await teacher.sendMessage(roomId, text("не туда"));
    await until(() => unread() === 1, "one unread");
    await teacher.redactEvent(roomId, event_id);
    await until(() => unread() === 0, "none after the redaction");
    await pupil.setIgnoredUsers([teacher.getUserId()]);
    await teacher.sendMessage(roomId, text("слышно?"));
    await pupil.setIgnoredUsers([]);
    const heard = await teacher.sendMessage(roomId, text("а теперь?"));
    await seen(pupil, roomId, (e) => e.getId() === heard.event_id);
    await until(() => unread() >= 1, "unread again");
    await pupil.sendReadReceipt(pupil.getRoom(roomId).findEventById(heard.event_id));
    await until(() => unread() === 0, "read");
});

test("a reaction and a thread find their root", async () => {
    const { event_id } = await teacher.sendMessage(roomId, text("Кто за экскурсию?"));
    await seen(pupil, roomId, (e) => e.getId() === event_id);
    await pupil.sendEvent(roomId, "m.reaction", { "m.relates_to": { rel_type: "m.annotation", event_id, key: "👍" } });
    await pupil.sendMessage(roomId, { ...text("Я!"), "m.relates_to": { rel_type: "m.thread", event_id } });
    await until(async () => {
        const relations = await server.request(
            "GET",
            `/_matrix/client/v1/rooms/${encodeURIComponent(roomId)}/relations/${encodeURIComponent(event_id)}`,
            { token: teacher.getAccessToken() },
        );
        return relations.body.chunk?.length === 2;
    }, "both relations");
});

test("history pages back to the beginning without gap or repeat", async () => {
    const room = (await teacher.createRoom({ preset: "public_chat", name: "Архив" })).room_id;
    const sent = [];
    for (let i = 0; i < 60; i++) sent.push((await teacher.sendMessage(room, text(`${i}`))).event_id);
    await pupil.joinRoom(room);
    const joined = await inRoom(pupil, room);
    while (joined.getLiveTimeline().getPaginationToken(sdk.EventTimeline.BACKWARDS)) await pupil.scrollback(joined, 7);
    const got = joined.getLiveTimeline().getEvents().map((e) => e.getId());
    assert.equal(new Set(got).size, got.length);
    assert.deepEqual(got.filter((id) => sent.includes(id)), sent);
    assert.equal(joined.getLiveTimeline().getEvents()[0].getType(), "m.room.create");
});

test("a restart in the middle loses nothing and repeats nothing", async () => {
    const sent = [];
    for (let i = 0; i < 30; i++) {
        if (i === 10) await server.restart("SIGTERM");
        if (i === 20) await server.restart("SIGKILL");
        sent.push((await teacher.sendMessage(roomId, text(`перезапуск ${i}`))).event_id);
    }
    await seen(pupil, roomId, (e) => e.getId() === sent.at(-1), "the last message");
    // What came while the client could not reach the server may be a limited timeline: the rest is behind its prev_batch,
    // and the client joins it to the timeline that it had before.
    const room = pupil.getRoom(roomId);
    const got = () => wholeTimeline(room).filter((id) => sent.includes(id));
    for (let pages = 0; got().length < sent.length && pages < 10; pages++) await pupil.scrollback(room, 10);
    assert.deepEqual(got(), sent);
});

test("the same transaction id sends once, also after a restart", async () => {
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/send/m.room.message/once`;
    const once = () => server.request("PUT", path, { token: pupil.getAccessToken(), body: text("один раз") });
    const first = await once();
    assert.equal((await once()).body.event_id, first.body.event_id);
    await server.restart("SIGKILL");
    assert.equal((await once()).body.event_id, first.body.event_id);
});

test("an outsider is refused each way in", async () => {
    const outsider = await server.newClient("outsider");
    const alias = `#closed${Date.now()}:school.example`;
    await teacher.createAlias(alias, roomId);
    const tries = {
        join: () => outsider.joinRoom(roomId),
        "join by alias": () => outsider.joinRoom(alias),
        knock: () => outsider.knockRoom(roomId),
        send: () => outsider.sendMessage(roomId, text("впустите")),
        state: () => outsider.sendStateEvent(roomId, "m.room.topic", { topic: "моё" }, ""),
        read: () => outsider.createMessagesRequest(roomId, null, 10, "b"),
        members: () => outsider.members(roomId),
        "read state": () => outsider.roomState(roomId),
        invite: () => outsider.invite(roomId, outsider.getUserId()),
        redact: () => outsider.redactEvent(roomId, "$nothing"),
        typing: () => outsider.sendTyping(roomId, true, 1000),
    };
    for (const [way, attempt] of Object.entries(tries)) {
        const error = await refusal(attempt());
        assert.ok([403, 404].includes(error.httpStatus), `${way}: ${error.httpStatus} ${error.message}`);
    }
    assert.equal(teacher.getRoom(roomId).getMember(outsider.getUserId()), null);
    outsider.stopClient();
});

test("kicked means out: what follows is not seen", async () => {
    const guest = await server.newClient("guest");
    const room = (await teacher.createRoom({ preset: "private_chat", invite: [guest.getUserId()] })).room_id;
    await inRoom(guest, room, "invite");
    await guest.joinRoom(room);
    await inRoom(guest, room);
    await until(() => teacher.getRoom(room)?.getMember(guest.getUserId())?.membership === "join", "guest to be in");
    await teacher.kick(room, guest.getUserId(), "ошибка");
    await inRoom(guest, room, "leave");
    const { event_id } = await teacher.sendMessage(room, text("без гостя"));
    const error = await refusal(guest.fetchRoomEvent(room, event_id));
    assert.ok([403, 404].includes(error.httpStatus));
    guest.stopClient();
});

test("H1: the list of sessions says from where each was last seen", async () => {
    const mine = await until(
        async () => (await pupil.getDevices()).devices.find((d) => d.device_id === pupil.getDeviceId() && d.last_seen_ip),
        "the device to be seen",
    );
    assert.equal(mine.last_seen_ip, "127.0.0.1");
    assert.ok(Math.abs(Date.now() - mine.last_seen_ts) < 60000);
});

test("signing out ends the session at once, and everywhere with logout/all", async () => {
    const one = await server.signIn("pupil");
    const two = await server.signIn("pupil");
    await one.logout(true);
    assert.equal((await refusal(one.whoami())).errcode, "M_UNKNOWN_TOKEN");
    await two.whoami();
    await server.request("POST", "/_matrix/client/v3/logout/all", { token: two.getAccessToken(), body: {} });
    assert.equal((await refusal(two.whoami())).errcode, "M_UNKNOWN_TOKEN");
    two.stopClient();
    pupil.stopClient();
    pupil = await server.signIn("pupil");
});

test("what a person kept about a room goes when the room is forgotten", async () => {
    const { room_id } = await pupil.createRoom({ preset: "private_chat" });
    await pupil.setRoomAccountData(room_id, "org.example.note", { text: "моё" });
    await pupil.leave(room_id);
    await pupil.forget(room_id);
    const path = `/_matrix/client/v3/user/${encodeURIComponent(pupil.getUserId())}/rooms/${encodeURIComponent(room_id)}/account_data/org.example.note`;
    assert.notEqual((await server.request("GET", path, { token: pupil.getAccessToken() })).status, 200);
});

test("SIGHUP takes over the log level, and says what needs a restart", async () => {
    const config = readFileSync(server.config, "utf8");
    writeFileSync(server.config, `${config}log:\n  level: debug\npresence:\n  enabled: true\n`);
    server.process.kill("SIGHUP");
    await until(() => server.log.includes("other settings have changed too"), "the warning");
    writeFileSync(server.config, `${config}log:\n  level: error\n`);
    server.process.kill("SIGHUP");
    const lines = () => server.log.split("route=/_matrix/client/versions").length;
    await until(async () => {
        const before = lines();
        for (let i = 0; i < 50; i++) await server.request("GET", "/_matrix/client/versions");
        return lines() === before;
    }, "requests no longer to be logged");
    writeFileSync(server.config, config);
    server.process.kill("SIGHUP");
    const before = lines();
    await until(async () => {
        await server.request("GET", "/_matrix/client/versions");
        return lines() > before;
    }, "requests to be logged again");
});

test("an upgraded room takes name and powers along", async () => {
    const old = (await teacher.createRoom({ preset: "public_chat", name: "Старая", room_version: "9" })).room_id;
    const { replacement_room } = await teacher.upgradeRoom(old, "12");
    const tombstone = await teacher.getStateEvent(old, "m.room.tombstone", "");
    assert.equal(tombstone.replacement_room, replacement_room);
    assert.equal((await teacher.getStateEvent(replacement_room, "m.room.name", "")).name, "Старая");
    assert.equal((await teacher.getStateEvent(replacement_room, "m.room.create", "")).predecessor.room_id, old);
});
