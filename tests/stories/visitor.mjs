// A browser of a few lines, for stories that ask every page and send every form there is: cookies, forms as they are written, no script.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";

const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&#x27;": "'" };
const plain = (text) => text.replace(/&(?:amp|lt|gt|quot|#39|#x27);/g, (entity) => ENTITIES[entity]);

function attributes(tag) {
    const found = {};
    for (const [, name, , value] of tag.matchAll(/\s([a-z-]+)(="([^"]*)")?/g)) found[name] = plain(value ?? "");
    return found;
}

/** The forms of a page: {action, method, fields (by name: what the page says, typed: it may be filled in), buttons}. */
function formsOf(html) {
    return [...html.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)].map(([, head, inside]) => {
        const form = { ...attributes(head), fields: {}, typed: [], buttons: [] };
        for (const [, tag] of inside.matchAll(/<input\b([^>]*)>/g)) {
            const { name, type = "text", value = "" } = attributes(tag);
            if (!name) continue;
            if (type !== "checkbox" && type !== "radio") form.fields[name] = value;
            if (type !== "hidden") form.typed.push(name);
        }
        for (const [, tag] of inside.matchAll(/<button\b([^>]*)>/g)) form.buttons.push(attributes(tag));
        return form;
    });
}

export class Visitor {
    constructor(url, language = "ru") {
        Object.assign(this, { url, language, cookies: {} });
    }

    /** One request; cookies are kept. {status, headers, html, forms, location}. */
    async ask(method, path, { body, headers } = {}) {
        const cookie = Object.entries(this.cookies).map(([name, value]) => `${name}=${value}`).join("; ");
        const reply = await fetch(this.url + path, {
            method, body, redirect: "manual",
            headers: {
                "accept-language": this.language, ...(cookie && { cookie }), ...(body !== undefined && { origin: this.url, "content-type": "application/x-www-form-urlencoded" }), ...headers,
            },
        });
        for (const line of reply.headers.getSetCookie()) {
            const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
            if (value === "") delete this.cookies[name];
            else this.cookies[name] = value;
        }
        const html = await reply.text();
        return { status: reply.status, headers: reply.headers, html, forms: formsOf(html), location: reply.headers.get("location") };
    }

    /** A page, and where it leads. */
    async get(path) {
        let page = await this.ask("GET", path);
        for (let i = 0; page.status === 303 && i < 5; ++i) page = await this.ask("GET", page.location);
        return page;
    }

    /** A form as a person sends it: over what the page says stands what is typed. */
    send(form, typed = {}, headers) {
        return this.ask("POST", form.action, { body: new URLSearchParams({ ...form.fields, ...typed }).toString(), headers });
    }

    async signIn({ id, password }) {
        const page = await this.get("/parta/sign-in");
        const form = page.forms.find((f) => f.action === "/parta/sign-in");
        const reply = await this.send(form, { user: id, password });
        assert.equal(reply.status, 303, reply.html);
        return this;
    }

    /** The form of a page that posts there. */
    async form(path, action) {
        const page = await this.get(path);
        const form = page.forms.find((f) => f.action === action);
        assert.ok(form, `${path} has no form ${action}: ${page.html}`);
        return form;
    }
}

/** Every route of pages, out of the tables of the sources: "/parta/join/{token}". Not what programs ask by the OAuth 2.0 API. */
export function pageRoutes(method) {
    const found = [];
    for (const folder of ["pages", "oauth"]) {
        const at = new URL(`../../client-api/${folder}/`, import.meta.url);
        for (const file of readdirSync(at).filter((f) => f.endsWith(".c"))) {
            const text = readFileSync(new URL(file, at), "utf8");
            const macros = Object.fromEntries([...text.matchAll(/^#define (\w+) "([^"]*)"$/gm)].map((m) => [m[1], m[2]]));
            for (const [, path, flags] of text.matchAll(new RegExp(`\\{HTTP_${method},\\s*([^,]+),\\s*\\w+,([^,]*),`, "g"))) {
                const whole = path.split(/\s+/).map((piece) => (piece.startsWith('"') ? piece.slice(1, -1) : macros[piece])).join("");
                if (whole.startsWith("/parta/") || whole === "/") found.push({ path: whole, flags });
            }
        }
    }
    assert.ok(found.length > 20);
    return found;
}
