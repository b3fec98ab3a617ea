// The sample's two schools with their people, for the stories named by rules of school.md. One server, many stories.
import assert from "node:assert/strict";
import { createServer as createHttp } from "node:http";
import { createServer as createTcp } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Server, startClient, text, until } from "./harness.mjs";

export const V3 = "/_matrix/client/v3";
export const q = encodeURIComponent;
export const HERE = "s1";
export const ELSEWHERE = "s2";
export const SERVICE = "@parta:school.example";
const ROSTER_KINDS = ["school_space", "class_space", "class", "guardians", "staff", "announcements", "subject"];
let txn = 0;

/** The refusal of a promise: 403 or 404, by one of the rules if any are given. */
export async function refused(promise, ...rules) {
    let answer;
    try {
        answer = await promise;
    } catch (e) {
        assert.ok(e.httpStatus, `not a refusal: ${e.stack ?? e}`);
        assert.ok([403, 404].includes(e.httpStatus), `${e.httpStatus}: ${JSON.stringify(e.data)}`);
        if (rules.length)
            assert.ok(rules.includes(e.data["org.parta.rule"]), `${JSON.stringify(e.data)}, not ${rules}`);
        return e.data;
    }
    assert.fail(`it should have been refused: ${JSON.stringify(answer)}`);
}

/** What one learns by a refusal: status and body. Two of them must be equal where nothing may be learnt. */
export async function outcome(promise) {
    try {
        return { status: 200, body: await promise };
    } catch (e) {
        assert.ok(e.httpStatus, `not an answer: ${e.stack ?? e}`);
        return { status: e.httpStatus, body: e.data };
    }
}

export class World {
    #clients = new Map();
    #started = [];

    /** post: what postOffice() answered, for stories with codes. */
    static async start({ post, settings = "" } = {}) {
        const world = new World();
        world.post = post;
        settings += post?.settings ?? "";
        world.server = await Server.startSchool(settings);
        try {
            world.operator = world.server.operator();
            world.here = world.server.people[0].school;
            world.office = await world.still(world.one({ role: "administrator" }));
        } catch (e) {
            await world.stop();
            throw e;
        }
        return world;
    }

