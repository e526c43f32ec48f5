//! Turns while everything fails at once: the database throttles, conflicts and loses answers; invocations are
//! duplicated and lost; connections vanish and hang; workers are killed; providers refuse and break off. Every
//! accepted turn is stored once, every reply ends, and the booked tokens equal the used ones.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use local::{ConnectionFault, DynamoDbFault, InvocationFault, Target, When};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::provider::{FAULTS, Provider, studio_of};
use crate::support::{Connection, TestStudio, User, WAIT_TIMEOUT, eventually_each};

/// How long a client waits for a reply before it sends its turn again.
const REPLY_TIMEOUT: Duration = Duration::from_secs(4);
/// Turns of one user in one conversation.
const TURNS_OF_A_CONVERSATION: usize = 5;

/// The outcome of all turns.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) turns: usize,
    pub(crate) lost: usize,
    pub(crate) duplicated: usize,
    pub(crate) stuck: usize,
    pub(crate) asked_twice: usize,
    pub(crate) ledger_off_by: u64,
    pub(crate) ends: BTreeMap<String, usize>,
    pub(crate) faults: u64,
    pub(crate) killed: usize,
}

/// Runs `turns` turns of `users` concurrent users.
pub(crate) async fn run(users: usize, turns: usize) -> Figures {
    let provider = Provider::start().await;
    let more = [
        ("DEFAULT_MODEL", "gpt-4o"),
        ("RATE_LIMIT", "0"),
        ("DAILY_TOKENS", "0"),
        ("DAILY_MICRO_DOLLARS", "0"),
    ];
    let studio = studio_of(&provider, &more).await;
    let crowd = join_all((0..users).map(|number| {
        let studio = &studio;
        async move { studio.user(&format!("user{number}")).await }
    }))
    .await;
    set_faults(&studio);
    let each = turns.div_ceil(users);
    let work = join_all(crowd.iter().map(|user| talk(user, each)));
    let mut killed = 0;
    let accepted = {
        tokio::pin!(work);
        loop {
            tokio::select! {
                accepted = &mut work => break accepted,
                () = tokio::time::sleep(Duration::from_millis(1500)) => {
                    let instances = studio.instances("replies");
                    killed += instances.last().map_or(0, |pid| usize::from(studio.kill(*pid)));
                }
            }
        }
    };
    let faults = studio.faults().struck();
    studio.faults().clear();
    let mut figures = Figures { faults, killed, ..Figures::default() };
    for (user, accepted) in crowd.iter().zip(&accepted) {
        count(user, accepted, &mut figures).await;
    }
    let twice = provider.calls().into_iter().filter(|(text, calls)| *calls > allowed(text));
    figures.asked_twice = twice.count();
    figures
}

/// How often a model may be asked: twice if it failed before its first text.
fn allowed(text: &str) -> u64 {
    if ["!500", "!429", "!reset"].iter().any(|fault| text.starts_with(fault)) { 2 } else { 1 }
}

fn set_faults(studio: &TestStudio) {
    let faults = studio.faults();
    for (fault, chance) in [
        (DynamoDbFault::AnswerLost, 0.02),
        (DynamoDbFault::Conflict, 0.03),
        (DynamoDbFault::ThroughputExceeded, 0.02),
        (DynamoDbFault::InternalError, 0.01),
        (DynamoDbFault::Delay(Duration::from_millis(200)), 0.02),
    ] {
        faults.dynamodb(fault, Target::any(), When::Probability(chance));
    }
    faults.invocations(InvocationFault::Duplicate, Some("RepliesFunction"), When::Probability(0.1));
    faults.invocations(InvocationFault::Lost, Some("RepliesFunction"), When::Probability(0.03));
    faults.connections(ConnectionFault::LimitExceeded, None, When::Probability(0.03));
    faults.connections(ConnectionFault::Gone, None, When::Probability(0.003));
    faults.connections(ConnectionFault::Hang, None, When::Probability(0.001));
}

/// Takes turns one after another: the conversation and id of each accepted turn.
async fn talk(user: &User, turns: usize) -> BTreeSet<(String, String)> {
    let mut accepted = BTreeSet::new();
    let mut connection = open(user).await;
    for turn in 0..turns {
        let conversation = format!("c{}", turn / TURNS_OF_A_CONVERSATION);
        let id = format!("turn{turn}");
        let fault = FAULTS[(turn + user.username.len() * 3) % FAULTS.len()];
        let content = format!("{fault} {} {id} one two three four five six seven eight", user.username);
        let chat = json!({"type": "chat", "conversationId": conversation, "id": id, "content": content});
        let deadline = Instant::now() + WAIT_TIMEOUT * 4;
        let mut has_ended = false;
        while !has_ended {
            assert!(Instant::now() < deadline, "{} {id} never ended", user.username);
            if connection.try_send(&chat).await.is_err() {
                connection = open(user).await;
                continue;
            }
            match timeout(REPLY_TIMEOUT, end_of(&mut connection, &id)).await {
                Ok(Some(was_accepted)) => {
                    has_ended = was_accepted;
                    if was_accepted {
                        accepted.insert((conversation.clone(), id.clone()));
                    }
                }
                // The connection is gone or hangs: send the turn again on another one.
                Ok(None) | Err(_) => connection = open(user).await,
            }
        }
    }
    accepted
}

