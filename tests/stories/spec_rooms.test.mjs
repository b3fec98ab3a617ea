// Rooms as the specification has them: made, entered, left, named, listed, replaced (Client-Server API, "Rooms").
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server } from "./harness.mjs";
import { Asker, V1, of, q, query, registerAll } from "./asking.mjs";

let server, anna, boris, vera, gleb, nobody;

before(async () => {
    server = await Server.start();
    [anna, boris, vera, gleb] = await registerAll(server, ["anna", "boris", "vera", "gleb"]);
    nobody = new Asker(server);
});

after(() => server?.stop());

const stateOf = async (who, room) =>
    Object.fromEntries((await who.get(of(room, "/state"))).map((e) => [`${e.type} ${e.state_key}`, e.content]));
const joinRules = (join_rule, ...rooms) => ({
    type: "m.room.join_rules",
    state_key: "",
    content: {
        join_rule,
        ...(rooms.length && { allow: rooms.map((room_id) => ({ type: "m.room_membership", room_id })) }),
    },
});
const alias = (name) => `#${name}:school.example`;
const directory = (name) => `/directory/room/${q(alias(name))}`;

for (const [version, preset] of [
    ["1", "private_chat"],
    ["6", "trusted_private_chat"],
    ["10", "public_chat"],
    ["11", "private_chat"],
    ["12", "trusted_private_chat"],
])
    test(`a ${preset} of version ${version} is made in the specification's order and form`, async () => {
        const room = await anna.create({
            room_version: version,
            preset,
            name: "Имя",
            topic: "Тема",
            room_alias_name: `v${version}`,
            invite: [boris.id],
            is_direct: true,
            creation_content: { type: "org.example.kind", "m.federate": false },
            initial_state: [{ type: "org.example.state", content: { a: 1 } }],
            power_level_content_override: { events_default: 7 },
        });
        assert.equal(room.includes(":"), version !== "12");
        const events = (await anna.get(of(room, "/messages?dir=f&limit=50"))).chunk;
        const types = events.map((e) => e.type);
        assert.deepEqual(types.slice(0, 3), ["m.room.create", "m.room.member", "m.room.power_levels"]);
        const order = [
            "m.room.canonical_alias",
            "m.room.join_rules",
            "org.example.state",
            "m.room.name",
            "m.room.topic",
        ];
        assert.deepEqual(
            types.filter((type) => order.includes(type)),
            order,
        );
        assert.deepEqual([events.at(-1).type, events.at(-1).state_key], ["m.room.member", boris.id]);
        const state = await stateOf(anna, room);
        const create = state["m.room.create "];
        assert.deepEqual(
            [create.room_version, create.type, create["m.federate"]],
            [version, "org.example.kind", false],
        );
        assert.equal(create.creator, Number(version) < 11 ? anna.id : undefined);
        const power = state["m.room.power_levels "];
        const trusted = preset === "trusted_private_chat";
        if (version === "12")
            assert.deepEqual([create.additional_creators, power.users[anna.id]], [[boris.id], undefined]);
        else assert.deepEqual([power.users[anna.id], power.users[boris.id]], [100, trusted ? 100 : undefined]);
        assert.equal(power.events_default, 7);
        assert.equal(state["m.room.join_rules "].join_rule, preset === "public_chat" ? "public" : "invite");
        assert.equal(state["m.room.history_visibility "].history_visibility, "shared");
        assert.equal(state["m.room.guest_access "].guest_access, preset === "public_chat" ? "forbidden" : "can_join");
        assert.deepEqual([state["m.room.name "].name, state["m.room.topic "].topic], ["Имя", "Тема"]);
        assert.equal(state["m.room.canonical_alias "].alias, alias(`v${version}`));
        assert.deepEqual(state["org.example.state "], { a: 1 });
        assert.deepEqual(
            [state[`m.room.member ${boris.id}`].membership, state[`m.room.member ${boris.id}`].is_direct],
            ["invite", true],
        );
    });