    /** E2 holds whatever the stories did. */
    async stop() {
        for (const client of this.#started) client.stopClient();
        try {
            for (const school of [HERE, ELSEWHERE]) if (this.office) await this.roomsEqualRoster(school);
        } finally {
            await this.server?.stop();
        }
    }

    get there() {
        return this.server.people.find((p) => p.school !== this.here).school;
    }

    /** The people of the first school (or of the one given) of whom all that holds. */
    all(wanted) {
        const whole = { school: this.here, ...wanted };
        return this.server.people.filter((p) => Object.entries(whole).every(([key, value]) => p[key] === value));
    }

    one(wanted, n = 0) {
        const person = this.all(wanted)[n];
        assert.ok(person, `nobody like ${JSON.stringify(wanted)}`);
        return person;
    }

    /** All roles that the sample gives to that account. */
    rolesOf(id) {
        return this.server.people.filter((p) => p.id === id);
    }

    /** A signed-in client that does not sync; one for each person. */
    still(person) {
        const found = this.#clients.get(person.id);
        if (found) return found;
        const made = this.server.signIn(person.id, person.password, { still: true });
        this.#clients.set(person.id, made);
        return made;
    }

    /** The same client, syncing. */
    async live(person) {
        const client = await (person.getUserId ? person : this.still(person));
        if (!this.#started.includes(client)) {
            this.#started.push(client);
            await startClient(client);
        }
        return client;
    }

    /** The API's answer, whatever it is. Where it asks who they are once more, people type their password. */
    async api(who, method, path, body, headers) {
        const reply = await this.server.api(who, method, path, body, headers);
        if (reply.status !== 401 || !reply.body?.flows) return reply;
        const user = who.getUserId();
        const auth = {
            type: "m.login.password",
            identifier: { type: "m.id.user", user },
            password: this.server.people.find((p) => p.id === user)?.password ?? "correct-horse-battery",
            session: reply.body.session,
        };
        return this.server.api(who, method, path, { ...body, auth }, headers);
    }

    /** The API's answer, which must be good; its body. */
    async do(who, method, path, body, headers) {
        const reply = await this.api(who, method, path, body, headers);
        assert.ok(reply.status < 300, `${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
        return reply.body;
    }

    /** The API's refusal, of one of these statuses, by that rule if one is given; its body. */
    async no(statuses, rule, who, method, path, body, headers) {
        const reply = await this.api(who, method, path, body, headers);
        const told = `${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`;
        assert.ok([statuses].flat().includes(reply.status), told);
        if (rule) assert.equal(reply.body["org.parta.rule"], rule, told);
        return reply.body;
    }

    /** For acts on records that the roster keeps. */
    because(reason = "A story needs it to be so") {
        return { "parta-override-reason": q(reason) };
    }

    /** Someone new in the records, without a password yet. */
    async newPerson(role, more = {}) {
        const body = { school: HERE, role, given_name: "Новый", family_name: `Человек${++txn}`, ...more };
        return this.do(this.operator, "POST", "/people", body);
    }

    /** By a personal link (C2): a client of somebody who has no password yet, of whom somebody has said that it is them (J4). */
    async enter(userId) {
        const { token, link } = await this.do(this.operator, "POST", "/links", { kind: "personal", user_id: userId });
        const client = await this.signUp({ token });
        await this.do(this.operator, "POST", `/claims/${link}/confirm`);
        return client;
    }

    /** By a link, without a session. */
    async signUp(body) {
        const login = await this.do(undefined, "POST", "/signup", { password: "correct-horse-battery", ...body });
        return this.server.client(login);
    }

    async newClient(role, more) {
        return this.enter((await this.newPerson(role, more)).user_id);
    }

    /** A phone number or e-mail address, proven by the code that was sent to it: {sid, client_secret}. */
    async proven(address, client = undefined) {
        const medium = address.includes("@") ? "email" : "msisdn";
        const client_secret = `secret${++txn}`;
        const asked = medium === "email" ? { email: address } : { country: "RU", phone_number: address };
        const before = this.post.count(address);
        const path = `${V3}/${client ? "account/3pid" : "register"}/${medium}/requestToken`;
        const { status, body } = await this.server.request("POST", path, {
            token: client?.getAccessToken(),
            body: { ...asked, client_secret, send_attempt: 1 },
        });
        assert.equal(status, 200, JSON.stringify(body));
        const token = await this.post.code(address, before);
        assert.ok(token, "the message holds a code");
        await this.do(undefined, "POST", `/verifications/${body.sid}/code`, { client_secret, token });
        return { sid: body.sid, client_secret };
    }

    /** A number that nobody has yet. */
    newPhone() {
        return `7912${String(3450000 + ++txn)}`;
    }

    /** Gives a signed-in account an address of its own (C3). */
    async addContact(client, address, password = "correct-horse-battery") {
        const creds = await this.proven(address, client);
        const auth = {
            type: "m.login.password",
            identifier: { type: "m.id.user", user: client.getUserId() },
            password,
        };
        return this.server.request("POST", `${V3}/account/3pid/add`, {
            token: client.getAccessToken(),
            body: { ...creds, auth },
        });
    }

    newClass(title, grade = "7", school = HERE) {
        return this.do(this.operator, "POST", "/classes", { school, title, grade });
    }

    /** The rooms of a school, as its office sees them. */
    async rooms(kind, school = HERE) {
        return (await this.do(this.operator, "GET", `/rooms?school=${school}${kind ? `&kind=${kind}` : ""}&limit=500`))
            .items;
    }

    /** A room's id. class: a sourcedId. */
    async room(kind, wantedClass, school) {
        const found = (await this.rooms(kind, school)).find(
            (r) => wantedClass === undefined || r.class === wantedClass,
        );
        assert.ok(found, `no room ${kind} ${wantedClass ?? ""}`);
        return found.room_id;
    }

    /** Who is joined, sorted, without the service user: as the office sees it. */
    async joined(room) {
        const { items } = await this.do(this.operator, "GET", `/rooms/${q(room)}/members?limit=500`);
        return items
            .filter((m) => m.membership === "join" && m.user_id !== SERVICE)
            .map((m) => m.user_id)
            .sort();
    }

    /** The school's policy document, until the story ends: goes back to what it was. */
    async withPolicy(document, story, school = HERE) {
        const before = (await this.do(this.operator, "GET", `/schools/${school}/policy`)).document;
        const put = (value) =>
            this.do(this.operator, "PUT", `/schools/${school}/policy`, {
                document: value,
                reason: "A story wants it so",
            });
        await put(document);
        try {
            return await story();
        } finally {
            await put(before);
        }
    }

    say(client, room, body = "Здравствуйте") {
        return client.sendMessage(room, text(body));
    }

    /** The bodies of a room's messages, newest first, as that client reads them. */
    async read(client, room) {
        const { chunk } = await client.createMessagesRequest(room, null, 100, "b");
        return chunk.filter((e) => e.type === "m.room.message").map((e) => e.content.body);
    }

    directWith(client, other) {
        const invite = [typeof other === "string" ? other : (other.id ?? other.getUserId())];
        return client.createRoom({ is_direct: true, preset: "trusted_private_chat", invite });
    }

    /** Stops the server, lets the story write in its database (as only time would), and starts it again. */
    async meanwhile(...changes) {
        await this.server.end();
        const db = new DatabaseSync(join(this.server.dir, "data", "parta.db"));
        for (const [sql, ...values] of changes) assert.ok(db.prepare(sql).run(...values).changes > 0, sql);
        db.close();
        await this.server.run();
    }

    /** E2: whoever the roster holds in one of its rooms is joined there, and nobody else is. */
    async roomsEqualRoster(school = HERE) {
        for (const { room_id, kind, name } of await this.rooms(undefined, school)) {
            if (!ROSTER_KINDS.includes(kind)) continue;
            const { items } = await this.do(this.operator, "GET", `/rooms/${q(room_id)}/members?limit=500`);
            const people = items.filter((m) => m.user_id !== SERVICE);
            const joined = people.filter((m) => m.membership === "join").map((m) => m.user_id);
            assert.deepEqual(
                joined,
                people.filter((m) => m.held).map((m) => m.user_id),
                `${kind} ${name}`,
            );
        }
    }

    me(client) {
        return this.do(client, "GET", "/me");
    }

    explain(question) {
        return this.do(this.operator, "POST", "/explain", question);
    }
}

function listening(server) {
    return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.unref().address().port)));
}

/** Takes what the server sends by SMS and e-mail on loopback. settings: for the server. count(to): how many
 * messages went there; next(to, before): waits for the one after so many, code(…): for the code in it. */
export async function postOffice() {
    const sent = [];
    const phones = createHttp((request, reply) => {
        let body = "";
        request.on("data", (bytes) => (body += bytes));
        request.on("end", () => {
            sent.push(JSON.parse(body));
            reply.end("taken");
        });
    });
    const letters = createTcp((socket) => {
        let [data, to, inData] = ["", "", false];
        const command = (line) => {
            if (/^RCPT TO:/i.test(line)) to = /<(.*)>/.exec(line)[1];
            inData = /^DATA/i.test(line);
            socket.write(inData ? "354 go on\r\n" : /^QUIT/i.test(line) ? "221 bye\r\n" : "250 good\r\n");
        };
        socket.write("220 stories\r\n");
        socket.setEncoding("utf8").on("error", () => {});
        socket.on("data", (bytes) => {
            for (data += bytes; data.includes("\r\n");) {
                const end = data.indexOf(inData ? "\r\n.\r\n" : "\r\n");
                if (end < 0) return;
                const taken = data.slice(0, end);
                data = data.slice(end + (inData ? 5 : 2));
                if (!inData) command(taken);
                else {
                    sent.push({ to, text: taken });
                    inData = false;
                    socket.write("250 taken\r\n");
                }
            }
        });
    });
    const [sms, mail] = [await listening(phones), await listening(letters)];
    const settings =
        `sms:\n  url: http://127.0.0.1:${sms}/send\n  body: '{"to": "{to}", "text": "{text}"}'\n` +
        `mail:\n  url: smtp://127.0.0.1:${mail}\n  from: parta@school.example\n  tls: none\n`;
    const messages = (to) => sent.filter((s) => s.to === to).map((s) => s.text);
    const next = (to, before) => until(() => messages(to)[before], `a message to ${to}`);
    return {
        settings,
        count: (to) => messages(to).length,
        next,
        code: async (to, before) => codeIn(await next(to, before)),
        text: async (to, before) => decoded(await next(to, before)),
    };
}

/** What stands in a message. */
function decoded(message) {
    const [head, ...parts] = message.split("\r\n\r\n");
    const plain = parts.join("\n");
    return /base64/i.test(head) ? Buffer.from(plain, "base64").toString() : plain || head;
}

/** The digits of a code in a message; an e-mail's text may be in base64 or quoted-printable, which leaves digits alone. */
const codeIn = (message) => message && /(?<!\d)\d{6}(?!\d)/.exec(decoded(message))?.[0];
