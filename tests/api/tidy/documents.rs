//! Keeps the documents true where a test can: links, sizes, names of settings, of error codes and of tests, and the
//! same commands in both languages.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::conform::document;

/// Documents that exist in English and in Chinese.
const PAIRS: [(&str, &str); 4] = [
    ("README.md", "README.zh-CN.md"),
    ("docs/configuration.md", "docs/zh-CN/configuration.md"),
    ("docs/operations.md", "docs/zh-CN/operations.md"),
    ("docs/migrating.md", "docs/zh-CN/migration.md"),
];

/// Documents that must stay short, and their most bytes.
const SIZES: [(&str, usize); 3] =
    [("README.md", 8192), ("README.zh-CN.md", 8192), ("ARCHITECTURE.md", 16_384)];

/// Folders that hold no documents of this project.
const FOREIGN: [&str; 3] = ["target", "vendor", "node_modules"];

/// Variables that the local studio reads and the template does not name.
const LOCAL_VARIABLES: [&str; 5] = ["HOST", "PORT", "SECRET_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below `folder` with this extension, with its path from the root.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !FOREIGN.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found
}

/// The lines outside fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_fenced = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_fenced ^= is_fence;
        !is_fence && !is_fenced
    })
}

/// The texts between backticks.
fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The targets of the Markdown links in a text, without those to other hosts.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        // A link inside backticks is an example.
        let outside: String = line.split('`').step_by(2).collect();
        let targets = outside.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        found.extend(
            targets.filter(|target| !target.contains(':') && !target.starts_with('/')).map(str::to_owned),
        );
    }
    found
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    prose(text).filter(|line| line.starts_with('#')).map(anchor).collect()
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let mut checked = 0;
    for document in files("", "md") {
        let text = read(&document);
        for link in links(&text) {
            let (path, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target =
                if path.is_empty() { document.clone() } else { document.with_file_name("").join(path) };
            let target = root().join(target);
            assert!(target.exists(), "{}: {link} leads nowhere", document.display());
            let has_heading = heading.is_empty() || anchors(&read(&target)).contains(heading);
            assert!(has_heading, "{}: {link} leads to no heading", document.display());
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked}");
}

#[test]
fn the_readmes_and_the_architecture_stay_short() {
    for (document, most) in SIZES {
        let size = read(document).len();
        assert!(size <= most, "{document} has {size} bytes, more than {most}");
    }
}

/// The fenced blocks of a text without their comments, which may be translated, and without diagrams, which have words.
fn commands(text: &str) -> Vec<String> {
    let blocks = text.split("```").skip(1).step_by(2).filter(|block| !block.starts_with("mermaid"));
    let without_comments = |block: &str| {
        block.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n")
    };
    blocks.map(without_comments).collect()
}

#[test]
fn documents_show_the_same_commands_in_both_languages() {
    for (english, chinese) in PAIRS {
        assert_eq!(commands(&read(english)), commands(&read(chinese)), "{english} and {chinese}");
    }
}

/// The names of all variables that the template gives to functions.
fn variables(template: &Value) -> BTreeSet<String> {
    let functions =
        template["Resources"].as_object().unwrap().values().map(|resource| &resource["Properties"]);
    let places = functions.chain([&template["Globals"]["Function"]]);
    let maps = places.filter_map(|place| place["Environment"]["Variables"].as_object());
    maps.flat_map(|map| map.keys().cloned()).collect()
}

#[test]
fn the_configuration_names_every_variable_and_parameter_and_no_other() {
    let template = local::document(&read("template.yaml")).unwrap();
    let parameters = template["Parameters"].as_object().unwrap();
    let mut named = variables(&template);
    named.extend(LOCAL_VARIABLES.map(str::to_owned));
    assert!(parameters.len() > 20 && named.len() > 20, "{parameters:?} {named:?}");
    for document in ["docs/configuration.md", "docs/zh-CN/configuration.md"] {
        let text = read(document);
        let rows = || text.lines().filter_map(|line| line.strip_prefix("| "));
        for name in named.iter().chain(parameters.keys()) {
            assert!(rows().any(|row| row.contains(&format!("`{name}`"))), "{document} does not name {name}");
        }
        for name in rows().filter_map(|row| row.split('|').next()).flat_map(code_spans) {
            let is_variable = name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            assert!(!is_variable || named.contains(name), "{document} names {name}, which nothing reads");
        }
    }
}

#[test]
fn the_configuration_states_the_defaults_of_the_template() {
    let template = local::document(&read("template.yaml")).unwrap();
    for document in ["docs/configuration.md", "docs/zh-CN/configuration.md"] {
        let text = read(document);
        for (name, parameter) in template["Parameters"].as_object().unwrap() {
            let default =
                parameter["Default"].as_str().map_or_else(|| parameter["Default"].to_string(), str::to_owned);
            let row = text.lines().find(|line| line.contains(&format!("| `{name}` |"))).unwrap_or_default();
            let is_stated = default.is_empty() || row.contains(&format!("`{default}`"));
            assert!(is_stated, "{document} does not state that {name} is {default} by default");
        }
    }
}

/// The codes of all errors that the OpenAPI document names.
fn codes() -> BTreeSet<&'static str> {
    let mut codes = BTreeSet::new();
    for response in document()["components"]["responses"].as_object().unwrap().values() {
        let parts = response["content"]["application/problem+json"]["schema"]["allOf"].as_array();
        let named =
            parts.into_iter().flatten().filter_map(|part| part["properties"]["code"]["enum"].as_array());
        codes.extend(named.flatten().filter_map(Value::as_str));
    }
    codes
}

