//! Tests of the document and its served copy.

use std::collections::BTreeSet;
use std::path::Path;

use utoipa::openapi::RefOr;
use utoipa::openapi::path::ParameterIn;

use super::{document, operations, route_key};
use crate::queries;

/// Writes the copy again if `WRITE_OPENAPI` is set: `WRITE_OPENAPI=1 cargo test --lib openapi`.
#[test]
#[expect(clippy::disallowed_methods, reason = "a variable tells this test to write the copy")]
fn the_served_copy_equals_the_document() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("functions/site/openapi.json");
    let made = document().to_pretty_json().unwrap() + "\n";
    if std::env::var("WRITE_OPENAPI").is_ok() {
        std::fs::write(&path, &made).unwrap();
    }
    let copy = std::fs::read_to_string(&path).unwrap();
    assert!(
        copy == made,
        "functions/site/openapi.json is out of date: run WRITE_OPENAPI=1 cargo test --lib openapi"
    );
}

#[test]
fn the_document_has_the_parameters_that_each_route_declares() {
    for (path, item) in &mut document().paths.paths {
        for (method, operation) in operations(item) {
            let key = route_key(&method, path);
            let parameters = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
                RefOr::T(parameter) => Some(parameter),
                RefOr::Ref(_) => None,
            });
            let of_query = parameters.filter(|parameter| parameter.parameter_in == ParameterIn::Query);
            let documented: BTreeSet<&str> = of_query.map(|parameter| parameter.name.as_str()).collect();
            let declared: BTreeSet<&str> = queries::of(&key).names().iter().copied().collect();
            assert_eq!(documented, declared, "{key}");
        }
    }
}
