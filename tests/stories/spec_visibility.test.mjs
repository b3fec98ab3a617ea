// Who may read what of a room (Client-Server API, "Room History Visibility", "Getting events for a room").
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server } from "./harness.mjs";
import { V1, ids, of, q, query, registerAll } from "./asking.mjs";

let server, people;

before(async () => {
    server = await Server.start();
    const names = ["anna", "boris", "vera", "dora", "egor", "gleb"];
    people = Object.fromEntries((await registerAll(server, names)).map((person, i) => [names[i], person]));
});

after(() => server?.stop());

/**
 * Four messages: boris is there for the first two and leaves; vera is invited after the first and joins after the second;
 * dora is invited then and never comes; egor joins before the last; gleb never has to do with the room.
 */
async function live(setting) {
    const { anna, boris, vera, dora, egor } = people;
    const history = { type: "m.room.history_visibility", state_key: "", content: { history_visibility: setting } };
    const room = await anna.create({ preset: "public_chat", initial_state: [history] });
    const messages = [];
    await boris.join(room);
    messages.push(await anna.send(room, "one"));
    await anna.invite(room, vera);
    await anna.invite(room, dora);
    messages.push(await anna.send(room, "two"));
    await vera.join(room);
    await boris.leave(room);
    messages.push(await anna.send(room, "three"));
    await egor.join(room);
    messages.push(await anna.send(room, "four"));
    return { room, messages };
}

/** Which of the messages can be read, told as a mask such as "0110"; every way to read them must agree. */
async function seenBy(person, room, messages) {
    const mask = (has) => messages.map((id) => (has(id) ? "1" : "0")).join("");
    const single = await Promise.all(messages.map((id) => person.try("GET", of(room, `/event/${q(id)}`))));
    const around = await Promise.all(messages.map((id) => person.try("GET", of(room, `/context/${q(id)}?limit=20`))));
    const page = await person.try("GET", of(room, "/messages?dir=b&limit=100"));
    const forwards = await person.try("GET", of(room, "/messages?dir=f&limit=100"));
    const masks = [
        mask((id) => single[messages.indexOf(id)].status === 200),
        mask((id) => around[messages.indexOf(id)].status === 200),
        mask((id) => page.status === 200 && ids(page.body.chunk).includes(id)),
        mask((id) => forwards.status === 200 && ids(forwards.body.chunk).includes(id)),
    ];
    for (const reply of around.filter((r) => r.status === 200)) {
        const beside = ids([...reply.body.events_before, reply.body.event, ...reply.body.events_after]);
        masks.push(mask((id) => beside.includes(id)));
    }
    assert.equal(new Set(masks).size, 1, `the ways to read disagree: ${masks}`);
    return masks[0];
}

const EXPECTED = {
    world_readable: { anna: "1111", boris: "1111", vera: "1111", dora: "1111", egor: "1111", gleb: "1111" },
    shared: { anna: "1111", boris: "1100", vera: "1111", dora: "0000", egor: "1111", gleb: "0000" },
    invited: { anna: "1111", boris: "1100", vera: "0111", dora: "0000", egor: "0001", gleb: "0000" },
    joined: { anna: "1111", boris: "1100", vera: "0011", dora: "0000", egor: "0001", gleb: "0000" },
};

for (const [setting, expected] of Object.entries(EXPECTED)) {
    test(`${setting} history: who was there, came, left, was invited, or never was`, async () => {
        const { room, messages } = await live(setting);
        for (const [name, mask] of Object.entries(expected))
            assert.equal(await seenBy(people[name], room, messages), mask, name);
        const timeline = (who) => who.sync({ filter: { room: { rooms: [room], timeline: { limit: 100 } } } });
        for (const name of ["anna", "vera", "egor"]) {
            const found = ids((await timeline(people[name])).rooms.join[room].timeline.events);
            assert.equal(
                messages.map((id) => (found.includes(id) ? "1" : "0")).join(""),
                expected[name],
                `${name} syncs`,
            );
        }
        const gone = (
            await people.boris.sync({
                filter: { room: { rooms: [room], include_leave: true, timeline: { limit: 100 } } },
            })
        ).rooms.leave[room];
        assert.deepEqual(
            messages.map((id) => ids(gone.timeline.events).includes(id)),
            [true, true, false, false],
            "boris syncs",
        );
    });
}