test("what createRoom cannot make it refuses, and leaves nothing behind", async () => {
    const before = (await anna.get("/joined_rooms")).joined_rooms.length;
    await anna.create({ room_alias_name: "taken" });
    const cases = [
        [400, "M_UNSUPPORTED_ROOM_VERSION", { room_version: "99" }],
        [400, "M_BAD_JSON", { room_version: 12 }],
        [400, "M_ROOM_IN_USE", { room_alias_name: "taken" }],
        [400, "M_INVALID_PARAM", { preset: "chat" }],
        [400, "M_INVALID_PARAM", { visibility: "half" }],
        [400, "M_INVALID_PARAM", { invite: ["boris"] }],
        [400, "M_BAD_JSON", { invite: "boris" }],
        [400, "M_BAD_JSON", { name: 5 }],
        [400, "M_INVALID_ROOM_STATE", { initial_state: [{ type: "m.room.power_levels", content: { users: "x" } }] }],
        [400, "M_INVALID_ROOM_STATE", { power_level_content_override: { users: { [anna.id]: "x" } } }],
        [400, "M_INVALID_ROOM_STATE", { creation_content: { additional_creators: ["boris"] } }],
        [
            403,
            "M_THREEPID_DENIED",
            { invite_3pid: [{ id_server: "a", id_access_token: "b", medium: "email", address: "c@d" }] },
        ],
        [404, "M_NOT_FOUND", { invite: ["@none:school.example"], room_alias_name: "late" }],
    ];
    for (const [status, errcode, plan] of cases) await anna.refused(status, errcode, "POST", "/createRoom", plan);
    await nobody.refused(401, "M_MISSING_TOKEN", "POST", "/createRoom", {});
    await nobody.refused(404, "M_NOT_FOUND", "GET", directory("late"));
    assert.equal((await anna.get("/joined_rooms")).joined_rooms.length, before + 1);
});

test("creation_content cannot forge the creator or the version", async () => {
    const room = await anna.create({ room_version: "10", creation_content: { creator: boris.id, room_version: "1" } });
    const { creator, room_version } = await anna.stateOf(room, "m.room.create");
    assert.deepEqual([creator, room_version], [anna.id, "10"]);
});

test("memberships go only the ways they may", async () => {
    const room = await anna.create();
    const act = (name, other, more) => ["POST", of(room, `/${name}`), { user_id: other.id, ...more }];
    await boris.refused(403, "M_FORBIDDEN", "POST", `/join/${q(room)}`);
    await boris.refused(403, "M_FORBIDDEN", "POST", `/knock/${q(room)}`);
    await boris.refused(403, "M_FORBIDDEN", ...act("invite", vera));
    await anna.ask(...act("invite", boris, { reason: "приходи" }));
    assert.equal((await anna.stateOf(room, "m.room.member", boris.id)).reason, "приходи");
    await anna.ask(...act("invite", boris));
    await boris.join(room);
    assert.deepEqual(await boris.join(room), { room_id: room });
    await anna.refused(403, "M_FORBIDDEN", ...act("invite", boris));
    for (const name of ["kick", "ban", "unban"]) await boris.refused(403, "M_FORBIDDEN", ...act(name, anna));
    await anna.refused(403, "M_FORBIDDEN", ...act("kick", gleb));
    await anna.refused(403, "M_FORBIDDEN", ...act("unban", boris));
    await boris.leave(room, "пока");
    assert.deepEqual(await anna.stateOf(room, "m.room.member", boris.id), { membership: "leave", reason: "пока" });
    await anna.ask(...act("ban", boris, { reason: "всё" }));
    await anna.refused(403, "M_FORBIDDEN", ...act("invite", boris));
    await boris.refused(403, "M_FORBIDDEN", "POST", `/join/${q(room)}`);
    await anna.ask(...act("unban", boris));
    await anna.ask(...act("invite", vera));
    await vera.leave(room);
    await vera.refused(403, "M_FORBIDDEN", "POST", `/join/${q(room)}`);
    await anna.ask(...act("invite", vera));
    await anna.ask(...act("kick", vera));
    await vera.refused(403, "M_FORBIDDEN", "POST", `/join/${q(room)}`);
    await anna.refused(400, "M_UNKNOWN", "POST", of(room, "/forget"));
    await vera.ask("POST", of(room, "/forget"));
    await vera.refused(403, "M_FORBIDDEN", "GET", of(room, "/messages?dir=b"));
});

