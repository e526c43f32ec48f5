//! The second factor.

use std::time::Duration;

use local::{DynamoDbFault, Target, When};
use serde_json::json;

use crate::support::{Answer, PASSWORD, TestStudio, code, enrol, own_studio, send};

async fn login(studio: &TestStudio, totp: Option<&str>) -> Answer {
    let mut credentials = json!({"username": "ada", "password": PASSWORD});
    if let Some(totp) = totp {
        credentials["totp"] = json!(totp);
    }
    studio.visitor().post("/api/auth/login", &credentials).await
}

#[tokio::test]
async fn a_login_requires_a_code_and_a_code_works_once() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    ada.post("/api/auth/totp", &json!({"password": "a wrong password"})).await.expect(403);
    ada.post("/api/auth/totp", &json!({"password": PASSWORD})).await.expect(200);
    login(&studio, None).await.expect(200);
    let (secret, recovery) = enrol(&ada).await;
    assert_eq!(recovery.len(), 10);
    assert_eq!(ada.get("/api/auth/me").await.expect(200).body["id"], json!(ada.id));
    let asked = login(&studio, None).await.expect(401);
    assert_eq!(asked.body["code"], "totp_required");
    // The code of the current step was used to confirm. The code of the next step is already accepted, since clocks
    // differ.
    let next = code(&secret, 1);
    let wrong = login(&studio, Some("000000")).await.expect(401);
    assert_eq!(wrong.body["code"], "wrong_totp");
    login(&studio, Some(&next)).await.expect(200);
    assert_eq!(login(&studio, Some(&next)).await.expect(401).body["code"], "wrong_totp");
    ada.post("/api/auth/totp", &json!({"password": PASSWORD})).await.expect(409);
}

#[tokio::test]
async fn of_concurrent_logins_with_one_code_one_succeeds() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let (secret, _) = enrol(&ada).await;
    let next = code(&secret, 1);
    let logins = [(); 4].map(|()| login(&studio, Some(&next)));
    let statuses: Vec<u16> =
        futures_util::future::join_all(logins).await.into_iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 401 | 429)), "{statuses:?}");
}

#[tokio::test]
async fn a_login_whose_answers_are_lost_uses_one_recovery_code_and_begins_one_session() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let (_, recovery) = enrol(&ada).await;
    for operation in ["UpdateItem", "PutItem"] {
        for _ in 0..10 {
            studio.faults().dynamodb(DynamoDbFault::AnswerLost, Target::operation(operation), When::Times(1));
            let fine = DynamoDbFault::Delay(Duration::ZERO);
            studio.faults().dynamodb(fine, Target::operation(operation), When::Times(1));
        }
    }
    login(&studio, recovery[0].as_str()).await.expect(200);
    studio.faults().clear();
    let sessions = ada.get("/api/auth/sessions").await.expect(200).body;
    assert_eq!(sessions.as_array().unwrap().len(), 2, "{sessions}");
    assert_eq!(login(&studio, recovery[0].as_str()).await.expect(401).body["code"], "wrong_totp");
}

#[tokio::test]
async fn a_recovery_code_works_once_and_the_second_factor_can_be_removed() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let (_, recovery) = enrol(&ada).await;
    let first = recovery[0].as_str().unwrap();
    login(&studio, Some(&first.to_uppercase())).await.expect(200);
    login(&studio, Some(first)).await.expect(401);
    login(&studio, recovery[9].as_str()).await.expect(200);
    let off = ada.request(reqwest::Method::DELETE, "/api/auth/totp").json(&json!({"password": PASSWORD}));
    send(off).await.expect(200);
    login(&studio, None).await.expect(200);
    login(&studio, recovery[1].as_str()).await.expect(200);
}

#[tokio::test]
async fn guesses_at_the_code_are_limited_despite_the_right_password() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    enrol(&ada).await;
    let mut judged = 0;
    for number in 0..12 {
        login(&studio, None).await;
        judged += u32::from(login(&studio, Some(&format!("{number:06}"))).await.body["code"] == "wrong_totp");
    }
    assert!((5..12).contains(&judged), "{judged} guesses were judged");
}
