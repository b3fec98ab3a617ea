// Every reply of the server in a story is held against the specification's OpenAPI descriptions. They lie in ../shared/matrix-spec
// beside the checkout, or where PARTA_SPEC says; where they are not, nothing is looked at, and written.test.mjs says so. What was
// found goes line by line into the file PARTA_REPLIES, which the whole run shares; written.test.mjs, the last of a run, reads it.
import { appendFileSync, existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import Ajv2020 from "ajv/dist/2020.js";
import { parse } from "yaml";

export const SPEC = [process.env.PARTA_SPEC, new URL("../../../shared/matrix-spec", import.meta.url).pathname].find((d) => d && existsSync(join(d, "api")));
const FOUND = process.env.PARTA_REPLIES;
const BASE = "spec:///"; // of the names under which ajv knows the files
const FOLDERS = ["client-server", "client-server-proposed", "server-server"].map((folder) => `api/${folder}`);

/** Where the server answers otherwise: the operation, the status and pointer with which the fault begins, and why it is right. */
const EXCEPTIONS = [
    ["GET /_matrix/client/v1/auth_metadata", "200 /account_management_actions_supported/*", "the proposal's spellings (MSC4191) beside those of v1.18: clients of before ask for them"],
    ["GET /_matrix/client/v1/media/download/{serverName}/{mediaId}", "206 ", "a part, as HTTP has it (RFC 9110) and as players ask for it"],
    ["GET /_matrix/client/v3/devices", "200 /devices/*/display_name: must be string", "matrix-nio takes no device without one, but null"],
    ["GET /_matrix/client/v3/devices", "200 /devices/*/last_seen_ip: must be string", "the same"],
    ["GET /_matrix/client/v3/devices/{deviceId}", "200 /display_name: must be string", "the same"],
    ["GET /_matrix/client/v3/devices/{deviceId}", "200 /last_seen_ip: must be string", "the same"],
    ["GET /_matrix/client/v3/login/sso/redirect", "400 : the type is text/html", "a person's browser is sent there: what is wrong is a page"],
    ["GET /_matrix/client/v3/login/sso/redirect/{idpId}", "404 : the type is text/html", "the same"],
    ["GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", "200 : must match exactly one schema in oneOf", "a whole event is any content, too"],
    ["GET /_matrix/client/v3/rooms/{roomId}/joined_members", "200 /joined/*/display_name: must be string", "Debian's matrix-nio (WeeChat) takes no member without one, but null"],
    ["GET /_matrix/client/v3/rooms/{roomId}/joined_members", "200 /joined/*/avatar_url: must be string", "the same"],
    ["GET /_matrix/client/v3/room_keys/version", "200 /algorithm", "a story keeps a backup of an algorithm of its own"],
    ["GET /_matrix/client/v3/room_keys/version/{version}", "200 /algorithm", "the same"],
    ["POST /_matrix/client/v3/keys/device_signing/upload", "401 : must have required property 'errcode'", "interactive authentication, of which its words tell and its table does not"],
    ["POST /_matrix/client/v3/register", "401 : must have required property 'flows'", "an application service without its token, in the words of the Application Service API"],
    ["GET /_matrix/client/v3/voip/turnServer", "200 : must have required property", "none is set up: clients know {} as that, and ask on after an error"],
];

/** Every file below a folder, by its path there. */
function files(folder, below = "") {
    return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
        const path = join(below, entry.name);
        return entry.isDirectory() ? files(folder, path) : path.endsWith(".yaml") ? [path] : [];
    });
}

class Description {
    #validators = new Map();
    operations = [];

    constructor() {
        this.ajv = new Ajv2020({ strict: false, validateSchema: false, validateFormats: false, unicodeRegExp: false, logger: false, allErrors: true, verbose: true });
        for (const path of ["api", "event-schemas/schema", "schemas"].flatMap((folder) => files(SPEC, folder))) this.#read(path, join(SPEC, path));
        this.#read("api/client-server-proposed/sliding_sync", new URL("sliding_sync.yaml", import.meta.url));
        this.operations.sort((a, b) => a.names - b.names); // /a/b before /a/{name}
    }

