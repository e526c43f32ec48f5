//! The document of the WebSocket, made of the types of its frames, and the page that shows it. Both are kept beside the code;
//! the test here fails when they are not what the code says.

mod document;
mod frames;
mod page;
mod schemas;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// What is kept, by its path.
fn kept(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("functions/site").join(path)
}

/// Writes both anew: `WRITE_ASYNCAPI=1 cargo test --lib asyncapi`.
#[test]
fn the_document_and_its_page_are_what_the_code_says() {
    let document = document::document();
    let page = page::page(&document);
    if std::env::vars().any(|(name, _)| name == "WRITE_ASYNCAPI") {
        fs::write(kept("asyncapi.json"), format!("{document:#}\n")).unwrap();
        fs::write(kept("pages/asyncapi.html"), &page).unwrap();
    }
    let document_kept: Value =
        serde_json::from_str(&fs::read_to_string(kept("asyncapi.json")).unwrap()).unwrap();
    let page_kept = fs::read_to_string(kept("pages/asyncapi.html")).unwrap();
    let fresh = document_kept == document && page_kept == page;
    assert!(
        fresh,
        "functions/site/asyncapi.json or its page is stale: WRITE_ASYNCAPI=1 cargo test --lib asyncapi writes them anew"
    );
}
