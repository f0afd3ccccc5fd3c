//! `cargo xtask size`: what a page loads at its first connect, and a ratchet on it.
//!
//! An app's bundle is made as an app would make it (esbuild, minified, split), from one line that
//! imports `createTidings`; every file that comes out travels, so every file counts.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::node;
use crate::repo;
use crate::steps::{Outcome, Step};
use crate::wasm;

/// Bytes, compressed, that the SDK is to come down to: 28 KiB. Until it has, the ratchet only lets it shrink, and each run
/// says how far it is.
const GOAL: u64 = 28 * 1024;
/// How much more than the committed figure passes, in percent: compilers move bytes about.
const SLACK: u64 = 2;
/// The route whose figures are committed; another compiler's bytes are other bytes.
const MEASURED_ROUTE: &str = "debian";

/// Compressed sizes of the files of a bundle, largest first.
pub(crate) struct Report {
    route: String,
    files: Vec<(String, u64)>,
}

/// Bundles and measures. Wants npm/dist.
pub(crate) fn measure(step: &mut Step) -> Result<Report, Failure> {
    let npm = repo::root().join("npm");
    let folder = repo::scratch().join("size");
    let (entry, out) = (folder.join("app.js"), folder.join("bundle"));
    let (metafile, package) = (folder.join("meta.json"), npm.join("dist/index.js"));
    if !package.is_file() {
        let what = format!("{}, what is measured", repo::shown(&package));
        return Err(Failure::Missing { what, fix: "cargo xtask package".to_owned() });
    }
    let line = format!("export {{ createTidings }} from {}\n", json!(package));
    repo::write(&entry, line.as_bytes())?;
    if out.is_dir() {
        fs::remove_dir_all(&out).map_err(Failure::io("empty", &out))?;
    }
    let mut esbuild = node::tool(&npm, "esbuild")?;
    esbuild.current_dir(repo::root()).arg(&entry);
    esbuild.args(["--bundle", "--minify", "--splitting", "--format=esm", "--target=es2022"]);
    esbuild.args(["--platform=browser", "--legal-comments=none", "--log-level=warning"]);
    esbuild.arg(format!("--outdir={}", out.display()));
    step.run(esbuild.arg(format!("--metafile={}", metafile.display())))?;

    let meta = parse(&metafile)?;
    let outputs = meta["outputs"].as_object().into_iter().flatten();
    let mut files = Vec::new();
    for (path, facts) in outputs {
        let file = repo::root().join(path);
        let bytes = fs::read(&file).map_err(Failure::io("read", &file))?;
        files.push((label(facts), gzipped(&bytes)?));
    }
    files.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    let route = wasm::route_of_result().unwrap_or_else(|| "unknown".to_owned());
    Ok(Report { route, files })
}

impl Report {
    /// All files together, in bytes.
    pub(crate) fn total(&self) -> u64 {
        self.files.iter().map(|(_, size)| size).sum()
    }

    /// The figures as people read them.
    pub(crate) fn table(&self) -> String {
        let mut table = format!("gzip -9, bytes; wasm route: {}\n", self.route);
        for (name, size) in &self.files {
            table.push_str(&format!("{size:>8}  {name}\n"));
        }
        table.push_str(&format!("{:>8}  in all ({})", self.total(), kib(self.total())));
        table
    }

    /// Fails when the figures are worse than the committed ones allow.
    pub(crate) fn check(&self) -> Result<Outcome, Failure> {
        let total = self.total();
        if self.route != MEASURED_ROUTE {
            let route = &self.route;
            return Ok(Outcome::Said(format!("{} by route {route}, not gated,", kib(total))));
        }
        let committed = committed()?;
        let allowed = committed + committed * SLACK / 100;
        if total > allowed {
            return Err(Failure::Check(format!(
                "{total} bytes, {} more than committed in npm/size.json and over its {SLACK} %: make \
                 it smaller, or say why it must grow and run `cargo xtask size --update`",
                total - committed
            )));
        }
        Ok(Outcome::Said(match total.checked_sub(GOAL) {
            None | Some(0) => kib(total),
            Some(over) => format!("{}, {} over the goal of {},", kib(total), kib(over), kib(GOAL)),
        }))
    }

    /// Makes the figures the committed ones.
    pub(crate) fn commit(&self) -> Result<(), Failure> {
        if self.route != MEASURED_ROUTE {
            return Err(Failure::Check(format!(
                "sizes are committed by route {MEASURED_ROUTE}; this is {}. Set \
                 TIDINGS_WASM_ROUTE={MEASURED_ROUTE}",
                self.route
            )));
        }
        let files: serde_json::Map<_, _> =
            self.files.iter().map(|(name, size)| (name.clone(), json!(size))).collect();
        let report = json!({ "route": self.route, "total": self.total(), "files": files });
        repo::write(&committed_file(), format!("{report:#}\n").as_bytes())
    }
}

/// The committed total, in bytes.
pub(crate) fn committed() -> Result<u64, Failure> {
    let file = committed_file();
    let missing = || Failure::Check(format!("{} has no number `total`", repo::shown(&file)));
    parse(&file)?["total"].as_u64().ok_or_else(missing)
}

/// A size for people: KiB with one digit, as sizes of packages are usually told.
pub(crate) fn kib(bytes: u64) -> String {
    let tenths = (bytes * 10 + 512) / 1024;
    format!("{}.{} KiB", tenths / 10, tenths % 10)
}

/// How many bytes this is after `gzip -9`.
pub(crate) fn gzipped(bytes: &[u8]) -> Result<u64, Failure> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    let compressed = written.map_err(Failure::io("compress", Path::new("bytes")))?;
    Ok(compressed.len() as u64)
}

fn committed_file() -> PathBuf {
    repo::root().join("npm/size.json")
}

/// A bundle's file has a hash for a name; people know it by the largest source in it.
fn label(facts: &Value) -> String {
    if facts["entryPoint"].as_str().is_some_and(|entry| entry.ends_with("size/app.js")) {
        return "entry".to_owned();
    }
    let inputs = facts["inputs"].as_object().into_iter().flatten();
    let largest = inputs.max_by_key(|(_, input)| input["bytesInOutput"].as_u64());
    largest.map_or_else(|| "shared".to_owned(), |(path, _)| path.clone())
}

fn parse(file: &Path) -> Result<Value, Failure> {
    serde_json::from_str(&repo::read(file)?)
        .map_err(|error| Failure::Check(format!("{}: {error}", repo::shown(file))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_kib_with_one_digit() {
        assert_eq!(kib(28 * 1024), "28.0 KiB");
        assert_eq!(kib(20_000), "19.5 KiB");
    }

    #[test]
    fn a_file_is_known_by_its_largest_source() {
        let facts = json!({ "inputs": {
            "npm/dist/small.js": { "bytesInOutput": 10 },
            "npm/dist/inline.js": { "bytesInOutput": 900 },
        }});
        assert_eq!(label(&facts), "npm/dist/inline.js");
    }

    #[test]
    fn other_routes_are_not_gated() {
        let report =
            Report { route: "installed".to_owned(), files: vec![("x".to_owned(), 1 << 20)] };
        assert!(matches!(report.check(), Ok(Outcome::Said(_))));
        assert!(report.commit().is_err(), "nor committed");
    }
}
