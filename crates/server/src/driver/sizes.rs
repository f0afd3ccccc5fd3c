//! The size of a waiting connection, held by a test: with a hundred thousand connections, each byte
//! is 100 KB.

use super::{connection, connection_handle::ConnectionHandle};
use crate::transport::ws::Ws;

fn size_of_future<A, B, C, D, E, F>(_: impl Fn(A, B, C, D, E) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn a_connection_task_stays_small() {
    let task = size_of_future(connection::serve::<Ws>);
    let handle = size_of::<ConnectionHandle>();
    assert!(task <= 1_200, "the task takes {task} bytes");
    assert!(handle <= 128, "the line takes {handle} bytes");
}
