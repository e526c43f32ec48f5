# Daily work with `just`. Each recipe runs an ordinary command, which can also be typed.

# Lists the recipes.
default:
    @just --list

# Starts the studio on this machine.
run *options:
    cargo run -- {{options}}

# Runs all tests, or those whose name contains a text: `just test sessions`.
test name="":
    cargo test {{name}}

# Checks the format, the lints and the documentation as CI does.
check:
    .ci/run format lints docs

# Runs the given steps of CI, or all.
ci *steps:
    .ci/run {{steps}}

# Writes the served copy of the OpenAPI document again.
openapi:
    WRITE_OPENAPI=1 cargo test --lib openapi

# Writes the served copy of the AsyncAPI document again.
asyncapi:
    WRITE_ASYNCAPI=1 cargo test --lib asyncapi

# Runs the checks before a release, with release builds and an AWS emulator. Takes long.
ship:
    .ci/ship