test("third-party invites and foreign rooms are refused for what they are", async () => {
    const room = await anna.create();
    const third = { medium: "email", address: "a@b.example", id_server: "id.example", id_access_token: "t" };
    await anna.refused(403, "M_THREEPID_DENIED", "POST", of(room, "/invite"), third);
    await anna.refused(400, "M_MISSING_PARAM", "POST", of(room, "/invite"), {});
    await anna.refused(400, "M_INVALID_PARAM", "POST", of(room, "/invite"), { user_id: "boris" });
    await anna.refused(404, "M_NOT_FOUND", "POST", of(room, "/invite"), { user_id: "@none:school.example" });
    await anna.refused(404, "M_NOT_FOUND", "POST", `/join/${q(alias("none"))}`);
    await anna.refused(400, "M_INVALID_PARAM", "POST", "/join/neither");
});

for (const [version, rule] of [
    ["8", "restricted"],
    ["10", "knock_restricted"],
    ["12", "restricted"],
    ["12", "knock_restricted"],
])
    test(`a ${rule} room of version ${version} lets in by another room, and otherwise as its rule says`, async () => {
        const space = await anna.create({ preset: "public_chat", creation_content: { type: "m.space" } });
        const room = await anna.create({ room_version: version, initial_state: [joinRules(rule, space)] });
        await vera.refused(403, "M_FORBIDDEN", "POST", `/join/${q(room)}`);
        await vera.join(space);
        await vera.join(room);
        const mine = await vera.stateOf(room, "m.room.member", vera.id);
        assert.equal(mine.join_authorised_via_users_server, anna.id);
        await vera.leave(space);
        await vera.state(room, "m.room.member", { membership: "join", displayname: "Вера" }, vera.id);
        await vera.leave(room);
        await vera.refused(403, "M_FORBIDDEN", "POST", `/join/${q(room)}`);
        if (rule === "knock_restricted") await vera.ask("POST", `/knock/${q(room)}`);
        else await vera.refused(403, "M_FORBIDDEN", "POST", `/knock/${q(room)}`);
        await anna.invite(room, vera);
        await vera.join(room);
    });

test("nobody can say that they were let in, and where nobody can let in, that is said", async () => {
    const space = await anna.create({ preset: "public_chat", creation_content: { type: "m.space" } });
    const room = await anna.create({ room_version: "10", initial_state: [joinRules("restricted", space)] });
    const forged = { membership: "join", join_authorised_via_users_server: anna.id };
    await gleb.refused(403, "M_FORBIDDEN", "PUT", of(room, `/state/m.room.member/${q(gleb.id)}`), forged);
    await anna.leave(room);
    await gleb.join(space);
    await gleb.refused(400, "M_UNABLE_TO_GRANT_JOIN", "POST", `/join/${q(room)}`);
});

test("a knock is seen by both sides, answered by an invite, taken back, or refused for good", async () => {
    const room = await anna.create({ name: "Стучите", initial_state: [joinRules("knock")] });
    const since = await anna.now();
    assert.deepEqual(await vera.ask("POST", `/knock/${q(room)}`, { reason: "можно?" }), { room_id: room });
    const [knock] = (await anna.sync({ since })).rooms.join[room].timeline.events;
    assert.deepEqual([knock.sender, knock.content.membership, knock.content.reason], [vera.id, "knock", "можно?"]);
    const { events } = (await vera.sync()).rooms.knock[room].knock_state;
    assert.deepEqual(events.find((e) => e.type === "m.room.name").content, { name: "Стучите" });
    await vera.refused(403, "M_FORBIDDEN", "POST", `/join/${q(room)}`);
    await vera.refused(403, "M_FORBIDDEN", "GET", of(room, "/messages?dir=b"));
    await anna.invite(room, vera);
    await vera.join(room);
    await vera.refused(403, "M_FORBIDDEN", "POST", `/knock/${q(room)}`);
    await gleb.ask("POST", `/knock/${q(room)}`);
    await gleb.leave(room);
    await gleb.ask("POST", `/knock/${q(room)}`);
    await anna.ask("POST", of(room, "/kick"), { user_id: gleb.id });
    await anna.ask("POST", of(room, "/ban"), { user_id: gleb.id });
    await gleb.refused(403, "M_FORBIDDEN", "POST", `/knock/${q(room)}`);
    await gleb.refused(404, "M_NOT_FOUND", "POST", `/knock/${q(alias("none"))}`);
});