#[test]
fn the_guide_to_the_api_says_what_to_do_about_every_error() {
    let guide = read("docs/api.md");
    let documented = codes();
    assert!(documented.len() > 30, "{documented:?}");
    for code in documented {
        assert!(guide.contains(&format!("`{code}`")), "docs/api.md does not name {code}");
    }
}

/// The names in backticks behind the last of these separators in each line that begins so. A line may be broken.
fn cited(document: &str, beginning: &str, separator: char) -> BTreeSet<String> {
    let text = read(document).replace("\n  ", " ");
    let lines = text.lines().filter(|line| line.starts_with(beginning));
    let ends = lines.filter_map(|line| line.trim_end_matches([' ', '|']).rsplit(separator).next());
    ends.flat_map(code_spans).map(str::to_owned).collect()
}

#[test]
fn the_tests_that_documents_cite_exist() {
    // A module is a file, or a folder of files.
    let name = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let tests = files("tests/api", "rs");
    let folders = tests.iter().map(|path| name(path.parent().and_then(Path::file_name)));
    let modules: BTreeSet<String> = tests.iter().map(|path| name(path.file_stem())).chain(folders).collect();
    let invariants = cited("ARCHITECTURE.md", "- **Architecture invariant:**", '(');
    let promises = cited("docs/SECURITY.md", "| ", '|');
    assert!(invariants.len() > 20 && promises.len() > 10, "{invariants:?} {promises:?}");
    for test in invariants.union(&promises) {
        let exists = test.split("::").all(|module| modules.contains(module));
        assert!(exists, "documents cite the test {test}, which does not exist");
    }
}

#[test]
fn the_index_of_decisions_lists_each_of_them() {
    let index = read("docs/decisions/README.md");
    for path in files("docs/decisions", "md") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(
            name == "README.md" || index.contains(&format!("]({name})")),
            "the index does not list {name}"
        );
    }
}

#[test]
fn the_guide_for_contributors_names_every_step_of_ci() {
    let steps = read(".ci/run");
    let steps = steps.lines().find_map(|line| line.strip_prefix("all=(")).unwrap().trim_end_matches(')');
    let guide = read("docs/CONTRIBUTING.md");
    for step in steps.split(' ') {
        assert!(
            guide.contains(&format!("| `{step}` |")),
            "docs/CONTRIBUTING.md does not name the step {step}"
        );
    }
}
