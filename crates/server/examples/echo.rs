//! An echo server at `/` with this server's upgrade settings and codec, for conformance suites.
//!
//! ```sh
//! cargo run -p tidings-server --example echo -- 127.0.0.1:9001
//! ```

use std::{error::Error, time::Duration};

use axum::{Router, extract::Request, routing::get};
use tidings_protocol::CloseCode;
use tidings_server::{
    listen::{self, Bounds, Gate},
    transport::{
        Transport,
        upgrade::accept,
        ws::{Sizes, Ws},
    },
};
use tidings_server_core::fair;
use tokio::{net::TcpListener, time::Instant};
use tokio_tungstenite::tungstenite::Message;

/// Suites send messages of up to 16 MiB.
const SIZES: Sizes = Sizes { message: 64 << 20, frame: 64 << 20, fragments: 1 << 20 };

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(&address).await?;
    println!("echoing on ws://{}/", listener.local_addr()?);
    let app = Router::new().route(
        "/",
        get(async |request: Request| {
            let (response, upgraded) = accept(request.into_parts().0).await?;
            tokio::spawn(async {
                if let Ok(upgraded) = upgraded.await {
                    echo(Ws::new(upgraded, SIZES).await).await;
                }
            });
            Ok::<_, axum::response::Response>(response)
        }),
    );
    let bounds = Bounds {
        header_timeout: Duration::from_secs(10),
        keep_alive: Duration::from_secs(60),
        user_timeout: Duration::from_secs(30),
        send_timeout: Duration::from_secs(20),
        accept_rate: 10_000,
        waiting: fair::Bounds { each: 1_000, total: 1_000 },
        links: 1_000,
        files: 2_000,
        strangers: fair::Bounds { each: 1_000, total: 1_000 },
        links_per_user: 1_000,
    };
    let stop = async {
        let _asked = tokio::signal::ctrl_c().await;
        Instant::now()
    };
    listen::serve(listener, app, bounds, Gate::default(), stop).await;
    Ok(())
}

async fn echo(mut socket: Ws) {
    while let Some(message) = socket.message().await {
        let sent = match message {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => socket.send(message).await,
            // Pongs are sent automatically.
            Ok(_) => Ok(()),
            Err(fault) => return socket.close(fault.close(), "").await,
        };
        if sent.is_err() {
            return socket.close(CloseCode::INTERNAL, "").await;
        }
    }
}