test("without a transaction id each request sends, and is asked the same", async () => {
    const room = await anna.create();
    const post = (type) => ["POST", of(room, `/send/${type}`)];
    const message = { msgtype: "m.text", body: "из скрипта" };
    const one = await anna.ask(...post("m.room.message"), message);
    const two = await anna.ask(...post("m.room.message"), message);
    assert.notEqual(one.event_id, two.event_id);
    assert.deepEqual((await anna.get(of(room, `/event/${q(one.event_id)}`))).content, message);
    await anna.ask(...post("m.room.redaction"), { redacts: one.event_id });
    assert.deepEqual((await anna.get(of(room, `/event/${q(one.event_id)}`))).content, {});
    await vera.refused(403, "M_FORBIDDEN", ...post("m.room.message"), message);
    await nobody.refused(401, "M_MISSING_TOKEN", ...post("m.room.message"), message);
    await anna.refused(400, "M_BAD_JSON", ...post("m.room.message"), "[]");
});

test("a transaction id does its work once, for its room, its act and its device", async () => {
    const [one, two] = [await anna.create(), await anna.create()];
    const send = (who, room) => who.ask("PUT", of(room, "/send/m.room.message/same"), { msgtype: "m.text", body: "x" });
    const { event_id } = await send(anna, one);
    assert.deepEqual(await send(anna, one), { event_id });
    assert.notEqual((await send(anna, two)).event_id, event_id);
    assert.notEqual((await send(await anna.again(), one)).event_id, event_id);
    const redaction = await anna.ask("PUT", of(one, `/redact/${q(event_id)}/same`));
    assert.notEqual(redaction.event_id, event_id);
    assert.deepEqual(await anna.ask("PUT", of(one, `/redact/${q(event_id)}/same`)), redaction);
});

test("a redaction empties the event, for the author and those with power", async () => {
    for (const room_version of ["10", "12"]) {
        const room = await anna.create({ room_version, preset: "public_chat" });
        await Promise.all([boris.join(room), vera.join(room)]);
        const [mine, other] = [await boris.send(room, "mine"), await vera.send(room, "other")];
        await boris.refused(403, "M_FORBIDDEN", "PUT", of(room, `/redact/${q(other)}/r`));
        const redaction = await boris.redact(room, mine, "ошибка");
        await anna.redact(room, other);
        const event = await vera.get(of(room, `/event/${q(mine)}`));
        assert.deepEqual(event.content, {});
        const because = event.unsigned.redacted_because;
        assert.deepEqual(
            [because.event_id, because.sender, because.content.reason, because.content.redacts],
            [redaction, boris.id, "ошибка", mine],
        );
        assert.deepEqual((await vera.get(of(room, `/event/${q(other)}`))).content, {});
        await boris.refused(404, "M_NOT_FOUND", "PUT", of(room, `/redact/${q("$none")}/r`));
    }
});

test("the same reaction is taken once, until it is taken back", async () => {
    const room = await anna.create({ preset: "public_chat" });
    await boris.join(room);
    const event = await anna.send(room, "what do you think?");
    const reaction = (key) => ({ "m.relates_to": { rel_type: "m.annotation", event_id: event, key } });
    const put = (who, txn, key) => [who, "PUT", of(room, `/send/m.reaction/${txn}`), reaction(key)];
    const refused = ([who, ...request]) => who.refused(400, "M_DUPLICATE_ANNOTATION", ...request);
    const first = await boris.send(room, reaction("👍"), "m.reaction");
    await refused(put(boris, "again", "👍"));
    await boris.send(room, reaction("👎"), "m.reaction");
    await anna.send(room, reaction("👍"), "m.reaction");
    await boris.redact(room, first);
    await boris.send(room, reaction("👍"), "m.reaction");
    await refused(put(boris, "more", "👍"));
});

