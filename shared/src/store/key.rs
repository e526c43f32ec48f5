//! Every key of both tables, spelled here and nowhere else.

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
/// How many items share each of the totals, so that transactions seldom meet on one.
pub(super) const SHARDS: u64 = 32;

/// The partition of all that is counted and kept about a user.
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

/// Whom a name or an address stands for at a login.
pub(super) fn login_name(login: &LoginName) -> Key {
    match login {
        LoginName::Username(name) => username(name),
        LoginName::Email(address) => email(address),
    }
}

/// What the sort keys of a user's sessions begin with.
pub(super) const SESSIONS: &str = "SESSION#";
/// The first sort key after all sessions.
pub(super) const AFTER_SESSIONS: &str = "SESSION$";

pub(super) fn session(user: UserId, session: SessionId) -> Key {
    Key::new(user_partition(user), format!("{SESSIONS}{session}"))
}

/// What the sort keys of a user's API keys begin with.
pub(super) const API_KEYS: &str = "KEY#";
/// The first sort key after them.
pub(super) const AFTER_API_KEYS: &str = "KEY$";

pub(super) fn api_key(user: UserId, id: KeyId) -> Key {
    Key::new(user_partition(user), format!("{API_KEYS}{id}"))
}

/// What the sort keys of a user's statistics begin with.
pub(super) const STATISTICS: &str = "STATS";

pub(super) fn statistics(user: UserId) -> Key {
    Key::new(user_partition(user), STATISTICS)
}

pub(super) fn day_statistics(user: UserId, day: Day) -> Key {
    Key::new(user_partition(user), day_sort_key(day))
}

/// What a user's replies used on a day.
pub(super) fn day_usage(user: UserId, day: Day) -> Key {
    Key::new(user_partition(user), format!("USAGE#{day}"))
}

/// The first sort key after all models.
pub(super) const AFTER_MODELS: &str = "STATS#MODEL$";

/// The day in the sort key of a day's statistics, `YYYY-MM-DD`.
pub(super) fn day_of(sort_key: &str) -> &str {
    sort_key.strip_prefix("STATS#").unwrap_or_default()
}

pub(super) fn day_sort_key(day: Day) -> String {
    format!("{STATISTICS}#{day}")
}

/// Model names are a client's input, so each has an item of its own: no item grows with them.
pub(super) fn model_statistics(user: UserId, model: &ModelName) -> Key {
    Key::new(user_partition(user), format!("{MODEL_STATISTICS}{model}"))
}

pub(super) const MODEL_STATISTICS: &str = "STATS#MODEL#";

/// The partition of a conversation. The owner is a part of it: nobody can address another user's.
pub(super) fn conversation_partition(user: UserId, id: &ConversationId) -> String {
    format!("CONVERSATION#{user}#{id}")
}

pub(super) const CONVERSATION: &str = "CONVERSATION";
/// What the sort keys of messages begin with.
pub(super) const MESSAGE: &str = "MESSAGE#";
/// Sorts after every message, so that a Query of a conversation with its messages ends before it.
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

/// Whatever stands under this sort key with a conversation.
pub(super) fn within_conversation(user: UserId, id: &ConversationId, sort_key: &str) -> Key {
    Key::new(conversation_partition(user, id), sort_key)
}

/// The number in the sort key of a message.
pub(super) fn message_number(sort_key: &str) -> Option<u64> {
    sort_key.strip_prefix(MESSAGE)?.parse().ok()
}

/// Leads from the id that a client chose to the message, within one revision.
pub(super) fn reference(user: UserId, id: &ConversationId, revision: &str, message: &MessageId) -> Key {
    Key::new(conversation_partition(user, id), format!("{REFERENCE}{revision}#{message}"))
}

/// The number in the sort key of a message, or of a reply or a part of one.
pub(super) fn number_of(sort_key: &str) -> Option<u64> {
    let reply = sort_key.strip_prefix(REPLY).and_then(|rest| rest.strip_prefix('#'));
    let number = sort_key.strip_prefix(MESSAGE).or(reply)?;
    number.split('#').next()?.parse().ok()
}

/// The revision of a reference.
pub(super) fn revision_of_reference(sort_key: &str) -> Option<&str> {
    sort_key.strip_prefix(REFERENCE)?.split_once('#').map(|(revision, _)| revision)
}

/// The first sort key after all of a conversation.
pub(super) const AFTER_CONVERSATION: &str = "S";

/// What the sort keys begin with of what somebody may have left unfinished in a user's conversations.
pub(super) const UNFINISHED: &str = "UNFINISHED#";
/// The first sort key after those.
pub(super) const AFTER_UNFINISHED: &str = "UNFINISHED$";

pub(super) fn unfinished(user: UserId, token: &str) -> Key {
    Key::new(user_partition(user), format!("{UNFINISHED}{token}"))
}

/// What a worker needs about the reply with this number, and writes while it makes it.
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

