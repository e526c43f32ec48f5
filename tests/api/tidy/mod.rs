//! What keeps the code in shape and no compiler checks: which module may import which, routes in template and code alike,
//! and sizes. `documents` does it for the documents.

mod documents;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Rust file below `folder`, with its path from the root.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

fn every_source() -> Vec<(String, String)> {
    ["functions", "local", "shared/src", "tests"].into_iter().flat_map(sources).collect()
}

/// The lines of code of a file: no comments, and nothing of its unit tests, which stand at the end.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let product = text.split("#[cfg(test)]").next().unwrap_or_default();
    product.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// Fails for every file of `folder` whose code names one of `banned`, apart from those that begin with `except`.
fn ban(folder: &str, banned: &[&str], except: &str) {
    for (path, text) in sources(folder) {
        if !except.is_empty() && path.starts_with(except) {
            continue;
        }
        for word in banned {
            assert!(!code(&text).any(|line| line.contains(word)), "{path} names {word}");
        }
    }
}

#[test]
fn functions_name_no_client_library() {
    ban("functions", &["aws_sdk_", "aws_config", "argon2", "jsonwebtoken", "reqwest", "dynamo"], "");
    let manifest = read("Cargo.toml");
    let dependencies = manifest.split("\n[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    for banned in ["aws-sdk", "aws-config", "argon2", "jsonwebtoken", "reqwest"] {
        assert!(!dependencies.contains(banned), "the package functions depends on {banned}");
    }
}

#[test]
fn dynamodb_is_named_in_the_store_alone() {
    ban("shared/src", &["aws_sdk_dynamodb", "serde_dynamo"], "shared/src/store");
    ban("shared/src", &["jsonwebtoken", "argon2"], "shared/src/auth");
    ban("shared/src", &["aws_sdk_apigatewaymanagement"], "shared/src/sockets");
    ban("shared/src", &["aws_sdk_secretsmanager"], "shared/src/aws");
    ban("shared/src", &["aws_sdk_sesv2"], "shared/src/aws");
    ban("shared/src", &["aws_sdk_lambda"], "shared/src/aws");
    ban("shared/src", &["lambda_http"], "shared/src/http");
    ban("shared/src", &["reqwest"], "shared/src/models");
}

#[test]
fn the_domain_is_plain() {
    let banned = ["aws_", "lambda_", "tokio", "reqwest", "tracing", "clock", "std::env", "std::fs", "async "];
    ban("shared/src/domain", &banned, "");
    for (path, text) in sources("shared/src/domain") {
        assert!(
            !code(&text).any(|line| names_module(line).is_some_and(|m| m != "domain")),
            "{path} looks up"
        );
    }
}

/// The module of `shared` that a line imports or names.
fn names_module(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("crate::")?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    rest.get(..end)
}

/// The floors of `shared`, from the ground up.
const FLOORS: [&[&str]; 4] = [
    &["domain", "error", "clock", "json", "retry", "tls", "config", "telemetry"],
    &["store", "models", "aws"],
    &["auth", "sockets"],
    &["chat", "accounts", "http"],
];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

#[test]
fn imports_in_shared_only_go_down() {
    for (path, text) in sources("shared/src") {
        let module = path.trim_start_matches("shared/src/").split(['/', '.']).next().unwrap();
        if module == "lib" {
            continue;
        }
        let own = floor(module).unwrap_or_else(|| panic!("{module} stands on no floor"));
        for named in code(&text).filter_map(names_module).filter(|named| *named != module) {
            // `crate::Result` is the ground's. On the ground, the error stands lowest, and the domain next.
            let Some(other) = floor(named) else { continue };
            assert!(other < own || own == 0, "{path} imports {named}, which does not stand below it");
        }
    }
}

/// The folders and files of `store`, from the bottom up.
const STORE_LAYERS: [&[&str]; 6] = [
    &["dynamo"],
    &["key"],
    &["stats", "limits", "idempotency", "connections"],
    &["conversations"],
    &["messages"],
    &["replies", "accounts"],
];

#[test]
fn imports_in_the_store_only_go_down() {
    let layer = |module: &str| STORE_LAYERS.iter().position(|modules| modules.contains(&module));
    for (path, text) in sources("shared/src/store") {
        let module = path.trim_start_matches("shared/src/store/").split(['/', '.']).next().unwrap();
        if module == "mod" {
            continue;
        }
        let own = layer(module).unwrap_or_else(|| panic!("{module} is in no layer"));
        let imports =
            code(&text).filter_map(|line| line.split_once("use crate::store::")).map(|(_, rest)| rest);
        let named = imports.filter_map(|rest| rest.split([':', ';', '{']).next());
        for named in named.filter(|named| *named != module) {
            let Some(other) = layer(named) else { continue };
            assert!(other < own, "{path} imports {named}, which is not below it");
        }
    }
}

#[test]
fn the_local_studio_knows_nothing_of_the_product() {
    ban("local", &["shared::", "functions::"], "");
    let manifest = read("local/Cargo.toml");
    assert!(!manifest.contains("../shared") && !manifest.contains("..\""), "local depends on the product");
    ban("tests/api", &["use shared", "use functions"], "tests/api/tidy");
}

#[test]
fn every_route_of_the_template_has_a_handler_and_back() {
    let routes = local::routes(&read("template.yaml")).unwrap();
    let routed: BTreeSet<(String, String)> =
        routes.into_iter().map(|route| (route.binary, route.key)).collect();
    let mut handled = BTreeSet::new();
    for group in routed.iter().map(|(binary, _)| binary).collect::<BTreeSet<_>>() {
        let text = read(&format!("functions/{group}/mod.rs"));
        let keys =
            code(&text).filter(|line| line.contains("::handle(")).filter_map(|line| line.split('"').nth(1));
        handled.extend(keys.map(|key| (group.clone(), key.to_owned())));
    }
    // `$connect` answers with a status and so is routed apart.
    handled.insert(("sockets".to_owned(), "$connect".to_owned()));
    assert_eq!(routed, handled);
}

#[test]
fn every_binary_is_a_function_of_the_template_and_back() {
    let manifest = read("Cargo.toml");
    let binaries: BTreeSet<&str> =
        manifest.split("[[bin]]\nname = \"").skip(1).filter_map(|part| part.split('"').next()).collect();
    let template = read("template.yaml");
    let functions: BTreeSet<&str> =
        template.split("{ Binary: ").skip(1).filter_map(|part| part.split(' ').next()).collect();
    assert_eq!(binaries, functions);
}

#[test]
fn files_are_short_and_say_what_they_are() {
    for (path, text) in every_source() {
        let lines = text.lines().count();
        assert!(lines <= 400, "{path} has {lines} lines");
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//!"), "{path} does not begin by saying what it is");
    }
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    let banned = ["utils", "helpers", "common", "misc", "manager", "service", "dto"];
    for (path, _) in every_source() {
        let name = Path::new(&path).file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(!banned.contains(&name.as_str()), "{path}");
    }
}
