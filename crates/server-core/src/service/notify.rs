//! Publishing a notification to users, a topic or everyone.

use tidings_protocol::{
    Channel,
    rest::{PublishNotification, Targets},
};

use crate::{
    Ids,
    refused::Refused,
    store::{Draft, IdempotencyKey, Op, Write},
};

/// Makes one record per user, or one for a topic or for everyone; all of them in one transaction.
/// For backends only.
///
/// # Errors
/// `bad_request`, naming the field at fault.
pub fn notify(
    body: &PublishNotification,
    key: Option<IdempotencyKey>,
    wall: u64,
    ids: &mut Ids,
) -> Result<Write, Refused> {
    let channels = match body.check()? {
        Targets::Users(users) => {
            users.iter().map(|user| Channel::inbox(user)).collect::<Result<_, _>>()
        }
        Targets::Topic(channel) => Ok(vec![channel]),
        Targets::Broadcast => Ok(vec![Channel::system()]),
    }
    .map_err(|error| Refused::new(tidings_protocol::ErrorCode::BadRequest, error.as_str()))?;
    let drafts = channels.into_iter().map(|channel| {
        let id = ids.next(wall);
        let data = body.body(&id, wall);
        Draft { channel, id, kind: body.kind.clone(), at: wall, data }
    });
    Ok(Write { key, lane: None, op: Op::Notify(drafts.collect()) })
}

#[cfg(test)]
mod tests {
    use tidings_protocol::rest::Target;

    use super::*;

    fn to(to: Target) -> PublishNotification {
        PublishNotification {
            to,
            kind: "like".into(),
            title: "Mina likes it".into(),
            ..Default::default()
        }
    }

    fn drafts(body: &PublishNotification) -> Vec<Draft> {
        match notify(body, None, 7, &mut Ids::new(1)).unwrap().op {
            Op::Notify(drafts) => drafts,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_user_gets_a_record_with_an_id_of_its_own() {
        let made =
            drafts(&to(Target { users: Some(vec!["a".into(), "b".into()]), ..Default::default() }));
        assert_eq!(
            made.iter().map(|draft| draft.channel.as_str()).collect::<Vec<_>>(),
            ["inbox:a", "inbox:b"]
        );
        assert_ne!(made[0].id, made[1].id);
        assert!(made[0].data.as_str().contains(&made[0].id));
    }

    #[test]
    fn a_payload_that_no_inbox_could_carry_is_refused() {
        let nested = |levels: usize| {
            let data = ["[".repeat(levels), "]".repeat(levels)].concat();
            let to = Target { everyone: Some(true), ..Default::default() };
            PublishNotification {
                to,
                kind: "like".into(),
                title: "t".into(),
                data: Some(tidings_protocol::Json::parse(&data).unwrap()),
                ..Default::default()
            }
        };
        assert!(notify(&nested(28), None, 7, &mut Ids::new(1)).is_ok());
        let refused = notify(&nested(29), None, 7, &mut Ids::new(1)).unwrap_err();
        assert!(refused.message().contains("`data`"), "{}", refused.message());
    }

    #[test]
    fn a_broadcast_is_one_record() {
        let made = drafts(&to(Target { everyone: Some(true), ..Default::default() }));
        assert_eq!(made.len(), 1);
        assert!(made[0].channel.is_system());
    }

    #[test]
    fn a_bad_target_is_refused_by_name() {
        let refused = notify(&to(Target::default()), None, 7, &mut Ids::new(1)).unwrap_err();
        assert!(refused.detail.starts_with("`to`"), "{refused}");
    }
}