test("state is written by who has the power, once, and keys with @ belong to their users", async () => {
    const room = await anna.create({ preset: "public_chat" });
    await boris.join(room);
    const put = (type, key = "") => ["PUT", of(room, `/state/${type}/${q(key)}`)];
    await boris.refused(403, "M_FORBIDDEN", ...put("m.room.name"), { name: "x" });
    await gleb.refused(403, "M_FORBIDDEN", ...put("m.room.name"), { name: "x" });
    await anna.refused(403, "M_FORBIDDEN", ...put("m.room.create"), {});
    assert.equal(
        await anna.state(room, "m.room.topic", { topic: "a" }),
        await anna.state(room, "m.room.topic", { topic: "a" }),
    );
    await anna.refused(403, "M_FORBIDDEN", ...put("org.example", boris.id), {});
    await anna.refused(400, "M_BAD_ALIAS", ...put("m.room.canonical_alias"), { alias: alias("none") });
    await anna.refused(400, "M_INVALID_PARAM", ...put("m.room.canonical_alias"), { alias: "none" });
    await anna.refused(400, "M_BAD_JSON", ...put("org.example"), { number: 1.5 });
    await anna.refused(400, "M_BAD_JSON", ...put("org.example"), "[]");
    await anna.refused(413, "M_TOO_LARGE", ...put("org.example"), { long: "x".repeat(65536) });
    const whole = await anna.get(of(room, "/state/m.room.topic/?format=event"));
    assert.deepEqual(
        [whole.type, whole.sender, whole.content.topic, whole.state_key],
        ["m.room.topic", anna.id, "a", ""],
    );
});

test("a new name or picture goes into every room its owner is in, and no other", async () => {
    const [open, left] = [await vera.create({ preset: "public_chat" }), await vera.create({ preset: "public_chat" })];
    await Promise.all([gleb.join(open), gleb.join(left)]);
    await gleb.leave(left);
    await gleb.ask("PUT", `/profile/${q(gleb.id)}/displayname`, { displayname: "Глеб" });
    await gleb.ask("PUT", `/profile/${q(gleb.id)}/avatar_url`, { avatar_url: "mxc://school.example/pic" });
    const expected = { membership: "join", displayname: "Глеб", avatar_url: "mxc://school.example/pic" };
    assert.deepEqual(await vera.stateOf(open, "m.room.member", gleb.id), expected);
    assert.deepEqual(await vera.stateOf(left, "m.room.member", gleb.id), { membership: "leave" });
    const { joined } = await vera.get(of(open, "/joined_members"));
    assert.deepEqual(joined[gleb.id], { display_name: "Глеб", avatar_url: "mxc://school.example/pic" });
    await gleb.ask("DELETE", `/profile/${q(gleb.id)}/displayname`);
    assert.equal((await vera.stateOf(open, "m.room.member", gleb.id)).displayname, undefined);
    // What is not known is null: matrix-nio takes the list for none without the members.
    assert.deepEqual((await vera.get(of(open, "/joined_members"))).joined[gleb.id],
        { avatar_url: "mxc://school.example/pic", display_name: null });
});

test("aliases: made by members, found by all, taken away by maker or power", async () => {
    const room = await anna.create({ preset: "public_chat" });
    await boris.join(room);
    await gleb.refused(403, "M_FORBIDDEN", "PUT", directory("second"), { room_id: room });
    await boris.ask("PUT", directory("second"), { room_id: room });
    await anna.refused(409, "M_UNKNOWN", "PUT", directory("second"), { room_id: room });
    await anna.refused(400, "M_INVALID_PARAM", "PUT", `/directory/room/${q("#a:other.example")}`, { room_id: room });
    await anna.refused(400, "M_INVALID_PARAM", "PUT", "/directory/room/second", { room_id: room });
    assert.deepEqual(await nobody.get(directory("second")), { room_id: room, servers: ["school.example"] });
    await anna.state(room, "m.room.canonical_alias", { alias: alias("second") });
    assert.deepEqual(await anna.get(of(room, "/aliases")), { aliases: [alias("second")] });
    await gleb.refused(403, "M_FORBIDDEN", "DELETE", directory("second"));
    await anna.ask("DELETE", directory("second"));
    await nobody.refused(404, "M_NOT_FOUND", "GET", directory("second"));
    assert.deepEqual(await anna.stateOf(room, "m.room.canonical_alias"), {}, "nor does the room's state name it");
});

