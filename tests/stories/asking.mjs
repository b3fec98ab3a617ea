// Plain requests for the stories that hold the server against the specification: people, paths, what must succeed or fail.
import assert from "node:assert/strict";

export const V3 = "/_matrix/client/v3";
export const V1 = "/_matrix/client/v1";
export const q = encodeURIComponent;
export const of = (room, rest = "", version = V3) => `${version}/rooms/${q(room)}${rest}`;
export const ids = (events) => events.map((e) => e.event_id);
export const by = (user, password = `${user}-password`) => ({
    type: "m.login.password",
    identifier: { type: "m.id.user", user },
    password,
});

/** The query part of a path; objects become JSON. */
export function query(values) {
    const parts = Object.entries(values).map(([k, v]) => `${k}=${q(typeof v === "object" ? JSON.stringify(v) : v)}`);
    return parts.length ? `?${parts.join("&")}` : "";
}

/** Somebody signed in, or nobody: requests are made as them. Paths are below V3 unless they begin with /_matrix. */
export class Asker {
    #txn = 0;

    constructor(server, { user_id, access_token, device_id } = {}) {
        Object.assign(this, { server, id: user_id, token: access_token, device: device_id });
    }

    try(method, path, body) {
        const whole = path.startsWith("/_matrix") || path.startsWith("/.well") ? path : V3 + path;
        const needed = method === "PUT" || method === "POST" ? {} : undefined;
        return this.server.request(method, whole, { token: this.token, body: body ?? needed });
    }

    /** A request that must succeed; its body. */
    async ask(method, path, body) {
        const reply = await this.try(method, path, body);
        assert.equal(reply.status, 200, `${method} ${path}: ${JSON.stringify(reply.body)}`);
        return reply.body;
    }

    /** A request that must be refused so; its body. */
    async refused(status, errcode, method, path, body) {
        const reply = await this.try(method, path, body);
        assert.deepEqual(
            [reply.status, reply.body.errcode],
            [status, errcode],
            `${method} ${path}: ${JSON.stringify(reply.body)}`,
        );
        return reply.body;
    }

    get = (path) => this.ask("GET", path);

    create = async (plan = {}) => (await this.ask("POST", "/createRoom", plan)).room_id;

    join = (room) => this.ask("POST", `/join/${q(room)}`);

    leave = (room, reason) => this.ask("POST", of(room, "/leave"), reason && { reason });

    invite = (room, other) => this.ask("POST", of(room, "/invite"), { user_id: other.id });

    state = async (room, type, content, key = "") =>
        (await this.ask("PUT", of(room, `/state/${type}/${q(key)}`), content)).event_id;

    stateOf = (room, type, key = "") => this.get(of(room, `/state/${type}/${q(key)}`));

    /** Sends text, or a content. */
    send = async (room, what, type = "m.room.message") => {
        const content = typeof what === "string" ? { msgtype: "m.text", body: what } : what;
        return (await this.ask("PUT", of(room, `/send/${type}/t${++this.#txn}`), content)).event_id;
    };

    redact = async (room, event, reason) =>
        (await this.ask("PUT", of(room, `/redact/${q(event)}/r${++this.#txn}`), reason && { reason })).event_id;

    sync = (params = {}) => this.get(`/sync${query(params)}`);

    /** Where they are now in the stream. */
    now = async () => (await this.sync({ filter: { room: { rooms: [] } } })).next_batch;

    /** Signs in once more, on another device. */
    again = async (more = {}, password) => {
        const name = this.id.slice(1, this.id.indexOf(":"));
        return new Asker(this.server, await this.ask("POST", "/login", { ...by(name, password), ...more }));
    };
}

/** Registers somebody, with the password that by() assumes. */
export async function register(server, username, more = {}) {
    const body = { username, password: `${username}-password`, auth: { type: "m.login.dummy" }, ...more };
    return new Asker(server, await new Asker(server).ask("POST", "/register", body));
}

export const registerAll = (server, names) => Promise.all(names.map((name) => register(server, name)));
