// Server notices: what the administration tells one person in the server's name (Client-Server API, "Server Notices").
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, until } from "./harness.mjs";
import { Asker, of, q, register } from "./asking.mjs";
import { HERE, SERVICE, World } from "./world.mjs";

let w, pupil, mate, teacher;
const asker = (client) =>
    new Asker(w.server, { access_token: client.getAccessToken(), user_id: client.getUserId(), device_id: client.getDeviceId() });
const notices = (id) => `/people/${q(id)}/notices`;

before(async () => {
    w = await World.start();
    [pupil, mate] = await Promise.all(w.all({ role: "pupil", class: "8А" }).slice(0, 2).map((p) => w.still(p)));
    teacher = await w.still(w.one({ role: "class_teacher", class: "8А" }));
});

after(() => w?.stop());

test("one room a person, by invitation; it cannot be declined, and left it comes again", async () => {
    const they = asker(pupil);
    const since = await they.now();
    await w.do(w.office, "POST", notices(they.id), { body: "Завтра школа закрыта." });
    await w.do(w.operator, "POST", notices(they.id), { body: "В субботу сервер обновляют." });
    const invited = Object.keys((await they.sync({ since })).rooms.invite);
    assert.equal(invited.length, 1);
    const [room] = invited;
    await they.refused(403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", "POST", of(room, "/leave"), {});
    await they.refused(403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", "PUT", of(room, `/state/m.room.member/${q(they.id)}`), { membership: "leave" });
    await they.join(room);
    const joined = (await they.sync()).rooms.join[room];
    assert.deepEqual(joined.account_data.events.find((e) => e.type === "m.tag").content, { tags: { "m.server_notice": {} } });
    const said = joined.timeline.events.filter((e) => e.type === "m.room.message");
    assert.deepEqual(said.map((e) => [e.sender, e.content.msgtype, e.content.body]), [
        [SERVICE, "m.server_notice", "Завтра школа закрыта."],
        [SERVICE, "m.server_notice", "В субботу сервер обновляют."],
    ]);
    // Nothing to write, nobody to let in, nothing to change.
    await they.refused(403, "M_FORBIDDEN", "PUT", of(room, "/send/m.room.message/1"), { msgtype: "m.text", body: "Спасибо" });
    await they.refused(403, "M_FORBIDDEN", "POST", of(room, "/invite"), { user_id: mate.getUserId() });
    await they.refused(403, "M_FORBIDDEN", "PUT", of(room, "/state/m.room.topic"), { topic: "x" });
    await they.refused(403, "M_FORBIDDEN", "PUT", of(room, "/state/m.room.encryption"), { algorithm: "m.megolm.v1.aes-sha2" });
    await asker(mate).refused(403, "M_FORBIDDEN", "POST", `/join/${q(room)}`, {});
    await they.leave(room);
    const left = await they.now();
    await w.do(w.office, "POST", notices(they.id), { body: "И ещё одно." });
    assert.deepEqual(Object.keys((await they.sync({ since: left })).rooms.invite), [room]);
});

test("only the administration, to its own people, and it is in the log without what was said", async () => {
    const id = mate.getUserId();
    await w.no(403, "A4", teacher, "POST", notices(id), { body: "Учитель" });
    await w.no(403, "A4", pupil, "POST", notices(id), { body: "Ученик" });
    const stranger = w.all({ school: w.there, role: "pupil" })[0];
    await w.no([403, 404], undefined, w.office, "POST", notices(stranger.id), { body: "Чужой" });
    assert.equal((await w.api(w.server.operator("reader", "read"), "POST", notices(id), { body: "x" })).status, 403);
    for (const body of ["", "ы".repeat(2049)])
        assert.equal((await w.api(w.office, "POST", notices(id), { body })).body.errcode, "M_INVALID_PARAM");
    await w.do(w.office, "POST", notices(id), { body: "Секретное слово" });
    const { items } = await w.do(w.office, "GET", `/audit?school=${HERE}&act=notice.send`);
    const last = items.at(-1);
    assert.ok(JSON.stringify(items).includes(id));
    assert.ok(!JSON.stringify(items).includes("Секретное"), JSON.stringify(last));
    const told = (who) => w.explain({ act: "notice", actor: who.getUserId(), target: id });
    assert.equal((await told(w.office)).allowed, true);
    assert.equal((await told(teacher)).allowed, false);
    // The office does not see the room among those of the school, nor in it.
    const { items: rooms } = await w.do(w.office, "GET", `/rooms?school=${HERE}&kind=notices`);
    assert.deepEqual(rooms, []);
});

test("to one person twenty within a day", async () => {
    const id = w.all({ role: "pupil", class: "8А" })[2].id;
    let sent = 0, reply;
    do reply = await w.api(w.operator, "POST", notices(id), { body: `${sent}` });
    while (reply.status === 201 && ++sent < 30);
    assert.equal(reply.body.errcode, "M_RESOURCE_LIMIT_EXCEEDED", JSON.stringify(reply.body));
    assert.equal(sent, 20);
});

test("an account that ends is not held by its notices", async () => {
    const open = await Server.start("policy:\n  mode: open\n");
    try {
        const anna = await register(open, "anna");
        const told = await open.api(open.operator(), "POST", notices(anna.id), { body: "Сервер переезжает." });
        assert.equal(told.status, 201, JSON.stringify(told.body));
        const [room] = await until(async () => Object.keys((await anna.sync()).rooms?.invite ?? {}), "the invitation");
        await anna.refused(403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", "POST", of(room, "/leave"), {});
        const auth = { type: "m.login.password", identifier: { type: "m.id.user", user: "anna" }, password: "anna-password" };
        await anna.ask("POST", "/account/deactivate", { auth });
    } finally {
        await open.stop();
    }
});
