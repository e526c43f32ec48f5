//! Which module may name which library and import which module.

use super::{code, read, sources};

/// Fails for every file of `folder` whose code contains one of the `banned` words. Paths that begin with `except`
/// are exempt.
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
fn each_library_is_named_in_one_module_of_shared() {
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
fn the_domain_does_no_io_and_imports_no_other_module() {
    let banned = ["aws_", "lambda_", "tokio", "reqwest", "tracing", "clock", "std::env", "std::fs", "async "];
    ban("shared/src/domain", &banned, "");
    for (path, text) in sources("shared/src/domain") {
        assert!(
            !code(&text).any(|line| names_module(line).is_some_and(|m| m != "domain")),
            "{path} imports another module"
        );
    }
}

/// The module of `shared` that a line imports or names.
fn names_module(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("crate::")?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    rest.get(..end)
}

/// The layers of `shared`, from the lowest up.
const LAYERS: [&[&str]; 4] = [
    &["domain", "error", "clock", "json", "retry", "tls", "config", "telemetry"],
    &["store", "models", "aws"],
    &["auth", "sockets"],
    &["chat", "accounts", "http"],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

#[test]
fn modules_of_shared_import_only_from_lower_layers() {
    for (path, text) in sources("shared/src") {
        let module = path.trim_start_matches("shared/src/").split(['/', '.']).next().unwrap();
        if module == "lib" {
            continue;
        }
        let own = layer(module).unwrap_or_else(|| panic!("{module} is in no layer"));
        for named in code(&text).filter_map(names_module).filter(|named| *named != module) {
            // `crate::Result` belongs to the lowest layer, whose modules may import each other.
            let Some(other) = layer(named) else { continue };
            assert!(other < own || own == 0, "{path} imports {named}, which is not in a lower layer");
        }
    }
}

/// The layers of the folders and files of `store`, from the lowest up.
const STORE_LAYERS: [&[&str]; 6] = [
    &["dynamo"],
    &["key"],
    &["stats", "limits", "idempotency", "connections"],
    &["conversations"],
    &["messages"],
    &["replies", "accounts"],
];

#[test]
fn modules_of_the_store_import_only_from_lower_layers() {
    let layer = |module: &str| STORE_LAYERS.iter().position(|modules| modules.contains(&module));
    for (path, text) in sources("shared/src/store") {
        let module = path.trim_start_matches("shared/src/store/").split(['/', '.']).next().unwrap();
        if module == "mod" {
            continue;
        }
        let own = layer(module).unwrap_or_else(|| panic!("{module} is in no layer"));
        let imports = code(&text).filter_map(|line| line.split_once("use crate::store::"));
        let named = imports.filter_map(|(_, rest)| rest.split([':', ';', '{']).next());
        for named in named.filter(|named| *named != module) {
            let Some(other) = layer(named) else { continue };
            assert!(other < own, "{path} imports {named}, which is not in a lower layer");
        }
    }
}

#[test]
fn http_and_sockets_know_no_type_of_the_store() {
    for folder in ["shared/src/http", "shared/src/sockets"] {
        ban(folder, &["crate::store"], "");
    }
}

#[test]
fn the_local_studio_does_not_depend_on_the_product() {
    ban("local", &["shared::", "functions::"], "");
    let manifest = read("local/Cargo.toml");
    assert!(!manifest.contains("../shared") && !manifest.contains("..\""), "local depends on the product");
    ban("tests/api", &["use shared", "use functions"], "tests/api/tidy");
}
