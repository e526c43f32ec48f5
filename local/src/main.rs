//! `cargo run`: the whole studio on one machine.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    local::command::main(std::env::args().skip(1)).await
}
