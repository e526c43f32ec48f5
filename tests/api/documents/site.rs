//! How documents, pages and assets are served.

use std::io::Read as _;

use reqwest::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
use reqwest::{Method, Response};

use crate::support::{Client, send, shared_studio};

const PAGES: [&str; 3] = ["/docs", "/redoc", "/asyncapi"];

async fn fetch(visitor: &Client, path: &str, encoding: &str) -> Response {
    let request = visitor.request(Method::GET, path).header(ACCEPT_ENCODING, encoding);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

fn inflated(bytes: &[u8]) -> Vec<u8> {
    let mut inflated = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut inflated).unwrap();
    inflated
}

/// The addresses that a page loads, from the root.
fn parts(page: &str) -> Vec<String> {
    let quoted = page.split('"').filter(|text| text.starts_with("docs/"));
    quoted.map(|path| format!("/{path}")).collect()
}

#[tokio::test]
async fn assets_are_compressed_for_clients_that_accept_it() {
    let studio = shared_studio().await;
    let visitor = studio.visitor();
    let mut paths: Vec<String> = PAGES.iter().map(|&path| path.to_owned()).collect();
    for page in PAGES {
        paths.extend(parts(&visitor.get(page).await.expect(200).text));
    }
    paths.extend(["/asyncapi.json", "/openapi.json"].map(str::to_owned));
    for path in &paths {
        let zipped = fetch(&visitor, path, "gzip, deflate, br").await;
        let plain = fetch(&visitor, path, "identity").await;
        assert_eq!(
            (header(&zipped, "content-encoding"), header(&plain, "content-encoding")),
            ("gzip".to_owned(), String::new())
        );
        assert_eq!(header(&zipped, "content-type"), header(&plain, "content-type"));
        for response in [&zipped, &plain] {
            assert_eq!(header(response, "vary"), "accept-encoding");
            let lasting = path.contains("-5.") || path.contains("-2.");
            assert_eq!(header(response, "cache-control").contains("immutable"), lasting, "{path}");
        }
        let (zipped, plain) = (zipped.bytes().await.unwrap(), plain.bytes().await.unwrap());
        assert!(zipped.len() < plain.len(), "{path}: {} of {}", zipped.len(), plain.len());
        assert_eq!(inflated(&zipped), plain, "{path}");
    }
    assert!(paths.len() >= 9, "{paths:?}");
}

#[tokio::test]
async fn a_client_with_a_current_copy_gets_304() {
    let studio = shared_studio().await;
    let visitor = studio.visitor();
    let path = "/docs";
    let mut tags = Vec::new();
    for encoding in ["gzip", "identity"] {
        let tag = header(&fetch(&visitor, path, encoding).await, "etag");
        let again = |tag: &str| {
            let request = visitor.request(Method::GET, path).header(ACCEPT_ENCODING, encoding);
            send(request.header(IF_NONE_MATCH, tag))
        };
        let same = again(&format!("\"other\", {tag}")).await.expect(304);
        assert_eq!((same.text.as_str(), same.header("etag")), ("", tag.as_str()));
        assert_eq!(same.header("cache-control"), "public, max-age=300");
        again("\"other\"").await.expect(200);
        tags.push(tag);
    }
    assert!(tags.iter().all(|tag| tag.starts_with('"')) && tags[0] != tags[1], "{tags:?}");
}

#[tokio::test]
async fn an_unknown_asset_is_404() {
    let studio = shared_studio().await;
    let visitor = studio.visitor();
    for path in ["/docs/pages/nothing.css", "/docs/redoc-1.0.0/redoc.standalone.js"] {
        let answer = visitor.get(path).await.expect(404);
        assert_eq!(answer.body["code"], "not_found", "{path}");
    }
}

#[tokio::test]
async fn pages_have_a_strict_content_security_policy() {
    let studio = shared_studio().await;
    let visitor = studio.visitor();
    for page in PAGES {
        let answer = visitor.get(page).await.expect(200);
        let policy = answer.header("content-security-policy");
        for rule in ["default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]
        {
            assert!(policy.contains(rule), "{page}: {policy}");
        }
        assert!(
            !policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'),
            "{page}: {policy}"
        );
        // Relative addresses work wherever the API is mounted.
        assert!(!answer.text.contains("src=\"/") && !answer.text.contains("href=\"/"), "{page}");
    }
    for path in ["/", "/asyncapi.json", "/openapi.json", "/docs/pages/docs.js"] {
        let answer = visitor.get(path).await.expect(200);
        let policy = answer.header("content-security-policy");
        assert_eq!(policy, "default-src 'none'; frame-ancestors 'none'", "{path}");
    }
}
