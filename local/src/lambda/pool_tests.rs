//! Tests which instance handles which event, without processes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot::{self, Receiver};

use super::{Delivery, Next, Pool, START_DELAY_WHEN_MANY, Waiting};
use crate::lambda::{InvokeError, Outcome};

fn empty_pool(is_concurrent: bool) -> Pool {
    Pool::new(Duration::from_secs(1), 8, is_concurrent)
}

fn event(id: &str) -> (Waiting, Receiver<Outcome>) {
    let (answer, outcome) = oneshot::channel();
    let (request_id, payload) = (id.to_owned(), Bytes::new());
    (Waiting { request_id, payload, answer, since: Instant::now() }, outcome)
}

fn submit(pool: &mut Pool, id: &str) -> Receiver<Outcome> {
    let (waiting, outcome) = event(id);
    pool.submit(waiting);
    outcome
}

fn poll(pool: &mut Pool, instance: u64) -> Receiver<Delivery> {
    match pool.next(instance) {
        Next::Later(delivery) => delivery,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_most_recently_used_instance_goes_first() {
    let mut pool = empty_pool(false);
    let [first, second] = [(); 2].map(|()| pool.reserve().unwrap().0);
    let mut idle_long = poll(&mut pool, first);
    let mut idle_short = poll(&mut pool, second);
    let _outcome = submit(&mut pool, "a");
    assert_eq!(idle_short.try_recv().unwrap().request_id, "a");
    assert!(idle_long.try_recv().is_err());
}

#[test]
fn an_instance_that_hung_up_gets_nothing_and_the_event_goes_to_the_next() {
    let mut pool = empty_pool(false);
    let [first, second] = [(); 2].map(|()| pool.reserve().unwrap().0);
    let mut waits = poll(&mut pool, first);
    drop(poll(&mut pool, second));
    let _outcome = submit(&mut pool, "a");
    assert_eq!(waits.try_recv().unwrap().request_id, "a");
}

#[test]
fn one_event_at_a_time_an_instance_unless_it_takes_several() {
    for is_concurrent in [false, true] {
        let mut pool = empty_pool(is_concurrent);
        let (instance, _kill) = pool.reserve().unwrap();
        let _first = poll(&mut pool, instance);
        let mut outcome = submit(&mut pool, "a");
        let _second = poll(&mut pool, instance);
        // Another request without an answer fails the event, or is a second poller if the instance is concurrent.
        let is_failed = matches!(outcome.try_recv(), Ok(Err(InvokeError::Crashed(_))));
        assert_eq!(is_failed, !is_concurrent);
        assert_eq!(pool.answer(instance, "a", Ok(Bytes::new())), is_concurrent);
    }
}

#[test]
fn many_instances_become_more_only_while_no_event_that_waits_is_taken() {
    let mut pool = Pool::new(Duration::from_secs(1), 1000, false);
    let busy = 2 * std::thread::available_parallelism().unwrap().get();
    let instances: Vec<u64> = (0..busy).map(|_| pool.reserve().unwrap().0).collect();
    for instance in &instances {
        drop(poll(&mut pool, *instance));
    }
    let _outcomes = ["a", "b", "c"].map(|id| submit(&mut pool, id));
    std::thread::sleep(START_DELAY_WHEN_MANY);
    assert!(matches!(pool.next(instances[0]), Next::Now(_)));
    assert!(pool.grow().is_none(), "no instance starts just after an event was taken");
    std::thread::sleep(START_DELAY_WHEN_MANY);
    assert!(pool.grow().is_some(), "an instance starts if no event was taken");
}

#[test]
fn an_answer_to_another_instances_event_is_not_taken() {
    let mut pool = empty_pool(false);
    let [first, second] = [(); 2].map(|()| pool.reserve().unwrap().0);
    let _delivery = poll(&mut pool, first);
    let mut outcome = submit(&mut pool, "a");
    assert!(!pool.answer(second, "a", Ok(Bytes::new())));
    assert!(!pool.answer(first, "b", Ok(Bytes::new())));
    assert!(pool.answer(first, "a", Ok(Bytes::new())));
    assert_eq!(outcome.try_recv().unwrap(), Ok(Bytes::new()));
}

#[test]
fn an_instance_that_is_being_killed_gets_no_event_and_fails_none_that_waits() {
    let mut pool = empty_pool(false);
    let [idle, starting, third] = [(); 3].map(|()| pool.reserve().unwrap().0);
    pool.started(idle, Some(1));
    pool.started(starting, Some(2));
    let mut idle_delivery = poll(&mut pool, idle);
    assert!(pool.kill(1) && pool.kill(2) && !pool.kill(3));
    let mut outcome = submit(&mut pool, "a");
    assert!(idle_delivery.try_recv().is_err());
    assert!(matches!(pool.next(starting), Next::Never));
    assert!(!pool.ended(idle, "killed") && !pool.ended(starting, "killed"));
    assert!(outcome.try_recv().is_err(), "the event still waits");
    assert!(matches!(pool.next(third), Next::Now(delivery) if delivery.request_id == "a"));
}
