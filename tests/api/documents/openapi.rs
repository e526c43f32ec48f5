//! The OpenAPI document is served and names every route, and its examples match their schemas.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::conform::{check, document};
use crate::support::shared_studio;

/// Pages and their assets, which are not part of the API.
const PAGES: [&str; 5] =
    ["GET /docs", "GET /docs/{folder}/{file}", "GET /redoc", "GET /asyncapi", "GET /asyncapi.json"];

/// Every operation with its route.
fn operations() -> impl Iterator<Item = (String, &'static Value)> {
    let paths = document()["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    })
}

#[test]
fn the_openapi_document_names_exactly_the_routes_of_the_template() {
    let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/template.yaml")).unwrap();
    let routed: BTreeSet<String> =
        local::routes(&template).unwrap().into_iter().map(|route| route.key).collect();
    let routed: BTreeSet<String> =
        routed.into_iter().filter(|key| !key.starts_with('$') && key.contains(" /")).collect();
    let documented: BTreeSet<String> = operations().map(|(route, _)| route).collect();
    let pages: BTreeSet<String> = PAGES.iter().map(|page| (*page).to_owned()).collect();
    assert_eq!(routed.difference(&pages).collect::<Vec<_>>(), documented.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn the_openapi_document_is_served_without_authentication() {
    let studio = shared_studio().await;
    let served = studio.visitor().get("/openapi.json").await.expect(200);
    assert_eq!(served.body, *document());
}

#[test]
fn every_path_parameter_is_documented() {
    for (route, operation) in operations() {
        let named: BTreeSet<&str> =
            route.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let documented: BTreeSet<&str> = parameters
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(named, documented, "{route}");
    }
}

#[test]
fn openapi_examples_match_their_schemas() {
    let mut checked = 0;
    for (name, schema) in document()["components"]["schemas"].as_object().unwrap() {
        if let Some(example) = schema.get("example") {
            check(schema, example, name).unwrap();
            checked += 1;
        }
        for (field, inner) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(example) = inner.get("example") {
                check(inner, example, &format!("{name}/{field}")).unwrap();
                checked += 1;
            }
        }
    }
    for (name, response) in document()["components"]["responses"].as_object().unwrap() {
        for media in response["content"].as_object().unwrap().values() {
            check(&media["schema"], &media["example"], name).unwrap();
            checked += 1;
        }
    }
    assert!(checked > 80, "{checked}");
}

#[test]
fn the_checker_of_answers_notices_undocumented_answers() {
    let session = &document()["components"]["schemas"]["SignedIn"];
    let good = json!({"access_token": "a", "token_type": "bearer", "expires_in": 1, "refresh_token": "r", "session_id": "sess_1"});
    check(session, &good, "").unwrap();
    for (field, value) in [
        ("expires_in", json!(-1)),
        ("expires_in", json!("1")),
        ("more", json!(1)),
        ("session_id", json!(null)),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert!(check(session, &bad, "").is_err(), "{bad}");
    }
    let mut less = good;
    less.as_object_mut().unwrap().remove("session_id");
    assert!(check(session, &less, "").is_err());
}