    #read(path, file) {
        const document = parse(readFileSync(file, "utf8"), { merge: true });
        if (!document || typeof document !== "object") return;
        this.ajv.addSchema(absolute(document, BASE + path), BASE + path);
        if (FOLDERS.some((folder) => path.startsWith(`${folder}/`)) && document.paths) this.#add(path, document);
    }

    #add(file, document) {
        const base = document.servers?.[0]?.variables?.basePath?.default ?? "";
        for (const [key, methods] of Object.entries(document.paths)) {
            const path = base + key.trim(); // a blank at its end tells one of two from the other
            const quoted = path.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
            const pattern = new RegExp(`^${quoted.replace(/\/\{stateKey\}$/, "(/{stateKey})?").replace(/\{[^}]+\}/g, "[^/]+")}/?$`);
            for (const [method, operation] of Object.entries(methods)) {
                const at = `${BASE}${file}#/paths/${pointer(key)}/${method}/responses`;
                if (operation.responses)
                    this.operations.push({ method: method.toUpperCase(), path, pattern, operation, document, file, at, names: path.split("{").length });
            }
        }
    }

    find(method, path) {
        return this.operations.find((o) => o.method === method && o.pattern.test(path));
    }

    /** [schema's address, whether the reply must be JSON]; undefined where nothing is described. */
    schema({ operation, document, at }, status) {
        let reply = operation.responses[status], address = `${at}/${status}`;
        if (reply?.$ref) {
            address = reply.$ref;
            reply = address.split("#/")[1].split("/").reduce((part, name) => part?.[name], document);
        }
        if (reply === undefined) return undefined;
        const json = reply.content?.["application/json"];
        return { json: json !== undefined, address: json?.schema && `${address}/content/application~1json/schema` };
    }

    validator(address) {
        let found = this.#validators.get(address);
        if (!found) this.#validators.set(address, (found = this.ajv.compile({ $ref: address })));
        return found;
    }

    /** What of a reply is not as described, a line each. */
    faults(operation, status, type, body) {
        const described = this.schema(operation, status);
        if (!described && status < 400) return [": the status is not described"];
        if (described && !described.json) return [];
        if (!/^application\/json(;|$)/.test(type ?? "")) return [`: the type is ${type}`];
        const validate = this.validator(described?.address ?? `${BASE}api/client-server/definitions/errors/error.yaml`);
        if (validate(body)) return [];
        return validate.errors
            .filter((e) => !["oneOf", "anyOf", "allOf", "if"].includes(e.keyword) || validate.errors.length === 1)
            .map((e) => `${general(e.instancePath)}: ${e.message}${told(e)}`);
    }
}

/** The references of a document, made whole: ajv takes them relative to where it began. */
function absolute(part, base) {
    for (const [name, value] of Object.entries(part)) {
        if (name === "$ref" && typeof value === "string") part.$ref = new URL(value, base).href;
        else if (value && typeof value === "object") absolute(value, base);
    }
    return part;
}

const pointer = (path) => path.replaceAll("~", "~0").replaceAll("/", "~1");
/** The pointer without the names that a story made up, so that a fault is told once. */
const general = (at) => at.replace(/\/(\d+|[!@$#][^/]*|[^/]*:[^/]*|[A-Za-z0-9+_-]{43})(?=\/|$)/g, "/*");
/** What stood there, as far as it tells something. */
const told = ({ keyword, params, data }) =>
    keyword === "required" ? "" : ` ${JSON.stringify(keyword === "enum" ? params.allowedValues : params).slice(0, 120)}, not ${JSON.stringify(data)?.slice(0, 80)}`;

const description = SPEC && FOUND && new Description();

/** "METHOD /path" of all operations of an API of the specification. */
export const described = (api) => description.operations.filter((o) => o.file.startsWith(`api/${api}/`) && o.path.startsWith("/")).map((o) => `${o.method} ${o.path}`);

function look(method, url, reply, text) {
    const { pathname: path, search } = new URL(url);
    if (/"event_fields"|"event_format":"federation"/.test(decodeURIComponent(search))) return undefined; // other events than the schema's
    const operation = description.find(method, path);
    if (!operation) return path.startsWith("/_matrix/") && reply.status < 400 && { unknown: `${method} ${path.replace(/\/[^/]*(%|:)[^/]*/g, "/*")}` };
    let body;
    try {
        body = text ? JSON.parse(text) : undefined;
    } catch {
        body = text;
    }
    const name = `${method} ${operation.path}`;
    const faults = description.faults(operation, reply.status, reply.headers.get("content-type"), body).map((fault) => `${reply.status} ${fault}`);
    return { name, faults: faults.filter((fault) => !EXCEPTIONS.some(([operation, begin]) => operation === name && fault.startsWith(begin))) };
}

if (description) {
    const { fetch } = globalThis;
    globalThis.fetch = async (input, init) => {
        const reply = await fetch(input, init);
        const url = input.url ?? String(input);
        if (!url.includes("/_matrix/") && !url.includes("/.well-known/")) return reply;
        const json = /json/.test(reply.headers.get("content-type") ?? "json");
        const text = json ? await reply.clone().text().catch(() => undefined) : "";
        const seen = text !== undefined && look((init?.method ?? input.method ?? "GET").toUpperCase(), url, reply, text);
        if (seen) appendFileSync(FOUND, `${JSON.stringify(seen)}\n`);
        return reply;
    };
}
