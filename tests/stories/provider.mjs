// An OpenID Connect provider (npm oidc-provider) on loopback, with a page of its own where one says who one is: what the diary is to the server.
// It can hang, answer with what it answered before, and change its keys.
import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import { Provider } from "oidc-provider";

const key = (kid) => ({ ...generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" });

export class Diary {
    records = {}; // subject → the sourcedId that the school knows them by
    hangs = false;
    repeats = false; // the token endpoint answers what it did the last time

    async start() {
        this.http = createServer((request, reply) => this.#take(request, reply));
        await new Promise((resolve) => this.http.listen(0, "127.0.0.1", resolve));
        this.issuer = `http://127.0.0.1:${this.http.unref().address().port}`;
        this.kid = 0;
    }

    /** Who may ask; callback: where answers go. */
    register(callback) {
        this.callback = callback;
        this.changeKeys();
    }

    changeKeys() {
        const diary = this;
        this.provider = new Provider(this.issuer, {
            clients: [{ client_id: "parta", client_secret: "a secret of the diary", redirect_uris: [this.callback], response_types: ["code"], grant_types: ["authorization_code"] }],
            jwks: { keys: [key(`k${++this.kid}`)] },
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
        if (this.hangs && !request.url.startsWith("/auth")) return undefined;
        if (!uid) return this.answer(request, reply);
        if (request.method === "GET") {
            reply.setHeader("content-type", "text/html; charset=utf-8");
            return reply.end(`<!doctype html><html lang="ru"><title>Дневник</title><form method="post"><input id="who" name="who" aria-label="Кто"><button>OK</button></form>`);
        }
        let body = "";
        for await (const piece of request) body += piece;
        return this.provider.interactionFinished(request, reply, { login: { accountId: new URLSearchParams(body).get("who"), remember: false } });
    }

    table(secretFile) {
        return (
            `id: diary\nname: {ru: Дневник, en: The diary}\nissuer: ${this.issuer}\nclient_id: parta\nclient_secret_file: ${secretFile}\n` +
            `private_network: true\nclaims: {sourced_id: school_person_id}\nschools: [s1]\n`
        );
    }

    stop() {
        this.http?.closeAllConnections();
        this.http?.close();
    }
}
