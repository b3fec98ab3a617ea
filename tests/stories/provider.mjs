// An OpenID Connect provider (npm oidc-provider) on loopback, with a page of its own where one says who one is: what the diary is to the server.
// It can hang, answer with what it answered before, and change its key. And doubles of two that are no such providers.
import { createServer } from "node:http";
import { createHash, generateKeyPairSync } from "node:crypto";
import { Provider } from "oidc-provider";

const newKey = (kid) => ({ ...generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" });

export class Diary {
    records = {}; // subject → the sourcedId that the school knows them by
    hangs = false;
    asked = 0; // requests of anybody
    repeats = false; // the token endpoint answers what it did the last time
    before = 0; // who says who they are has signed in there so many seconds ago
    deaf = false; // to whoever asks it to have somebody sign in anew

    async start() {
        this.http = createServer((request, reply) => this.#take(request, reply));
        await new Promise((resolve) => this.http.listen(0, "127.0.0.1", resolve));
        this.issuer = `http://127.0.0.1:${this.http.unref().address().port}`;
        this.key = newKey("k1");
    }

    /** Who may ask; callback: where answers go. */
    register(callback) {
        this.callback = callback;
        this.signWith(this.key);
    }

    /** Another key from now on, under a name of its own, or under the old one's. */
    changeKey(kid = `k${Math.random()}`) {
        this.signWith(newKey(kid));
    }

    signWith(key) {
        const diary = this;
        this.key = key;
        this.provider = new Provider(this.issuer, {
            clients: [{ client_id: "parta", client_secret: "a secret of the diary", redirect_uris: [this.callback], response_types: ["code"], grant_types: ["authorization_code"] }],
            jwks: { keys: [key] },
            cookies: { keys: ["a key of cookies"] },
            claims: { openid: ["sub", "school_person_id"] },
            features: { devInteractions: { enabled: false } },
            interactions: { url: (ctx, interaction) => `/who/${interaction.uid}` },
            findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...(diary.records[id] && { school_person_id: diary.records[id] }) }) }),
            async loadExistingGrant(ctx) {
                const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
                grant.addOIDCScope("openid");
                await grant.save();
                return grant;
            },
        });
        this.provider.use(async (ctx, next) => {
            await next();
            if (ctx.path !== "/token" || ctx.status !== 200) return;
            if (this.repeats) ctx.body = this.said;
            else this.said = ctx.body;
        });
        this.answer = this.provider.callback();
    }

    async #take(request, reply) {
        const [, uid] = request.url.match(/^\/who\/([^/?]+)/) ?? [];
        ++this.asked;
        if (this.hangs && !request.url.startsWith("/auth")) return undefined;
        if (this.deaf) request.url = request.url.replace("&prompt=login", "").replace("max_age=0", "max_age=86400");
        if (!uid) return this.answer(request, reply);
        if (request.method === "GET") {
            reply.setHeader("content-type", "text/html; charset=utf-8");
            return reply.end(`<!doctype html><html lang="ru"><title>Дневник</title><form method="post"><input id="who" name="who" aria-label="Кто"><button>OK</button></form>`);
        }
        let body = "";
        for await (const piece of request) body += piece;
        return this.provider.interactionFinished(request, reply, { login: { accountId: new URLSearchParams(body).get("who"), remember: false, ts: Math.floor(Date.now() / 1000) - this.before } });
    }

    table(secretFile, id = "diary") {
        return (
            `id: ${id}\nname: {ru: Дневник, en: The diary}\nissuer: ${this.issuer}\nclient_id: parta\nclient_secret_file: ${secretFile}\n` +
            `private_network: true\nclaims: {sourced_id: school_person_id}\nschools: [s1]\n`
        );
    }

    stop() {
        this.http?.closeAllConnections();
        this.http?.close();
    }
}

/** How two that are no OpenID Connect providers differ: VK ID as its reference of methods describes it (OAuth 2.1 with what is its own), and a
 *  state's as regions put one before ESIA: OAuth 2.0 with a secret in the form, who it is a number. */
