//! `cargo xtask setup`: installs in advance everything that later commands would install.

use lexopt::prelude::*;

use crate::failure::Failure;
use crate::node;
use crate::package::Example;
use crate::repo;
use crate::steps::{Outcome, Steps};
use crate::system::{
    self, CHROMEDRIVER, CHROMIUM, FIREFOX, NGINX, POSTGRESQL, REDIS, STRACE, WEBKIT, XVFB,
};
use crate::wasm::{Goal, Route};

/// Prepares for `demo`, or for `test`, which also needs browsers.
pub(crate) fn run(mut args: lexopt::Parser) -> Result<(), Failure> {
    let whole = match args.next()? {
        None => true,
        Some(Value(word)) if word == "test" => true,
        Some(Value(word)) if word == "demo" => false,
        Some(other) => return Err(other.unexpected().into()),
    };
    crate::no_more(args)?;

    let logs = repo::scratch().join("logs");
    let mut steps = Steps::new(if whole { 4 } else { 3 });
    steps.run("Checking node and npm", &logs.join("setup-node.log"), |_| {
        node::check().map(|()| Outcome::Done)
    })?;
    steps.run("Finding a compiler for the browser", &logs.join("setup-wasm.log"), |step| {
        let goal = if whole { Goal::Measured } else { Goal::Soonest };
        Route::pick(goal, step).map(|route| Outcome::Said(route.name().to_owned()))
    })?;
    steps.run("Installing npm packages", &logs.join("setup-npm.log"), |step| {
        let mut folders = vec![repo::root().join("npm")];
        folders.extend(Example::ALL.map(Example::folder));
        if whole {
            folders.push(repo::root().join("e2e"));
        }
        let mut outcome = Outcome::Unchanged;
        for folder in folders {
            if node::install(&folder, step)? {
                outcome = Outcome::Done;
            }
        }
        Ok(outcome)
    })?;
    if whole {
        let browsers = [CHROMIUM, CHROMEDRIVER, FIREFOX, WEBKIT, XVFB];
        let all =
            browsers.into_iter().chain([STRACE, POSTGRESQL, REDIS, NGINX]).collect::<Vec<_>>();
        let title = "Looking for browsers, strace, PostgreSQL, Redis and nginx";
        steps.run(title, &logs.join("setup-system.log"), |step| {
            system::ensure(&all, step).map(|()| Outcome::Done)
        })?;
    }
    Ok(())
}
