//! `cargo xtask size`: the bytes that a page loads at its first connect and later, with a ratchet
//! on both.
//!
//! The bundle is made as an app would make it (esbuild, minified, split), from one line that
//! imports `createTidings`. Every file of the bundle is downloaded, so every file counts. Files
//! made from `dist/deferred.js` and `dist/lazy` are requested only after the first inbox is shown;
//! an e2e test checks that.

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

/// The goal for the SDK, in compressed bytes: 28 KiB. Until then, the ratchet only lets it shrink,
/// and each run reports the distance.
const GOAL: u64 = 28 * 1024;
/// Percentage above the committed figure that still passes, because compilers vary.
const SLACK: u64 = 2;
/// The route of the committed figures; another compiler gives other figures.
const MEASURED_ROUTE: &str = "debian";

/// A file of a bundle.
struct File {
    name: String,
    /// Compressed size in bytes.
    size: u64,
    deferred: bool,
}

/// The files of a bundle, largest first.
pub(crate) struct Report {
    route: String,
    files: Vec<File>,
}

/// When a page loads a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    First,
    Deferred,
}

/// Bundles and measures. Needs npm/dist.
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
        let name = label(facts);
        let deferred = name.ends_with("dist/deferred.js") || name.contains("dist/lazy/");
        files.push(File { name, size: gzipped(&bytes)?, deferred });
    }
    files.sort_by(|a, b| (a.deferred, b.size, &a.name).cmp(&(b.deferred, a.size, &b.name)));
    let route = wasm::route_of_result().unwrap_or_else(|| "unknown".to_owned());
    Ok(Report { route, files })
}

impl Report {
    /// Bytes that are loaded at the first connect.
    pub(crate) fn total(&self) -> u64 {
        self.sum(When::First)
    }

    fn sum(&self, when: When) -> u64 {
        let of = |file: &&File| file.deferred == (when == When::Deferred);
        self.files.iter().filter(of).map(|file| file.size).sum()
    }

    /// The figures as a table.
    pub(crate) fn table(&self) -> String {
        let mut table = format!("gzip -9, bytes; wasm route: {}\n", self.route);
        for File { name, size, deferred } in &self.files {
            let when = if *deferred { " (deferred)" } else { "" };
            table.push_str(&format!("{size:>8}  {name}{when}\n"));
        }
        let deferred = self.sum(When::Deferred);
        table.push_str(&format!(
            "{:>8}  at the first connect ({})\n",
            self.total(),
            kib(self.total())
        ));
        table.push_str(&format!("{deferred:>8}  deferred ({})", kib(deferred)));
        table
    }

    /// Fails if the figures are worse than the committed ones allow.
    pub(crate) fn check(&self) -> Result<Outcome, Failure> {
        let total = self.total();
        if self.route != MEASURED_ROUTE {
            let route = &self.route;
            return Ok(Outcome::Said(format!("{} by route {route}, not gated,", kib(total))));
        }
        for (name, now) in [("total", total), ("deferred", self.sum(When::Deferred))] {
            let committed = figure(name)?;
            if now > committed + committed * SLACK / 100 {
                return Err(Failure::Check(format!(
                    "{name} {now} bytes, {} more than committed in npm/size.json and over its {SLACK} %: \
                     make it smaller, or say why it must grow and run `cargo xtask size --update`",
                    now - committed
                )));
            }
        }
        Ok(Outcome::Said(match total.checked_sub(GOAL) {
            None | Some(0) => kib(total),
            Some(over) => format!("{}, {} over the goal of {},", kib(total), kib(over), kib(GOAL)),
        }))
    }

    /// Commits the figures.
    pub(crate) fn commit(&self) -> Result<(), Failure> {
        if self.route != MEASURED_ROUTE {
            return Err(Failure::Check(format!(
                "sizes are committed by route {MEASURED_ROUTE}; this is {}. Set \
                 TIDINGS_WASM_ROUTE={MEASURED_ROUTE}",
                self.route
            )));
        }
        let files: serde_json::Map<_, _> =
            self.files.iter().map(|file| (file.name.clone(), json!(file.size))).collect();
        let deferred = self.sum(When::Deferred);
        let report = json!({ "route": self.route, "total": self.total(), "deferred": deferred, "files": files });
        repo::write(&committed_file(), format!("{report:#}\n").as_bytes())
    }
}

/// The committed figure for the first connect, in bytes.
pub(crate) fn committed() -> Result<u64, Failure> {
    figure("total")
}

/// The committed figure for files that are loaded later, in bytes.
pub(crate) fn committed_deferred() -> Result<u64, Failure> {
    figure("deferred")
}

fn figure(name: &str) -> Result<u64, Failure> {
    let file = committed_file();
    let missing = || Failure::Check(format!("{} has no number `{name}`", repo::shown(&file)));
    parse(&file)?[name].as_u64().ok_or_else(missing)
}

/// A size in KiB with one digit, as package sizes are usually given.
pub(crate) fn kib(bytes: u64) -> String {
    let tenths = (bytes * 10 + 512) / 1024;
    format!("{}.{} KiB", tenths / 10, tenths % 10)
}

/// The number of bytes after `gzip -9`.
pub(crate) fn gzipped(bytes: &[u8]) -> Result<u64, Failure> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    let compressed = written.map_err(Failure::io("compress", Path::new("bytes")))?;
    Ok(compressed.len() as u64)
}

fn committed_file() -> PathBuf {
    repo::root().join("npm/size.json")
}

/// A readable name: the bundle's file is named by a hash, so its largest source names it.
fn label(facts: &Value) -> String {
    if facts["entryPoint"].as_str().is_some_and(|entry| entry.ends_with("size/app.js")) {
        return "entry".to_owned();
    }
    // A file that a page imports by name may have all its code in a file that others share.
    if let Some(entry) = facts["entryPoint"].as_str() {
        return entry.to_owned();
    }
    let inputs = facts["inputs"].as_object().into_iter().flatten();
    let largest = inputs.max_by_key(|(_, input)| input["bytesInOutput"].as_u64());
    largest.map_or_else(|| "shared".to_owned(), |(path, _)| format!("shared: {path}"))
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
        assert_eq!(label(&facts), "shared: npm/dist/inline.js");
    }

    #[test]
    fn a_file_that_is_loaded_later_is_later_though_its_code_is_shared() {
        let facts = json!({ "entryPoint": "npm/dist/lazy/saving.js", "inputs": {} });
        assert_eq!(label(&facts), "npm/dist/lazy/saving.js");
    }

    #[test]
    fn an_app_is_the_entry() {
        let facts = json!({ "entryPoint": "target/size/app.js", "inputs": {} });
        assert_eq!(label(&facts), "entry");
    }

    #[test]
    fn other_routes_are_not_gated() {
        let report = Report {
            route: "installed".to_owned(),
            files: vec![File { name: "x".to_owned(), size: 1 << 20, deferred: false }],
        };
        assert!(matches!(report.check(), Ok(Outcome::Said(_))));
        assert!(report.commit().is_err(), "nor committed");
    }
}
