// Validates the AsyncAPI document with the official parser. Fails if there is any problem.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { Parser } = createRequire(`${process.env.ASYNCAPI_PARSER}/`)("@asyncapi/parser");
const { document, diagnostics } = await new Parser().parse(readFileSync("functions/site/asyncapi.json", "utf8"));
// The parser recommends a newer AsyncAPI version whatever the version is.
const found = diagnostics.filter(({ code }) => code !== "asyncapi-latest-version");
for (const { code, message, path } of found) console.error(`${code}: ${message} (${path.join(".")})`);
if (!document || found.length > 0) process.exit(1);
console.log(`AsyncAPI ${document.version()}: ${document.messages().length} messages, ${document.operations().length} operations`);
