//! Files, folders and lines stay small enough to read.

use std::collections::BTreeMap;
use std::path::Path;

use super::{assert_none, every_source, sources};

/// The most lines of a file.
const LINES_OF_A_FILE: usize = 350;
/// Files that are longer, and by how much they may be.
const LONG_FILES: &[(&str, usize)] = &[
    ("shared/src/sockets/frame.rs", 382),
    ("shared/src/store/conversation_items.rs", 368),
    ("shared/src/store/expression.rs", 357),
];

/// The most source files in a folder of `shared/src` and `functions`.
const FILES_OF_A_FOLDER: usize = 16;
/// Folders that hold more, and how many.
const CROWDED_FOLDERS: &[(&str, usize)] = &[
    ("functions/auth", 24),
    ("functions/conversations", 21),
    ("shared/src/models", 19),
    ("shared/src/store", 57),
];

/// The most columns of a line that is a comment. `rustfmt` breaks code, but no comment.
const COLUMNS_OF_A_COMMENT: usize = 120;
/// How many comment lines may be wider.
const WIDE_COMMENTS: usize = 228;

/// What a list of exceptions allows, else the bar.
fn allowed(exceptions: &[(&str, usize)], name: &str, bar: usize) -> usize {
    exceptions.iter().find(|(exception, _)| *exception == name).map_or(bar, |(_, most)| *most)
}

#[test]
fn every_file_is_short() {
    let long = every_source().into_iter().filter_map(|(path, text)| {
        let (lines, most) = (text.lines().count(), allowed(LONG_FILES, &path, LINES_OF_A_FILE));
        (lines > most).then(|| format!("{path} has {lines} lines"))
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
        let most = allowed(CROWDED_FOLDERS, &folder, FILES_OF_A_FOLDER);
        (files > most).then(|| format!("{folder} holds {files} source files"))
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
    if wide.len() > WIDE_COMMENTS {
        assert_none(&wide, "these comment lines are too wide");
    }
}
