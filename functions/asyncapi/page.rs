//! The document of the WebSocket as a page for people: no script, and nothing from the document that is not escaped.

use std::fmt::Write as _;

use serde_json::Value;

const HEAD: &str = include_str!("head.html");

/// The page of `document`.
pub(super) fn page(document: &Value) -> String {
    let mut page = HEAD.to_owned();
    let info = &document["info"];
    element(&mut page, "h1", text(&info["title"]));
    let version = format!("Version {}, as a document for programs: ", text(&info["version"]));
    writeln!(page, "<p>{}<a href=\"asyncapi.json\">asyncapi.json</a></p>", escaped(&version)).unwrap();
    for paragraph in text(&info["description"]).split("\n\n") {
        element(&mut page, "p", paragraph);
    }
    connecting(&mut page, document);
    frames(&mut page, document, "receive", "Frames that clients send");
    frames(&mut page, document, "send", "Frames that the server sends");
    table(&mut page, "How connections end", ["Code", "When"], rows(&document["x-closing"], ["code", "when"]));
    table(&mut page, "Limits", ["What", "Limit"], rows(&document["x-limits"], ["what", "limit"]));
    page.push_str("<h2>Error codes</h2>\n");
    let codes = document["components"]["schemas"]["Code"]["enum"].as_array().unwrap();
    element(
        &mut page,
        "p",
        &codes.iter().map(|code| format!("`{}`", text(code))).collect::<Vec<_>>().join(", "),
    );
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn connecting(page: &mut String, document: &Value) {
    let channel = &document["channels"]["studio"];
    let servers = document["servers"].as_object().unwrap().values().map(|server| {
        let address = [&server["protocol"], &server["host"], &channel["address"]].map(text);
        [format!("`{}://{}{}`", address[0], address[1], address[2]), text(&server["description"]).to_owned()]
    });
    table(page, "Connecting", ["Address", "Of what"], servers);
    element(page, "p", text(&channel["description"]));
    let query = channel["bindings"]["ws"]["query"]["properties"].as_object().unwrap();
    let parameters =
        query.iter().map(|(name, it)| [format!("`{name}`"), text(&it["description"]).to_owned()]);
    table(page, "", ["In the query", ""], parameters);
}

/// The frames of all operations with this action, each once.
fn frames(page: &mut String, document: &Value, action: &str, title: &str) {
    element(page, "h2", title);
    for (kind, message) in document["components"]["messages"].as_object().unwrap() {
        let operations = document["operations"].as_object().unwrap().values();
        let own = |it: &&Value| it["action"] == action && kinds(&it["messages"]).any(|named| named == kind);
        let Some(operation) = operations.into_iter().find(own) else { continue };
        writeln!(page, "<section id=\"{0}\">\n<h3><code>{0}</code></h3>", escaped(kind)).unwrap();
        element(page, "p", text(&message["summary"]));
        table(page, "", ["Field", "Type", "Meaning"], fields(document, &message["payload"]));
        let example = one_line(&message["examples"][0]["payload"]);
        writeln!(page, "<pre tabindex=\"0\">{}</pre>", escaped(&example)).unwrap();
        let answers: Vec<_> = kinds(&operation["reply"]["messages"]).map(escaped).collect();
        if !answers.is_empty() {
            let links = answers.iter().map(|kind| format!("<a href=\"#{kind}\"><code>{kind}</code></a>"));
            writeln!(page, "<p>Answered by {}.</p>", links.collect::<Vec<_>>().join(", ")).unwrap();
        }
        page.push_str("</section>\n");
    }
}

/// A frame as text, its type first.
fn one_line(frame: &Value) -> String {
    let mut fields: Vec<_> = frame.as_object().unwrap().iter().collect();
    fields.sort_by_key(|(name, _)| *name != "type");
    let fields: Vec<_> = fields.into_iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", fields.join(", "))
}

/// The types of the frames that are referred to.
fn kinds(references: &Value) -> impl Iterator<Item = &str> {
    let references = references.as_array().into_iter().flatten();
    references.filter_map(|reference| text(&reference["$ref"]).rsplit('/').next())
}

/// A row for each field, first those that are always there.
fn fields(document: &Value, payload: &Value) -> Vec<[String; 3]> {
    let required = payload["required"].as_array().unwrap();
    let mut rows = Vec::new();
    for (name, schema) in payload["properties"].as_object().unwrap() {
        let is_required = required.iter().any(|it| it == name);
        let name = if is_required { format!("`{name}`") } else { format!("`{name}` (optional)") };
        let described = schema.get("description").or_else(|| schema["oneOf"][0].get("description"));
        rows.push((
            !is_required,
            [name, kind(document, schema), text(described.unwrap_or(&Value::Null)).to_owned()],
        ));
    }
    rows.sort_by_key(|(optional, row)| (*optional, row[0] != "`type`"));
    rows.into_iter().map(|(_, row)| row).collect()
}

/// The type of a field, with its limits.
fn kind(document: &Value, schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return kind(document, document.pointer(reference.trim_start_matches('#')).unwrap());
    }
    if let Some(values) = schema["enum"].as_array() {
        let most = values.iter().take(6).map(|value| format!("`{}`", text(value)));
        return most.collect::<Vec<_>>().join(", ") + if values.len() > 6 { ", …" } else { "" };
    }
    if let Some(some) = schema["oneOf"].as_array() {
        return some.iter().map(|it| kind(document, it)).collect::<Vec<_>>().join(" or ");
    }
    if let Some(properties) = schema["properties"].as_object() {
        return format!(
            "an object of {}",
            properties.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        );
    }
    let name = match &schema["type"] {
        Value::Array(names) => names.iter().map(text).collect::<Vec<_>>().join(" or "),
        name => text(name).to_owned(),
    };
    match (&schema["minLength"], &schema["maxLength"], &schema["minimum"], &schema["maximum"]) {
        (Value::Number(least), Value::Number(most), ..) => format!("{name}, {least} to {most} characters"),
        (.., Value::Number(least), Value::Number(most)) => format!("{name}, {least} to {most}"),
        _ => name,
    }
}

fn rows<const N: usize>(list: &Value, names: [&str; N]) -> Vec<[String; N]> {
    let cell =
        |row: &Value, name: &str| row[name].as_str().map_or_else(|| row[name].to_string(), str::to_owned);
    list.as_array().unwrap().iter().map(|row| names.map(|name| cell(row, name))).collect()
}

fn table<const N: usize>(
    page: &mut String,
    title: &str,
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) {
    if !title.is_empty() {
        element(page, "h2", title);
    }
    page.push_str("<div class=\"table\"><table>\n<thead><tr>");
    head.iter().for_each(|cell| write!(page, "<th>{}</th>", prose(cell)).unwrap());
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        let cells: String = row.iter().map(|cell| format!("<td>{}</td>", prose(cell))).collect();
        writeln!(page, "<tr>{cells}</tr>").unwrap();
    }
    page.push_str("</tbody>\n</table></div>\n");
}

fn element(page: &mut String, name: &str, content: &str) {
    writeln!(page, "<{name}>{}</{name}>", prose(content)).unwrap();
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Text with what stands between backticks as code.
fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(
            |(number, part)| {
                if number % 2 == 1 { format!("<code>{}</code>", escaped(part)) } else { escaped(part) }
            },
        )
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\n', " ")
}

#[test]
fn nothing_of_a_document_becomes_markup() {
    assert_eq!(
        prose("a `<b>` & \"c\" <script>"),
        "a <code>&lt;b&gt;</code> &amp; &quot;c&quot; &lt;script&gt;"
    );
}
