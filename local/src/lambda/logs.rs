//! What the instances of a function print.

use std::{collections::VecDeque, sync::Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use crate::{options::Echo, sync::lock};

/// How many lines are kept of each function.
const KEPT_LINES: usize = 2_000;

/// The last lines of a function, over all its instances.
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

    /// The lines kept, oldest first.
    pub(crate) fn lines(&self) -> Vec<String> {
        lock(&self.lines).iter().cloned().collect()
    }

    /// Keeps every line of `output` until it ends.
    pub(crate) async fn capture(&self, output: impl AsyncRead + Unpin) {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).await.is_ok_and(|length| length > 0) {
            self.keep(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    }

    /// Keeps one line, and repeats it if asked to.
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

/// A record of level WARN or ERROR, or a line that is no record at all, such as a panic's.
fn is_problem(line: &str) -> bool {
    if line.is_empty() {
        return false;
    }
    !line.starts_with('{') || line.contains(r#""level":"WARN""#) || line.contains(r#""level":"ERROR""#)
}
