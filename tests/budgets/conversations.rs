//! The cost of operations on conversations.

use local::Studio;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Caller, Measured, Table};

const PAST: u64 = 1_795_300_000_000;
const LIST: &str = "/api/conversations";

/// The text from which messages of ordinary size are cut.
const PROSE: &str = "I was wondering whether you could help me plan a weekend with two children who get bored \
    quickly. We arrive on Friday at noon and leave on Sunday evening, and we would rather walk than sit in a car. My \
    daughter collects stones, my son has just discovered trains, and both refuse to eat anything green. The hotel is \
    near the river, which I am told is pretty at sunset but crowded; is there a quieter bridge nearby? Last year we \
    tried a museum in the rain and gave up after an hour, so a garden with some shelter would be better. Also, the \
    budget is not large: about four hundred for everything, tickets included, and I have already spent a quarter of \
    it on the boat. Could you suggest an order for the days, with a spare idea for each in case the weather turns? \
    Please keep it short, mention opening times where you are sure of them, and say so where you are not. One more \
    thing: my mother joins us on Saturday afternoon. She walks slowly, loves old bookshops, and will not say when \
    she is tired, so there ought to be benches. If that sounds like too much for one afternoon, tell me what to drop \
    first. I do not mind getting up early, but nobody else in this family would forgive me for it before nine.";

/// `bytes` of that text, from another position each time.
fn text(number: usize, bytes: usize) -> String {
    PROSE.chars().cycle().skip(number * 137 % PROSE.len()).take(bytes).collect()
}

fn message(number: usize, bytes: usize) -> Value {
    let role = if number.is_multiple_of(2) { "user" } else { "assistant" };
    json!({"id": format!("6f1c1b9e-0d5a-4a6e-9c55-{number:012}"), "role": role, "content": text(number, bytes),
        "timestamp": PAST + number as u64 * 1000, "model": "gpt-4o-mini", "tokens": 120})
}

fn conversation(id: &str, messages: usize, bytes: usize) -> Value {
    let messages: Vec<Value> = (0..messages).map(|number| message(number, bytes)).collect();
    json!({"id": id, "title": "A weekend by the river", "createdAt": PAST, "updatedAt": PAST, "model": "gpt-4o-mini",
        "messages": messages})
}

/// An id in the format that the service generates.
fn id(number: usize) -> String {
    format!("conv_01KAM3V5T9ZQX7N2B4{number:08}")
}

/// Measures operations on items of ordinary size, beside their budgets.
pub(crate) async fn ordinary(studio: &Studio, table: &mut Table) {
    let user = Caller::register(studio, "ordinary").await;
    for number in 0..50 {
        user.send(Method::POST, LIST, &conversation(&id(number), 4, 300)).await;
    }
    table.heading("Conversations, beside their budgets");
    let cost = user.cost(Method::GET, &format!("{LIST}?limit=50&view=summary"), &Value::Null).await;
    table.row("list 50 conversations, summaries", &cost, Some([1.0, 0.0, 8.0]));
    let cost = user.cost(Method::GET, &format!("{LIST}?limit=50"), &Value::Null).await;
    // Four messages and the conversation item: one unit each.
    table.row("list 50 conversations, with messages", &cost, Some([51.0, 0.0, 8.0 + 50.0]));
    let long = id(100);
    user.send(Method::POST, LIST, &conversation(&long, 100, 500)).await;
    let path = format!("{LIST}/{long}");
    let cost = user.cost(Method::GET, &path, &Value::Null).await;
    table.row("read a conversation of 100 messages of 500 B", &cost, Some([1.0, 0.0, 14.0]));
    let cost = user.cost(Method::POST, LIST, &json!({"title": "New", "model": "gpt-4o-mini"})).await;
    table.row("create a conversation", &cost, Some([2.0, 12.0, 1.0]));
    let cost = user.cost(Method::PATCH, &path, &json!({"title": "A weekend, at last"})).await;
    table.row("rename a conversation", &cost, Some([2.0, 5.0, 1.0]));
    let cost = user.cost(Method::POST, &format!("{path}/messages"), &message(100, 500)).await;
    table.row("append a message", &cost, Some([2.0, 12.0, 1.0]));
    let cost = user.cost(Method::GET, "/api/stats", &Value::Null).await;
    table.row("/api/stats", &cost, Some([1.0, 0.0, 1.0]));
    others(&user, table, &path).await;
}

