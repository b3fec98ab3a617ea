// A copy of the database is put back, and clients go on with the tokens that the lost one gave them (docs/administration.md, "Backup and restore").
import assert from "node:assert/strict";
import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Server, inRoom, seen, text, until } from "./harness.mjs";
import { ids, of, q, register } from "./asking.mjs";

let server, anna, boris, room, late;

before(async () => {
    server = await Server.start();
    anna = await server.newClient("anna");
    boris = await server.newClient("boris");
    room = (await anna.createRoom({ preset: "public_chat", name: "Класс" })).room_id;
    late = (await anna.createRoom({ preset: "public_chat", name: "Кружок" })).room_id;
    for (const id of [room, late]) {
        await boris.joinRoom(id);
        await inRoom(anna, id);
        await inRoom(boris, id);
    }
    await anna.sendMessage(room, text("before the backup"));
    await seen(boris, room, (e) => e.getContent().body === "before the backup");
});

after(async () => {
    for (const client of [anna, boris]) client?.stopClient();
    await server?.stop();
});

/** Stops the server, runs what changes its data folder, starts it again. */
async function withStopped(change) {
    const { code } = await server.end();
    assert.equal(code, 0, server.log);
    change(join(server.dir, "data"));
    await server.run();
    for (const client of [anna, boris]) client.retryImmediately();
}

const putBack = (copy) => (data) => {
    renameSync(data, `${data}.lost`);
    mkdirSync(data, { mode: 0o700 });
    for (const file of ["parta.db", "signing.key"]) cpSync(join(copy, file), join(data, file));
    rmSync(`${data}.lost`, { recursive: true });
};

const bodies = (client, id) =>
    client
        .getRoom(id)
        .getLiveTimeline()
        .getEvents()
        .map((e) => e.getContent().body)
        .filter(Boolean);

/** Everything that a client which keeps its token must have after the copy came back; and what the lost server said must be gone from the room's live timeline. */
async function goesOn(round) {
    const sent = [];
    for (let i = 0; i < 30; ++i) sent.push((await anna.sendMessage(room, text(`${round} ${i}`))).event_id); // more than a limited timeline has
    await seen(boris, room, (e) => e.getId() === sent.at(-1), `the last message of ${round}`);
    await until(() => boris.getRoom(room).name === `${round}`, `the name of ${round}`);
    const { chunk } = await boris.createMessagesRequest(room, null, 100, "b");
    assert.deepEqual(
        chunk.map((e) => e.event_id).filter((id) => sent.includes(id)),
        sent.toReversed(),
    );
    assert.ok(!bodies(boris, room).includes(`lost in ${round}`), `${bodies(boris, room)}`);
}

test("after a restore, a client that keeps its token gets everything, and drops what is no more", async () => {
    const copy = join(server.dir, "copy");
    server.parta("backup", copy);
    const registered = await register(server, "vera");
    await anna.sendMessage(room, text("lost in one"));
    await seen(boris, room, (e) => e.getContent().body === "lost in one");
    await anna.sendStateEvent(room, "m.room.name", { name: "lost" });
    await until(() => boris.getRoom(room).name === "lost", "the name that will be lost");
    await boris.leave(late);
    await inRoom(boris, late, "leave");
    for (let i = 0; i < 300; ++i) await server.request("PUT", of(room, `/typing/${q(anna.getUserId())}`), { token: anna.getAccessToken(), body: { typing: i % 2 === 0, timeout: 20000 } });
    const told = boris.store.getSyncToken();
    await withStopped(putBack(copy));
    await until(() => boris.getRoom(room).name === "Класс", "the name as the copy has it");
    await inRoom(boris, late); // as the copy has it
    assert.notEqual(boris.store.getSyncToken(), told);
    await anna.sendStateEvent(room, "m.room.name", { name: "one" });
    await goesOn("one");
    assert.equal((await server.request("GET", "/_matrix/client/v3/account/whoami", { token: registered.token })).status, 401, "who came later signs in anew");
});

test("the same with a folder that somebody copied by hand, twice", async () => {
    const copy = join(server.dir, "by-hand");
    await withStopped((data) => cpSync(data, copy, { recursive: true }));
    for (const round of ["two", "three"]) {
        await anna.sendMessage(room, text(`lost in ${round}`));
        await seen(boris, room, (e) => e.getContent().body === `lost in ${round}`);
        await withStopped(putBack(copy));
        await anna.sendStateEvent(room, "m.room.name", { name: round });
        await goesOn(round);
    }
});

test("a filter that the copy does not know filters nothing, for who goes on with it", async () => {
    const vera = await register(server, "gleb");
    const copy = join(server.dir, "before-filter");
    server.parta("backup", copy);
    const { filter_id } = await vera.ask("POST", `/user/${q(vera.id)}/filter`, { room: { timeline: { limit: 3 } } });
    const { next_batch: since } = await vera.sync({ filter: filter_id });
    await withStopped(putBack(copy));
    const first = await vera.sync({ filter: filter_id, since });
    const other = await vera.ask("POST", `/user/${q(vera.id)}/filter`, { room: { timeline: { limit: 1 } } });
    assert.notEqual(other.filter_id, filter_id, "another filter gets another number");
    assert.ok((await vera.sync({ filter: filter_id, since: first.next_batch })).next_batch);
});

test("pages go on with tokens that the lost server gave", async () => {
    const copy = join(server.dir, "before-pages");
    const page = async (more) => {
        const { status, body } = await server.request("GET", of(room, `/messages?limit=5${more}`), { token: anna.getAccessToken() });
        assert.equal(status, 200, JSON.stringify(body));
        return { ...body, ids: ids(body.chunk) };
    };
    server.parta("backup", copy);
    const older = await page("&dir=b");
    await anna.sendMessage(room, text("lost with its token"));
    const newer = await page("&dir=b");
    const next = await page(`&dir=b&from=${older.end}`);
    await withStopped(putBack(copy));
    assert.deepEqual((await page(`&dir=b&from=${older.end}`)).ids, next.ids, "from before the backup: as it was");
    assert.deepEqual((await page(`&dir=b&from=${newer.start}`)).ids, older.ids, "from after it: as if it was not given");
    assert.deepEqual((await page(`&dir=f&from=${newer.start}`)).ids, (await page("&dir=f")).ids);
});

test("a head of the audit log that is newer than the copy tells that something was put back", async () => {
    const copy = join(server.dir, "before-audit"), file = join(server.dir, "log.jsonl");
    const key = (log) => JSON.parse(JSON.parse(log.split("\n")[0]).entry).public_key;
    server.parta("backup", copy);
    server.operator("one"), server.operator("two");
    const log = server.parta("audit", "export"), head = server.parta("audit", "head").trim();
    await withStopped(putBack(copy));
    const verify = () => {
        const now = server.parta("audit", "export");
        writeFileSync(file, now);
        server.parta("audit", "verify", file, "--key", key(log));
        server.parta("audit", "verify", file, "--key", key(log), "--head", head);
    };
    assert.throws(verify, /shorter than when its head was noted/);
    server.operator("three"), server.operator("four"), server.operator("five");
    assert.throws(verify, /the head that was noted is no entry of this log/);
});
