//! `cargo xtask test`: every suite on one line, and a last line for all of them.

mod conformance;
mod contract;
mod counts;
mod deny;
mod docs;
mod list;
mod names;

use std::time::Instant;

use lexopt::prelude::*;

use crate::failure::Failure;
use crate::repo;
use crate::steps::{Outcome, Step, tail, took};
pub(crate) use counts::Counts;
use list::{SUITES, Suite};

/// Lines of a failed suite's log that are shown.
const TAIL: usize = 60;

/// Runs the chosen suites; `false` if a test failed.
pub(crate) fn run(args: &mut lexopt::Parser) -> Result<bool, Failure> {
    let Some(suites) = chosen(args)? else { return Ok(true) };
    let began = Instant::now();
    let mut sum = Counts::default();
    for (index, suite) in suites.iter().enumerate() {
        let title = format!("[{}/{}] {}: {}…", index + 1, suites.len(), suite.name, suite.about);
        let counts = run_one(suite, title)?;
        sum.add(counts);
    }
    println!("\n{} suites in {}, logs in target/test-logs", suites.len(), took(began.elapsed()));
    // The last line always has this form, because programs read it.
    println!("{sum}");
    Ok(sum.failed == 0)
}

fn run_one(suite: &Suite, title: String) -> Result<Counts, Failure> {
    let log = repo::target().join("test-logs").join(format!("{}.log", suite.name));
    let mut step = Step::begin(title, &log)?;
    let result = (suite.run)(&mut step);
    let (counts, why) = match result {
        Ok(counts) => (counts, None),
        Err(failure) => (Counts::failed_one(), Some(failure)),
    };
    step.end(Ok(&Outcome::Said(counts.to_string())));
    if let Some(why) = why {
        println!("    {why}");
    }
    if counts.failed > 0 {
        println!("--- the end of {} ---", repo::shown(&log));
        println!("{}", tail(&log, TAIL));
        println!("--- {} failed ---", suite.name);
    }
    Ok(counts)
}

/// The suites named by `--only` in their own order, or all; none after `--list`.
fn chosen(args: &mut lexopt::Parser) -> Result<Option<Vec<&'static Suite>>, Failure> {
    let mut only = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Long("list") => {
                SUITES.iter().for_each(|suite| println!("{:<12} {}", suite.name, suite.about));
                return Ok(None);
            }
            Long("only") => {
                for word in args.values()? {
                    let word = crate::text(word)?;
                    only.extend(word.split(',').map(str::to_owned));
                }
            }
            other => return Err(other.unexpected().into()),
        }
    }
    for name in &only {
        if !SUITES.iter().any(|suite| suite.name == name) {
            return Err(Failure::Usage(format!(
                "no suite `{name}`: see `cargo xtask test --list`"
            )));
        }
    }
    let wanted = |suite: &&Suite| only.iter().any(|name| name == suite.name);
    let usual = |suite: &&Suite| only.is_empty() && (suite.possible)();
    Ok(Some(SUITES.iter().filter(|suite| wanted(suite) || usual(suite)).collect()))
}
