//! Makes the AsyncAPI document of the WebSocket from the types of its frames. `functions/site` serves a copy; the test
//! here fails when the copy differs from the code.

mod document;
mod frames;
mod schemas;

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Writes the copy again if `WRITE_ASYNCAPI` is set: `WRITE_ASYNCAPI=1 cargo test --lib asyncapi`.
#[test]
fn the_served_copy_equals_the_document() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("functions/site/asyncapi.json");
    let document = document::document();
    if std::env::vars().any(|(name, _)| name == "WRITE_ASYNCAPI") {
        fs::write(&path, format!("{document:#}\n")).unwrap();
    }
    let copy: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert!(
        copy == document,
        "functions/site/asyncapi.json is out of date: run WRITE_ASYNCAPI=1 cargo test --lib asyncapi"
    );
}
