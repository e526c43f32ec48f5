//! Which passwords are accepted, and how they are hashed.

use serde_json::{Value, json};

use crate::support::{PASSWORD, TestStudio, dynamodb, own_studio};

async fn register(studio: &TestStudio, username: &str, email: &str, password: &str) -> (u16, Value) {
    let registration = json!({"username": username, "email": email, "password": password});
    let answer = studio.visitor().post("/api/auth/register", &registration).await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn common_passwords_and_the_users_own_name_are_refused() {
    let studio = own_studio().await;
    for bad in ["password", "PassWord1", "qwertyuiop", "ada.lovelace", "Countess@Example.com", "COUNTESS"] {
        let (status, body) = register(&studio, "Ada.Lovelace", "countess@example.com", bad).await;
        assert_eq!((status, &body["errors"][0]["field"]), (422, &json!("password")), "{bad}: {body}");
    }
    // The example of the old documents is still accepted.
    let (status, body) = register(&studio, "grace", "grace@example.com", "password123").await;
    assert_eq!(status, 200, "{body}");
    let grace = studio.visitor().with_token(body["access_token"].as_str().unwrap());
    for bad in ["iloveyou", "grace@example.com", "GRACE@example.com"] {
        let change = json!({"old_password": "password123", "new_password": bad});
        let refused = grace.put("/api/auth/password", &change).await.expect(422);
        assert_eq!(refused.body["errors"][0]["field"], "new_password");
    }
}

#[tokio::test]
async fn a_login_upgrades_a_weak_password_hash() {
    // A hash of `PASSWORD` with 8 MiB and one pass.
    const WEAK: &str =
        "$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$Qn6NjrnA/m80tYBVdZ9Le8esZ20lyET3B6lkwHA79Ko";
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let key = json!({"pk": {"S": format!("USER#{}", ada.id)}, "sk": {"S": "USER"}});
    let hash = || async {
        let read = json!({"TableName": "StudioTable", "Key": key});
        let item = dynamodb(&studio, "GetItem", &read).await;
        item["Item"]["password_hash"]["S"].as_str().unwrap_or_else(|| panic!("{item}")).to_owned()
    };
    assert!(hash().await.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    let weaken = json!({
        "TableName": "StudioTable", "Key": key, "UpdateExpression": "SET password_hash = :weak",
        "ExpressionAttributeValues": {":weak": {"S": WEAK}},
    });
    dynamodb(&studio, "UpdateItem", &weaken).await;
    assert_eq!(hash().await, WEAK);
    let credentials = json!({"username": "ada", "password": PASSWORD});
    studio.visitor().post("/api/auth/login", &credentials).await.expect(200);
    assert!(hash().await.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    studio.visitor().post("/api/auth/login", &credentials).await.expect(200);
}
