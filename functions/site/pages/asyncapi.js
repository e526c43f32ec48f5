// Shows the AsyncAPI document. Text of the document only ever becomes text nodes, never markup.
const main = document.querySelector("main");

/** An element with this content: nodes, and texts in which backticks mark code. */
function element(name, content, attributes = {}) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  for (const part of [content].flat()) made.append(...(typeof part === "string" ? prose(part) : [part]));
  return made;
}

function prose(text) {
  return text.split("`").map((part, at) => {
    if (at % 2 === 0) return document.createTextNode(part);
    const code = document.createElement("code");
    code.textContent = part;
    return code;
  });
}

function table(head, rows) {
  const line = (cells, name) => element("tr", cells.map((cell) => element(name, cell, name === "th" ? { scope: "col" } : {})));
  const body = rows.map((cells) => line(cells, "td"));
  return element("div", element("table", [element("thead", line(head, "th")), element("tbody", body)]), { class: "table" });
}

const follow = (api, reference) => reference.slice(2).split("/").reduce((value, key) => value[key], api);
const kinds = (references = []) => references.map((it) => it.$ref.split("/").pop());

/** The type of a field, with its limits. */
function typeOf(api, schema) {
  if (schema.$ref) return typeOf(api, follow(api, schema.$ref));
  if (schema.enum) return schema.enum.slice(0, 6).map((it) => `\`${it}\``).join(", ") + (schema.enum.length > 6 ? ", …" : "");
  if (schema.oneOf) return schema.oneOf.map((it) => typeOf(api, it)).join(" or ");
  if (schema.properties) return `an object of ${Object.keys(schema.properties).map((it) => `\`${it}\``).join(", ")}`;
  const name = [schema.type].flat().join(" or ");
  if ("minLength" in schema && "maxLength" in schema) return `${name}, ${schema.minLength} to ${schema.maxLength} characters`;
  return "minimum" in schema && "maximum" in schema ? `${name}, ${schema.minimum} to ${schema.maximum}` : name;
}

/** A row for each field: `type`, then required fields, then optional ones. */
function fields(api, { properties, required }) {
  const rank = (name) => (name === "type" ? 0 : required.includes(name) ? 1 : 2);
  const names = Object.keys(properties).sort((one, other) => rank(one) - rank(other));
  return names.map((name) => {
    const schema = properties[name];
    const about = schema.description ?? schema.oneOf?.[0].description ?? "";
    return [`\`${name}\`${rank(name) === 2 ? " (optional)" : ""}`, typeOf(api, schema), about];
  });
}

/** The example of a frame in one line, its type first. */
function example({ type, ...others }) {
  const parts = Object.entries({ type, ...others }).map(([name, value]) => `"${name}": ${JSON.stringify(value)}`);
  return element("pre", document.createTextNode(`{${parts.join(", ")}}`), { tabindex: "0" });
}

/** The frames of all operations with this action. */
function frames(api, action) {
  const operations = Object.values(api.operations).filter((it) => it.action === action);
  const shown = Object.entries(api.components.messages).map(([kind, message]) => {
    const operation = operations.find((it) => kinds(it.messages).includes(kind));
    if (!operation) return [];
    const section = element("section", element("h3", `\`${kind}\``), { id: kind });
    section.append(element("p", message.summary), table(["Field", "Type", "Meaning"], fields(api, message.payload)));
    section.append(example(message.examples[0].payload));
    const answers = kinds(operation.reply?.messages).map((it) => element("a", `\`${it}\``, { href: `#${it}` }));
    if (answers.length > 0) section.append(element("p", ["Answered by ", ...answers.flatMap((it, at) => (at ? [", ", it] : [it])), "."]));
    return [section];
  });
  return shown.flat();
}

function show(api) {
  const { info, channels: { studio } } = api;
  const addresses = Object.values(api.servers).map((it) => [`\`${it.protocol}://${it.host}${studio.address}\``, it.description]);
  const query = Object.entries(studio.bindings.ws.query.properties).map(([name, it]) => [`\`${name}\``, it.description]);
  const codes = api.components.schemas.Code.enum.map((code) => `\`${code}\``).join(", ");
  const title = (text) => element("h2", text);
  main.append(
    element("h1", info.title),
    element("p", [`Version ${info.version}, as a document for programs: `, element("a", "asyncapi.json", { href: "asyncapi.json" })]),
    ...info.description.split("\n\n").map((paragraph) => element("p", paragraph)),
    title("Connecting"), table(["Address", "Server"], addresses), element("p", studio.description),
    table(["Query parameter", "Meaning"], query),
    title("Frames that clients send"), ...frames(api, "receive"),
    title("Frames that the server sends"), ...frames(api, "send"),
    title("How connections end"), table(["Code", "When"], api["x-closing"].map(({ code, when }) => [String(code), when])),
    title("Limits"), table(["What", "Limit"], api["x-limits"].map(({ what, limit }) => [what, limit])),
    title("Error codes"), element("p", codes),
  );
  // The browser looked for the target of the address before there was one.
  if (location.hash) location.replace(location.hash);
}

try {
  const response = await fetch("asyncapi.json");
  if (!response.ok) throw new Error(`asyncapi.json: ${response.status}`);
  show(await response.json());
} catch (error) {
  main.append(element("p", `This page cannot be shown: ${error.message}`, { role: "alert" }));
}
main.removeAttribute("aria-busy");