export const NETWORKS = {
    vk: {
        paths: { authorization: "/authorize", token: "/oauth2/auth", userinfo: "/oauth2/user_info" },
        asks: { scope: "vkid.personal_info", state: /^[\w-]{32,}$/ },
        adds: { type: "code_v2", device_id: "device/of the person" }, // to the code
        wants: { device_id: (code) => code.added.device_id, state: (code) => code.state, client_id: () => "parta" },
        told: (request, form) => (request.method === "POST" && form.get("client_id") === "parta" ? form.get("access_token") : undefined),
        user: (who) => ({ user: { user_id: who, first_name: "И", last_name: "П", verified: false } }),
        table: "client_auth: none\nscopes: [vkid.personal_info]\ntoken_parameters: [device_id, state]\nuserinfo_token: form\nclaims: {subject: user.user_id}\n",
    },
    state: {
        paths: { authorization: "/sps/oauth/ae", token: "/sps/oauth/te", userinfo: "/sps/oauth/me" },
        asks: { scope: "openid profile", state: /./ },
        adds: {},
        wants: { client_id: () => "parta", client_secret: () => "a secret of the diary" },
        told: (request) => /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1],
        user: (who) => ({ oid: Number(who), firstName: "И", trusted: true }),
        table: "client_auth: post\nscopes: [openid, profile]\nclaims: {subject: oid}\n",
    },
};

/** A double of one of them. It takes nothing that is not as it must be. */
export class Network {
    codes = new Map();
    tokens = new Map();
    refused = [];

    constructor(id) {
        const { table, ...is } = NETWORKS[id];
        Object.assign(this, { id, own: table, ...is });
    }

    async start() {
        this.http = createServer((request, reply) => this.#take(request, reply));
        await new Promise((resolve) => this.http.listen(0, "127.0.0.1", resolve));
        this.issuer = `http://127.0.0.1:${this.http.unref().address().port}`;
    }

    table(secretFile) {
        const { authorization, token, userinfo } = this.paths;
        const secret = this.wants.client_secret ? `client_secret_file: ${secretFile}\n` : "";
        return (
            `id: ${this.id}\nname: {ru: Сеть, en: Network}\nissuer: ${this.issuer}\nclient_id: parta\n${secret}private_network: true\ndiscovery: false\n` +
            `identity: userinfo\nendpoints: {authorization: "${this.issuer}${authorization}", token: "${this.issuer}${token}", userinfo: "${this.issuer}${userinfo}"}\n${this.own}`
        );
    }

    async #take(request, reply) {
        const url = new URL(request.url, this.issuer);
        let body = "";
        for await (const piece of request) body += piece;
        const form = new URLSearchParams(body);
        const json = (status, value) => reply.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
        const refuse = (why) => (this.refused.push(why), json(400, { error: "invalid_request", error_description: why }));
        if (url.pathname === this.paths.authorization) return this.#authorize(request, reply, url.searchParams, form, refuse);
        if (url.pathname === this.paths.token) return this.#redeem(form, json, refuse);
        if (url.pathname === this.paths.userinfo) {
            const who = this.tokens.get(this.told(request, form));
            return who ? json(200, this.user(who)) : refuse("userinfo");
        }
        return reply.writeHead(404).end();
    }

    #authorize(request, reply, asked, form, refuse) {
        const state = asked.get("state"), challenge = asked.get("code_challenge"), back = asked.get("redirect_uri");
        const good =
            asked.get("response_type") === "code" && asked.get("client_id") === "parta" && back === this.callback && this.asks.state.test(state) &&
            asked.get("scope") === this.asks.scope && /^[\w-]{43}$/.test(challenge) && asked.get("code_challenge_method") === "S256";
        if (!good) return refuse(`authorize ${asked}`);
        if (request.method === "GET")
            return reply.setHeader("content-type", "text/html; charset=utf-8").end(
                `<!doctype html><html lang="ru"><title>Сеть</title><form method="post"><input id="who" name="who" aria-label="Кто"><button>OK</button></form>`,
            );
        const code = `code/${this.codes.size}`, to = new URL(back);
        this.codes.set(code, { who: form.get("who"), state, challenge, back, added: this.adds });
        for (const [name, value] of Object.entries({ code, state, ...this.adds })) to.searchParams.set(name, value);
        return reply.writeHead(303, { location: to.href }).end();
    }

    #redeem(form, json, refuse) {
        const code = this.codes.get(form.get("code"));
        this.codes.delete(form.get("code"));
        const wrong = !code
            ? ["code"]
            : Object.entries({
                  grant_type: () => "authorization_code", redirect_uri: () => code.back, ...this.wants,
                  code_verifier: () => (createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url") === code.challenge ? form.get("code_verifier") : "another"),
              }).filter(([name, value]) => form.get(name) !== value(code) || form.getAll(name).length !== 1).map(([name]) => name);
        if (wrong.length > 0) return refuse(`token ${wrong}`);
        const token = `token/${this.tokens.size}`;
        this.tokens.set(token, code.who);
        return json(200, { access_token: token, token_type: "Bearer", expires_in: 3600, state: code.state, id_token: "of no key that anybody could look at" });
    }

    stop() {
        this.http?.closeAllConnections();
        this.http?.close();
    }
}
