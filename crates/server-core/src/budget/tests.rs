use super::*;

fn limits(burst: u64) -> Limits {
    let mut limits = Limits::default();
    limits.user.messages = Rate::every_ms(burst, 10);
    limits.user.bytes = Rate::per_second(1_000, 1_000);
    limits
}

fn admits(account: &Account, now: u64, limits: &Limits) -> bool {
    account.take(now, Cost::message(0), limits).is_ok()
}

#[test]
fn a_burst_passes_and_then_the_rate_holds() {
    let (account, limits) = (Account::default(), limits(3));
    assert!((0..3).all(|_| admits(&account, 1_000, &limits)));
    assert!(!admits(&account, 1_009, &limits));
    assert!(admits(&account, 1_010, &limits));
    assert!(!admits(&account, 1_010, &limits));
    assert!((0..3).all(|_| admits(&account, 5_000, &limits)) && !admits(&account, 5_000, &limits));
}

#[test]
fn after_the_told_time_as_much_passes_as_a_client_sends_at_once() {
    let (account, limits) = (Account::default(), limits(1_000));
    assert!((0..1_000).all(|_| admits(&account, 7, &limits)));
    let used_up = account.take(7, Cost::message(0), &limits).unwrap_err();
    assert_eq!((used_up.kind, used_up.retry_after_ms), (Kind::Messages, 160));
    assert!((0..16).all(|_| admits(&account, 167, &limits)) && !admits(&account, 167, &limits));
}

#[test]
fn all_is_taken_or_nothing() {
    let (account, limits) = (Account::default(), limits(2));
    account.take(0, Cost::message(900), &limits).unwrap();
    // Too many bytes: the unit taken for the message is given back.
    for _ in 0..10 {
        assert_eq!(account.take(0, Cost::message(101), &limits).unwrap_err().kind, Kind::Bytes);
    }
    account.take(0, Cost::message(100), &limits).unwrap();
    assert_eq!(account.take(0, Cost::message(0), &limits).unwrap_err().kind, Kind::Messages);
}

#[test]
fn what_is_larger_than_a_burst_passes_where_nothing_is_owed() {
    let (account, limits) = (Account::default(), limits(2));
    account.take(0, Cost::message(5_000), &limits).unwrap();
    assert!(account.take(4_000, Cost::message(5_000), &limits).is_err());
    account.take(5_000, Cost::message(5_000), &limits).unwrap();
}

#[test]
fn what_keeps_a_connection_alive_is_counted_and_makes_no_debt() {
    let (account, limits) = (Account::default(), limits(3));
    for _ in 0..1_000 {
        account.count(0, Cost::message(0), &limits);
    }
    assert!(!admits(&account, 0, &limits));
    assert!(admits(&account, 10, &limits), "a flood of pings costs no more than the burst");
}

#[test]
fn use_on_other_nodes_is_paid_off_before_more_is_let_through() {
    let (account, limits) = (Account::default(), limits(100));
    account.used_elsewhere(0, Cost::new([150, 0, 0, 0, 0]), &limits);
    assert!(!admits(&account, 500, &limits));
    assert!(admits(&account, 510, &limits));
    // The debt of a user is bounded, even with extreme reports of other nodes.
    account.used_elsewhere(510, Cost::new([u64::MAX, 0, 0, 0, 0]), &limits);
    assert!(!admits(&account, 7_519, &limits) && admits(&account, 7_520, &limits));
}

#[test]
fn a_debt_is_not_forgiven_by_what_is_counted_after_it() {
    let (account, limits) = (Account::default(), limits(100));
    account.used_elsewhere(0, Cost::new([200, 0, 0, 0, 0]), &limits);
    account.count(0, Cost::message(0), &limits);
    assert!(!admits(&account, 1_000, &limits) && admits(&account, 1_010, &limits));
}

#[test]
fn three_nodes_that_tell_each_other_let_about_one_rate_through() {
    let limits = limits(100);
    let nodes = [Account::default(), Account::default(), Account::default()];
    let mut passed = 0;
    for second in 0..60 {
        for now in (second * 1_000..(second + 1) * 1_000).step_by(2) {
            passed += nodes.iter().filter(|node| admits(node, now, &limits)).count();
        }
        let told = nodes.each_ref().map(|node| node.take_unreported(&limits));
        for (from, cost) in told.into_iter().enumerate() {
            for (_, node) in nodes.iter().enumerate().filter(|(to, _)| *to != from) {
                let cost = cost.unwrap_or_default();
                node.used_elsewhere((second + 1) * 1_000, cost, &limits);
            }
        }
    }
    // A burst on each node, then 100 a second, and the use of three nodes within the second before
    // they know of each other.
    assert!((6_000..7_000).contains(&passed), "{passed}");
}

#[test]
fn only_much_is_told_and_once() {
    let (account, limits) = (Account::default(), limits(640));
    for _ in 0..10 {
        admits(&account, 0, &limits);
    }
    assert_eq!(account.take_unreported(&limits), None);
    admits(&account, 0, &limits);
    assert_eq!(account.take_unreported(&limits), Some(Cost::new([11, 0, 0, 0, 0])));
    assert_eq!(account.take_unreported(&limits), None);
}

#[test]
fn refusals_are_counted_by_kind() {
    let (account, limits) = (Account::default(), limits(1));
    assert!(admits(&account, 0, &limits));
    assert!(!admits(&account, 0, &limits) && !admits(&account, 0, &limits));
    assert_eq!(account.take_refused(), [2, 0, 0, 0, 0]);
    assert_eq!(account.take_refused(), [0; KINDS]);
}

#[test]
fn who_owes_nothing_is_even() {
    let (account, limits) = (Arc::new(Account::default()), limits(10));
    assert!(account.is_even(0));
    assert!(admits(&account, 0, &limits));
    assert!(!account.is_even(9) && account.is_even(10));
    let begin_request = account.begin_request(&limits).unwrap();
    assert!(!account.is_even(10));
    drop(begin_request);
    assert!(account.is_even(10));
}

#[test]
fn only_so_many_requests_are_here_at_once() {
    let account = Arc::new(Account::default());
    let limits = Limits { user_visits: 2, ..Limits::default() };
    let first = account.begin_request(&limits).unwrap();
    let _second = account.begin_request(&limits).unwrap();
    let refused = account.begin_request(&limits).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Flood);
    assert!(refused.detail.contains("user_visits") && refused.retry_after_ms.is_some());
    drop(first);
    account.begin_request(&limits).unwrap();
}
