//! Rotating the signing secret logs nobody out.

use serde_json::json;

use crate::support::{Connection, PASSWORD, studio_with};

const SECRETS: [&str; 3] = [
    "3f8a1c5e7b9d2f4a6c8e0b1d3f5a7c9e",
    "4f8a1c5e7b9d2f4a6c8e0b1d3f5a7c9e",
    "5f8a1c5e7b9d2f4a6c8e0b1d3f5a7c9e",
];

#[tokio::test]
async fn tokens_signed_with_the_previous_secret_are_accepted_and_older_ones_are_not() {
    let studio = studio_with(|options| options.variable("SECRET_KEY", SECRETS[0])).await;
    let ada = studio.user("ada").await;
    let credentials = json!({"username": "ada", "password": PASSWORD});
    let login = studio.visitor().post("/api/auth/login", &credentials).await.expect(200).body;
    studio.rotate_secret("SECRET_KEY", SECRETS[1]).unwrap();
    // `auth` restarts and reads the new secret. `stats` keeps the old one until it sees a token signed with the new
    // one.
    ada.get("/api/stats").await.expect(200);
    // Lambda ends instances sooner or later.
    studio.kill_all("AuthFunction");
    ada.get("/api/auth/me").await.expect(200);
    let refreshed =
        studio.visitor().post("/api/auth/refresh", &json!({"refresh_token": login["refresh_token"]})).await;
    let refreshed = refreshed.expect(200).body;
    let new_token = refreshed["access_token"].as_str().unwrap();
    ada.with_token(new_token).get("/api/stats").await.expect(200);
    ada.get("/api/stats").await.expect(200);
    let mut connection = Connection::open(&format!("{}?token={new_token}", studio.ws_url())).await.unwrap();
    connection.next("auth_success").await;
    // After a second rotation, tokens of the first secret are refused.
    studio.rotate_secret("SECRET_KEY", SECRETS[2]).unwrap();
    for function in studio.functions() {
        studio.kill_all(&function);
    }
    ada.get("/api/stats").await.expect(401);
    ada.with_token(new_token).get("/api/stats").await.expect(200);
    let next = json!({"refresh_token": refreshed["refresh_token"]});
    studio.visitor().post("/api/auth/refresh", &next).await.expect(200);
}

#[tokio::test]
async fn the_signing_secret_is_in_no_variable_of_a_function() {
    let studio = studio_with(|options| options.variable("SECRET_KEY", SECRETS[0])).await;
    let ada = studio.user("ada").await;
    ada.get("/api/stats").await.expect(200);
    let mut seen = 0;
    for function in studio.functions() {
        for pid in studio.instances(&function) {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let environment = String::from_utf8_lossy(&environment).into_owned();
            assert!(!environment.contains(SECRETS[0]), "{function}");
            seen += usize::from(environment.contains("SECRET_KEY_ARN"));
        }
    }
    assert!(seen >= 2 || !cfg!(target_os = "linux"), "{seen}");
}
