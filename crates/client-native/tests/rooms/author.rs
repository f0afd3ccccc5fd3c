//! A client in a separate process that can be killed: this test binary again, which runs [`author`]
//! alone.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use crate::world::{PATIENCE, client, everything};

/// Publishes `from..` until it is killed. Prints `kept N` when number N is on disk, and `stored N`
/// when it has its answer.
#[test]
#[ignore = "a process for other tests, not a test"]
fn author() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (url, state) = (env::var("AUTHOR_URL").unwrap(), env::var("AUTHOR_STATE").unwrap());
        let from: u64 = env::var("AUTHOR_FROM").unwrap().parse().unwrap();
        let until: u64 = env::var("AUTHOR_UNTIL").unwrap().parse().unwrap();
        let client = client(url, "mina", &everything()).state(state).build().unwrap();
        let room = client.channel("room:1").unwrap();
        for number in from..until {
            println!("trying {number}");
            match room.publish(&number).await {
                Ok(_) => println!("stored {number}"),
                Err(error) => println!("refused {number} {error}"),
            }
        }
        // The intents of an earlier process are sent first.
        let mut outbox = client.outbox().changes();
        outbox.wait_for(|view| view.pending == 0).await.unwrap();
        println!("empty 0");
        std::future::pending::<()>().await;
    });
}

/// A running author process.
pub(crate) struct Author {
    child: Child,
    sent: mpsc::Receiver<(String, u64)>,
}

impl Author {
    pub(crate) fn start(url: &str, state: &Path, from: u64, until: u64) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "author::author", "--ignored", "--nocapture"])
            .env("AUTHOR_URL", url)
            .env("AUTHOR_STATE", state)
            .env("AUTHOR_FROM", from.to_string())
            .env("AUTHOR_UNTIL", until.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (say, sent) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // The test harness may have printed the beginning of the line.
                let mut words = line.split_whitespace().rev();
                if let (Some(Ok(number)), Some(word)) = (words.next().map(str::parse), words.next())
                    && say.send((word.to_owned(), number)).is_err()
                {
                    return;
                }
            }
        });
        Self { child, sent }
    }

    /// Waits until the process prints this word; returns its number.
    pub(crate) fn until(&self, word: &str) -> u64 {
        loop {
            let (sent, number) = self.sent.recv_timeout(PATIENCE).expect("the author said nothing");
            if sent == word {
                return number;
            }
        }
    }
}

impl Drop for Author {
    /// SIGKILL: no close frame, no flush.
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
