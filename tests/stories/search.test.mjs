// Searching what was written (Client-Server API, "Server Side Search"): what is found, for whom, and what is no longer.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Server, until } from "./harness.mjs";
import { Asker, ids, of, q, query, register } from "./asking.mjs";

let server, anna, boris, vera, room;
let txn = 0;

const say = async (who, where, body, more = {}) =>
    (await who.ask("PUT", of(where, `/send/m.room.message/s${++txn}`, ""), { msgtype: "m.text", body, ...more })).event_id;
const search = async (who, search_term, more = {}, next_batch = undefined) =>
    (await who.ask("POST", `/search${next_batch ? query({ next_batch }) : ""}`, { search_categories: { room_events: { search_term, ...more } } }))
        .search_categories.room_events;
const found = async (who, term, more) => ids((await search(who, term, more)).results.map((r) => r.result));

/** Waits until what was written last is in the index: for a word of its own. */
async function indexed(who, where) {
    const word = `marker${++txn}x`;
    const event = await say(who, where, word);
    await until(async () => (await found(who, word)).length === 1, `${word} to be found`);
    return event;
}

function files(word) {
    const folder = join(server.dir, "data");
    return readdirSync(folder).filter((name) => name.startsWith("search.db") && readFileSync(join(folder, name)).includes(word));
}

before(async () => {
    server = await Server.start();
    [anna, boris, vera] = [await register(server, "anna"), await register(server, "boris"), await register(server, "vera")];
    await anna.ask("PUT", `/profile/${q(anna.id)}/displayname`, { displayname: "Анна" });
    room = await anna.create({ preset: "public_chat", name: "Класс 5А", topic: "Домашние задания" });
    await boris.join(room);
});

after(() => server?.stop());

test("words are found in every form, ё as е, phrases in order; only by who is in the room", async () => {
    const book = await say(anna, room, "Завтра принесите книги и тетради");
    const tree = await say(boris, room, "Ёлка стоит в зале");
    const run = await say(boris, room, "The children were running");
    await indexed(anna, room);
    assert.deepEqual(await found(anna, "книга"), [book]);
    assert.deepEqual(await found(boris, "КНИГАМИ тетрадь"), [book]);
    assert.deepEqual(await found(boris, "елки"), [tree]);
    assert.deepEqual(await found(boris, "runs"), [run]);
    assert.deepEqual(await found(boris, '"книги и тетради"'), [book]);
    assert.deepEqual(await found(boris, '"тетради и книги"'), []);
    assert.deepEqual(await found(vera, "книга"), []);
    const { results, count, highlights } = await search(anna, "книгой");
    assert.equal(count, 1);
    assert.deepEqual(highlights, ["книги"]);
    assert.ok(results[0].rank > 0);
    assert.equal(results[0].result.room_id, room);
    assert.equal((await search(vera, "книгой")).count, 0, "what may not be read is not counted either");
});