/// Measures operations that have no budget.
async fn others(user: &Caller<'_>, table: &mut Table, path: &str) {
    table.heading("Others");
    let last = message(100, 500)["id"].as_str().unwrap().to_owned();
    let pin = json!({"pinned": true, "tags": ["travel"]});
    let change = json!({"content": text(3, 500)});
    for (name, method, path, body) in [
        ("the newest 20 messages", Method::GET, format!("{path}?messages=20"), Value::Null),
        ("a page of 50 messages", Method::GET, format!("{path}/messages"), Value::Null),
        ("file a conversation", Method::PATCH, path.to_owned(), pin),
        ("give a conversation another model", Method::PATCH, path.to_owned(), json!({"model": "gpt-4o"})),
        ("change a message", Method::PATCH, format!("{path}/messages/{last}"), change),
        ("delete a message", Method::DELETE, format!("{path}/messages/{last}"), Value::Null),
        (
            "fork at the tenth message",
            Method::POST,
            format!("{path}/fork"),
            json!({"messageId": message(9, 500)["id"]}),
        ),
        ("export as JSON", Method::GET, format!("{path}/export"), Value::Null),
        ("delete a conversation of 100 messages", Method::DELETE, path.to_owned(), Value::Null),
    ] {
        let cost = user.cost(method, &path, &body).await;
        table.row(name, &cost, None);
    }
    let thousand = id(1000);
    let mut body = conversation(&thousand, 1000, 100);
    user.send(Method::POST, LIST, &body).await;
    body["messages"][500]["content"] = json!("Changed");
    let cost = user.cost(Method::PUT, &format!("{LIST}/{thousand}"), &body).await;
    // A replacement reads the whole conversation to find the differences.
    table.row("PUT that changes one of 1,000 messages", &cost, Some([2.0, 20.0, cost.cost[2]]));
}

/// Measures operations for users with a growing number of conversations, one of which has as many messages.
pub(crate) async fn growing(studio: &Studio, table: &mut Table, sizes: &[usize]) {
    let mut rows: Vec<(&str, Vec<(usize, Measured)>)> = Vec::new();
    for size in sizes {
        let user = Caller::register(studio, &format!("has{size}")).await;
        fill(&user, *size).await;
        let none =
            user.cost(Method::GET, &format!("{LIST}?limit=10&pinned=true&view=summary"), &Value::Null).await;
        // A filtered list examines at most 500 conversations.
        table.row(&format!("list 10 pinned where none is, {size}"), &none, Some([2.0, 0.0, 30.0]));
        let path = format!("{LIST}/long");
        for (name, method, path, body) in [
            ("list 10 summaries", Method::GET, format!("{LIST}?limit=10&view=summary"), Value::Null),
            ("list 10 with messages", Method::GET, format!("{LIST}?limit=10"), Value::Null),
            (
                "list 10 pinned",
                Method::GET,
                format!("{LIST}?limit=10&pinned=false&view=summary"),
                Value::Null,
            ),
            ("read a conversation", Method::GET, format!("{LIST}/{}", id(3)), Value::Null),
            ("the newest 10 messages", Method::GET, format!("{path}?messages=10"), Value::Null),
            ("the oldest 10 messages", Method::GET, format!("{path}/messages?limit=10"), Value::Null),
            ("rename", Method::PATCH, path.clone(), json!({"title": "A weekend, at last"})),
            ("append", Method::POST, format!("{path}/messages"), message(20_000, 300)),
            ("create", Method::POST, LIST.to_owned(), json!({"title": "New", "model": "gpt-4o-mini"})),
            ("/api/stats", Method::GET, "/api/stats".to_owned(), Value::Null),
        ] {
            let cost = user.cost(method, &path, &body).await;
            match rows.iter_mut().find(|(row, _)| *row == name) {
                Some((_, costs)) => costs.push((*size, cost)),
                None => rows.push((name, vec![(*size, cost)])),
            }
        }
    }
    table.heading("The same for users with more and more (conversations; messages in one)");
    for (name, costs) in rows {
        table.same(name, &costs);
    }
}

/// Creates `size` conversations, and one with `size` messages.
async fn fill(user: &Caller<'_>, size: usize) {
    let mut from = 0;
    while from < size {
        let entries: Vec<Value> =
            (from..size.min(from + 1000)).map(|n| conversation(&id(n), 1, 200)).collect();
        let report = user.send(Method::POST, "/api/import", &Value::from(entries)).await;
        from = report["next"].as_u64().map_or(size.min(from + 1000), |next| from + next as usize);
    }
    let mut long = conversation("long", size, 120);
    long["updatedAt"] = json!(PAST - 1);
    user.send(Method::POST, LIST, &long).await;
}
