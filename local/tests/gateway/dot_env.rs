//! The `.env` of the old Python server works unchanged.

use std::{collections::BTreeSet, fs};

use reqwest::Client;
use serde_json::Value;

use crate::command::{Place, stderr_of};

/// The example from the documentation of the old server.
const PASTED: &str = r#"
# Server
HOST=127.0.0.1
PORT=0            # any free one, for this test

# Security
SECRET_KEY="your-secret-key-here"  # change this
ALGORITHM=HS256
ACCESS_TOKEN_EXPIRE_MINUTES=30
ALLOWED_ORIGINS=http://localhost:3000, http://localhost:5173
RATE_LIMIT=100
RATE_LIMIT_WINDOW=60

# AI
OPENAI_API_KEY=sk-your-openai-key
ANTHROPIC_API_KEY=<your anthropic key>

# Storage
DATABASE_URL=postgresql://user:password@localhost:5432/ai_chat
REDIS_URL='redis://localhost:6379/0'
LOG_LEVEL=INFO
"#;

/// The variables of a function of the studio at `address`.
async fn environment(address: &str, path: &str) -> Value {
    let answer = Client::new().get(format!("{address}{path}?do=environment")).send().await.unwrap();
    answer.json().await.unwrap()
}

#[tokio::test]
async fn the_old_dot_env_works_as_pasted_with_a_warning_for_each_placeholder() {
    let place = Place::new();
    fs::write(place.0.join(".env"), PASTED).unwrap();
    let secrets = || fs::read_to_string(place.0.join(".studio/secrets.json")).unwrap();
    let mut kept = BTreeSet::new();
    for _ in 0..2 {
        let mut command = place.command(&[]);
        command.env_remove("PORT");
        for name in ["SECRET_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ALLOWED_ORIGINS"] {
            command.env_remove(name);
        }
        let (mut running, address) = Place::wait(command);
        let chat = environment(&address, "/api/models").await;
        assert_eq!((&chat["OPENAI_API_KEY_ARN"], &chat["ANTHROPIC_API_KEY_ARN"]), (&"".into(), &"".into()));
        assert!(chat["SECRET_KEY_ARN"].as_str().unwrap().starts_with("arn:"));
        kept.insert(secrets());
        running.0.kill().unwrap();
        let errors = stderr_of(&mut running.0);
        let lines: Vec<&str> = errors.lines().filter(|line| !line.starts_with("event ")).collect();
        let warned: Vec<&str> =
            lines.iter().filter_map(|line| line.strip_prefix("warning: ")?.split(' ').next()).collect();
        assert_eq!(warned, ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "SECRET_KEY"], "{errors}");
        assert!(!errors.contains("your-secret") && !errors.contains("sk-your"), "{errors}");
    }
    assert_eq!(kept.len(), 1, "the generated secret is kept");
    assert!(!kept.first().unwrap().contains("your-secret"));
}
