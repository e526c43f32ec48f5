// What somebody does with the pages in a browser. Fails when the browser complains of anything, when a page asks another host
// for anything, or when something does not work. Takes the address of a studio.
import { createServer, request } from "node:http";
import { createRequire } from "node:module";

const { chromium } = createRequire(import.meta.url)(process.env.PLAYWRIGHT_CORE);
const studio = new URL(process.argv[2]);
const WAIT_TIMEOUT = 60_000; // Milliseconds.
const problems = [];

/** The same studio behind a base path, as behind a CDN. */
async function mounted(prefix) {
  const proxy = createServer((asked, answer) => {
    if (!asked.url.startsWith(`${prefix}/`)) return answer.writeHead(418).end();
    const { method, headers } = asked;
    const path = asked.url.slice(prefix.length);
    const passed = request({ host: studio.hostname, port: studio.port, method, path, headers }, (got) => {
      answer.writeHead(got.statusCode, got.headers);
      got.pipe(answer);
    });
    asked.pipe(passed);
  });
  await new Promise((done) => proxy.listen(0, "127.0.0.1", done));
  return [`http://127.0.0.1:${proxy.address().port}${prefix}`, proxy];
}

/** A page at an address whose every complaint is noted. */
async function open(browser, base, path, size = { width: 1280, height: 900 }) {
  const page = await browser.newPage({ viewport: size });
  page.setDefaultTimeout(WAIT_TIMEOUT);
  const note = (what) => problems.push(`${base}/${path}: ${what}`);
  page.on("console", (message) => message.type() === "error" && note(message.text()));
  page.on("pageerror", (error) => note(error.message));
  page.on("requestfailed", (failed) => note(`${failed.url()}: ${failed.failure().errorText}`));
  page.on("request", (asked) => {
    const url = asked.url().replace(/^blob:/, "");
    if (!url.startsWith("data:") && new URL(url).host !== new URL(base).host) note(`asks ${url}`);
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (it) => console.error(`policy: ${it.violatedDirective} ${it.blockedURI}`));
  });
  await page.goto(`${base}/${path}`);
  return page;
}

function check(holds, what) {
  if (!holds) problems.push(what);
}

/** Tries a route out in Swagger UI, with this body or its example: the answer. */
async function tryOut(page, operation, body) {
  const block = page.locator(`[id$="-${operation}"].opblock`);
  await block.locator(".opblock-summary-control").click();
  await block.getByRole("button", { name: "Try it out" }).click();
  if (body) await block.locator("textarea.body-param__text").fill(JSON.stringify(body));
  const [response] = await Promise.all([
    page.waitForResponse((it) => it.url().startsWith(new URL(".", page.url()).href) && !it.url().endsWith(".json")),
    block.getByRole("button", { name: "Execute" }).click(),
  ]);
  await block.locator(".live-responses-table .response-col_status").filter({ hasText: response.status() }).first().waitFor();
  check(response.status() === 200, `${operation} answered ${response.status()}: ${await response.text()}`);
  return response.json();
}

async function authorize(page, token) {
  await page.locator(".btn.authorize").click();
  const form = page.locator(".auth-container", { hasText: "session" }).first();
  await form.locator("input").fill(token);
  await form.getByRole("button", { name: "Apply credentials" }).or(form.locator("button.authorize")).first().click();
  await form.getByText("Logout").waitFor();
  await page.locator(".modal-btn.btn-done, .btn-done").first().click();
}

/** The distance from the top of the page to the bottom of an element. */
async function bottom(page, selector) {
  const element = page.locator(selector).first();
  await element.waitFor();
  const { y, height } = await element.boundingBox();
  return y + height;
}

async function swaggerUi(browser, base, name) {
  const page = await open(browser, base, "docs");
  for (const selector of [".btn.authorize", ".opblock"]) {
    const y = await bottom(page, selector);
    check(y <= 800, `/docs shows ${selector} only after scrolling: it ends at ${y} px`);
  }
  const password = "difference engine";
  await tryOut(page, "register", { username: name, email: `${name}@example.com`, password });
  const { access_token: token } = await tryOut(page, "log_in", { username: name, password });
  await authorize(page, token);
  const me = await tryOut(page, "read_profile");
  check(me.username === name, `the token is not ${name}'s: ${JSON.stringify(me)}`);
  const { content } = await tryOut(page, "chat", { messages: [{ role: "user", content: "hello" }] });
  check(content.includes("你好! 我是AI助手"), `an odd greeting: ${content}`);
  const kept = await page.evaluate(() => localStorage.length + sessionStorage.length + document.cookie.length);
  check(kept === 0, "the page keeps something in the browser");
  await page.close();
}

async function redoc(browser, base) {
  const page = await open(browser, base, "redoc");
  await page.getByRole("heading", { name: "AI Chat Studio" }).first().waitFor();
  const columns = await page.evaluate(() => {
    const visible = (it) => it.offsetWidth > 0 && getComputedStyle(it).backgroundColor === "rgb(38, 50, 56)";
    return [...document.querySelectorAll(".redoc-wrap > div")].filter(visible).length;
  });
  check(columns === 0, "/redoc has an empty third column");
  await page.getByPlaceholder("Search...").fill("register");
  await page.locator('[data-role="search:results"] label, [data-role="search:results"] li').first().waitFor();
  await page.close();
}

async function asyncApi(browser, base) {
  const page = await open(browser, base, "asyncapi");
  await page.locator("#chat_complete h3").waitFor();
  const examples = await page.locator("section > pre").allTextContents();
  check(examples.length > 15 && examples.every((text) => JSON.parse(text).type), "/asyncapi shows no examples");
  await page.getByRole("link", { name: "Try it out" }).click();
  await page.locator(".opblock").first().waitFor();
  await page.close();
}

/** On a phone, nothing is wider than the screen. */
async function onPhone(browser, base) {
  for (const [path, shown] of [["docs", ".opblock"], ["redoc", "h1"], ["asyncapi", "h1"]]) {
    const page = await open(browser, base, path, { width: 390, height: 844 });
    await page.locator(shown).first().waitFor();
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    check(width <= 390, `${path} is ${width} wide on a phone`);
    await page.close();
  }
}

const off = ["background-networking", "component-update", "gpu", "quic", "sync"].map((name) => `--disable-${name}`);
const args = ["--no-sandbox", "--no-first-run", ...off];
const [base, proxy] = await mounted("/some/base");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args });
try {
  await swaggerUi(browser, studio.origin, "ada");
  await swaggerUi(browser, base, "byron");
  for (const at of [studio.origin, base]) {
    await redoc(browser, at);
    await asyncApi(browser, at);
  }
  await onPhone(browser, studio.origin);
} finally {
  await browser.close();
  proxy.close();
}
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log("browser: registered, logged in, authorized and chatted at /docs; read /redoc and /asyncapi; the same below /some/base");
