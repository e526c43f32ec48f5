# Daily work, for who has `just`. Each line is an ordinary command that can be typed instead.

# Lists these.
default:
    @just --list

# The studio on this machine.
run *options:
    cargo run -- {{options}}

# All tests, or those whose name holds a text: `just test sessions`.
test name="":
    cargo test {{name}}

# What CI asks of the source before it tests: format, lints, documentation.
check:
    .ci/run format lints docs

# One or more steps of CI, or all of them.
ci *steps:
    .ci/run {{steps}}

# Writes the served copy of the OpenAPI document anew.
openapi:
    WRITE_OPENAPI=1 cargo test --lib openapi

# Writes the served copy of the AsyncAPI document anew.
asyncapi:
    WRITE_ASYNCAPI=1 cargo test --lib asyncapi

# What must hold before a release: release builds, an emulator of AWS. It takes long.
ship:
    .ci/ship
