//! The runner that cargo calls for each wasm test binary: serves it to a headless browser and reads
//! the results. It is the same program as `wasm-bindgen-test-runner`, built from the pinned
//! library, so that no developer has to install it.

use std::process::ExitCode;

use wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args;

fn main() -> ExitCode {
    match run_cli_with_args(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without this program's backtrace, which would bury the tests' own.
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
