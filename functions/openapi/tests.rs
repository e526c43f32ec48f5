//! The document and its copy.

use std::path::Path;

use super::document;

/// Writes the copy anew: `WRITE_OPENAPI=1 cargo test --lib openapi`.
#[test]
#[expect(clippy::disallowed_methods, reason = "whoever runs this test may want the copy written anew")]
fn the_copy_that_is_served_is_the_document() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("functions/site/openapi.json");
    let made = document().to_pretty_json().unwrap() + "\n";
    if std::env::var("WRITE_OPENAPI").is_ok() {
        std::fs::write(&path, &made).unwrap();
    }
    let copy = std::fs::read_to_string(&path).unwrap();
    assert!(
        copy == made,
        "functions/site/openapi.json is stale: WRITE_OPENAPI=1 cargo test --lib openapi writes it anew"
    );
}
