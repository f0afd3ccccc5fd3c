//! Checks names: no file or module has a retired word in its name, and every path that a document
//! names in backticks exists.

use std::{collections::BTreeSet, path::Path};

use crate::failure::Failure;
use crate::repo;

/// Words that names had before they were the field's, and the term that took their place. `rest`
/// is not among them: a module of that name is about REST.
const RETIRED: [(&str, &str); 40] = [
    ("breach", "violation"),
    ("climb", "upgrade"),
    ("climbs", "upgrades"),
    ("deed", "operation, command or action"),
    ("deeds", "operations, commands or actions"),
    ("door", "request policy or split point"),
    ("entrance", "request context"),
    ("everyone", "broadcast"),
    ("face", "load state"),
    ("fate", "workload"),
    ("happening", "event"),
    ("happenings", "events"),
    ("heard", "inbound"),
    ("hears", "inbound"),
    ("keep", "persistence, stored claims or health"),
    ("keeper", "persistence or health"),
    ("kept", "persisted or stored"),
    ("knock", "request"),
    ("ladder", "fallback"),
    ("later", "deferred, or lazy in npm"),
    ("leg", "subscription state"),
    ("letter", "notification"),
    ("letters", "notifications"),
    ("outlet", "sink or sender"),
    ("place", "index, reference, permit or cursor"),
    ("places", "indexes, references, permits or cursors"),
    ("plug", "internal"),
    ("rung", "level"),
    ("said", "message"),
    ("seat", "connection or lease"),
    ("seating", "leases"),
    ("seats", "leases"),
    ("sight", "observation"),
    ("tell", "emit, notify, publish or log"),
    ("telling", "logging"),
    ("told", "reported"),
    ("trail", "cursor tracker"),
    ("visit", "post"),
    ("visits", "posts"),
    ("wish", "request"),
];

/// Extensions of source files.
const SOURCES: [&str; 6] = [".rs", ".ts", ".tsx", ".svelte", ".mjs", ".js"];

/// Endings of a path to a file; a path that ends in `/` is a folder.
const ENDINGS: [&str; 14] = [
    ".rs", ".ts", ".tsx", ".svelte", ".mjs", ".toml", ".md", ".json", ".sql", ".yml", ".conf",
    ".html", ".css", "/",
];

/// Folders that builds and tests write: they are not in the repository.
const WRITTEN: [&str; 5] = ["target/", "results/", "dist/", "npm/dist/", "npm/wasm/"];

/// Documents about the repository. Those for apps name files of apps.
pub(crate) fn is_about_the_repository(page: &str) -> bool {
    page.starts_with("docs/decisions/")
        || matches!(
            page,
            "ARCHITECTURE.md"
                | "CONTRIBUTING.md"
                | "SECURITY.md"
                | "docs/development.md"
                | "docs/protocol.md"
                | "docs/simulation.md"
                | "e2e/README.md"
                | "fuzz/README.md"
        )
}

/// Files and modules with a retired word in their names; `files` are relative to the repository.
pub(crate) fn retired(files: &BTreeSet<String>) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| SOURCES.iter().any(|ending| file.ends_with(ending))) {
        if let Some((word, now)) = retired_word(file) {
            found.push(format!("{file}: `{word}` is retired, the term is {now}"));
        }
        if file.ends_with(".rs") {
            let text = repo::read(&repo::root().join(file))?;
            for module in modules_in(&text) {
                if let Some((word, now)) = retired_word(module) {
                    let message = format!("{file}: in `mod {module}`, `{word}` is retired");
                    found.push(format!("{message}, the term is {now}"));
                }
            }
        }
    }
    Ok(found)
}

/// The first retired word in a name or a path.
fn retired_word(name: &str) -> Option<(&'static str, &'static str)> {
    name.split(|c: char| !c.is_ascii_alphanumeric()).find_map(|word| {
        let word = word.to_ascii_lowercase();
        RETIRED.into_iter().find(|(retired, _)| *retired == word)
    })
}

