//! A name says something, and one thing.

use std::collections::BTreeMap;
use std::path::Path;

use super::{assert_none, code, every_source, sources};

/// The source folders of the crates.
const CRATES: [&str; 3] = ["shared/src", "functions", "local/src"];

/// The type that a line defines. An alias counts at the beginning of a line: further in, it belongs to a trait.
fn defined_type(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace().skip_while(|word| word.starts_with("pub"));
    let keyword = words.next()?;
    let is_definition = matches!(keyword, "struct" | "enum" | "trait" | "union")
        || (keyword == "type" && !line.starts_with(' '));
    let name = words.next().filter(|_| is_definition)?;
    name.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    let banned = ["utils", "helpers", "common", "misc", "manager", "service", "dto"];
    for (path, _) in every_source() {
        let name = Path::new(&path).file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(!banned.contains(&name.as_str()), "{path}");
    }
}

#[test]
fn no_type_name_means_two_things_in_a_crate() {
    for folder in CRATES {
        let mut defined: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (path, text) in sources(folder) {
            for name in code(&text).filter_map(defined_type) {
                defined.entry(name.to_owned()).or_default().push(path.clone());
            }
        }
        let doubled = defined.into_iter().filter(|(_, paths)| paths.len() > 1);
        let doubled: Vec<String> =
            doubled.map(|(name, paths)| format!("{name}: {}", paths.join(", "))).collect();
        assert_none(&doubled, &format!("{folder} has several types of one name"));
    }
}

/// The variable of a line `let name = name(`.
fn shadowed_function(line: &str) -> Option<&str> {
    let (name, value) = line.trim_start().strip_prefix("let ")?.split_once(" = ")?;
    let name = name.trim_start_matches("mut ").split(':').next()?;
    value.strip_prefix(name)?.starts_with('(').then_some(name)
}

#[test]
fn no_variable_has_the_name_of_the_function_that_made_it() {
    let mut shadowed = Vec::new();
    for (path, text) in ["functions", "shared/src", "local/src", "tests/api"].into_iter().flat_map(sources) {
        shadowed.extend(code(&text).filter_map(shadowed_function).map(|name| format!("{path}: {name}")));
    }
    assert_none(&shadowed, "these variables shadow a function; give one of the two another name");
}
