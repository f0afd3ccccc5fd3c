//! Texts that this crate writes, at least one of each shape: TypeScript's compiler holds them
//! against what [`ops::SHAPES`](crate::ops::SHAPES) declares.

use std::sync::Arc;

use tidings_client_core::{
    Author, Change, ChannelStatus, ChannelView, Client, Config, Connection, Error, FailedIntent,
    Filter, GapView, IntentKind, ItemKey, ItemView, MessageView, Now, Outbox, Status, Stored,
    TransportKind,
};
use tidings_protocol::{Channel, Encode, Epoch, ErrorCode, Json, server::GapReason};

use crate::{
    deferred,
    json::{self, Items},
    ops::{JsonText, Shape},
};

/// A text, and the name of its shape.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The shape's name.
    pub shape: &'static str,
    /// The text, in JSON.
    pub text: String,
}

impl<T: Shape> From<JsonText<T>> for Sample {
    fn from(json: JsonText<T>) -> Self {
        Self { shape: T::NAME, text: String::from(json.as_str()) }
    }
}

/// All samples.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let failure = Error::new(ErrorCode::Network, "line\nbreak");
    let failed = FailedIntent {
        kind: IntentKind::Mark,
        id: 1,
        channel: Channel::system(),
        at: 2,
        error: failure.clone(),
    };
    let epoch = Epoch::from_bits(1);
    let changes = [
        Change::Put { lane: String::from("a"), seq: 1, text: String::from("1170\nx") },
        Change::Drop { lane: String::from("a"), seq: 2 },
    ];
    let mut items = Items::default();
    let item = item();
    let (own, other) = (Arc::new(message(true)), Arc::new(message(false)));
    let channel = ChannelView {
        status: ChannelStatus::CatchingUp,
        messages: vec![Arc::clone(&own), other].into(),
        gap: Some(GapView { from: 1, to: 2, why: GapReason::Retention }),
        error: Some(failure.clone()),
        ..ChannelView::default()
    };
    let rows = vec![vec![String::from("a"), String::from("1"), String::from("1170\nx")]];
    let mut samples = vec![
        json::error(&failure).into(),
        json::connection(&connected(), None).into(),
        json::connection(&waiting(&failure), Some(json::error(&failure).as_str())).into(),
        items.single(&item).into(),
        items.single(&item).into(),
        json::failed(&failed).into(),
        json::outbox(&Outbox { pending: 1, failed: vec![failed] }).into(),
        json::channel(&ChannelView::default(), &[]).into(),
        json::channel(&channel, &[]).into(),
        json::channel(&channel, &[own]).into(),
        json::arrived(&Channel::system(), &message(false)).into(),
        json::gap(&Channel::system(), 1, 2, GapReason::Epoch).into(),
        json::stored(&Stored { channel: Channel::system(), epoch, offset: 3, id: String::new() })
            .into(),
        json::cache("u1", &[(epoch, 2), (Epoch::from_bits(3), 4)], &[epoch], "{}").into(),
        json::changes("u1", &changes).into(),
        json::request("poll?wait=0", &Some(String::from("t")), "{}").into(),
        json::request("poll?wait=0", &None, "{}").into(),
        Sample { shape: "LaneRows", text: rows.to_json() },
    ];
    let client = Client::new(Config::new(1, String::from("page"), String::from("lane")));
    let empty = items.view(&client, &Filter::default(), &[4, 5], true, None);
    samples.push(empty.into());
    samples.push(deferred::time(&client, Now { mono: 1, wall: 1 }).into());
    samples
}

fn connected() -> Connection {
    Connection {
        status: Status::Connected,
        user: Some(String::from("\u{1}\"")),
        error: None,
        attempt: 0,
        retry_at: None,
        lost: false,
        transport: Some(TransportKind::Ws),
        durable: true,
    }
}

fn waiting(failure: &Error) -> Connection {
    Connection {
        status: Status::Waiting,
        user: None,
        error: Some(failure.clone()),
        attempt: 3,
        retry_at: Some(9),
        lost: true,
        transport: None,
        durable: false,
    }
}

fn item() -> ItemView {
    ItemView {
        key: ItemKey { channel: Channel::system(), epoch: Epoch::from_bits(1), offset: 1 },
        id: Arc::from("n\"1"),
        kind: Arc::from("payment"),
        at: 7,
        read: true,
        seen: true,
        archived: false,
        pending: true,
        data: payload(),
    }
}

/// An own one without an answer, or another's.
fn message(own: bool) -> MessageView {
    let author = Author { user: String::from("u1"), info: own.then(payload), own };
    MessageView {
        key: 1,
        id: Arc::from("m1"),
        offset: (!own).then_some(4),
        at: 7,
        from: Some(author),
        lane: None,
        data: payload(),
        pending: own,
        failed: own.then(|| Error::new(ErrorCode::Network, "")),
    }
}

fn payload() -> Json {
    Json::parse(r#"{"title":"Paid"}"#).unwrap_or_else(|_| Json::null())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::SHAPES;

    #[test]
    fn every_shape_has_a_sample_that_is_json() {
        let samples = samples();
        for Sample { shape, text } in &samples {
            assert!(Json::parse(text).is_ok(), "{shape}: {text}");
        }
        for shape in SHAPES {
            let sampled = samples.iter().any(|sample| sample.shape == shape.name);
            let inside = SHAPES.iter().any(|other| other.body.contains(shape.name));
            assert!(sampled || inside, "{}", shape.name);
        }
    }
}
