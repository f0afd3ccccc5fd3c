//! A room on the command line: publishes each typed line and prints the lines of others. Lines
//! typed offline, or shortly before the program is killed, are stored in a folder and sent later.
//!
//! ```sh
//! cargo run -p tidings-server -- serve --dev --data /tmp/tidings &
//! cargo run -p tidings-client --example room -- http://127.0.0.1:8787 mina room:42 /tmp/mina
//! ```
//!
//! The API key is `TIDINGS_API_KEY`, or `dev`. A real app never holds the key: its backend makes
//! the tickets.

use std::{env, error::Error};

use futures_util::StreamExt as _;
use tidings_client::{ChannelStatus, Client, Message};
use tidings_protocol::rest::{TicketAnswer, TicketRequest};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [url, user, name, state] = &arguments[..] else {
        return Err("usage: room URL USER ROOM FOLDER".into());
    };
    let key = env::var("TIDINGS_API_KEY").unwrap_or_else(|_| String::from("dev"));
    let http = reqwest::Client::new();
    let tickets = http.post(format!("{url}/v1/tickets")).bearer_auth(key);
    let tickets = tickets.json(&TicketRequest { user: Some(user.clone()), ..Default::default() });
    let tickets = tickets.build()?;

    let client = Client::builder(url)
        .user(user)
        .state(state)
        .ticket(move || {
            let asked = tickets.try_clone().map(|request| http.execute(request));
            async move {
                let Some(asked) = asked else { return Ok(String::new()) };
                let answer = asked.await?.error_for_status()?.json::<TicketAnswer>().await?;
                Ok::<_, reqwest::Error>(answer.ticket)
            }
        })
        .build()?;

    let room = client.channel(name)?;
    let mut messages = room.subscribe().await?;
    let mut state = messages.changes();
    let mut typed = BufReader::new(stdin()).lines();
    loop {
        tokio::select! {
            Some(message) = messages.next() => print(&*message?),
            Ok(()) = state.changed() => {
                let view = state.borrow_and_update();
                if view.status == ChannelStatus::Refused {
                    return Err(format!("{name}: {:?}", view.error).into());
                }
            }
            Ok(Some(line)) = typed.next_line() => {
                // Not awaited: the next line must not wait for the network.
                let room = room.clone();
                tokio::spawn(async move {
                    if let Err(error) = room.publish(&line).await {
                        eprintln!("not sent: {line}: {error}");
                    }
                });
            }
            else => break,
        }
    }
    client.close().await;
    Ok(())
}

fn print(message: &Message) {
    let from = message.from.as_ref().map_or("–", |author| &author.user);
    println!("{from}: {}", message.data);
}
