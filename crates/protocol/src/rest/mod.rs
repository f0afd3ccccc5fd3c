//! Bodies of the REST API. Each request body has a `check`, whose error names the field at fault.

mod bodies;
mod check;
mod notification;
mod time;

pub use bodies::{
    InboxPage, MarkAnswer, MarkRequest, PROBLEM_DOCS, Problem, PublishMessage, PublishResults,
    PublishedMessage, RevocationRequest, Revoked, Stored, TicketAnswer, TicketRequest,
};
pub use check::BodyError;
pub use notification::{NotificationBody, PublishNotification, Target, Targets, notification_body};
pub use time::rfc3339;