test("the public list is paged both ways, searched, filtered by type", async () => {
    for (let i = 0; i < 5; ++i)
        await vera.create({
            visibility: "public",
            name: `Кружок ${i}`,
            topic: i === 3 ? "Шахматы" : "",
            ...(i % 2 && { creation_content: { type: "m.space" } }),
        });
    const pages = [];
    for (let since; ;) {
        const page = await nobody.get(`/publicRooms${query({ limit: 2, ...(since && { since }) })}`);
        assert.equal(page.total_room_count_estimate, 5);
        pages.push(page);
        if (!(since = page.next_batch)) break;
    }
    const rooms = pages.flatMap((p) => p.chunk.map((c) => c.room_id));
    assert.equal(new Set(rooms).size, 5);
    const back = await nobody.get(`/publicRooms${query({ limit: 2, since: pages[1].prev_batch })}`);
    assert.deepEqual(
        back.chunk.map((c) => c.room_id),
        rooms.slice(0, 2),
    );
    const find = async (filter) => (await vera.ask("POST", "/publicRooms", { filter })).chunk.map((c) => c.name).sort();
    assert.deepEqual(await find({ generic_search_term: "шахматы" }), ["Кружок 3"]);
    assert.deepEqual(await find({ room_types: ["m.space"] }), ["Кружок 1", "Кружок 3"]);
    assert.deepEqual(await find({ room_types: [null] }), ["Кружок 0", "Кружок 2", "Кружок 4"]);
    await vera.refused(400, "M_BAD_JSON", "POST", "/publicRooms", { filter: { room_types: "m.space" } });
    await vera.refused(400, "M_BAD_JSON", "POST", "/publicRooms", { filter: { generic_search_term: 5 } });
    await vera.refused(400, "M_BAD_JSON", "POST", "/publicRooms", { limit: "two" });
    const listing = `/directory/list/room/${q(rooms[0])}`;
    await boris.refused(403, "M_FORBIDDEN", "PUT", listing, { visibility: "private" });
    await vera.ask("PUT", listing, { visibility: "private" });
    assert.deepEqual(await nobody.get(listing), { visibility: "private" });
});

test("an upgraded room leaves a tombstone, and takes its aliases, bans, state and listing along", async () => {
    const plan = {
        room_version: "10",
        preset: "public_chat",
        name: "Старая",
        topic: "т",
        room_alias_name: "upgraded",
        visibility: "public",
    };
    const old = await anna.create({ ...plan, creation_content: { type: "m.space" } });
    await boris.join(old);
    await anna.ask("POST", of(old, "/ban"), { user_id: gleb.id });
    await anna.state(old, "org.example.own", { a: 1 });
    await boris.refused(403, "M_FORBIDDEN", "POST", of(old, "/upgrade"), { new_version: "12" });
    await anna.refused(400, "M_UNSUPPORTED_ROOM_VERSION", "POST", of(old, "/upgrade"), { new_version: "99" });
    await anna.refused(400, "M_MISSING_PARAM", "POST", of(old, "/upgrade"), {});
    const { replacement_room: room } = await anna.ask("POST", of(old, "/upgrade"), { new_version: "12" });
    const [before, now] = [await stateOf(anna, old), await stateOf(anna, room)];
    assert.equal(before["m.room.tombstone "].replacement_room, room);
    assert.deepEqual([now["m.room.create "].type, now["m.room.create "].predecessor.room_id], ["m.space", old]);
    for (const type of [
        "m.room.name ",
        "m.room.topic ",
        "m.room.join_rules ",
        "m.room.history_visibility ",
        "m.room.guest_access ",
    ])
        assert.deepEqual(now[type], before[type], type);
    assert.equal(now[`m.room.member ${gleb.id}`].membership, "ban");
    assert.equal(now["org.example.own "], undefined);
    assert.equal(now["m.room.power_levels "].users[anna.id], undefined, "a creator of version 12 is in no list");
    assert.equal((await nobody.get(directory("upgraded"))).room_id, room);
    assert.equal((await nobody.get(`/directory/list/room/${q(old)}`)).visibility, "private");
    assert.equal((await nobody.get(`/directory/list/room/${q(room)}`)).visibility, "public");
    await boris.refused(403, "M_FORBIDDEN", "PUT", of(old, "/send/m.room.message/1"), { body: "x" });
    await boris.refused(403, "M_FORBIDDEN", "POST", of(old, "/invite"), { user_id: vera.id });
    await boris.join(room);
    await gleb.refused(403, "M_FORBIDDEN", "POST", `/join/${q(room)}`);
    const { replacement_room: next } = await anna.ask("POST", of(room, "/upgrade"), {
        new_version: "12",
        additional_creators: [boris.id],
    });
    assert.deepEqual((await anna.stateOf(next, "m.room.create")).additional_creators, [boris.id]);
});

