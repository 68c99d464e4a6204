//! The `toctou` command, over the published catalogue.

use std::process::ExitCode;

fn main() -> ExitCode {
    toctou::command::main(toctou::models::ALL)
}
