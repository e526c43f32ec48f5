//! Functions are short.

use super::{code, sources};

/// The most lines of half of all functions of the product, from `fn` to the closing brace.
const MEDIAN: usize = 7;
/// The most lines of nine in ten functions.
const NINE_IN_TEN: usize = 20;

/// The lengths of the functions in a file, in lines of code.
fn lengths(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = code(text).collect();
    let starts = lines.iter().enumerate().filter(|(_, line)| is_signature(line));
    starts.filter_map(|(start, _)| length(&lines[start..])).collect()
}

fn is_signature(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| {
        word.starts_with("pub") || matches!(*word, "async" | "const" | "unsafe" | "crate)" | "super)")
    });
    words.next() == Some("fn")
}

/// The length of the function that begins here; none if it has no body.
fn length(lines: &[&str]) -> Option<usize> {
    let indentation = lines.first()?.len() - lines.first()?.trim_start().len();
    let open =
        lines.iter().position(|line| line.ends_with('{') || line.ends_with(';') || line.ends_with('}'))?;
    if lines[open].ends_with(';') {
        return None;
    }
    if lines[open].ends_with('}') {
        return Some(open + 1);
    }
    let end = format!("{}}}", " ".repeat(indentation));
    let body = lines[open + 1..].iter().position(|line| *line == end)?;
    Some(open + body + 2)
}

#[test]
fn functions_of_the_product_are_short() {
    let mut lengths: Vec<usize> = ["functions", "shared/src"]
        .into_iter()
        .flat_map(sources)
        .flat_map(|(_, text)| lengths(&text))
        .collect();
    lengths.sort_unstable();
    let (median, nine_in_ten) = (lengths[lengths.len() / 2], lengths[lengths.len() * 9 / 10]);
    println!("{} functions: median {median}, nine in ten up to {nine_in_ten} lines", lengths.len());
    assert!(median <= MEDIAN, "half of all functions have {median} lines or more");
    assert!(nine_in_ten <= NINE_IN_TEN, "a tenth of all functions has {nine_in_ten} lines or more");
}
