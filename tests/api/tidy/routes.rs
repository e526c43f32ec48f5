//! Routes and functions of the template have code, and the code has no others.

use std::collections::BTreeSet;

use super::{code, read};

#[test]
fn routes_and_handlers_correspond() {
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
fn binaries_and_functions_correspond() {
    let manifest = read("Cargo.toml");
    let binaries: BTreeSet<&str> =
        manifest.split("[[bin]]\nname = \"").skip(1).filter_map(|part| part.split('"').next()).collect();
    let template = read("template.yaml");
    let functions: BTreeSet<&str> =
        template.split("{ Binary: ").skip(1).filter_map(|part| part.split(' ').next()).collect();
    assert_eq!(binaries, functions);
}
