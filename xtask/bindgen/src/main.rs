//! `xtask-bindgen INPUT.wasm OUT_DIR OUT_NAME`: turns the output of rustc into a module and its
//! glue, and splits the module in two. `OUT_NAME_bg.wasm` is the whole module,
//! `OUT_NAME_first.wasm` and `OUT_NAME_rest.wasm` are its parts.
//!
//! The glue is for ES modules ("web"), without a default path to the module: the package's own
//! loader decides where the bytes come from.

mod split;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args_os().skip(1);
    let (Some(input), Some(out_dir), Some(out_name), None) =
        (args.next(), args.next(), args.next(), args.next())
    else {
        bail!("usage: xtask-bindgen INPUT.wasm OUT_DIR OUT_NAME");
    };
    let (input, out_dir) = (PathBuf::from(input), PathBuf::from(out_dir));
    let out_name = out_name.to_str().context("OUT_NAME is not UTF-8")?;

    Bindgen::new()
        .input_path(&input)
        .web(true)?
        .omit_default_module_path(true)
        .typescript(true)
        // The split finds functions by their names, and removes the names itself.
        .remove_name_section(false)
        .demangle(false)
        .remove_producers_section(true)
        .out_name(out_name)
        .generate(&out_dir)
        .with_context(|| format!("{} → {}", input.display(), out_dir.display()))?;
    let part = |name: &str| out_dir.join(format!("{out_name}_{name}.wasm"));
    let files =
        split::Files { whole: &part("bg"), startup: &part("startup"), deferred: &part("deferred") };
    split::split(&input, &files).context("cutting the module in two")
}