/// Names of the modules that a file declares.
fn modules_in(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        let line = match line.strip_prefix("pub") {
            Some(line) => line.strip_prefix("(crate)").unwrap_or(line).trim_start(),
            None => line,
        };
        let line = line.strip_prefix("mod ")?;
        line.split(|c: char| !c.is_alphanumeric() && c != '_').next()
    })
}

/// Paths in backticks that lead to no file. A path may be written from the root, from `crates/`, or
/// from any folder above the file; `{a,b}` and `*` stand for several.
pub(crate) fn dead_paths<'a>(
    text: &'a str,
    files: &'a BTreeSet<String>,
) -> impl Iterator<Item = String> + 'a {
    super::docs::prose(text)
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter(|span| is_path(span))
        .flat_map(expanded)
        .filter(|path| !files.iter().any(|file| leads_to(path, file)))
}

fn is_path(span: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-{},*".contains(c);
    span.len() > 1
        && span.chars().all(plain)
        && !span.starts_with('/')
        && !span.contains("NNNN")
        && ENDINGS.iter().any(|ending| span.ends_with(ending) && span.len() > ending.len())
        && !WRITTEN.iter().any(|folder| span.starts_with(folder))
}

/// Every path that a path with `{a,b}` stands for.
fn expanded(path: &str) -> Vec<String> {
    let inner = path.split_once('{').and_then(|(before, rest)| {
        let (names, after) = rest.split_once('}')?;
        Some((before, names, after))
    });
    let Some((before, names, after)) = inner else { return vec![path.to_owned()] };
    names.split(',').flat_map(|name| expanded(&format!("{before}{name}{after}"))).collect()
}

/// Whether `file` ends in what `path` names, or lies in the folder that it names.
fn leads_to(path: &str, file: &str) -> bool {
    let path: Vec<&str> = path.trim_start_matches("./").split('/').collect();
    let file: Vec<&str> = Path::new(file).iter().filter_map(|part| part.to_str()).collect();
    if let [folder @ .., ""] = &path[..] {
        // The file itself is not part of a folder's name.
        let folders = file.get(..file.len().saturating_sub(1)).unwrap_or_default();
        return folders.windows(folder.len()).any(|part| fits_all(folder, part));
    }
    file.len() >= path.len() && fits_all(&path, &file[file.len() - path.len()..])
}

fn fits_all(names: &[&str], parts: &[&str]) -> bool {
    names.iter().zip(parts).all(|(name, part)| fits(name, part))
}

/// Whether a name with at most one `*` fits.
fn fits(name: &str, part: &str) -> bool {
    match name.split_once('*') {
        None => name == part,
        Some((head, tail)) => {
            part.len() >= head.len() + tail.len() && part.starts_with(head) && part.ends_with(tail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retired_word_is_found_in_names_of_files_and_modules() {
        for name in ["crates/client/src/leg.rs", "npm/src/lazy/old-plug.ts", "src/Seats.tsx"] {
            assert!(retired_word(name).is_some(), "{name}");
        }
        for name in ["crates/protocol/src/rest/mod.rs", "src/legacy.rs", "tests/it/rest.rs"] {
            assert_eq!(retired_word(name), None, "{name}");
        }
        let text = "mod a;\n    pub(crate) mod told {\n// mod no;\npub mod c {}\nmodel();\n";
        assert_eq!(modules_in(text).collect::<Vec<_>>(), ["a", "told", "c"]);
    }

    #[test]
    fn a_path_in_backticks_leads_to_a_file() {
        let files = ["crates/client/src/inbox/mod.rs", "crates/client/src/timers.rs", "npm/a.ts"];
        let files = files.map(str::to_owned).into();
        let text = "`client/src/{timers,clocks}.rs` `inbox/` `outbox/` `timers.rs` `a.ts` `b.ts`\n\
                    `npm/*.ts` `Timers::next` `target/x.md` `a b.rs`\n```\n`c.rs`\n```\n";
        let dead: Vec<_> = dead_paths(text, &files).collect();
        assert_eq!(dead, ["client/src/clocks.rs", "outbox/", "b.ts"]);
    }
}
