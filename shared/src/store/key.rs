//! The keys of all items in both tables. No other module builds a key.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::dynamo::Key;
use crate::domain::{
    ConnectionId, ConversationId, Day, Email, KeyId, LoginName, MessageId, Millis, ModelName, ReplyPlace,
    Requester, SessionId, UserId, Username,
};

/// The index that lists a user's conversations by their last change.
pub(super) const BY_UPDATE: &str = "by_update";
/// How many items each of the totals is spread over, so that transactions seldom conflict on one of them.
pub(super) const SHARDS: u64 = 32;

/// The partition of everything that belongs to a user but conversations and their messages.
pub(super) fn user_partition(user: UserId) -> String {
    format!("USER#{user}")
}

pub(super) const USER: &str = "USER";

pub(super) fn user(user: UserId) -> Key {
    Key::new(user_partition(user), USER)
}

pub(super) fn username(username: &Username) -> Key {
    let key = format!("NAME#{}", username.canonical());
    Key::new(key.clone(), key)
}

pub(super) fn email(email: &Email) -> Key {
    let key = format!("EMAIL#{}", email.canonical());
    Key::new(key.clone(), key)
}

/// The item that leads from a username or an email address to its user.
pub(super) fn login_name(login: &LoginName) -> Key {
    match login {
        LoginName::Username(name) => username(name),
        LoginName::Email(address) => email(address),
    }
}

/// The prefix of the sort keys of a user's sessions.
pub(super) const SESSIONS: &str = "SESSION#";
/// The first sort key after all sessions.
pub(super) const AFTER_SESSIONS: &str = "SESSION$";

pub(super) fn session(user: UserId, session: SessionId) -> Key {
    Key::new(user_partition(user), format!("{SESSIONS}{session}"))
}

/// The prefix of the sort keys of a user's API keys.
pub(super) const API_KEYS: &str = "KEY#";
/// The first sort key after all API keys.
pub(super) const AFTER_API_KEYS: &str = "KEY$";

pub(super) fn api_key(user: UserId, id: KeyId) -> Key {
    Key::new(user_partition(user), format!("{API_KEYS}{id}"))
}

/// The prefix of the sort keys of a user's statistics.
pub(super) const STATISTICS: &str = "STATS";

pub(super) fn statistics(user: UserId) -> Key {
    Key::new(user_partition(user), STATISTICS)
}

pub(super) fn day_statistics(user: UserId, day: Day) -> Key {
    Key::new(user_partition(user), day_sort_key(day))
}

/// The usage item of a day: what a user's replies used, and what is reserved.
pub(super) fn day_usage(user: UserId, day: Day) -> Key {
    Key::new(user_partition(user), format!("USAGE#{day}"))
}

/// The first sort key after the statistics of all models.
pub(super) const AFTER_MODELS: &str = "STATS#MODEL$";

/// The day in the sort key of a day's statistics, as `YYYY-MM-DD`.
pub(super) fn day_of(sort_key: &str) -> &str {
    sort_key.strip_prefix("STATS#").unwrap_or_default()
}

pub(super) fn day_sort_key(day: Day) -> String {
    format!("{STATISTICS}#{day}")
}

/// The statistics of one model. Clients may invent model names, so each name has its own item; otherwise one item would
/// grow without bound.
pub(super) fn model_statistics(user: UserId, model: &ModelName) -> Key {
    Key::new(user_partition(user), format!("{MODEL_STATISTICS}{model}"))
}

pub(super) const MODEL_STATISTICS: &str = "STATS#MODEL#";

/// The partition of a conversation. It contains the owner, so a request cannot address a conversation of another user.
pub(super) fn conversation_partition(user: UserId, id: &ConversationId) -> String {
    format!("CONVERSATION#{user}#{id}")
}

pub(super) const CONVERSATION: &str = "CONVERSATION";
/// The prefix of the sort keys of messages.
pub(super) const MESSAGE: &str = "MESSAGE#";
/// The prefix of the sort keys of references. It sorts after all messages, so that a Query for a conversation and its
/// messages does not read references.
const REFERENCE: &str = "REF#";
const REPLY: &str = "REPLY";
/// The first sort key after all messages.
pub(super) const AFTER_MESSAGES: &str = "MESSAGE$";

