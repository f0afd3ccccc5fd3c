//! One suite for all transports: the same scenarios over WebSocket, streams and polls.

mod connect_request;
mod credentials;
mod http;
mod link;
mod nodes;
mod polls;
mod reading_back;
mod scenarios;

macro_rules! over {
    ($($kind:ident $name:ident,)*) => { $(
        mod $name {
            use super::{scenarios, connect_request::Kind};

            suite! { $kind
                receives_what_is_published_live
                hears_rooms_it_names_and_no_others
                resumes_after_kill_9_with_nothing_lost_or_doubled
                goes_on_with_a_new_ticket_and_its_cursors
                receives_records_larger_than_any_buffer
                is_notified_of_a_gap
                ends_when_revoked
                ends_when_expired
                is_refused_over_the_limit
                is_replaced_by_its_own_page
                misses_nothing_when_it_reads_late
                is_sent_away_by_a_drain
                says_what_it_wants_and_is_answered
                is_told_when_it_floods
                renews_its_credential
                is_refused_from_a_foreign_page
                is_told_what_is_wrong_with_its_first_words
            }
        }
    )* };
}

macro_rules! suite {
    ($kind:ident $($scenario:ident)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $scenario() {
            scenarios::$scenario(Kind::$kind).await;
        }
    )* };
}

over! {
    WebSocket over_websocket,
    EventSource over_event_source,
    FetchedStream over_fetched_stream,
    AddressedPoll over_addressed_poll,
    FetchedPoll over_fetched_poll,
}