test("what people had set for a room goes with them to the one that replaces it", async () => {
    const old = await anna.create({ room_version: "11", preset: "public_chat" });
    await boris.join(old);
    const mine = `/user/${q(boris.id)}`;
    await boris.ask("PUT", `${mine}/rooms/${q(old)}/tags/m.favourite`, { order: 0.5 });
    await boris.ask("PUT", `/pushrules/global/room/${q(old)}`, { actions: [] });
    await boris.ask("PUT", `${mine}/account_data/m.direct`, { [anna.id]: [old] });
    const { replacement_room: room } = await anna.ask("POST", of(old, "/upgrade"), { new_version: "12" });
    const since = await boris.now();
    await boris.join(room);
    assert.deepEqual(await boris.get(`${mine}/rooms/${q(room)}/tags`), { tags: { "m.favourite": { order: 0.5 } } });
    assert.deepEqual((await boris.get(`/pushrules/global/room/${q(room)}`)).actions, []);
    assert.deepEqual(await boris.get(`${mine}/account_data/m.direct`), { [anna.id]: [old, room] });
    const { account_data, rooms } = await boris.sync({ since });
    assert.deepEqual(account_data.events.map((e) => e.type).sort(), ["m.direct", "m.push_rules"]);
    assert.ok(rooms.join[room].account_data.events.some((e) => e.type === "m.tag"));
});

test("a summary and a hierarchy show strangers only what they could enter or read", async () => {
    const space = await anna.create({
        preset: "public_chat",
        creation_content: { type: "m.space" },
        name: "Пространство",
    });
    const [open, closed] = [await anna.create({ preset: "public_chat" }), await anna.create()];
    for (const [room, order] of [
        [closed, "a"],
        [open, "b"],
    ])
        await anna.state(space, "m.space.child", { via: ["school.example"], order }, room);
    const rooms = async (who) => (await who.get(of(space, "/hierarchy", V1))).rooms.map((r) => r.room_id);
    assert.deepEqual(await rooms(anna), [space, closed, open]);
    assert.deepEqual(await rooms(gleb), [space, open]);
    await gleb.refused(403, "M_FORBIDDEN", "GET", of(closed, "/hierarchy", V1));
    assert.equal((await nobody.get(`${V1}/room_summary/${q(space)}`)).room_type, "m.space");
    assert.equal((await gleb.get(`${V1}/room_summary/${q(space)}`)).membership, "leave");
    for (const room of [closed, "!none:school.example"])
        await gleb.refused(404, "M_NOT_FOUND", "GET", `${V1}/room_summary/${q(room)}`);
});

test("A5: a room's picture that is no mxc: URI is shown to nobody outside", async () => {
    for (const [url, good] of [
        ["mxc://school.example/pic", true],
        ["https://tracker.example/pic.png", false],
        ["//tracker.example/pic.png", false],
        ["mxc://", false],
        ["", false],
    ]) {
        const space = await anna.create({ preset: "public_chat", creation_content: { type: "m.space" } });
        const room = await anna.create({ preset: "public_chat", visibility: "public", name: `Картинка ${url}` });
        await anna.state(space, "m.space.child", { via: ["school.example"] }, room);
        await anna.state(room, "m.room.avatar", { url });
        await anna.invite(room, gleb);
        const expected = good ? url : undefined;
        const of_room = (rooms) => rooms.find((r) => r.room_id === room);
        assert.equal((await gleb.get(`${V1}/room_summary/${q(room)}`)).avatar_url, expected, `summary: ${url}`);
        assert.equal(of_room((await gleb.get(of(space, "/hierarchy", V1))).rooms).avatar_url, expected, `hierarchy: ${url}`);
        assert.equal(of_room((await gleb.get("/publicRooms?limit=500")).chunk).avatar_url, expected, `publicRooms: ${url}`);
        assert.equal(of_room((await gleb.ask("POST", "/publicRooms", { limit: 500 })).chunk).avatar_url, expected);
        for (const more of [{}, { full_state: true }]) {
            const shown = (await gleb.sync({ timeout: 0, ...more })).rooms.invite[room].invite_state.events;
            assert.equal(shown.find((e) => e.type === "m.room.avatar")?.content.url, expected, `sync: ${url}`);
        }
        await gleb.leave(room);
    }
});
