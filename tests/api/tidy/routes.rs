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
        // A route key and its handler may stand on two lines.
        let arms = code(&text).collect::<Vec<_>>().join(" ");
        let keys = arms.split("=>").zip(arms.split("=>").skip(1)).filter(|(_, arm)| {
            arm.split([',', '}']).next().is_some_and(|handler| handler.contains("::handle("))
        });
        let keys = keys.filter_map(|(before, _)| before.trim_end().strip_suffix('"')?.rsplit('"').next());
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
