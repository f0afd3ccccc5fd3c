//! Subscribes to a user's inbox, prints notifications that arrive, and marks them read.
//!
//! ```sh
//! cargo run -p tidings-server -- serve --dev --data /tmp/tidings &
//! cargo run -p tidings-client --example follow -- http://127.0.0.1:8787 u1
//! curl http://127.0.0.1:8787/v1/notifications -H 'Authorization: Bearer dev' -H 'Content-Type: application/json' \
//!   -d '{"to":{"user":"u1"},"type":"payment","title":"Paid"}'
//! ```
//!
//! The API key is `TIDINGS_API_KEY`, or `dev`. A real app never holds the key: its backend makes
//! the tickets.

use std::{env, error::Error, pin::pin};

use futures_util::StreamExt as _;
use tidings_client::{Body, Client};
use tidings_protocol::rest::{TicketAnswer, TicketRequest};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(url), Some(user)) = (arguments.next(), arguments.next()) else {
        return Err("usage: follow URL USER".into());
    };
    let key = env::var("TIDINGS_API_KEY").unwrap_or_else(|_| String::from("dev"));
    let asker = Asker { http: reqwest::Client::new(), url: url.clone(), key, user };

    let client = Client::builder(url)
        .ticket(move || {
            let asker = asker.clone();
            async move { asker.ticket().await }
        })
        .build()?;

    let inbox = client.inbox();
    let mut connection = client.connection_changes();
    let mut arrived = pin!(inbox.arrived());
    loop {
        tokio::select! {
            Ok(()) = connection.changed() => println!("{}", client.explain().await),
            Some(item) = arrived.next() => {
                let item = item?;
                let body: Body = Body::of(&item)?;
                println!("{}: {} ({} unread)", item.kind, body.title, inbox.snapshot().unread);
                inbox.mark_read([&*item.id]).await?;
            }
            else => return Ok(()),
        }
    }
}

#[derive(Clone)]
struct Asker {
    http: reqwest::Client,
    url: String,
    key: String,
    user: String,
}

impl Asker {
    async fn ticket(&self) -> Result<String, reqwest::Error> {
        let wanted = TicketRequest { user: Some(self.user.clone()), ..TicketRequest::default() };
        let request = self.http.post(format!("{}/v1/tickets", self.url)).bearer_auth(&self.key);
        let answer = request.json(&wanted).send().await?.error_for_status()?;
        Ok(answer.json::<TicketAnswer>().await?.ticket)
    }
}