pub(super) fn conversation(user: UserId, id: &ConversationId) -> Key {
    Key::new(conversation_partition(user, id), CONVERSATION)
}

pub(super) fn message(user: UserId, id: &ConversationId, number: u64) -> Key {
    Key::new(conversation_partition(user, id), format!("{MESSAGE}{number:08}"))
}

/// The item with this sort key in the partition of a conversation.
pub(super) fn within_conversation(user: UserId, id: &ConversationId, sort_key: &str) -> Key {
    Key::new(conversation_partition(user, id), sort_key)
}

/// The message number in the sort key of a message.
pub(super) fn message_number(sort_key: &str) -> Option<u64> {
    sort_key.strip_prefix(MESSAGE)?.parse().ok()
}

/// The reference that leads from a message id that a client chose to the number of the message, in one revision.
pub(super) fn reference(user: UserId, id: &ConversationId, revision: &str, message: &MessageId) -> Key {
    Key::new(conversation_partition(user, id), format!("{REFERENCE}{revision}#{message}"))
}

/// The message number in the sort key of a message, a reply or a part of a reply.
pub(super) fn number_of(sort_key: &str) -> Option<u64> {
    let reply = sort_key.strip_prefix(REPLY).and_then(|rest| rest.strip_prefix('#'));
    let number = sort_key.strip_prefix(MESSAGE).or(reply)?;
    number.split('#').next()?.parse().ok()
}

/// The revision in the sort key of a reference.
pub(super) fn revision_of_reference(sort_key: &str) -> Option<&str> {
    sort_key.strip_prefix(REFERENCE)?.split_once('#').map(|(revision, _)| revision)
}

/// A sort key after all items in the partition of a conversation.
pub(super) const AFTER_CONVERSATION: &str = "S";

/// The prefix of the sort keys of a user's cleanup intents. Stored tables contain this literal, so it stays as it is.
pub(super) const CLEANUP_INTENTS: &str = "UNFINISHED#";
/// The first sort key after all cleanup intents.
pub(super) const AFTER_CLEANUP_INTENTS: &str = "UNFINISHED$";

pub(super) fn cleanup_intent(user: UserId, token: &str) -> Key {
    Key::new(user_partition(user), format!("{CLEANUP_INTENTS}{token}"))
}

/// The item of the reply that is message `number` of a conversation: what its worker needs, and its checkpoints.
pub(super) fn reply(user: UserId, id: &ConversationId, number: u64) -> Key {
    Key::new(conversation_partition(user, id), format!("{REPLY}#{number:08}"))
}

/// The item of the reply at `place`.
pub(super) fn reply_at(place: &ReplyPlace) -> Key {
    match &place.within {
        Some((conversation, number)) => reply(place.user, conversation, *number),
        None => loose_reply(place.user, &place.message),
    }
}

/// The item of part `part` of the text of a reply.
pub(super) fn reply_part(reply: &Key, part: u64) -> Key {
    Key::new(reply.pk.clone(), format!("{}#{part:04}", reply.sk))
}

/// The item of a loose reply, which belongs to no conversation. It is in its user's partition, so deleting the account
/// deletes it.
pub(super) fn loose_reply(user: UserId, id: &MessageId) -> Key {
    Key::new(user_partition(user), format!("{REPLY}#{id}"))
}

/// The item that remembers the result of a request with an `Idempotency-Key`. It is in its user's partition, so
/// deleting the account deletes it.
pub(super) fn request(user: UserId, idempotency_key: &str) -> Key {
    Key::new(user_partition(user), format!("REQUEST#{idempotency_key}"))
}

/// The item that leads from the hash of an API key to its owner. No other kind of secret has a key of this form.
pub(super) fn api_key_owner(hash: &str) -> Key {
    let key = format!("SECRET#{hash}");
    Key::new(key.clone(), key)
}

/// A WebSocket ticket of a user, by the hash of the ticket.
pub(super) fn ticket(user: UserId, hash: &str) -> Key {
    Key::new(user_partition(user), format!("TICKET#{hash}"))
}

/// A token that was mailed to a user, by the hash of the token.
pub(super) fn mail_token(user: UserId, hash: &str) -> Key {
    Key::new(user_partition(user), format!("MAIL#{hash}"))
}

