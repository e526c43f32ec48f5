//! The mails that a local studio has sent.

use serde_json::Value;

use super::{TestStudio, eventually};

/// The token in the newest mail to this address for this page that is not one of `seen`.
pub(crate) async fn mailed_token(studio: &TestStudio, to: &str, path: &str, seen: &[&str]) -> String {
    eventually("a mail arrives", || async {
        let mailbox = studio.shown_mails().await.expect(200).body;
        let mails: Vec<Value> = mailbox.as_array().unwrap().clone();
        mails.iter().filter(|mail| mail["to"].to_string().contains(to)).find_map(|mail| {
            let text = mail["text"].as_str().unwrap();
            let (_, rest) = text.split_once(&format!("/{path}#token="))?;
            let token = rest.split_whitespace().next()?.to_owned();
            (!seen.contains(&token.as_str())).then_some(token)
        })
    })
    .await
}