/// A part of the text of the reply whose key this is.
pub(super) fn reply_part(reply: &Key, part: u64) -> Key {
    Key::new(reply.pk.clone(), format!("{}#{part:04}", reply.sk))
}

/// The same for a reply that belongs to no conversation. It is its user's, and goes with the user.
pub(super) fn loose_reply(user: UserId, id: &MessageId) -> Key {
    Key::new(user_partition(user), format!("{REPLY}#{id}"))
}

/// What a client's request made, by the key that the client gave it. It is its user's, and goes with the user.
pub(super) fn request(user: UserId, idempotency_key: &str) -> Key {
    Key::new(user_partition(user), format!("REQUEST#{idempotency_key}"))
}

/// Whose an API key is, found by the hash of the key. No other kind of secret stands here.
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

/// How many requests somebody made in the window with this number. What is counted for a user goes with the user.
pub(super) fn requests(of: &Requester, window: u64) -> Key {
    let key = match of {
        Requester::User(user) => return Key::new(user_partition(*user), format!("{LIMIT}{window}")),
        Requester::Items(user) => return Key::new(user_partition(*user), format!("{LIMIT}ITEMS#{window}")),
        Requester::Network(network) => format!("{LIMIT}{network}#{window}"),
        Requester::Connection(connection) => format!("{LIMIT}FRAMES#{connection}#{window}"),
        // It outlives the account, or whoever deletes one and makes another could flood the mailbox; so it tells no address.
        Requester::Mailbox(email) => format!("{LIMIT}MAIL#{}#{window}", fingerprint(&email.canonical())),
        Requester::Waits(network) => format!("{LIMIT}WAITS#{network}#{window}"),
    };
    Key::new(key.clone(), key)
}

fn fingerprint(text: &str) -> String {
    BASE64.encode(digest(&SHA256, text.as_bytes()))
}

const LIMIT: &str = "LIMIT#";

/// Wrong guesses of a user who is logged in and confirms something.
pub(super) fn failures_of_user(user: UserId) -> Key {
    Key::new(user_partition(user), "FAILURES")
}

/// Wrong guesses, by whatever else they are counted for.
pub(super) fn failures(of: impl std::fmt::Display) -> Key {
    let key = format!("{LIMIT}FAILURES#{of}");
    Key::new(key.clone(), key)
}

/// The partition of the totals for `/health`.
pub(super) const TOTALS: &str = "TOTALS";

pub(super) fn totals(shard: u64) -> Key {
    Key::new(TOTALS, format!("SHARD#{:02}", shard % SHARDS))
}

/// Connections that were opened in one hour; none lives longer than two.
pub(super) fn open_connections(opened_at: Millis, shard: u64) -> Key {
    Key::new(TOTALS, format!("OPEN#{:08}#{:02}", opened_at.seconds() / 3600, shard % SHARDS))
}

/// The first sort key of connections that were opened at `since` or later.
pub(super) fn open_connections_since(since: Millis) -> String {
    format!("OPEN#{:08}", since.seconds() / 3600)
}

pub(super) fn connection(id: &ConnectionId) -> Key {
    Key::new(format!("CONNECTION#{id}"), "CONNECTION")
}

/// What the sort keys of a user's connections begin with.
pub(super) const USER_CONNECTIONS: &str = "CONNECTION#";
/// The first sort key after all connections of a user.
pub(super) const AFTER_USER_CONNECTIONS: &str = "CONNECTION$";

pub(super) fn user_connection(user: UserId, id: &ConnectionId) -> Key {
    Key::new(user_partition(user), format!("{USER_CONNECTIONS}{id}"))
}

/// The place of a conversation in its owner's list, which the index sorts by.
pub(super) fn place_in_list(updated_at: Millis, id: &ConversationId) -> String {
    format!("{:015}#{id}", updated_at.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_up_to_after_messages_reads_the_conversation_and_its_messages_alone() {
        let within = |sort_key: &str| (CONVERSATION..AFTER_MESSAGES).contains(&sort_key);
        assert!(within(CONVERSATION));
        assert!(within("MESSAGE#00000000"));
        assert!(within("MESSAGE#99999999"));
        assert!(!within("REF#x"));
        assert!(!within("REPLY#00000000"));
        assert!(!within("REPLY#00000000#0000"));
    }

    #[test]
    fn messages_replies_and_parts_of_replies_tell_their_number() {
        let user = UserId::new(ulid::Ulid::nil());
        let id: ConversationId = "c".parse().unwrap();
        let reply = reply(user, &id, 41);
        assert_eq!(number_of(&message(user, &id, 41).sk), Some(41));
        assert_eq!(number_of(&reply_part(&reply, 7).sk), Some(41));
        assert_eq!(number_of(&reply.sk), Some(41));
        for other in ["REF#00000041#7", CONVERSATION, "REPLY", "MESSAGE#"] {
            assert_eq!(number_of(other), None, "{other}");
        }
    }
}
