//! `.env`: what people have there from the server before this one is read as that server read it.

use std::{borrow::Cow, collections::BTreeMap, fs, io, path::Path};

use crate::error::Error;

/// The variables of a file; none where there is no such file.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    let failed = |reason: String| Error::DotEnv { path: path.to_owned(), reason };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(failed(error.to_string())),
    };
    let text: String = text.trim_start_matches('\u{feff}').lines().map(|line| quoted(line) + "\n").collect();
    let mut variables = BTreeMap::new();
    for line in dotenvy::from_read_iter(text.as_bytes()) {
        // The text of a bad line is not repeated: it may be a secret.
        let (name, value) = line.map_err(|error| match error {
            dotenvy::Error::LineParse(part, _) => {
                failed(format!("line {} is not NAME=value", number_of(&text, &part)))
            }
            other => failed(other.to_string()),
        })?;
        variables.insert(name, value);
    }
    Ok(variables)
}

/// A line whose value has spaces or backslashes outside of quotes, with quotes.
fn quoted(line: &str) -> Cow<'_, str> {
    let Some((name, rest)) = line.split_once('=') else { return line.into() };
    let comment = rest.find(" #").or_else(|| rest.find("\t#")).unwrap_or(rest.len());
    let value = rest.get(..comment).unwrap_or(rest).trim();
    let bare_name = name.trim().trim_start_matches("export ").trim();
    let is_name = bare_name.chars().all(|it| it.is_ascii_alphanumeric() || ['_', '.'].contains(&it));
    let needs_quotes = value.contains(|it: char| it.is_whitespace() || it == '\\');
    if !is_name || !needs_quotes || value.contains('\'') || value.starts_with(['"', '#']) {
        return line.into();
    }
    format!("{name}='{value}'").into()
}

/// The number of the first line that holds `part`: what is wrong with a line may be told of a part of it.
fn number_of(text: &str, part: &str) -> String {
    let position = text.lines().position(|line| line.contains(part.trim()));
    position.map_or_else(|| "?".to_owned(), |position| (position + 1).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<BTreeMap<String, String>, Error> {
        let path = std::env::temp_dir().join(format!("local-dot-env-{}-{}", std::process::id(), text.len()));
        fs::write(&path, text).unwrap();
        let parsed = read(&path);
        fs::remove_file(&path).unwrap();
        parsed
    }

    #[test]
    fn values_are_read_with_quotes_and_without_and_comments_are_left_out() {
        let text = "\u{feff}# The old server's\r\nA=http://a, http://b  # two\r\nB=<your key>\nexport C = 'c d' # x\n\
                    D=\"d=\\\"e\\\"\"\nE=C:\\data\nF=\n#G=not this one\nH=a#b\nI= # nothing\nJ=x y # it's\n";
        let expected = [
            ("A", "http://a, http://b"),
            ("B", "<your key>"),
            ("C", "c d"),
            ("D", "d=\"e\""),
            ("E", "C:\\data"),
            ("F", ""),
            ("H", "a#b"),
            ("I", ""),
            ("J", "x y"),
        ];
        let parsed: Vec<(String, String)> = parsed(text).unwrap().into_iter().collect();
        assert_eq!(parsed, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_line_that_sets_nothing_is_named_by_its_number() {
        let line = parsed("A=1\nno value here\n").unwrap_err().to_string();
        assert!(line.ends_with("line 2 is not NAME=value"), "{line}");
    }
}
