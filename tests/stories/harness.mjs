// Starts the real server for a story and signs real clients in. Nothing sleeps: everything waits on a condition.
import { spawn, spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { inflateRawSync } from "node:zlib";
import * as sdk from "matrix-js-sdk";
import { logger } from "matrix-js-sdk/lib/logger.js";
import "./described.mjs";

logger.setLevel?.("silent");
for (const name of ["log", "info", "warn", "debug", "error"]) console[name] = () => {}; // the SDK tells much; the server's log tells more
const BUILD = process.env.PARTA_BUILD ?? new URL("../../build", import.meta.url).pathname;
const SECRET = "the-secret-of-the-stories";
const PATIENCE_MS = 60000; // for what comes soon: it only tells that something hangs, also on a machine with much else to do

let ports;

/** A port that nobody else gets while this process runs (tests/lib/ports, which ends with it). */
export async function freePort() {
    if (ports === undefined) {
        ports = spawn(new URL("../lib/ports", import.meta.url).pathname, { stdio: ["pipe", "pipe", "inherit"] });
        ports.lines = createInterface({ input: ports.stdout })[Symbol.asyncIterator]();
        ports.asked = 0;
        for (const one of [ports, ports.stdin, ports.stdout]) one.unref(); // it keeps nobody from ending
    }
    ports.stdin.write("\n");
    if (ports.asked++ === 0) ports.stdout.ref();
    const { value, done } = await ports.lines.next();
    if (--ports.asked === 0) ports.stdout.unref();
    if (done) throw new Error("tests/lib/ports has ended");
    return Number(value);
}

/** Polls until fn answers something true; fails after PATIENCE_MS with what. */
export async function until(fn, what = "condition") {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
        const value = await fn();
        if (value) return value;
        if (Date.now() > end) throw new Error(`waited in vain for: ${typeof what === "function" ? what() : what}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
    }
}

/** Before what the server counts by the hour of the clock and what takes no longer than so many seconds: an hour that ends before is waited for. */
export async function inOneHour(seconds) {
    const left = 3600000 - (Date.now() % 3600000);
    if (left < seconds * 1000) await new Promise((resolve) => setTimeout(resolve, left));
}

/** The files of a zip, unpacked: name → text. */
export function unzip(zip) {
    const files = {};
    const end = zip.lastIndexOf(Buffer.from("PK\x05\x06"));
    for (let at = zip.readUInt32LE(end + 16), n = zip.readUInt16LE(end + 10); n > 0; --n) {
        const [method, packed, nameLen, extra, comment, local] = [
            zip.readUInt16LE(at + 10),
            zip.readUInt32LE(at + 20),
            zip.readUInt16LE(at + 28),
            zip.readUInt16LE(at + 30),
            zip.readUInt16LE(at + 32),
            zip.readUInt32LE(at + 42),
        ];
        const name = zip.toString("utf8", at + 46, at + 46 + nameLen);
        const data = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
        const bytes = zip.subarray(data, data + packed);
        files[name] = (method === 8 ? inflateRawSync(bytes) : bytes).toString("utf8");
        at += 46 + nameLen + extra + comment;
    }
    return files;
}

export class Server {
    /** settings: more YAML lines; {url} in them is the server's own address. */
    static async start(settings = "policy:\n  mode: open\n") {
        const server = new Server();
        await server.prepare(settings);
        await server.run();
        return server;
    }

    /** more: YAML lines, or what makes them of the server (its url, its dir). */
    async prepare(settings, more = "") {
        this.dir = mkdtempSync(join(tmpdir(), "parta-story-"));
        this.port = await freePort();
        this.url = `http://127.0.0.1:${this.port}`;
        settings += typeof more === "function" ? more(this) : more;
        this.settings = settings;
        this.config = join(this.dir, "parta.yaml");
        const reached = /^public_baseurl:/m.test(settings) ? "" : `public_baseurl: ${this.url}\n`;
        writeFileSync(
            this.config,
            `server_name: school.example\n${reached}data_dir: ${this.dir}/data\nlisten:\n  address: 127.0.0.1\n  port: ${this.port}\n` +
                `registration:\n  mode: open\n  shared_secret: ${SECRET}\n` +
                `passwords:\n  ops: 1\n  memory_kib: 8192\n` +
                `rate_limits:\n  read: off\n  write: off\n  message: off\n  room: off\n  login: off\n  account: off\n  operator: off\n  registration: off\n  codes: off\n` +
                settings.replaceAll("{url}", this.url),
        );
    }

    /** A server in policy.mode school with the sample school in it. server.people: {id, role, school, class, name, password}. */
    static async startSchool(settings = "") {
        const server = new Server();
        await server.prepare("policy:\n  mode: school\n", settings);
        server.parta("school", "sample", "--seed", "1", "--size", "small", join(server.dir, "school.zip"));
        const passwords = server.importRoster("--passwords");
        server.people = server.parta("roster", "list").trim().split("\n").map((line) => {
            const [id, role, school, schoolClass, name] = line.split("\t");
            return { id, role, school, class: schoolClass, name };
        });
        for (const line of passwords.trim().split("\n")) {
            const [id, password] = line.split(",");
            for (const person of server.people) if (person.id === id) person.password = password;
        }
        await server.run();
        return server;
    }

    importRoster(...options) {
        return this.parta("roster", "import", ...options, join(this.dir, "school.zip"));
    }

    /** Runs the administrator's command line; answers what it printed. */
    parta(...args) {
        const { status, stdout, stderr } = spawnSync(join(BUILD, "parta"), args, {
            encoding: "utf8",
            env: { ...process.env, PARTA_CONFIG: this.config },
        });
        if (status !== 0) throw new Error(`parta ${args.join(" ")}: ${status}\n${stderr}`);
        return stdout;
    }

    /** The first person of the roster for whom all the given properties hold. */
    person(wanted) {
        const found = this.people.find((p) => Object.entries(wanted).every(([key, value]) => p[key] === value));
        if (!found) throw new Error(`nobody like ${JSON.stringify(wanted)}`);
        return found;
    }

    async run() {
        this.process = spawn(join(BUILD, "partad"), ["--config", this.config], {
            stdio: ["ignore", "ignore", "pipe"],
        });
        this.log = this.log ?? "";
        this.process.stderr.on("data", (bytes) => (this.log += bytes));
        this.ended = new Promise((resolve) => this.process.on("exit", (code, signal) => resolve({ code, signal })));
        await until(() => fetch(`${this.url}/health`).then((r) => r.ok).catch(() => false), () => `the server to start: ${this.log}`);
    }

    /** Ends the process with a signal and waits for it. */
    async end(signal = "SIGTERM") {
        this.process.kill(signal);
        return this.ended;
    }

    async restart(signal = "SIGTERM") {
        await this.end(signal);
        await this.run();
    }

    async stop() {
        const { code, signal } = await this.end();
        rmSync(this.dir, { recursive: true, force: true });
        if (code !== 0) throw new Error(`the server ended with ${code ?? signal}:\n${this.log}`);
    }

    /** A plain request. Answers {status, body}. */
    async request(method, path, { token, body, headers = {}, raw = false } = {}) {
        const reply = await fetch(this.url + path, {
            method,
            headers: {
                ...(token && { authorization: `Bearer ${token}` }),
                "content-type": "application/json",
                ...headers,
            },
            body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
        });
        if (raw) return { status: reply.status, body: Buffer.from(await reply.arrayBuffer()), headers: reply.headers };
        const text = await reply.text();
        return { status: reply.status, body: text ? JSON.parse(text) : undefined, headers: reply.headers };
    }

    /** A request of the school API, /_parta/v1/…, as a person (a client, or somebody with a token), an operator's token, or nobody. */
    async api(person, method, path, body, headers) {
        const token = typeof person === "string" ? person : (person?.getAccessToken?.() ?? person?.access_token ?? person?.token);
        const needed = method === "PUT" || method === "POST" ? {} : undefined;
        const seen = method === "POST" ? await this.#seen(token, path, body) : {};
        return this.request(method, `/_parta/v1${path}`, { token, body: body ?? needed, headers: { ...seen, ...headers } });
    }

    /** Who decides has looked first, as a page shows it, and names the version that was shown. */
    async #seen(token, path, body) {
        const get = async (shown) => (await this.request("GET", `/_parta/v1${shown}`, { token })).body?.version;
        const [, item, what] = path.match(/^\/((?:applications|reports)\/[^/]+)\/(approve|refuse|close)$/) ?? [];
        const [, child] = path.match(/^\/me\/children\/([^/]+)\/corrections$/) ?? [];
        let version;
        if (what) version = await get(`/${item}`);
        else if (child) {
            const { body: mine } = await this.request("GET", "/_parta/v1/me/children", { token });
            version = mine?.items?.find((c) => c.user_id === decodeURIComponent(child))?.version;
        } else if (path === "/guardian_links/confirm") {
            const look = await this.request("POST", "/_parta/v1/guardian_links/look", { token, body: { token: body?.token } });
            version = look.headers.get("etag")?.replaceAll('"', "");
        } else return {};
        return { "if-match": `"${version || 1}"` };
    }

    /** A regional operator's token. scopes: words of docs/openapi.json. */
    operator(name = "region", scopes = "all") {
        return this.parta("operator", "create", name, scopes).trim();
    }

    /** Makes a user through the shared-secret endpoint. */
    async makeUser(username, password = `${username}-password`, admin = false) {
        const { nonce } = (await this.request("GET", "/_synapse/admin/v1/register")).body;
        const mac = createHmac("sha1", SECRET)
            .update([nonce, username, password, admin ? "admin" : "notadmin"].join("\0"))
            .digest("hex");
        const made = await this.request("POST", "/_synapse/admin/v1/register", { body: { nonce, username, password, admin, mac } });
        if (made.status !== 200) throw new Error(JSON.stringify(made));
        return made.body;
    }

    /** A matrix-js-sdk client of a session that is there already; it does not sync. */
    client({ access_token, user_id, device_id }) {
        return sdk.createClient({
            baseUrl: this.url,
            accessToken: access_token,
            userId: user_id,
            deviceId: device_id,
            timelineSupport: true,
        });
    }

    /** A signed-in, syncing matrix-js-sdk client; with {still: true} it does not sync. */
    async signIn(user, password = `${user}-password`, { still = false, ...options } = {}) {
        const login = await sdk.createClient({ baseUrl: this.url }).loginRequest({
            type: "m.login.password",
            identifier: { type: "m.id.user", user },
            password,
        });
        const client = this.client(login);
        if (!still) await startClient(client, options);
        return client;
    }

    /** Makes the user and signs in. */
    async newClient(user, options = {}) {
        await this.makeUser(user);
        return this.signIn(user, undefined, options);
    }
}

export async function startClient(client, options = {}) {
    await client.startClient({ initialSyncLimit: 20, pollTimeout: 10000, lazyLoadMembers: true, ...options });
    await until(() => ["PREPARED", "SYNCING"].includes(client.getSyncState()), `${client.getUserId()} to sync`);
}

/** Waits until the client knows the room with that membership. */
export function inRoom(client, roomId, membership = "join") {
    return until(() => {
        const room = client.getRoom(roomId);
        return room?.getMyMembership() === membership && room;
    }, `${client.getUserId()} to have ${membership} in ${roomId}`);
}

/** Waits for an event in the room's live timeline. */
export function seen(client, roomId, predicate, what = "event") {
    return until(
        () => client.getRoom(roomId)?.getLiveTimeline().getEvents().find(predicate),
        `${client.getUserId()} to see ${what}`,
    );
}

export const text = (body) => ({ msgtype: "m.text", body });

/** The error a promise fails with; fails if it does not. */
export async function refusal(promise) {
    try {
        await promise;
    } catch (e) {
        return e;
    }
    throw new Error("it should have been refused");
}

export { sdk, readFileSync };
