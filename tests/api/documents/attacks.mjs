// What pages of other origins try against a studio in a browser, and what its own pages may do. Fails when an attack reads
// anything. Takes the address of a studio, the port of each internal listener, and the address of its mailbox.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const { chromium } = createRequire(import.meta.url)(process.env.PLAYWRIGHT_CORE);
const studio = new URL(process.argv[2]);
const [internal, mailbox] = [process.argv[3].split(","), process.argv[4]];
const problems = [];

/** Everything that is worth an attack, by a page: what it could read. */
async function attack(ports) {
  const read = [];
  const signed = "AWS4-HMAC-SHA256 Credential=local/20261122/us-east-1/any/aws4_request, SignedHeaders=host, Signature=0";
  const invocation = "/2015-03-31/functions/TasksFunction/invocations";
  for (const port of ports) {
    for (const [path, headers, body] of [
      ["/", { "x-amz-target": "DynamoDB_20120810.Scan", authorization: signed }, '{"TableName":"StudioTable"}'],
      ["/", { "x-amz-target": "secretsmanager.GetSecretValue" }, '{"SecretId":"SECRET_KEY"}'],
      [invocation, { "content-type": "text/plain" }, "{}"],
    ]) {
      const asked = fetch(`http://${location.hostname}:${port}${path}`, { method: "POST", headers, body });
      const answer = await asked.catch(() => null);
      if (answer && answer.status !== 403) read.push(`${port}${path}: ${answer.status} ${await answer.text()}`);
    }
  }
  return read;
}

/** Opens a WebSocket as the old documentation does: its first frame, or that it was refused. */
function connect(url) {
  return new Promise((done) => {
    const socket = new WebSocket(url);
    socket.onopen = () => socket.send(JSON.stringify({ type: "ping", data: {} }));
    socket.onmessage = ({ data }) => done(JSON.parse(data).type);
    socket.onerror = () => done("refused");
  });
}

function check(holds, what) {
  if (!holds) problems.push(what);
}

const elsewhere = createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<p>elsewhere</p>"));
await new Promise((done) => elsewhere.listen(0, "127.0.0.1", done));
const foreign = `http://127.0.0.1:${elsewhere.address().port}/`;
const rebound = "evil.example";
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  // The name of somebody else that leads here, as in DNS rebinding.
  args: ["--no-sandbox", `--host-resolver-rules=MAP ${rebound} 127.0.0.1`],
});
try {
  const page = await browser.newPage();
  const socket = `ws://127.0.0.1:${studio.port}/ws/user_123`;
  await page.goto(foreign);
  for (const read of await page.evaluate(attack, internal)) problems.push(`a page of another origin read ${read}`);
  check((await page.evaluate(connect, socket)) === "refused", "a page of another origin opened a WebSocket");
  for (const port of internal) {
    await page.goto(`http://${rebound}:${port}/`);
    for (const read of await page.evaluate(attack, [port])) problems.push(`by DNS rebinding, a page read ${read}`);
  }
  await page.goto(mailbox.replace("127.0.0.1", rebound));
  check(!(await page.textContent("body")).includes("Token: "), "by DNS rebinding, a page read the mailbox");
  await page.goto(`${studio.origin}/docs`);
  check((await page.evaluate(connect, socket)) === "error", "a page of the studio could not open a WebSocket");
  const mails = await page.evaluate((url) => fetch(url).then((answer) => answer.json()), mailbox);
  check(mails.some((mail) => /^Token: \S+$/m.test(mail.text)), "the mailbox shows no token");
} finally {
  await browser.close();
  elsewhere.close();
}
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
console.log("no page read anything that it must not");
