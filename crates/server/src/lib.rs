//! The Tidings server: real-time notifications over WebSocket with an embedded store, as the binary
//! `tidings` or nested into an axum app.
//!
//! ```no_run
//! use axum::{Router, extract::State, routing::post};
//! use tidings_server::{Config, Handle, Notification, Tidings};
//!
//! async fn pay(State(tidings): State<Handle>) -> Result<String, tidings_server::NotifyError> {
//!     let paid = Notification::new("payment", "Paid").to_user("mina").idempotency_key("order-17");
//!     Ok(tidings.notify(paid).await?[0].notification_id.clone())
//! }
//!
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! let tidings = Tidings::builder(Config::default()).build()?;
//! let app: Router = Router::new()
//!     .route("/pay", post(pay))
//!     .with_state(tidings.handle())
//!     .nest("/rt", tidings.router());
//! # Ok(()) }
//! ```
//!
//! | module | content |
//! |---|---|
//! | [`api`] | the REST API |
//! | [`auth`] | authentication of callers |
//! | [`config`] | every setting, documented in `config.default.toml` |
//! | [`driver`] | feeds the sans-I/O core of `tidings-server-core` |
//! | [`log`] | backends of the log |
//! | [`bus`] | messages between nodes |
//! | [`transport`] | bytes ↔ frames |
//! | [`listen`] | accepts TCP connections |
//! | [`shares`] | reports used-up shares of a bound |

pub mod api;
pub mod auth;
pub mod bus;
pub mod config;
pub mod driver;
pub mod error;
mod files;
pub mod listen;
pub mod log;
pub mod metrics;
mod notification;
mod private;
pub mod proxies;
mod refusals;
pub mod shares;
pub mod telemetry;
mod tidings;
pub mod transport;

pub use config::Config;
pub use notification::{Notification, NotifyError, Payload};
pub use tidings::{Builder, Handle, StartError, Tidings, dev_token, run, run_and_say};