test("keys, filters, groups, state, order and context", async () => {
    const other = await anna.create({ name: "Кружок химии", preset: "public_chat" });
    const said = [];
    for (let i = 0; i < 6; ++i) said.push(await say(i % 2 ? anna : boris, room, `лаборатория ${i}${i === 3 ? " лаборатория лаборатория" : ""}`));
    const linked = await say(anna, other, "лаборатория с картинкой", { url: "mxc://school.example/none" });
    await indexed(anna, room);
    await until(async () => (await found(anna, "химия")).length === 1);
    assert.deepEqual(await found(anna, "лаборатория", { order_by: "recent" }), [linked, ...said.toReversed()]);
    assert.equal((await found(anna, "лаборатория", { order_by: "rank" }))[0], said[3]);
    assert.deepEqual(await found(anna, "химия", { keys: ["content.body"] }), []);
    assert.equal((await found(anna, "химия", { keys: ["content.name"] })).length, 1);
    assert.equal((await found(anna, "задание", { keys: ["content.topic"] })).length, 1);
    const filters = [
        [{ rooms: [other] }, [linked]],
        [{ not_rooms: [room] }, [linked]],
        [{ rooms: [] }, []],
        [{ senders: [boris.id] }, [said[4], said[2], said[0]]],
        [{ senders: ["@nobody:school.example"] }, []],
        [{ not_senders: [anna.id] }, [said[4], said[2], said[0]]],
        [{ types: ["m.room.name"] }, []],
        [{ not_types: ["m.room.*"] }, []],
        [{ contains_url: true }, [linked]],
        [{ contains_url: false, limit: 2 }, [said[5], said[4]]],
    ];
    for (const [filter, wanted] of filters) assert.deepEqual(await found(anna, "лаборатория", { order_by: "recent", filter }), wanted, JSON.stringify(filter));
    const whole = await search(anna, "лаборатория", {
        order_by: "recent",
        include_state: true,
        groupings: { group_by: [{ key: "room_id" }, { key: "sender" }] },
        event_context: { before_limit: 1, after_limit: 2, include_profile: true },
    });
    assert.deepEqual(Object.keys(whole.state).sort(), [room, other].sort());
    assert.ok(whole.state[room].some((e) => e.type === "m.room.name" && e.content.name === "Класс 5А"));
    assert.deepEqual(whole.groups.room_id[other].results, [linked]);
    assert.deepEqual(whole.groups.sender[boris.id].results, [said[4], said[2], said[0]]);
    const { context } = whole.results.find((r) => r.result.event_id === said[2]);
    assert.deepEqual(ids(context.events_before), [said[1]]);
    assert.deepEqual(ids(context.events_after), [said[3], said[4]]);
    assert.equal(context.profile_info[anna.id].displayname, "Анна");
    const page = await anna.get(of(room, `/messages${query({ dir: "b", from: context.start, limit: 1 })}`, ""));
    assert.deepEqual(ids(page.chunk), [said[0]]);
});

test("pages go on without gap or repeat, and a page's token is of its person and search alone", async () => {
    const said = [];
    for (let i = 0; i < 12; ++i) said.push(await say(anna, room, `страница ${"страница ".repeat(i % 4)}${i}`));
    await indexed(anna, room);
    for (const order_by of ["recent", "rank"]) {
        const all = [];
        let next;
        do {
            const page = await search(anna, "страница", { order_by, filter: { limit: 5 } }, next);
            assert.ok(page.results.length <= 5);
            all.push(...ids(page.results.map((r) => r.result)));
            assert.equal(page.count, 12);
            next = page.next_batch;
        } while (next);
        assert.deepEqual(all.toSorted(), said.toSorted(), order_by);
        if (order_by === "recent") assert.deepEqual(all, said.toReversed());
    }
    const { next_batch } = await search(anna, "страница", { filter: { limit: 5 } });
    const body = (search_term) => ({ search_categories: { room_events: { search_term, filter: { limit: 5 } } } });
    await boris.refused(400, "M_INVALID_PARAM", "POST", `/search${query({ next_batch })}`, body("страница"));
    await anna.refused(400, "M_INVALID_PARAM", "POST", `/search${query({ next_batch })}`, body("страницы"));
    await anna.refused(400, "M_INVALID_PARAM", "POST", `/search${query({ next_batch: "s12_34" })}`, body("страница"));
});

test("what is taken back is found no more and leaves the index's file; edits and encrypted events", async () => {
    const event = await say(boris, room, "wordzqredacted is in here");
    const sealed = "wordzqsealed";
    await boris.ask("PUT", of(room, `/send/m.room.encrypted/s${++txn}`, ""), { algorithm: "m.megolm.v1.aes-sha2", ciphertext: sealed, body: sealed });
    await indexed(boris, room);
    assert.deepEqual(await found(anna, "wordzqredacted"), [event]);
    assert.deepEqual(await found(anna, sealed), []);
    assert.deepEqual(files(sealed), []);
    assert.ok(files("wordzqredacted").length > 0);
    await boris.ask("PUT", of(room, `/redact/${q(event)}/s${++txn}`, ""), { reason: "mine" });
    assert.deepEqual(await found(anna, "wordzqredacted"), [], "at once, whatever the index has heard");
    await until(() => files("wordzqredacted").length === 0, "the word to leave the file");
});

