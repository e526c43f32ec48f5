//! Mails that verify an address or reset a forgotten password.

use serde_json::json;

use crate::support::{
    Connection, PASSWORD, TestStudio, enrol, eventually, mailed_token, own_studio, studio_with,
};

const NEW_PASSWORD: &str = "another long passphrase";

async fn login(studio: &TestStudio, password: &str) -> u16 {
    let credentials = json!({"username": "ada", "password": password});
    studio.visitor().post("/api/auth/login", &credentials).await.status
}

#[tokio::test]
async fn a_registration_sends_a_mail_that_verifies_the_address_once() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    assert_eq!(ada.get("/api/auth/me").await.expect(200).body["email_verified"], false);
    let first = mailed_token(&studio, "ada@example.com", "verify-email", &[]).await;
    let verify = json!({"token": first});
    studio.visitor().post("/api/auth/email/verify", &verify).await.expect(200);
    eventually("it is shown", || async {
        (ada.get("/api/auth/me").await.body["email_verified"] == true).then_some(())
    })
    .await;
    studio.visitor().post("/api/auth/email/verify", &verify).await.expect(422);
    // A new address must be verified again, and the old address is notified.
    let moved = json!({"email": "countess@example.com", "password": PASSWORD});
    ada.patch("/api/auth/me", &moved).await.expect(200);
    eventually("the old address is told", || async {
        let told =
            |mail: &local::Mail| mail.to == ["ada@example.com"] && mail.subject.contains("was changed");
        studio.mailbox().iter().find(|mail| told(mail)).map(|mail| assert!(!mail.text.contains("countess")))
    })
    .await;
    eventually("it is shown", || async {
        (ada.get("/api/auth/me").await.body["email_verified"] == false).then_some(())
    })
    .await;
    let second = mailed_token(&studio, "countess@example.com", "verify-email", &[]).await;
    ada.post("/api/auth/email/verify", &json!({})).await.expect(200);
    let third = mailed_token(&studio, "countess@example.com", "verify-email", &[&second]).await;
    for (token, status) in [(third, 200), (second, 200)] {
        studio.visitor().post("/api/auth/email/verify", &json!({"token": token})).await.expect(status);
    }
    studio.visitor().post("/api/auth/email/verify", &json!({})).await.expect(422);
}

#[tokio::test]
async fn a_forgotten_password_is_reset_once_and_all_sessions_end() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let mut connection = ada.connect().await;
    let key = ada.post("/api/auth/keys", &json!({"name": "x"})).await.expect(200).body["key"].clone();
    let program = ada.with_token(key.as_str().unwrap());
    let mut of_program =
        Connection::open(&format!("{}?token={}", studio.ws_url(), key.as_str().unwrap())).await.unwrap();
    of_program.next("auth_success").await;
    let forgot = json!({"email": "ADA@example.com"});
    let known = studio.visitor().post("/api/auth/password/forgot", &forgot).await.expect(200);
    let unknown =
        studio.visitor().post("/api/auth/password/forgot", &json!({"email": "nobody@example.com"})).await;
    assert_eq!(known.body, unknown.expect(200).body, "the answer tells nothing");
    let token = mailed_token(&studio, "ada@example.com", "reset-password", &[]).await;
    let reset = |token: &str, password: &str| json!({"token": token, "new_password": password});
    studio.visitor().post("/api/auth/password/reset", &reset("mt_made-up", NEW_PASSWORD)).await.expect(422);
    studio.visitor().post("/api/auth/password/reset", &reset(&token, "iloveyou")).await.expect(422);
    studio.visitor().post("/api/auth/email/verify", &json!({"token": token})).await.expect(422);
    studio.visitor().post("/api/auth/password/reset", &reset(&token, NEW_PASSWORD)).await.expect(200);
    studio.visitor().post("/api/auth/password/reset", &reset(&token, PASSWORD)).await.expect(422);
    assert_eq!((login(&studio, PASSWORD).await, login(&studio, NEW_PASSWORD).await), (401, 200));
    connection.closed().await;
    of_program.closed().await;
    for client in [&*ada, &program] {
        eventually("what was there before is refused", || async {
            (client.get("/api/stats").await.status == 401).then_some(())
        })
        .await;
    }
    let mails = studio.shown_mails().await.expect(200);
    assert!(!mails.text.contains("nobody@example.com"));
}

#[tokio::test]
async fn a_password_reset_invalidates_earlier_mailed_tokens() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let forgot = json!({"email": "ada@example.com"});
    studio.visitor().post("/api/auth/password/forgot", &forgot).await.expect(200);
    let first = mailed_token(&studio, "ada@example.com", "reset-password", &[]).await;
    studio.visitor().post("/api/auth/password/forgot", &forgot).await.expect(200);
    let second = mailed_token(&studio, "ada@example.com", "reset-password", &[&first]).await;
    let reset = |token: &str| json!({"token": token, "new_password": NEW_PASSWORD});
    studio.visitor().post("/api/auth/password/reset", &reset(&second)).await.expect(200);
    studio.visitor().post("/api/auth/password/reset", &reset(&first)).await.expect(422);
    drop(ada);
}

