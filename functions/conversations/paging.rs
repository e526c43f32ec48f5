//! Paged answers: where a page begins, and the `Link` to the next one.

use std::fmt::Display;
use std::str::FromStr;

use shared::Result;
use shared::domain::{ConversationId, UserId};
use shared::http::{Answer, Request, cursor, percent_encoded};

/// A list that is answered in pages. Its cursors are valid for this list, this user and these parameters only.
pub(super) struct Paging {
    path: String,
    /// The parameters that a link repeats, beginning with `?`; empty without any.
    query: String,
    /// Names the list in its cursors.
    scope: String,
}

impl Paging {
    /// Creates the paging of the list at `path`, which has no parameters but its cursor.
    pub(super) fn plain(path: &str, scope: String) -> Self {
        Self { path: path.to_owned(), query: String::new(), scope }
    }

    /// Creates the paging of the list at `path`. Links repeat those of the parameters `names` that the request has.
    pub(super) fn new(path: String, scope: &str, request: &Request, names: &[&str]) -> Result<Self> {
        let mut query = String::new();
        for name in names {
            if let Some(value) = request.parameter(name)? {
                push(&mut query, name, value);
            }
        }
        let scope = format!("{scope} {query}");
        Ok(Self { path, query, scope })
    }

    /// Creates the paging of a conversation's messages, as `GET /api/conversations/{id}` answers without parameters.
    pub(super) fn of_conversation(user: UserId, id: &ConversationId) -> Self {
        let scope = format!("conversation {user} {id} ");
        Self { path: conversation_path(id, ""), query: String::new(), scope }
    }

    /// The position at which the page begins that the request asks for; `None` for the first page.
    pub(super) fn position<T: FromStr>(&self, request: &Request) -> Result<Option<T>> {
        request.cursor(&self.scope)
    }

    /// Adds the `Link` to the next page, if there is one.
    pub(super) fn link(mut self, answer: Answer, next: Option<&impl Display>) -> Answer {
        let Some(next) = next else { return answer };
        push(&mut self.query, "cursor", &cursor::seal(&self.scope, next));
        answer.with_next_page(&format!("{}{}", self.path, self.query))
    }
}

/// The path of a conversation, followed by `rest`.
pub(super) fn conversation_path(id: &ConversationId, rest: &str) -> String {
    format!("/api/conversations/{}{rest}", percent_encoded(id.as_str()))
}

fn push(query: &mut String, name: &str, value: &str) {
    let separator = if query.is_empty() { '?' } else { '&' };
    query.push_str(&format!("{separator}{name}={}", percent_encoded(value)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_parameters_are_percent_encoded() {
        let mut query = String::new();
        push(&mut query, "tag", "a&b 好");
        push(&mut query, "cursor", "a-_.~");
        assert_eq!(query, "?tag=a%26b%20%E5%A5%BD&cursor=a-_.~");
    }
}