/// The counter of a requester's requests in window number `window`. Counters of users are in the partition of their
/// user, so deleting the account deletes them.
pub(super) fn requests(requester: &Requester, window: u64) -> Key {
    let key = match requester {
        Requester::User(user) => return Key::new(user_partition(*user), format!("{LIMIT}{window}")),
        Requester::Items(user) => return Key::new(user_partition(*user), format!("{LIMIT}ITEMS#{window}")),
        Requester::Network(network) => format!("{LIMIT}{network}#{window}"),
        Requester::Connection(connection) => format!("{LIMIT}FRAMES#{connection}#{window}"),
        // This counter must survive the deletion of an account; otherwise someone could delete and re-register an
        // account to reset this limit. So it is not in a user's partition, and contains a hash instead of the address.
        Requester::Mailbox(email) => format!("{LIMIT}MAIL#{}#{window}", fingerprint(&email.canonical())),
        Requester::Waits(network) => format!("{LIMIT}WAITS#{network}#{window}"),
    };
    Key::new(key.clone(), key)
}

fn fingerprint(text: &str) -> String {
    BASE64.encode(digest(&SHA256, text.as_bytes()))
}

const LIMIT: &str = "LIMIT#";

/// The counter of wrong passwords of a user who is logged in and confirms an action.
pub(super) fn failures_of_user(user: UserId) -> Key {
    Key::new(user_partition(user), "FAILURES")
}

/// The counter of wrong passwords for a network, or for a name that no user has.
pub(super) fn failures(counted_for: impl std::fmt::Display) -> Key {
    let key = format!("{LIMIT}FAILURES#{counted_for}");
    Key::new(key.clone(), key)
}

/// The partition of the totals for `/health`.
pub(super) const TOTALS: &str = "TOTALS";

pub(super) fn totals(shard: u64) -> Key {
    Key::new(TOTALS, format!("SHARD#{:02}", shard % SHARDS))
}

/// A shard of the counter of open connections that were opened in the hour of `opened_at`. API Gateway closes each
/// connection after two hours, so older counters need not be read.
pub(super) fn open_connections(opened_at: Millis, shard: u64) -> Key {
    Key::new(TOTALS, format!("OPEN#{:08}#{:02}", opened_at.seconds() / 3600, shard % SHARDS))
}

/// The first sort key of counters of connections that were opened at `since` or later.
pub(super) fn open_connections_since(since: Millis) -> String {
    format!("OPEN#{:08}", since.seconds() / 3600)
}

pub(super) fn connection(id: &ConnectionId) -> Key {
    Key::new(format!("CONNECTION#{id}"), "CONNECTION")
}

/// The prefix of the sort keys of a user's connections.
pub(super) const USER_CONNECTIONS: &str = "CONNECTION#";
/// The first sort key after all connections of a user.
pub(super) const AFTER_USER_CONNECTIONS: &str = "CONNECTION$";

pub(super) fn user_connection(user: UserId, id: &ConnectionId) -> Key {
    Key::new(user_partition(user), format!("{USER_CONNECTIONS}{id}"))
}

/// The sort key of a conversation in the index [`BY_UPDATE`].
pub(super) fn place_in_list(updated_at: Millis, id: &ConversationId) -> String {
    format!("{:015}#{id}", updated_at.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_up_to_after_messages_reads_only_the_conversation_and_its_messages() {
        let within = |sort_key: &str| (CONVERSATION..AFTER_MESSAGES).contains(&sort_key);
        assert!(within(CONVERSATION));
        assert!(within("MESSAGE#00000000"));
        assert!(within("MESSAGE#99999999"));
        assert!(!within("REF#x"));
        assert!(!within("REPLY#00000000"));
        assert!(!within("REPLY#00000000#0000"));
    }

    #[test]
    fn the_number_is_read_from_keys_of_messages_replies_and_parts() {
        let user = UserId::new(ulid::Ulid::nil());
        let id: ConversationId = "c".parse().unwrap();
        let reply_key = reply(user, &id, 41);
        assert_eq!(number_of(&message(user, &id, 41).sk), Some(41));
        assert_eq!(number_of(&reply_part(&reply_key, 7).sk), Some(41));
        assert_eq!(number_of(&reply_key.sk), Some(41));
        for other in ["REF#00000041#7", CONVERSATION, "REPLY", "MESSAGE#"] {
            assert_eq!(number_of(other), None, "{other}");
        }
    }
}
