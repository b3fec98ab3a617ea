// G4: what somebody leaves in a server when they are erased. Words are planted by every way in that a person has, and looked for in every file afterwards.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { Server, until } from "./harness.mjs";
import { V3, World, outcome, postOffice, q } from "./world.mjs";
import { of, register } from "./asking.mjs";

let w, post;
const CLASS = "s1-c003"; // 8А
const PASSWORD = "correct-horse-battery";

before(async () => {
    post = await postOffice();
    w = await World.start({ post });
});

after(() => w?.stop());

/** Where the words stand: [file, word]… in the server's data folder and its log. */
function left(server, words) {
    const folder = join(server.dir, "data");
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const all = [...files.map(({ parentPath, name }) => [name, readFileSync(join(parentPath, name))]), ["log", Buffer.from(server.log)]];
    return all.flatMap(([name, bytes]) => words.filter((word) => bytes.includes(word)).map((word) => [name, word]));
}

const gone = (server, words) => until(() => left(server, words).length === 0, () => `nothing left: ${JSON.stringify(left(server, words))}`);

/** Plants a word by each way; answers the words. Every one must lie in the server's files afterwards. */
async function plant(server, prefix, ways) {
    const words = [];
    for (const [name, way] of Object.entries(ways)) {
        const word = `${prefix}_${name}_zq`;
        try {
            await way(word);
        } catch (e) {
            throw new Error(`${name}: ${e.message} ${JSON.stringify(e.data)}`, { cause: e });
        }
        words.push(word);
    }
    assert.deepEqual(words.filter((word) => left(server, [word]).length === 0), [], "planted");
    return words;
}

const http = async (client, method, path, body) => {
    const { status, body: said } = await w.server.request(method, V3 + path, { token: client.getAccessToken(), body });
    assert.equal(status, 200, `${path}: ${JSON.stringify(said)}`);
    return said;
};
const ask = (client, method, path, body) => w.server.request(method, V3 + path, { token: client.getAccessToken(), body });
let txn = 0;
const sends = (client, room, type, content) => http(client, "PUT", of(room, `/send/${q(type)}/e${++txn}`, ""), content);
const sets = (client, room, type, content, key = "") => http(client, "PUT", of(room, `/state/${q(type)}/${q(key)}`, ""), content);

/** What anybody of the school can leave behind. */
function waysOf(client, room, colleague) {
    const me = q(client.getUserId());
    let own;
    return {
        message: async (word) => (own = (await sends(client, room, "m.room.message", { msgtype: "m.text", body: word })).event_id),
        edit: (word) =>
            sends(client, room, "m.room.message", {
                msgtype: "m.text", body: "*", "m.new_content": { msgtype: "m.text", body: word },
                "m.relates_to": { rel_type: "m.replace", event_id: own },
            }),
        reaction: (word) => sends(client, room, "m.reaction", { "m.relates_to": { rel_type: "m.annotation", event_id: own, key: word } }),
        redaction: async (word) => {
            const { event_id } = await sends(client, room, "m.room.message", { msgtype: "m.text", body: "to be taken back" });
            await http(client, "PUT", of(room, `/redact/${q(event_id)}/e${++txn}`, ""), { reason: word });
        },
        account_data: (word) => http(client, "PUT", `/user/${me}/account_data/org.example.draft`, { draft: word }),
        account_data_type: (word) => http(client, "PUT", `/user/${me}/account_data/org.${word}`, {}),
        room_account_data: (word) => http(client, "PUT", `/user/${me}/rooms/${q(room)}/account_data/org.example.draft`, { draft: word }),
        tag: (word) => http(client, "PUT", `/user/${me}/rooms/${q(room)}/tags/u.${word}`, {}),
        filter: (word) => http(client, "POST", `/user/${me}/filter`, { room: { rooms: [`!${word}`] } }),
        device: (word) => http(client, "PUT", `/devices/${client.getDeviceId()}`, { display_name: word }),
        report: async (word) => {
            const { event_id } = await sends(colleague, room, "m.room.message", { msgtype: "m.text", body: "of a colleague" });
            await http(client, "POST", of(room, `/report/${q(event_id)}`, ""), { reason: word });
        },
        transaction: (word) => http(client, "PUT", of(room, `/send/m.room.message/${word}`, ""), { msgtype: "m.text", body: "with an id" }),
        evidence: async (word) => {
            const { event_id } = await sends(client, room, "m.room.message", { msgtype: "m.text", body: word });
            await http(colleague, "POST", of(room, `/report/${q(event_id)}`, ""), { reason: "why" });
        },
    };
}