/// Opens a connection, and tries again if that fails.
async fn open(user: &User) -> Connection {
    eventually_each(Duration::from_millis(100), "a connection opens", async || {
        let opened = timeout(Duration::from_secs(3), user.try_connect()).await;
        opened.ok().flatten()
    })
    .await
}

/// Waits for the end of this turn: whether it was accepted, or none if the connection is gone.
async fn end_of(connection: &mut Connection, id: &str) -> Option<bool> {
    let mut message = Value::Null;
    loop {
        let frame = connection.try_next().await?;
        match frame["type"].as_str() {
            Some("chat_accepted") if frame["id"] == id => message = frame["messageId"].clone(),
            Some("chat_complete") if frame["messageId"] == message => return Some(true),
            Some("chat_error") if frame["messageId"] == message && !message.is_null() => return Some(true),
            Some("chat_error") if frame["id"] == id => {
                let wait = if frame["code"] == "reply_running" { 500 } else { 50 };
                tokio::time::sleep(Duration::from_millis(wait)).await;
                return Some(false);
            }
            // An error of the gateway: the function died.
            None => return Some(false),
            _ => {}
        }
    }
}

/// Compares the stored turns with the accepted ones.
async fn count(user: &User, accepted: &BTreeSet<(String, String)>, figures: &mut Figures) {
    let stored = eventually_each(Duration::from_millis(500), "all replies have ended", async || {
        let list = user.get("/api/conversations").await.expect(200).body;
        for conversation in list.as_array().unwrap() {
            let id = conversation["id"].as_str().unwrap();
            let read = user.get(&format!("/api/conversations/{id}")).await.expect(200).body;
            let waits = |message: &&Value| message["status"] == "pending" || message["status"] == "running";
            if read["messages"].as_array().unwrap().iter().any(|message| waits(&message)) {
                return None;
            }
        }
        let list = user.get("/api/conversations").await.expect(200).body;
        Some(list)
    })
    .await;
    let mut said: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut tokens = 0;
    for conversation in stored.as_array().unwrap() {
        for message in conversation["messages"].as_array().unwrap() {
            let id = message["id"].as_str().unwrap().to_owned();
            if message["role"] == "user" {
                *said.entry((conversation["id"].as_str().unwrap().to_owned(), id)).or_default() += 1;
            } else {
                tokens += message["tokens"].as_u64().unwrap_or_default();
                let status = message["status"].as_str().unwrap_or("none").to_owned();
                figures.stuck += usize::from(["none", "pending", "running"].contains(&status.as_str()));
                *figures.ends.entry(status).or_default() += 1;
            }
        }
    }
    figures.turns += accepted.len();
    figures.lost += accepted.iter().filter(|turn| !said.contains_key(*turn)).count();
    figures.duplicated += said.values().map(|times| times - 1).sum::<usize>();
    // The reservation of a title whose function died is released within a minute.
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut off = off_by(user, tokens).await;
    while off > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_secs(1)).await;
        off = off_by(user, tokens).await;
    }
    figures.ledger_off_by += off;
}

/// How far the booked tokens and the statistics are from the messages. Titles would be booked too, so the provider
/// makes none.
async fn off_by(user: &User, tokens: u64) -> u64 {
    let usage = user.get("/api/usage").await.expect(200).body;
    let statistics = user.get("/api/stats").await.expect(200).body;
    let number = |value: &Value| value.as_u64().unwrap();
    let today = &usage["today"];
    let booked = number(&today["output_tokens"]);
    number(&today["reserved_tokens"])
        + number(&today["running"])
        + booked.abs_diff(tokens)
        + number(&statistics["total_tokens"]).abs_diff(tokens)
}

#[tokio::test]
async fn no_turn_is_lost_duplicated_or_stuck_whatever_fails() {
    let figures = run(8, 120).await;
    let Figures { turns, lost, duplicated, stuck, asked_twice, ledger_off_by, .. } = figures;
    assert_eq!(
        (turns, lost, duplicated, stuck, asked_twice, ledger_off_by),
        (120, 0, 0, 0, 0, 0),
        "{figures:?}"
    );
    assert!(figures.faults > 50 && figures.ends.len() > 1, "{figures:?}");
}
