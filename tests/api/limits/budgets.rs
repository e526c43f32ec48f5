//! DynamoDB requests, write units and read units of each operation, beside its budget. `cargo test --test api
//! budgets -- --nocapture` prints the table.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, TestStudio, User, eventually, send, studio_with};

/// The most that an operation may use.
struct Budget {
    operation: &'static str,
    requests: u64,
    write_units: f64,
    read_units: f64,
}

const fn budget(operation: &'static str, requests: u64, write_units: f64, read_units: f64) -> Budget {
    Budget { operation, requests, write_units, read_units }
}

/// Prints what each operation used, and remembers which exceeded its budget.
struct Table<'a> {
    studio: &'a TestStudio,
    exceeded: Vec<String>,
}

impl<'a> Table<'a> {
    fn new(studio: &'a TestStudio) -> Self {
        println!(
            "{:44} {:>9} {:>6} {:>11} {:>6} {:>10} {:>6}",
            "operation", "requests", "budget", "write units", "budget", "read units", "budget"
        );
        Self { studio, exceeded: Vec::new() }
    }

    async fn measure(&mut self, budget: Budget, operation: impl Future<Output = Answer>) -> Answer {
        self.studio.reset_meter();
        let answer = operation.await.expect(200);
        let used = self.studio.meter().total();
        println!(
            "{:44} {:>9} {:>6} {:>11} {:>6} {:>10} {:>6}",
            budget.operation,
            used.requests,
            budget.requests,
            used.write_units,
            budget.write_units,
            used.read_units,
            budget.read_units
        );
        if used.requests > budget.requests
            || used.write_units > budget.write_units
            || used.read_units > budget.read_units
        {
            self.exceeded.push(format!("{}: {:?}", budget.operation, self.studio.meter().by_operation));
        }
        answer
    }

    fn check(self) {
        assert!(self.exceeded.is_empty(), "over budget:\n{}", self.exceeded.join("\n"));
    }
}

/// A studio whose functions have started and read their secrets. It sends no mail, so tasks end soon.
async fn quiet_studio() -> TestStudio {
    let studio =
        studio_with(|options| options.variable("RATE_LIMIT", "1000000").variable("MAIL_FROM", "")).await;
    let warm = studio.user("warm").await;
    warm.get("/api/conversations").await.expect(200);
    warm.get("/api/stats").await.expect(200);
    after_registrations(&studio, 1).await;
    studio
}

/// Waits until the tasks of so many registrations are done.
async fn after_registrations(studio: &TestStudio, registrations: usize) {
    eventually("no mail is sent", || async {
        let done =
            studio.logs("TasksFunction").iter().filter(|line| line.contains("mail is switched off")).count();
        (done == registrations).then_some(())
    })
    .await;
}

fn delete(user: &User, path: &str, body: &Value) -> impl Future<Output = Answer> + use<> {
    send(user.request(Method::DELETE, path).json(body))
}

#[tokio::test]
async fn accounts_stay_within_their_budgets() {
    accounts().await;
}

#[tokio::test]
async fn a_registration_stays_within_its_budget() {
    registration().await;
}

/// Measures operations of accounts, and fails if one exceeds its budget.
pub(crate) async fn accounts() {
    let studio = quiet_studio().await;
    let mut table = Table::new(&studio);
    entering(&studio, &mut table).await;
    managing(&studio, &mut table).await;
    table.check();
}

/// Logins and refreshes.
async fn entering(studio: &TestStudio, table: &mut Table<'_>) {
    let visitor = studio.visitor();
    let credentials = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD});
    let registered = visitor.post("/api/auth/register", &credentials).await.expect(200).body;
    after_registrations(studio, 2).await;
    let login = table
        .measure(budget("log in", 6, 6.0, 3.0), visitor.post("/api/auth/login", &credentials))
        .await
        .body;
    for _ in 0..5 {
        visitor.post("/api/auth/login", &credentials).await.expect(200);
    }
    table
        .measure(
            budget("log in, the seventh time", 6, 6.0, 3.0),
            visitor.post("/api/auth/login", &credentials),
        )
        .await;
    let wrong = json!({"username": "ada", "password": "a wrong password"});
    visitor.post("/api/auth/login", &wrong).await.expect(401);
    table
        .measure(
            budget("log in, after a failure", 6, 6.0, 3.0),
            visitor.post("/api/auth/login", &credentials),
        )
        .await;
    let refresh = json!({"refresh_token": login["refresh_token"]});
    table.measure(budget("refresh", 3, 5.0, 2.0), visitor.post("/api/auth/refresh", &refresh)).await;
    verifying(studio, table, &visitor.with_token(registered["access_token"].as_str().unwrap())).await;
    table.measure(budget("health, not seen lately", 1, 0.0, 17.0), visitor.get("/health")).await;
}

/// What every request reads to authenticate its caller.
async fn verifying(studio: &TestStudio, table: &mut Table<'_>, ada: &Client) {
    table.measure(budget("read the own profile", 1, 0.0, 1.0), ada.get("/api/auth/me")).await;
    table.measure(budget("verify a token, not seen lately", 1, 0.0, 1.0), ada.get("/api/models")).await;
    // On a busy machine the four seconds of the cache may pass, or another instance may answer.
    eventually("the user was seen lately", || async {
        studio.reset_meter();
        ada.get("/api/models").await.expect(200);
        (studio.meter().total().requests == 0).then_some(())
    })
    .await;
    table.measure(budget("verify a token, seen lately", 1, 0.0, 1.0), ada.get("/api/models")).await;
    // These include the read of the user, which is cached for four seconds.
    table.measure(budget("statistics", 2, 0.0, 2.0), ada.get("/api/stats")).await;
}

/// Operations on credentials.
async fn managing(studio: &TestStudio, table: &mut Table<'_>) {
    let eve = studio.user("eve").await;
    after_registrations(studio, 3).await;
    table
        .measure(budget("make an API key", 4, 8.0, 2.0), eve.post("/api/auth/keys", &json!({"name": "x"})))
        .await;
    table.measure(budget("list sessions", 3, 0.0, 3.0), eve.get("/api/auth/sessions")).await;
    table.measure(budget("WebSocket ticket", 3, 2.0, 1.0), eve.post("/api/auth/ws-ticket", &json!({}))).await;
    let totp = json!({"password": PASSWORD});
    table.measure(budget("enrol a second factor", 7, 6.0, 4.0), eve.post("/api/auth/totp", &totp)).await;
    table.measure(budget("take it away", 7, 6.0, 4.0), delete(&eve, "/api/auth/totp", &totp)).await;
}

/// Measures a registration, and fails if it exceeds its budget.
pub(crate) async fn registration() {
    let studio = quiet_studio().await;
    let credentials = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD});
    studio.reset_meter();
    studio.visitor().post("/api/auth/register", &credentials).await.expect(200);
    let by_auth = studio.meter().operation("TransactWriteItems");
    println!(
        "register: one transaction of {} write units (budget 16 with the request counted)",
        by_auth.write_units
    );
    assert!(by_auth.requests == 1 && by_auth.write_units <= 15.0, "{by_auth:?}");
}
