// Debian's chromium for the stories of pages: one start serves them all. Every page that is opened is looked at: nothing is asked of another
// server, nothing that the policy forbids, and, where a story asks for it, axe-core finds nothing.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

export const CHROMIUM = [process.env.PARTA_TEST_CHROMIUM, "/usr/bin/chromium"].find((path) => path && existsSync(path));
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const PATIENCE_MS = 60000;

export class Browser {
    /** more: further options of chromium's start. */
    static async start(url, ...more) {
        const browser = new Browser();
        browser.url = url;
        browser.faults = [];
        browser.leads = [url]; // where pages may lead to
        browser.chromium = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu", ...more] });
        return browser;
    }

    /** A person's browser: a page whose cookies nobody shares. */
    async person({ language = "ru", javaScript = true, width = 1024, height = 700, dark = false, touch = false } = {}) {
        const context = await this.chromium.newContext({
            locale: language === "ru" ? "ru-RU" : "en-US",
            javaScriptEnabled: javaScript,
            viewport: { width, height },
            hasTouch: touch,
            colorScheme: dark ? "dark" : "light",
            baseURL: this.url,
            ignoreHTTPSErrors: true,
        });
        context.setDefaultTimeout(PATIENCE_MS);
        context.on("request", (request) => {
            if (!this.leads.some((lead) => request.url().startsWith(lead)) && !request.url().startsWith("data:")) this.faults.push(`asks ${request.url()}`);
        });
        const page = await context.newPage();
        page.on("console", (said) => {
            if (said.type() === "error" && !said.text().startsWith("Failed to load resource")) this.faults.push(`${page.url()}: ${said.text()}`);
        });
        page.on("pageerror", (error) => this.faults.push(`${page.url()}: ${error}`));
        return page;
    }

    async stop() {
        await this.chromium.close();
        assert.deepEqual(this.faults, []);
    }
}

/** WCAG 2.2 AA, as far as a program can tell, and no scrolling sideways. */
export async function sound(page) {
    await page.evaluate(AXE);
    const found = await page.evaluate((rules) => globalThis.axe.run(document, { runOnly: rules }), RULES);
    assert.deepEqual(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html)}`), [], page.url());
    const { wide, is } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, is: innerWidth }));
    assert.ok(wide <= is, `${page.url()} is ${wide} wide of ${is}`);
}