async function closeReports() {
    for (const { report } of (await w.do(w.operator, "GET", "/reports?state=open&limit=500")).items)
        await w.do(w.operator, "POST", `/reports/${report}/close`, { resolution: "Talked to both" });
}

test("G4: of a teacher who is erased no word is left in any file, whatever it was said with; others' words stay", async () => {
    const made = await w.newPerson("teacher", { given_name: "anna_given_zq", family_name: "anna_family_zq", middle_name: "anna_middle_zq" });
    const anna = await w.enter(made.user_id);
    const colleague = await w.newClient("teacher");
    const { room_id: club } = await anna.createRoom({ name: "anna_club_zq", topic: "anna_topic_zq", invite: [colleague.getUserId()] });
    await colleague.joinRoom(club);
    const { room_id: other } = await colleague.createRoom({ name: "A club of the colleague", invite: [anna.getUserId()] }); // her name is in the invitation
    await anna.joinRoom(other);
    for (const name of ["annas-club", "colleagues-club"]) await http(anna, "PUT", `/directory/room/${q(`#${name}:school.example`)}`, { room_id: name === "annas-club" ? club : other });
    await sets(anna, club, "m.room.canonical_alias", { alias: "#annas-club:school.example" });
    await http(colleague, "PUT", `/directory/room/${q("#mine:school.example")}`, { room_id: other });
    await sets(colleague, other, "m.room.canonical_alias", { alias: "#mine:school.example", alt_aliases: ["#colleagues-club:school.example"] }); // an alias of hers
    const { room_id: declined } = await colleague.createRoom({ name: "Another", invite: [anna.getUserId()] });
    await anna.leave(declined);
    const email = "anna_mail_zq@school.example";
    const words = await plant(w.server, "anna", {
        ...waysOf(anna, club, colleague),
        name: (word) => sets(anna, club, "m.room.name", { name: word }),
        state: (word) => sets(anna, club, "org.example.state", { words: word }, "k"),
        custom: (word) => sends(anna, club, "org.example.of.ours", { deep: [{ [word]: word }] }),
        poll: (word) =>
            sends(anna, club, "m.poll.start", { "m.poll": { question: { "m.text": [{ body: word }] }, kind: "m.disclosed", max_selections: 1, answers: [{ "m.id": "1", "m.text": [{ body: "yes" }] }, { "m.id": "2", "m.text": [{ body: "no" }] }] }, "m.text": [{ body: "?" }] }),
        relation: (word) => sends(anna, club, "org.example.related", { "m.relates_to": { rel_type: word, event_id: "" } }).catch(() => sends(anna, club, "m.room.message", { msgtype: "m.text", body: word })),
        creation: async (word) => {
            const { room_id } = await anna.createRoom({ name: word, creation_content: { "org.example.words": "never_kept_zq", type: "org.example.room" } });
            const [{ content }] = (await anna.roomState(room_id)).filter((e) => e.type === "m.room.create");
            assert.deepEqual([content.type, content["org.example.words"]], ["org.example.room", undefined], "redaction takes nothing from it");
        },
        leave_reason: async (word) => {
            const { room_id } = await colleague.createRoom({ name: "A third", invite: [anna.getUserId()] });
            await anna.joinRoom(room_id);
            await http(anna, "POST", of(room_id, "/leave", ""), { reason: word });
        },
        mail: async (word) => {
            const { status, body } = await w.addContact(anna, `${word}@school.example`);
            assert.equal(status, 200, JSON.stringify(body));
        },
    });
    words.push("anna_given_zq", "anna_family_zq", "anna_middle_zq", "anna_club_zq", "anna_topic_zq");
    await w.say(colleague, club, "the colleague says anna_quoted_zz");
    await closeReports();
    await w.do(w.operator, "POST", `/people/${q(anna.getUserId())}/erase`, {});
    await gone(w.server, words);
    assert.equal(left(w.server, ["anna_quoted_zz"]).length > 0, true, "what others wrote is theirs");
    assert.equal((await outcome(anna.whoami())).status, 401);
    for (const room of [club, other]) {
        const { chunk } = await colleague.createMessagesRequest(room, null, 500, "b");
        assert.ok(!JSON.stringify(chunk).includes("_zq"), "nor in what is shown");
    }
    const alias = async (room) => (await outcome(colleague.getStateEvent(room, "m.room.canonical_alias", ""))).body;
    assert.ok(!JSON.stringify(await alias(club)).includes("annas-club"));
    assert.deepEqual(await alias(other), { alias: "#mine:school.example" });
    assert.ok((await w.read(colleague, club)).some((body) => body.includes("anna_quoted_zz")));
    await sends(colleague, club, "m.room.message", { msgtype: "m.text", body: "and the room goes on" });
    assert.ok(!w.server.parta("audit", "export").includes("_zq"), "the log names nobody");
});

test("G4: where a redaction would leave it, nobody says anything; what clients send there is taken", async () => {
    const teacher = await w.newClient("teacher");
    const colleague = await w.newClient("teacher");
    const me = teacher.getUserId();
    const { room_id: old } = await teacher.createRoom({ name: "Before", room_version: "10" });
    const { room_id: room } = await teacher.createRoom({ name: "A club", invite: [colleague.getUserId()] });
    await colleague.joinRoom(room);
    const [{ event_id: first }] = (await teacher.roomState(old)).filter((e) => e.type === "m.room.create");
    const levels = await teacher.getStateEvent(room, "m.room.power_levels", "");
    const WORD = "приходи_zq в шесть";
    const puts = (type, content, key = "", where = room) => ask(teacher, "PUT", of(where, `/state/${q(type)}/${q(key)}`, ""), content);
    const makes = (body) => ask(teacher, "POST", "/createRoom", { name: "Another", ...body });
    const refused = {
        type: () => ask(teacher, "PUT", of(room, `/send/${q(WORD)}/r1`, ""), {}),
        "type of state": () => puts(WORD, {}),
        "a long type": () => puts(`org.${"words.".repeat(20)}`, {}),
        "state key": () => puts("org.example.state", {}, WORD),
        "join rule": () => puts("m.room.join_rules", { join_rule: WORD }),
        "allowed room": () => puts("m.room.join_rules", { join_rule: "restricted", allow: [{ type: "m.room_membership", room_id: `!${"come_at_six"}:school.example` }] }),
        "kind of condition": () => puts("m.room.join_rules", { join_rule: "restricted", allow: [{ type: WORD, room_id: old }] }),
        "member of a condition": () => puts("m.room.join_rules", { join_rule: "restricted", allow: [{ type: "m.room_membership", room_id: old, [WORD]: 1 }] }),
        "no condition": () => puts("m.room.join_rules", { join_rule: "restricted", allow: [WORD] }),
        "level of a type": () => puts("m.room.power_levels", { ...levels, events: { ...levels.events, [WORD]: 50 } }),
        "level of nobody": () => puts("m.room.power_levels", { ...levels, users: { ...levels.users, "@come_at_six:school.example": 50 } }),
        "level that is none": () => puts("m.room.power_levels", { ...levels, ban: WORD }),
        "level of an old room": () => puts("m.room.power_levels", { ...levels, users: { [me]: 100 }, kick: WORD }, "", old),
        history: () => puts("m.room.history_visibility", { history_visibility: WORD }),
        aliases: () => puts("m.room.aliases", { aliases: ["#come_at_six:school.example"] }, "school.example", old),
        "creators that are nobody": () => makes({ room_version: "12", creation_content: { additional_creators: ["@come_at_six:school.example"] } }),
        "state of a new room": () => makes({ initial_state: [{ type: "m.room.join_rules", state_key: "", content: { join_rule: WORD } }] }),
        "levels of a new room": () => makes({ power_level_content_override: { events: { [WORD]: 50 } } }),
    };
    for (const [name, way] of Object.entries(refused)) {
        const { status, body } = await way();
        assert.deepEqual([status, body["org.parta.rule"], body["org.parta.code"]], [400, "G4", "lasting_words"], `${name}: ${JSON.stringify(body)}`);
    }
    const { body: made } = await makes({ creation_content: { type: WORD, predecessor: { room_id: old, event_id: WORD }, "m.federate": WORD } });
    const created = (await teacher.roomState(made.room_id)).find((e) => e.type === "m.room.create").content;
    assert.deepEqual(Object.keys(created).filter((key) => !["creator", "room_version", "additional_creators"].includes(key)), []);
    const taken = {
        widget: () => puts("im.vector.modular.widgets", { type: "m.custom", url: "https://school.example/" }, `custom_${q(me)}_1700000000`),
        call: () => puts("org.matrix.msc3401.call.member", {}, `_${me}_DEVICE_m.call`),
        functional: () => puts("io.element.functional_members", { service_members: [] }),
        restricted: () => puts("m.room.join_rules", { join_rule: "restricted", allow: [{ type: "m.room_membership", room_id: old }] }),
        levels: () => puts("m.room.power_levels", { ...levels, events: { ...levels.events, "im.vector.modular.widgets": 50 }, users: { ...levels.users, [colleague.getUserId()]: 50 } }),
        child: () => puts("m.space.child", { via: ["school.example"] }, old),
        space: () => makes({ creation_content: { type: "m.space" } }),
        successor: () => makes({ creation_content: { predecessor: { room_id: old, event_id: first } } }),
        upgrade: () => ask(teacher, "POST", of(room, "/upgrade", ""), { new_version: "11" }),
    };
    for (const [name, way] of Object.entries(taken)) {
        const { status, body } = await way();
        assert.equal(status, 200, `${name}: ${JSON.stringify(body)}`);
    }
    assert.deepEqual(left(w.server, ["приходи_zq"]), []);
});

test("G4: an open report keeps its evidence until it is closed", async () => {
    const pupil = await w.newClient("pupil", { class: CLASS, birth_date: "2011-01-01" });
    const mate = await w.newClient("pupil", { class: CLASS, birth_date: "2011-01-01" });
    const room = await w.room("class", CLASS);
    const { event_id } = await w.say(pupil, room, "boris_evidence_zq");
    await http(mate, "POST", of(room, `/report/${q(event_id)}`, ""), { reason: "He calls me names" });
    await w.do(w.operator, "POST", `/people/${q(pupil.getUserId())}/erase`, {});
    await until(async () => !(await w.read(mate, room)).includes("boris_evidence_zq"), "the message to be gone");
    const reports = async (state) => JSON.stringify((await w.do(w.operator, "GET", `/reports?limit=500${state}`)).items);
    assert.ok((await reports("&state=open")).includes("boris_evidence_zq"));
    await closeReports();
    assert.ok(!(await reports("")).includes("boris_evidence_zq"));
});

test("G4: a guardian's erasure of a child takes as much, and what was still under way", async () => {
    const pupil = await w.newClient("pupil", { class: CLASS, birth_date: "2015-01-01", given_name: "vera_given_zq" });
    const parent = await w.enter((await w.newPerson("guardian", { child: pupil.getUserId() })).user_id);
    const mate = await w.newClient("pupil", { class: CLASS, birth_date: "2011-01-01" });
    const words = await plant(w.server, "vera", waysOf(pupil, await w.room("class", CLASS), mate));
    await closeReports();
    await erasesChild(parent, pupil);
    await gone(w.server, [...words, "vera_given_zq"]);
});

/** With whatever proof the server wants of the guardian (G4). */
async function erasesChild(parent, child) {
    const path = `/people/${q(child.getUserId())}/erase`;
    const first = await w.api(parent, "POST", path, {});
    if (first.status === 200) return;
    const auth = { type: "m.login.password", identifier: { type: "m.id.user", user: parent.getUserId() }, password: PASSWORD, session: first.body?.session };
    const second = await w.api(parent, "POST", path, { auth, password: PASSWORD });
    assert.equal(second.status, 200, JSON.stringify([first.body, second.body]));
}

test("G4: an applicant who is erased leaves nothing of the application", async () => {
    const { token } = await w.do(w.operator, "POST", "/links", { kind: "class", class: CLASS, role: "guardian" });
    const proof = await w.proven("gleb_mail_zq@school.example");
    const applicant = await w.signUp({ token, given_name: "gleb_given_zq", family_name: "gleb_family_zq", note: "gleb_note_zq", contact: proof });
    const words = ["gleb_given_zq", "gleb_family_zq", "gleb_note_zq", "gleb_mail_zq"];
    assert.deepEqual(words.filter((word) => left(w.server, [word]).length === 0), []);
    await w.do(w.operator, "POST", `/people/${q(applicant.getUserId())}/erase`, {});
    await gone(w.server, words);
});

test("G4: an erasure goes on after kill -9, to its end", async () => {
    const made = await w.newPerson("teacher", { given_name: "dora_given_zq" });
    const dora = await w.enter(made.user_id);
    const { room_id } = await dora.createRoom({ name: "dora_club_zq" });
    for (let i = 0; i < 40; ++i)
        await Promise.all(Array.from({ length: 50 }, () => w.say(dora, room_id, "dora_says_zq")));
    const asked = w.api(w.operator, "POST", `/people/${q(dora.getUserId())}/erase`, {}).catch(() => undefined);
    await until(async () => (await outcome(dora.whoami())).status === 401, "the erasure to begin");
    w.server.process.kill("SIGKILL");
    await asked;
    await w.server.ended;
    const db = new DatabaseSync(join(w.server.dir, "data", "parta.db"));
    assert.equal(db.prepare("SELECT count(*) AS n FROM erasures WHERE done_ms IS NULL").get().n, 1, "it was under way");
    db.close();
    await w.server.run();
    await gone(w.server, ["dora_given_zq", "dora_club_zq", "dora_says_zq"]);
});

test("deactivate with erase hides what was written from who joins later, and takes it from the files (Client-Server API)", async () => {
    const open = await Server.start();
    try {
        const [anna, boris, late] = [await register(open, "anna"), await register(open, "boris"), await register(open, "late")];
        const room = await anna.create({ preset: "public_chat", name: "fedor_name_zq" });
        await boris.join(room);
        const sent = await anna.send(room, "fedor_says_zq");
        const stays = await boris.send(room, "boris says");
        const auth = (who) => ({ auth: { type: "m.login.password", identifier: { type: "m.id.user", user: who.id }, password: `${who.id.slice(1).split(":")[0]}-password` } });
        await anna.ask("POST", "/account/deactivate", { ...auth(anna), erase: true });
        await gone(open, ["fedor_name_zq", "fedor_says_zq"]);
        await late.join(room);
        const { chunk } = await late.get(of(room, "/messages?dir=b&limit=100"));
        assert.deepEqual(chunk.find((e) => e.event_id === sent)?.content, {});
        assert.equal(chunk.find((e) => e.event_id === stays).content.body, "boris says");
    } finally {
        await open.stop();
    }
});
