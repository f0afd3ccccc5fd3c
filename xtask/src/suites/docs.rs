//! Checks what the documentation says about the repository: links, paths, commands, figures, that
//! copies are equal, and that no name has a retired word.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Counts, names};
use crate::failure::Failure;
use crate::package::Example;
use crate::repo;
use crate::size;
use crate::steps::Step;
use crate::system::output_of;

/// README.md has the sizes between these marks, so that a change affects one place.
const SIZE_MARKS: (&str, &str) = ("<!-- size -->", "<!-- /size -->");
/// See [`SIZE_MARKS`].
const DEFERRED_MARKS: (&str, &str) = ("<!-- deferred -->", "<!-- /deferred -->");

/// Files that examples/svelte copies from examples/react: each example can be taken alone, so a
/// change must be made in both.
const COPIES: [&str; 6] =
    ["public", "server", "server.mjs", "src/api.ts", "src/styles", "src/tidings.d.ts"];

/// Six checks: links, paths, commands, sizes, the examples' copies, and retired words.
pub(crate) fn run(step: &mut Step) -> Result<Counts, Failure> {
    let pages = listed(["*.md"])?;
    let files = listed(["*"])?.iter().map(|file| repo::shown(file)).collect();
    let mut links = Vec::new();
    let mut paths = Vec::new();
    let mut commands = Vec::new();
    for page in &pages {
        let text = repo::read(page)?;
        let name = repo::shown(page);
        links.extend(dead_links(page, &text).map(|link| format!("{name}: no file {link}")));
        if names::is_about_the_repository(&name) {
            let dead = names::dead_paths(&text, &files);
            paths.extend(dead.map(|path| format!("{name}: no file `{path}`")));
        }
        let unknown = commands_in(&text).filter(|word| !is_command(word));
        commands.extend(unknown.map(|word| format!("{name}: no command `cargo xtask {word}`")));
    }
    let readme = repo::read(&repo::root().join("README.md"))?;
    let told = [(SIZE_MARKS, size::committed()), (DEFERRED_MARKS, size::committed_deferred())];
    let figures: Vec<_> = told
        .into_iter()
        .filter_map(|(marks, bytes)| match bytes {
            Ok(bytes) => wrong_size(&readme, marks, &size::kib(bytes)),
            Err(failure) => Some(failure.to_string()),
        })
        .collect();

    let mut counts = Counts::default();
    let retired = names::retired(&files)?;
    for found in [links, paths, commands, figures, different_copies()?, retired] {
        counts.add(if found.is_empty() { Counts::one() } else { Counts::failed_one() });
        for line in found {
            step.note(&line)?;
        }
    }
    Ok(counts)
}

/// The files of these patterns that are in the repository, or about to be added.
fn listed<P: AsRef<OsStr>>(patterns: impl IntoIterator<Item = P>) -> Result<Vec<PathBuf>, Failure> {
    let mut git = Command::new("git");
    git.current_dir(repo::root());
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "--"]).args(patterns);
    let listed = output_of(&mut git).ok_or_else(|| Failure::Missing {
        what: "git, or a clone made with it".to_owned(),
        fix: "run this in a git clone".to_owned(),
    })?;
    let files = listed.lines().map(|line| repo::root().join(line));
    Ok(files.filter(|file| file.is_file()).collect())
}

/// Files that should be equal in both examples but differ, or are missing in one.
fn different_copies() -> Result<Vec<String>, Failure> {
    let [react, svelte] = Example::ALL.map(Example::folder);
    let mut names = BTreeSet::new();
    for folder in [&react, &svelte] {
        let files = listed(COPIES.iter().map(|copy| folder.join(copy)))?;
        names.extend(
            files.iter().filter_map(|file| Some(file.strip_prefix(folder).ok()?.to_owned())),
        );
    }
    let same = |name: &PathBuf| {
        let [one, other] = [&react, &svelte].map(|folder| fs::read(folder.join(name)).ok());
        one.is_some() && one == other
    };
    let different = names.iter().filter(|name| !same(name));
    Ok(different.map(|name| format!("the examples differ in {}", name.display())).collect())
}

/// Relative links to missing files. Code is skipped.
fn dead_links<'a>(page: &'a Path, text: &'a str) -> impl Iterator<Item = &'a str> {
    let folder = page.parent().unwrap_or(page);
    prose(text).flat_map(|line| line.split("](").skip(1)).filter_map(move |rest| {
        let link = rest.split([')', ' ']).next()?;
        let path = link.split('#').next()?;
        let elsewhere = path.is_empty() || link.contains("://") || link.starts_with("mailto:");
        (!elsewhere && !folder.join(path).exists()).then_some(link)
    })
}

/// The words after `cargo xtask`, inside or outside code.
fn commands_in(text: &str) -> impl Iterator<Item = &str> {
    text.split("cargo xtask ").skip(1).filter_map(|rest| {
        let word = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next()?;
        (!word.is_empty()).then_some(word)
    })
}

fn is_command(word: &str) -> bool {
    crate::COMMANDS.iter().any(|(name, ..)| *name == word)
}

/// The error in a stated size, if there is one.
fn wrong_size(text: &str, (open, close): (&str, &str), committed: &str) -> Option<String> {
    let after = text.split_once(open).map(|(_, after)| after);
    let Some((stated, _)) = after.and_then(|after| after.split_once(close)) else {
        return Some(format!("README.md: no size between {open} and {close}"));
    };
    (stated.trim() != committed)
        .then(|| format!("README.md: says {stated}, npm/size.json says {committed}"))
}

/// Lines outside fenced code.
pub(super) fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fence && !fenced
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_links_to_files_that_are_not_there() {
        let page = repo::root().join("README.md");
        let text =
            "[a](Cargo.toml) [b](no/such.md#x) [c](https://x.y) [d](#here)\n```\n[e](no)\n```\n";
        assert_eq!(dead_links(&page, text).collect::<Vec<_>>(), ["no/such.md#x"]);
    }

    #[test]
    fn finds_commands_that_do_not_exist() {
        let text = "Run `cargo xtask demo`, then `cargo xtask tset --only fmt`.";
        let unknown: Vec<_> = commands_in(text).filter(|word| !is_command(word)).collect();
        assert_eq!(unknown, ["tset"]);
    }

    #[test]
    fn the_examples_share_what_they_are_said_to_share() {
        assert_eq!(different_copies().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_stated_size_must_be_the_committed_one() {
        let text = "The SDK is <!-- size -->19.5 KiB<!-- /size --> in all.";
        assert_eq!(wrong_size(text, SIZE_MARKS, "19.5 KiB"), None);
        assert!(
            wrong_size(text, SIZE_MARKS, "20.1 KiB")
                .is_some_and(|wrong| wrong.contains("20.1 KiB"))
        );
        assert!(wrong_size("no figure", SIZE_MARKS, "20.1 KiB").is_some());
    }
}