test("a change of the setting is seen by whom either setting lets see; what came between stays hidden", async () => {
    const { anna, gleb } = people;
    const room = await anna.create({ preset: "public_chat" });
    const set = (history_visibility) => anna.state(room, "m.room.history_visibility", { history_visibility });
    const opened = await set("world_readable");
    const open = await anna.send(room, "open");
    const closed = await set("joined");
    await anna.send(room, "closed");
    const { chunk } = await gleb.get(of(room, "/messages?dir=f&limit=100"));
    assert.deepEqual(ids(chunk), [opened, open, closed]);
});

test("a setting that is not understood counts as shared", async () => {
    const { anna, egor } = people;
    const room = await anna.create({ preset: "public_chat" });
    await anna.state(room, "m.room.history_visibility", { history_visibility: "sometimes" });
    const early = await anna.send(room, "early");
    await egor.join(room);
    assert.equal((await egor.get(of(room, `/event/${q(early)}`))).event_id, early);
});

test("who left and came back reads joined history of both stays, and not what was between", async () => {
    const { anna, boris } = people;
    const history = { type: "m.room.history_visibility", state_key: "", content: { history_visibility: "joined" } };
    const room = await anna.create({ preset: "public_chat", initial_state: [history] });
    await boris.join(room);
    const first = await anna.send(room, "first stay");
    await boris.leave(room);
    const between = await anna.send(room, "between");
    await boris.join(room);
    const second = await anna.send(room, "second stay");
    assert.equal(await seenBy(boris, room, [first, between, second]), "101");
});

test("members are told as of a token, and by what they are", async () => {
    const { anna, boris, vera, gleb } = people;
    const room = await anna.create({ preset: "public_chat" });
    await boris.join(room);
    await anna.send(room, "mark");
    const at = await anna.now();
    await vera.join(room);
    await boris.leave(room);
    await anna.invite(room, gleb);
    const members = async (params = {}) =>
        Object.fromEntries(
            (await anna.get(of(room, `/members${query(params)}`))).chunk.map((e) => [
                e.state_key,
                e.content.membership,
            ]),
        );
    assert.deepEqual(await members({ at }), { [anna.id]: "join", [boris.id]: "join" });
    assert.deepEqual(await members(), {
        [anna.id]: "join",
        [boris.id]: "leave",
        [vera.id]: "join",
        [gleb.id]: "invite",
    });
    assert.deepEqual(await members({ membership: "invite" }), { [gleb.id]: "invite" });
    assert.deepEqual(await members({ not_membership: "join" }), { [boris.id]: "leave", [gleb.id]: "invite" });
    assert.deepEqual(await members({ at, not_membership: "join" }), {});
    const { chunk } = await boris.get(of(room, "/members"));
    assert.deepEqual(
        chunk.map((e) => [e.state_key, e.content.membership]).sort(),
        [
            [anna.id, "join"],
            [boris.id, "leave"],
            [vera.id, "join"],
        ].sort(),
    );
    await gleb.refused(403, "M_FORBIDDEN", "GET", of(room, "/members"));
});

test("an event of another room, or of none, is not found; nor are relations or times of a closed one", async () => {
    const { anna, gleb } = people;
    const [one, two] = [await anna.create(), await anna.create()];
    const event = await anna.send(one, "here");
    await anna.refused(404, "M_NOT_FOUND", "GET", of(two, `/event/${q(event)}`));
    await anna.refused(404, "M_NOT_FOUND", "GET", of(one, `/event/${q("$none")}`));
    await anna.refused(404, "M_NOT_FOUND", "GET", of(two, `/context/${q(event)}`));
    await anna.refused(404, "M_NOT_FOUND", "GET", of(two, `/relations/${q(event)}`, V1));
    for (const path of ["/state", "/members", "/joined_members", "/messages?dir=b", "/aliases", "/state/m.room.create"])
        await gleb.refused(403, "M_FORBIDDEN", "GET", of(one, path));
    await gleb.refused(404, "M_NOT_FOUND", "GET", of(one, `/event/${q(event)}`));
    await gleb.refused(404, "M_NOT_FOUND", "GET", of(one, "/timestamp_to_event?ts=0&dir=f", V1));
});
