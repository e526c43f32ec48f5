//! Files, folders and lines stay small enough to read.

use std::collections::BTreeMap;
use std::path::Path;

use super::{assert_none, every_source, sources};

/// The most lines of a file.
const LINES_OF_A_FILE: usize = 350;

/// The most source files in a folder of `shared/src` and `functions`.
const FILES_OF_A_FOLDER: usize = 16;

/// The most columns of a line that is a comment. `rustfmt` breaks code, but no comment.
const COLUMNS_OF_A_COMMENT: usize = 120;

#[test]
fn every_file_is_short() {
    let long = every_source().into_iter().filter_map(|(path, text)| {
        let lines = text.lines().count();
        (lines > LINES_OF_A_FILE).then(|| format!("{path} has {lines} lines"))
    });
    assert_none(&long.collect::<Vec<_>>(), "these files are too long; split them");
}

#[test]
fn every_file_begins_by_saying_what_it_is() {
    let silent = every_source().into_iter().filter(|(_, text)| !text.starts_with("//!"));
    assert_none(&silent.map(|(path, _)| path).collect::<Vec<_>>(), "these files do not begin with `//!`");
}

#[test]
fn every_folder_of_the_product_holds_few_files() {
    let mut folders: BTreeMap<String, usize> = BTreeMap::new();
    for (path, _) in ["functions", "shared/src"].into_iter().flat_map(sources) {
        *folders.entry(Path::new(&path).parent().unwrap().to_str().unwrap().to_owned()).or_default() += 1;
    }
    let crowded = folders.into_iter().filter_map(|(folder, files)| {
        (files > FILES_OF_A_FOLDER).then(|| format!("{folder} holds {files} source files"))
    });
    assert_none(&crowded.collect::<Vec<_>>(), "these folders hold too many files; group them");
}

#[test]
fn every_comment_fits_the_screen() {
    let mut wide = Vec::new();
    for (path, text) in every_source() {
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") && line.chars().count() > COLUMNS_OF_A_COMMENT {
                wide.push(format!("{path}:{}", number + 1));
            }
        }
    }
    assert_none(&wide, "these comment lines are too wide");
}
