//! Reads `.env` files with the syntax of python-dotenv, which the old Python server used.

use std::{collections::BTreeMap, fs, io, path::Path};

use crate::error::Error;

/// Variables by name.
type Variables = BTreeMap<String, String>;

/// The variables of a file. Values may refer to variables of `environment`. A file that does not exist has none.
pub(crate) fn read(path: &Path, environment: &Variables) -> Result<Variables, Error> {
    let failed = |reason: String| Error::DotEnv { path: path.to_owned(), reason };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(failed(error.to_string())),
    };
    let text = text.trim_start_matches('\u{feff}');
    // The error does not quote the line, which may contain a secret.
    parse(text, environment).map_err(|line| failed(format!("line {line} is not NAME=value")))
}

/// The variables in `text`, or the number of the first invalid line.
fn parse(text: &str, environment: &Variables) -> Result<Variables, usize> {
    let (mut variables, mut rest) = (Variables::new(), text.trim_start());
    while !rest.is_empty() {
        if rest.starts_with('#') {
            rest = first_line(rest).1.trim_start();
            continue;
        }
        let read = text.get(..text.len() - rest.len()).unwrap_or_default();
        let (name, value, behind) = assignment(rest).ok_or(read.matches('\n').count() + 1)?;
        let value = expanded(&value, |name| variables.get(name).or_else(|| environment.get(name)));
        variables.insert(name.to_owned(), value);
        rest = behind.trim_start();
    }
    Ok(variables)
}

/// The name and value at the beginning of `text`, and the rest of the text.
fn assignment(text: &str) -> Option<(&str, String, &str)> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim();
    let name =
        name.strip_prefix("export").filter(|name| name.starts_with([' ', '\t'])).unwrap_or(name).trim();
    if name.is_empty() || name.contains(|it: char| it.is_whitespace() || it == '#') {
        return None;
    }
    let inner = value.trim_start_matches([' ', '\t']);
    let quote = inner.chars().next().filter(|first| matches!(first, '"' | '\''));
    let Some(quote) = quote else {
        let (line, behind) = first_line(value);
        return Some((name, without_comment(line).to_owned(), behind));
    };
    let (value, behind) = quoted(inner.strip_prefix(quote)?, quote)?;
    let (tail, behind) = first_line(behind);
    without_comment(&format!(" {tail}")).is_empty().then_some((name, value, behind))
}

fn first_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

/// A value without quotes and without its comment. A `#` inside a word does not begin a comment.
fn without_comment(line: &str) -> &str {
    let comment = line.find(" #").or_else(|| line.find("\t#")).unwrap_or(line.len());
    line.get(..comment).unwrap_or(line).trim()
}

/// The value up to the closing quote, and the rest of the text.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let (mut value, mut letters) = (String::new(), text.chars());
    while let Some(letter) = letters.next() {
        if letter == quote {
            return Some((value, letters.as_str()));
        }
        let mut ahead = letters.clone();
        let escaped = ahead.next().filter(|_| letter == '\\').and_then(|next| escape(next, quote));
        if escaped.is_some() {
            letters = ahead;
        }
        value.push(escaped.unwrap_or(letter));
    }
    // A path may end with a backslash, which then does not escape the quote.
    text.split_once(quote).map(|(value, behind)| (value.to_owned(), behind))
}

/// The character that a backslash and this letter mean, or `None` if the backslash is literal.
fn escape(letter: char, quote: char) -> Option<char> {
    match letter {
        '\\' | '\'' => Some(letter),
        _ if quote == '\'' => None,
        '"' => Some('"'),
        'a' => Some('\u{7}'),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        _ => None,
    }
}

/// Replaces `${NAME}` and `${NAME:-default}` in a value. Any other `$` is literal.
fn expanded<'a>(value: &str, find: impl Fn(&str) -> Option<&'a String>) -> String {
    let (mut plain, mut rest) = (String::new(), value);
    while let Some((before, (inner, behind))) =
        rest.split_once("${").and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        let (name, default) = inner.split_once(":-").unwrap_or((inner, ""));
        plain = plain + before + find(name).map_or(default, String::as_str);
        rest = behind;
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(text: &str) -> Result<BTreeMap<String, String>, Error> {
        let path = std::env::temp_dir().join(format!("local-dot-env-{}-{}", std::process::id(), text.len()));
        fs::write(&path, text).unwrap();
        let parsed = read(&path, &Variables::new());
        fs::remove_file(&path).unwrap();
        parsed
    }

    #[test]
    fn values_may_be_quoted_and_comments_are_ignored() {
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
        let parsed: Vec<(String, String)> = parse_text(text).unwrap().into_iter().collect();
        assert_eq!(parsed, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn dollars_quotes_and_backslashes_are_read_as_the_old_server_read_them() {
        let text = r#"A=abc$def
B=it's
C="C:\data"
D="pa$$word" # x
E='a$b ${NOT_SET_ANYWHERE:-c}'
F=${A}-${NOT_SET_ANYWHERE}-$A
G="two
lines"
I=say hi$
J='it\'s'
H="C:\dir\"
"#;
        let expected = [
            ("A", "abc$def"),
            ("B", "it's"),
            ("C", "C:\\data"),
            ("D", "pa$$word"),
            ("E", "a$b c"),
            ("F", "abc$def--$A"),
            ("G", "two\nlines"),
            ("H", "C:\\dir\\"),
            ("I", "say hi$"),
            ("J", "it's"),
        ];
        let parsed: Vec<(String, String)> = parse_text(text).unwrap().into_iter().collect();
        assert_eq!(parsed, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_line_that_sets_nothing_is_named_by_its_number() {
        let line = parse_text("A=1\nno value here\n").unwrap_err().to_string();
        assert!(line.ends_with("line 2 is not NAME=value"), "{line}");
    }
}