#[tokio::test]
async fn a_password_change_invalidates_mailed_tokens() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    studio
        .visitor()
        .post("/api/auth/password/forgot", &json!({"email": "ada@example.com"}))
        .await
        .expect(200);
    let mailed = mailed_token(&studio, "ada@example.com", "reset-password", &[]).await;
    let change = json!({"old_password": PASSWORD, "new_password": NEW_PASSWORD});
    ada.put("/api/auth/password", &change).await.expect(200);
    let reset = json!({"token": mailed, "new_password": "a third long passphrase"});
    studio.visitor().post("/api/auth/password/reset", &reset).await.expect(422);
    assert_eq!(login(&studio, NEW_PASSWORD).await, 200);
}

#[tokio::test]
async fn an_address_gets_at_most_five_mails_an_hour() {
    let studio = own_studio().await;
    studio.user("ada").await;
    for _ in 0..12 {
        let forgot = json!({"email": "ada@example.com"});
        studio.visitor().post("/api/auth/password/forgot", &forgot).await.expect(200);
    }
    eventually("the last of five mails arrives", || async { (studio.mailbox().len() == 5).then_some(()) })
        .await;
    eventually("the rest was refused", || async {
        let refused = studio
            .logs("TasksFunction")
            .iter()
            .filter(|line| line.contains("the hourly limit of mails"))
            .count();
        (refused == 8).then_some(())
    })
    .await;
    assert_eq!(studio.mailbox().len(), 5);
}

#[tokio::test]
async fn without_a_sender_address_no_mail_is_sent_and_requests_succeed() {
    let studio = studio_with(|options| options.variable("MAIL_FROM", "")).await;
    studio.user("ada").await;
    studio
        .visitor()
        .post("/api/auth/password/forgot", &json!({"email": "ada@example.com"}))
        .await
        .expect(200);
    eventually("two mails were not sent", || async {
        let off =
            studio.logs("TasksFunction").iter().filter(|line| line.contains("mail is switched off")).count();
        (off == 2).then_some(())
    })
    .await;
    assert!(studio.mailbox().is_empty());
}

#[tokio::test]
async fn a_password_reset_takes_an_unverified_address_from_its_squatter() {
    let studio = own_studio().await;
    // A squatter registers an address that belongs to someone else.
    let squatter = studio.user("ada").await;
    enrol(&squatter).await;
    let key = squatter.post("/api/auth/keys", &json!({"name": "x"})).await.expect(200).body["key"].clone();
    let forgot = json!({"email": "ada@example.com"});
    studio.visitor().post("/api/auth/password/forgot", &forgot).await.expect(200);
    let mailed = mailed_token(&studio, "ada@example.com", "reset-password", &[]).await;
    let reset = json!({"token": mailed, "new_password": NEW_PASSWORD});
    studio.visitor().post("/api/auth/password/reset", &reset).await.expect(200);
    // The owner of the address does not know the username, so the login uses the address.
    let credentials = json!({"username": " ada@example.com", "password": NEW_PASSWORD});
    let owner = studio.visitor().post("/api/auth/login", &credentials).await.expect(200).body;
    let owner = squatter.with_token(owner["access_token"].as_str().unwrap());
    let me = owner.get("/api/auth/me").await.expect(200).body;
    assert_eq!((&me["email_verified"], &me["totp_enabled"]), (&json!(true), &json!(false)));
    assert_eq!(owner.get("/api/auth/keys").await.expect(200).body, json!([]));
    assert_eq!(owner.get("/api/auth/sessions").await.expect(200).body.as_array().unwrap().len(), 1);
    for old in [squatter.token.as_str(), key.as_str().unwrap()] {
        eventually("the squatter is out", || async {
            (squatter.with_token(old).get("/api/stats").await.status == 401).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_password_reset_keeps_the_second_factor_of_a_verified_address() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let verify = json!({"token": mailed_token(&studio, "ada@example.com", "verify-email", &[]).await});
    studio.visitor().post("/api/auth/email/verify", &verify).await.expect(200);
    enrol(&ada).await;
    studio
        .visitor()
        .post("/api/auth/password/forgot", &json!({"email": "ada@example.com"}))
        .await
        .expect(200);
    let mailed = mailed_token(&studio, "ada@example.com", "reset-password", &[]).await;
    let reset = json!({"token": mailed, "new_password": NEW_PASSWORD});
    studio.visitor().post("/api/auth/password/reset", &reset).await.expect(200);
    let credentials = json!({"username": "ada", "password": NEW_PASSWORD});
    let asked = studio.visitor().post("/api/auth/login", &credentials).await.expect(401);
    assert_eq!(asked.body["code"], "totp_required");
}

#[tokio::test]
async fn a_look_alike_address_is_not_verified_and_the_old_address_is_notified() {
    let studio = own_studio().await;
    let ada = studio.user("ada").await;
    let verify = json!({"token": mailed_token(&studio, "ada@example.com", "verify-email", &[]).await});
    studio.visitor().post("/api/auth/email/verify", &verify).await.expect(200);
    for (look_alike, told) in
        [("ａda@example.com", "ada@example.com"), ("ADA@example.com", "ａda@example.com")]
    {
        let moved = json!({"email": look_alike, "password": PASSWORD});
        let changed = ada.patch("/api/auth/me", &moved).await.expect(200).body;
        assert_eq!((&changed["email"], &changed["email_verified"]), (&json!(look_alike), &json!(false)));
        eventually("the old address is told", || async {
            let tells = |mail: &local::Mail| mail.to == [told] && mail.subject.contains("was changed");
            studio.mailbox().iter().any(tells).then_some(())
        })
        .await;
    }
}
