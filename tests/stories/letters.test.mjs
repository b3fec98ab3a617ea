// F1, D9: a membership is no letter. Whatever somebody does to a person who is not in their room, by whichever act and however the two stand to each
// other, no word of theirs arrives; of a room that one was never in, was not asked to and did not ask for, a client is told nothing at all.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { HERE, V3, World, q } from "./world.mjs";

const REASON = "Решение суда № 2-114/2026 от 3 марта";
const MARK = "слово-от-постороннего";
let w, school, actor, teacher, child, mother, mate, far, stranger, elsewhere;
let n = 0;

const call = async (who, method, path, body) => {
    const reply = await w.server.request(method, path.startsWith("/_") ? path : V3 + path, { token: who.getAccessToken(), body });
    assert.ok(reply.status < 500, `${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
    return reply;
};
const id = (who) => (typeof who === "string" ? who : who.getUserId());
const at = (room, rest) => `/rooms/${q(room)}${rest}`;

before(async () => {
    w = await World.start();
    school = await w.newClass("5 «П»", "5");
    teacher = await w.newClient("class_teacher", { class: school.class });
    child = await w.newClient("pupil", { class: school.class, birth_date: "2015-01-01" });
    actor = await w.newClient("teacher"); // who makes clubs, and talks with colleagues
    await w.do(w.operator, "POST", "/guardianships", { child: child.getUserId(), guardian: actor.getUserId() });
    mother = await w.newClient("guardian", { child: child.getUserId() });
    mate = await w.newClient("pupil", { class: school.class, birth_date: "2015-02-02" });
    await w.do(w.operator, "POST", "/guardianships", { child: mate.getUserId(), guardian: mother.getUserId() });
    far = await w.still(w.one({ role: "pupil", class: "8А" }));
    stranger = await w.still(w.one({ role: "class_teacher", class: "8А" }));
    elsewhere = await w.still(w.one({ school: w.there, role: "pupil" }));
    const to = await w.do(w.office, "PUT", `/guardianships/${q(id(child))}/${q(id(actor))}/custody`, { custody: "no_contact", reason: REASON });
    assert.deepEqual(to.together, []);
});

after(() => w?.stop());

/** How the targets stand to the actor. */
const targets = () => ({ "a child from whom one is kept": child, "the child's other guardian, likewise": mother, "a pupil who is nothing to one": far, "staff who is nothing to one": stranger, "a pupil of another school": elsewhere });

/** The newest position of each, before. */
const now = async (who) => (await call(who, "GET", `/sync?filter=${q(JSON.stringify({ room: { rooms: [] } }))}`)).body.next_batch;

/** Everything that a client is told by itself: what is new, everything anew, with the rooms that were left, sliding sync, notifications. */
async function told(who, since) {
    const whole = q(JSON.stringify({ room: { include_leave: true, timeline: { limit: 100 } } }));
    const fresh = (await call(who, "GET", `/sync?since=${q(since)}`)).body;
    const all = [
        fresh,
        (await call(who, "GET", `/sync?full_state=true&filter=${whole}`)).body,
        (await call(who, "POST", "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", { lists: { a: { ranges: [[0, 99]], timeline_limit: 20, required_state: [["*", "*"]] } } })).body,
        (await call(who, "GET", "/notifications")).body,
    ];
    return { fresh, text: JSON.stringify(all) };
}

/** Every way to change the membership of somebody else, with all the words that there is room for. */
const words = () => `${MARK}-${++n}`;
const content = (membership) => ({ membership, reason: words(), displayname: words(), avatar_url: `mxc://school.example/${n}`, "org.example.note": words(), is_direct: words(), third_party_invite: { display_name: words() } });
const acts = {
    ...Object.fromEntries(["ban", "unban", "kick"].map((act) => [act, (room, whom) => ["POST", at(room, `/${act}`), { user_id: whom, reason: words(), displayname: words(), "org.example.note": words() }]])),
    ...Object.fromEntries(["ban", "leave"].map((to) => [`PUT ${to}`, (room, whom) => ["PUT", at(room, `/state/m.room.member/${q(whom)}`), content(to)]])),
};
// Each act in every order that makes it possible: after a ban, an unban, and again.
const ORDER = ["kick", "PUT leave", "ban", "ban", "unban", "PUT ban", "PUT leave", "ban", "unban"];

async function everyAct(room, whom, name) {
    const outcomes = [];
    for (const act of ORDER) {
        const [method, path, body] = acts[act](room, id(whom));
        outcomes.push(`${act} ${(await call(actor, method, path, body)).status}`);
        const text = JSON.stringify((await call(actor, "GET", at(room, "/state"))).body.filter((e) => e.type === "m.room.member"));
        assert.equal(text.includes(MARK), false, `${name}, ${act}: no words stand in the room`);
    }
    return outcomes;
}

async function club() {
    const made = await call(actor, "POST", "/createRoom", { preset: "private_chat", name: `Кружок ${MARK}` });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    return made.body.room_id;
}

test("F1, D9: in a club nothing that is done to somebody who was never there reaches them, and who is kept apart is nobody", async () => {
    for (const [name, whom] of Object.entries(targets())) {
        const [room, since] = [await club(), await now(whom)];
        const outcomes = await everyAct(room, whom, name);
        const { fresh, text } = await told(whom, since);
        assert.equal(text.includes(MARK), false, `${name}: words have arrived: ${outcomes}`);
        assert.equal(text.includes(room), false, `${name}: the room is told of: ${outcomes}`);
        assert.equal(fresh.rooms?.leave?.[room], undefined, name);
        const nobody = await everyAct(room, "@nobodyatall1:school.example", "nobody");
        if ([child, mother, elsewhere].includes(whom)) assert.deepEqual(outcomes, nobody, name);
        else assert.ok(outcomes.includes("ban 200"), `${name}: ${outcomes}`);
    }
});

test("F2, D9: from a direct chat nobody is banned who never was there, whoever they are", async () => {
    const { room_id: room } = await actor.createRoom({ preset: "private_chat", is_direct: true, invite: [teacher.getUserId()] });
    for (const [name, whom] of Object.entries(targets())) {
        const since = await now(whom);
        for (const act of ["ban", "PUT ban", "unban", "kick"]) {
            const answers = [];
            for (const target of [id(whom), "@nobodyatall1:school.example"]) {
                const [method, path, body] = acts[act](room, target);
                const { status, body: said } = await call(actor, method, path, body);
                answers.push([status, JSON.stringify(said).replaceAll(target, "@x")]);
            }
            assert.equal(answers[0][0], 403, `${name}, ${act}: ${answers}`);
            assert.deepEqual(answers[0], answers[1], `${name}, ${act}`);
            if (act.endsWith("ban") && act !== "unban") assert.match(answers[0][1], /"F2"/);
        }
        assert.equal((await told(whom, since)).text.includes(room), false, name);
    }
    assert.equal((await call(actor, "POST", at(room, "/ban"), { user_id: teacher.getUserId(), reason: "хватит" })).status, 200, "the other of the two can be banned");
});

test("F1: who is asked in, asks, has left or was banned hears no words of it; who is there does, and can report them (F5)", async () => {
    const room = (await call(stranger, "POST", "/createRoom", { preset: "private_chat", name: "Олимпиада", initial_state: [{ type: "m.room.join_rules", state_key: "", content: { join_rule: "knock" } }] })).body.room_id;
    const does = async (act, status = 200) => {
        const [method, path, body] = acts[act](room, far.getUserId());
        const reply = await call(stranger, method, path, body);
        assert.equal(reply.status, status, `${act}: ${JSON.stringify(reply.body)}`);
    };
    const silent = async (after, act) => {
        const since = await now(far);
        await does(act);
        const { fresh, text } = await told(far, since);
        assert.equal(text.includes(MARK), false, `${act} ${after}`);
        assert.equal(fresh.rooms?.leave?.[room] !== undefined, true, `${act} ${after}: that it ended is told`);
    };
    const invited = () => call(stranger, "POST", at(room, "/invite"), { user_id: far.getUserId(), reason: words() });
    for (const act of ["kick", "PUT leave", "ban"]) {
        assert.equal((await invited()).status, 200);
        await silent("of who was invited", act);
    }
    await silent("of who was banned", "unban");
    await call(far, "POST", `/knock/${q(room)}`, { reason: "можно?" });
    await silent("of who knocks", "kick");
    await silent("of who has gone", "PUT ban");
    await silent("of who was banned", "PUT leave");

    await invited();
    await far.joinRoom(room);
    const since = await now(far);
    const { event_id: heard } = await stranger.sendTextMessage(room, "Задачи на завтра");
    const last = `${MARK}-${n + 1}`;
    await does("ban");
    const { fresh, text } = await told(far, since);
    assert.ok(text.includes(last), "whoever is there hears why they are put out");
    const mine = fresh.rooms.leave[room].timeline.events.find((e) => e.state_key === far.getUserId());
    assert.equal((await call(far, "POST", at(room, `/report/${q(mine.event_id)}`), { reason: "меня обидели этим" })).status, 200);
    const kept = (await w.do(w.operator, "GET", `/reports?school=${HERE}&limit=500`)).items.find((r) => r.event_id === mine.event_id);
    assert.ok(JSON.stringify(kept).includes(last), JSON.stringify(kept));
    assert.ok(fresh.rooms.leave[room].timeline.events.some((e) => e.event_id === heard));
    assert.equal((await call(far, "POST", at(room, `/report/${q(heard)}`), { reason: "и это" })).status, 404, "what was said to all they report as one of them");

    // An upgrade brings the ban along, and no letter.
    const before = await now(far);
    const { replacement_room } = (await call(stranger, "POST", at(room, "/upgrade"), { new_version: "11" })).body;
    assert.ok(replacement_room);
    const { body: banned } = await call(stranger, "GET", at(replacement_room, `/state/m.room.member/${q(far.getUserId())}`));
    assert.deepEqual([banned.membership, banned.reason], ["ban", undefined]);
    assert.equal(JSON.stringify((await call(far, "GET", `/sync?since=${q(before)}`)).body).includes(replacement_room), false);
});
