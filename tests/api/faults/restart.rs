//! A studio with a data folder keeps its data over a restart.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Client, PASSWORD, TestStudio, assert_statistics_match, studio_with};

/// A folder that is removed with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("ai-chat-studio-{name}-{}", std::process::id())))
    }

    async fn studio(&self) -> TestStudio {
        studio_with(|options| options.directory(self.0.clone())).await
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

async fn view(client: &Client) -> [Value; 3] {
    let paths = ["/api/auth/me", "/api/conversations", "/api/stats/detailed"];
    let mut view = Vec::new();
    for path in paths {
        view.push(client.get(path).await.expect(200).body);
    }
    view.try_into().unwrap()
}

#[tokio::test]
async fn users_conversations_and_tokens_survive_a_restart() {
    let folder = Folder::new("restart");
    let first = folder.studio().await;
    let user = first.user("alice").await;
    user.conversation("small", &["a", "b\0", "你好"]).await;
    let many = vec!["many"; 100];
    user.conversation("large", &many).await;
    user.conversation("gone", &["x"]).await;
    user.delete("/api/conversations/gone").await.expect(200);
    let mut connection = user.connect().await;
    connection.chat(&json!({"type": "chat", "content": "hello", "conversationId": "small"})).await;
    assert_statistics_match(&user, "before").await;
    let (before, token) = (view(&user).await, user.token.clone());
    let secret = std::fs::read_to_string(folder.path().join("secrets.json")).unwrap();
    connection.close().await;
    first.stop().await;

    let second = folder.studio().await;
    assert_eq!(std::fs::read_to_string(folder.path().join("secrets.json")).unwrap(), secret);
    let visitor = second.visitor();
    assert_eq!(view(&visitor.with_token(&token)).await, before, "the token and all data still count");
    let taken = json!({"username": "Alice", "email": "new@example.com", "password": PASSWORD});
    visitor.post("/api/auth/register", &taken).await.expect(400);
    let login = json!({"username": "alice", "password": PASSWORD});
    let again = visitor.post("/api/auth/login", &login).await.expect(200);
    let again = visitor.with_token(again.body["access_token"].as_str().unwrap());
    again.post("/api/conversations", &json!({"id": "gone", "title": "T"})).await.expect(409);
    again.post("/api/conversations", &json!({"id": "new", "title": "T"})).await.expect(200);
    let health = visitor.get("/health").await.expect(200).body;
    assert_eq!((&health["total_users"], &health["total_conversations"]), (&json!(1), &json!(3)));
    second.stop().await;

    let third = folder.studio().await;
    let list = third.visitor().with_token(&token).get("/api/conversations").await.expect(200).body;
    assert_eq!(list.as_array().unwrap().len(), 3);
    third.stop().await;
}
