import assert from "node:assert/strict";

/** A browser without JavaScript: cookies, links, forms. */
export class Reader {
    cookies = new Map();

    /** user, password: typed where the pages ask who one is. */
    constructor(base, user, password) {
        Object.assign(this, { base, user, password });
    }

    async ask(path, form) {
        const cookie = [...this.cookies].map(([k, v]) => `${k}=${v}`).join("; ");
        const reply = await fetch(new URL(path, this.base), {
            redirect: "manual", method: form ? "POST" : "GET", body: form ? new URLSearchParams(form) : undefined,
            headers: { cookie, "accept-language": "en", ...(form ? { origin: this.base } : {}) },
        });
        for (const line of reply.headers.getSetCookie()) {
            const [, key, value] = line.match(/^([^=]+)=([^;]*)/);
            this.cookies.set(key, value);
        }
        this.status = reply.status;
        this.at = reply.headers.get("location");
        this.headers = reply.headers;
        this.page = await reply.text();
        return this;
    }

    /** The fields of the page's form that posts there, with what is put in. */
    fields(action, more) {
        const form = this.page.match(new RegExp(`<form method="post" action="${action}">([\\s\\S]*?)</form>`))?.[1];
        assert.ok(form, `no form to ${action} in ${this.page}`);
        const unescaped = (s) => s.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
        const hidden = [...form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(([, k, v]) => [k, unescaped(v)]);
        return { ...Object.fromEntries(hidden), ...more };
    }

    /** Follows to the sign-in page, signs in, and comes back to what was asked for. */
    async through(path) {
        await this.ask(path);
        if (this.status === 303 && this.at.startsWith("/parta/sign-in")) {
            await this.ask(this.at);
            await this.ask("/parta/sign-in", this.fields("/parta/sign-in", { user: this.user, password: this.password }));
            assert.equal(this.status, 303, this.page);
            await this.ask(this.at);
        }
        return this;
    }

    decide(action, decision) {
        return this.ask(action, this.fields(action, { decision }));
    }
}
