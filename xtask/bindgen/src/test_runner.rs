//! The runner cargo calls for each wasm test binary: serves it to a headless browser and reads the
//! results back. The same program as `wasm-bindgen-test-runner`, from the pinned library, so that
//! nobody has to install it.

use std::process::ExitCode;

use wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args;

fn main() -> ExitCode {
    match run_cli_with_args(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without the backtrace of this program, which would bury the tests' own.
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
