//! The log lines of a function.

use std::{collections::VecDeque, sync::Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use crate::{options::Echo, sync::lock};

/// The number of lines that are kept for each function.
const KEPT_LINES: usize = 2_000;

/// The last log lines of all instances of a function.
#[derive(Debug)]
pub(crate) struct Logs {
    function: String,
    echo: Echo,
    lines: Mutex<VecDeque<String>>,
}

impl Logs {
    pub(crate) fn new(function: String, echo: Echo) -> Self {
        Self { function, echo, lines: Mutex::default() }
    }

    /// The kept lines, oldest first.
    pub(crate) fn lines(&self) -> Vec<String> {
        lock(&self.lines).iter().cloned().collect()
    }

    /// Reads lines from `output` until it ends.
    pub(crate) async fn capture(&self, output: impl AsyncRead + Unpin) {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).await.is_ok_and(|length| length > 0) {
            self.keep(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    }

    /// Keeps a line, and prints it if the options say so.
    pub(crate) fn keep(&self, line: String) {
        let repeated = match self.echo {
            Echo::Nothing => false,
            Echo::Problems => is_problem(&line),
            Echo::Everything => true,
        };
        if repeated {
            eprintln!("{}: {line}", self.function);
        }
        let mut lines = lock(&self.lines);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// Whether a line is a record of level WARN or ERROR, or no record, such as a line of a panic.
fn is_problem(line: &str) -> bool {
    if line.is_empty() {
        return false;
    }
    !line.starts_with('{') || line.contains(r#""level":"WARN""#) || line.contains(r#""level":"ERROR""#)
}