test("history before one came, after one left, and of rooms that one forgot", async () => {
    const closed = await anna.create({ preset: "private_chat", initial_state: [{ type: "m.room.history_visibility", state_key: "", content: { history_visibility: "joined" } }] });
    const early = await say(anna, closed, "вулкан раньше");
    await anna.ask("POST", of(closed, "/invite", ""), { user_id: vera.id });
    await vera.join(closed);
    const during = await say(anna, closed, "вулкан теперь");
    await indexed(vera, closed);
    assert.deepEqual(await found(anna, "вулкан", { order_by: "recent" }), [during, early]);
    assert.deepEqual(await found(vera, "вулкан"), [during]);
    assert.equal((await search(vera, "вулкан")).count, 1);
    await vera.leave(closed);
    await say(anna, closed, "вулкан потом");
    await indexed(anna, closed);
    assert.equal((await found(anna, "вулкан")).length, 3);
    assert.deepEqual(await found(vera, "вулкан"), [during], "what one read stays readable");
    await vera.ask("POST", of(closed, "/forget", ""), {});
    assert.deepEqual(await found(vera, "вулкан"), []);
    await anna.ask("PUT", `/user/${q(anna.id)}/account_data/m.ignored_user_list`, { ignored_users: { [boris.id]: {} } });
    assert.deepEqual(await found(anna, "елка"), [], "whom one ignores");
    await anna.ask("PUT", `/user/${q(anna.id)}/account_data/m.ignored_user_list`, { ignored_users: {} });
});

test("nothing in a request is more than words, and each is bounded", async () => {
    for (const term of ['"', '""', "NEAR(a b)", "книга*", "body:книга", "* ^ - + ( ) { } : ,", "'; DROP TABLE texts;--", "книга OR елка", ") OR tags : (partaroom1", "\u0001\u0002\u001f"])
        await search(anna, term);
    assert.deepEqual(await found(anna, "книга OR елка"), []);
    const bad = [
        [{}, "M_MISSING_PARAM"],
        [{ search_term: 7 }, "M_BAD_JSON"],
        [{ search_term: "x".repeat(100000) }, "M_INVALID_PARAM"],
        [{ search_term: "x", keys: ["content.password"] }, "M_INVALID_PARAM"],
        [{ search_term: "x", keys: [] }, "M_INVALID_PARAM"],
        [{ search_term: "x", order_by: "size" }, "M_INVALID_PARAM"],
        [{ search_term: "x", filter: { limit: "many" } }, "M_BAD_JSON"],
        [{ search_term: "x", event_context: { before_limit: -1 } }, "M_BAD_JSON"],
        [{ search_term: "x", groupings: { group_by: [{ key: "age" }] } }, "M_INVALID_PARAM"],
    ];
    for (const [room_events, errcode] of bad) await anna.refused(400, errcode, "POST", "/search", { search_categories: { room_events } });
    assert.deepEqual(await anna.ask("POST", "/search", { search_categories: {} }), { search_categories: {} });
    const nul = await server.request("POST", "/_matrix/client/v3/search", { token: anna.token, body: '{"search_categories":{"room_events":{"search_term":"a\\u0000b"}}}' });
    assert.equal(nul.status, 400);
    assert.ok(!server.log.includes("fts5"), server.log);
});

test("rebuilt while it runs, killed meanwhile, and of a file that is lost, all is found again", async () => {
    const all = (await found(anna, "лаборатория")).toSorted();
    assert.match(server.parta("search", "rebuild"), /made anew/);
    await until(async () => (await found(anna, "лаборатория")).length === all.length, "the index to be made anew");
    assert.deepEqual((await found(anna, "лаборатория")).toSorted(), all);
    await until(() => server.parta("search", "status").includes("all that was said"), "the index to be whole");
    server.parta("search", "rebuild");
    const last = await say(anna, room, "лаборатория последняя");
    await server.restart("SIGKILL");
    await until(async () => (await found(anna, "лаборатория")).length === all.length + 1, "after kill -9");
    await server.end();
    assert.match(server.parta("search", "rebuild"), /is gone/);
    await server.run();
    await until(async () => (await found(anna, "лаборатория")).length === all.length + 1, "after the file was lost");
    assert.ok((await found(anna, "лаборатория")).includes(last));
    assert.deepEqual(await found(anna, "wordzqredacted"), []);
    assert.deepEqual(files("wordzqredacted"), []);
});
