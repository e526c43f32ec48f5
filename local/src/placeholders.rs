//! Recognises placeholders that documentation shows instead of secrets, and that users copy into `.env`.

use std::collections::BTreeMap;

/// The variable that holds the secret for signing tokens.
const SIGNING: &str = "SECRET_KEY";
/// The suffix of variables that hold API keys of model providers.
const KEY: &str = "_API_KEY";

/// Texts that mark a secret as an example, however long it is. Functions refuse such secrets.
const EXAMPLES: [&str; 8] = [
    "secret-key",
    "secret_key",
    "changeme",
    "change-me",
    "django-insecure-",
    "your-",
    "example",
    // From the FastAPI tutorial.
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
];

/// Words that mark a key as a placeholder even if the model server accepts any key.
const INSTRUCTIONS: [&str; 7] = ["your", "here", "replace", "change", "insert", "enter", "paste"];
/// The maximum length of a word that users set as the key of a server that accepts any key.
const MOST_OF_WORD: usize = 24;

/// The words that placeholders consist of.
const WORDS: &str = "\
    your you my our the this that these an is it be to in on of for from with and or not here there please must \
    should put set use enter insert add paste fill type replace replaced change changed edit update generate make me new \
    own real actual valid very super top really long strong secure safe random randomly unique unguessable private \
    secret secrets s3cr3t key keys token tokens password passwd passphrase pass phrase string text value something anything \
    whatever jwt auth hash signing sign session hmac hs256 sha256 base64 hex app application project server service client \
    website studio ai api chat llm model openai open anthropic claude gpt chatgpt azure google gemini mistral deepseek \
    provider sk pk ant proj api03 live org production prod dev devel development local localhost staging test testing \
    tests demo sample example examples default defaults placeholder dummy fake mock foo bar baz todo fixme tbd none null \
    nil undefined empty unset insecure unsafe weak temp tmp temporary only before after first deploy deploying deployment \
    using minimum min at least characters character chars char bytes byte bits bit length name user admin com dot env file \
    now do dont never commit openssl rand keep same as by yourself abc xyz asdf qwerty hello world required needed \
    你的 您的 我的 密钥 秘钥 请 替换 填写 填入 输入 修改 更改 更换 设置 这里 此处 在 为 成 的 随机 字符串 一个 安全";

/// Removes placeholders from `variables`. Returns a line about each one, without its value.
pub(crate) fn remove(variables: &mut BTreeMap<String, String>) -> Vec<String> {
    let is_removed = |name: &str, value: &str| match name.strip_suffix(KEY) {
        // A local model server may accept any key.
        Some(provider) => {
            is_placeholder(value) && !(is_plain_word(value) && has_server_of_its_own(variables, provider))
        }
        None => name == SIGNING && is_placeholder(value),
    };
    let found: Vec<String> = variables
        .iter()
        .filter(|(name, value)| is_removed(name, value))
        .map(|(name, _)| name.clone())
        .collect();
    found
        .into_iter()
        .map(|name| {
            variables.remove(&name);
            match name.as_str() {
                SIGNING => format!("{name} is a placeholder; a generated secret is used instead"),
                _ => format!("{name} is a placeholder and is ignored"),
            }
        })
        .collect()
}

fn has_server_of_its_own(variables: &BTreeMap<String, String>, provider: &str) -> bool {
    let base = variables.get(&format!("{provider}_BASE_URL"));
    base.is_some_and(|base| !["api.openai.com", "api.anthropic.com"].iter().any(|host| base.contains(host)))
}

/// Whether `value` can be intended as a key, such as `none` or `dummy`.
fn is_plain_word(value: &str) -> bool {
    let lower = value.to_lowercase();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    value.len() <= MOST_OF_WORD
        && lower.chars().any(char::is_alphanumeric)
        && lower.chars().all(is_plain)
        && !INSTRUCTIONS.iter().any(|word| lower.contains(word))
}

/// Whether `value` is a placeholder for a secret.
fn is_placeholder(value: &str) -> bool {
    let lower = value.to_lowercase();
    let is_example = EXAMPLES.iter().any(|example| lower.contains(example));
    is_example || lower.split(|letter: char| !letter.is_alphanumeric()).all(is_filler)
}

/// Whether a piece between punctuation consists only of placeholder words, `xxx`, `123` and similar texts.
fn is_filler(piece: &str) -> bool {
    if piece.is_empty() || is_run(piece) || is_runs(piece) {
        return true;
    }
    let words = || WORDS.split_whitespace();
    let mut reached = vec![false; piece.len() + 1];
    for start in 0..=piece.len() {
        let Some(rest) = piece.get(start..) else { continue };
        if start > 0 && !reached.get(start).copied().unwrap_or_default() {
            continue;
        }
        // Up to four digits; a longer number may be a secret.
        let digits = rest.len() - rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let is_within =
            piece.get(..start).is_some_and(|before| before.ends_with(|it: char| it.is_ascii_digit()));
        let number = (!is_within && (1..=4).contains(&digits)).then_some(digits);
        let ends = words().filter(|word| rest.starts_with(word)).map(str::len);
        for length in ends.chain(number) {
            if let Some(end) = reached.get_mut(start + length) {
                *end = true;
            }
        }
    }
    reached.last().copied().unwrap_or_default()
}

/// Whether a piece is one character, only `x` or only `0`, or consecutive letters or digits.
fn is_run(piece: &str) -> bool {
    let bytes = piece.as_bytes();
    let follows = |pair: &[u8]| {
        let [before, after] = pair else { return false };
        before.checked_add(1) == Some(*after) || matches!((before, after), (b'9', b'0' | b'a') | (b'0', b'a'))
    };
    let is_in_order = bytes.len() != 2 && bytes.windows(2).all(follows);
    is_in_order || bytes.iter().all(|byte| *byte == b'x') || bytes.iter().all(|byte| *byte == b'0')
}

/// Whether a piece alternates between consecutive letters and consecutive digits: `abcdef123456`.
fn is_runs(piece: &str) -> bool {
    let mut groups = piece.as_bytes().chunk_by(|one, next| one.is_ascii_digit() == next.is_ascii_digit());
    groups.all(|group| group.len() >= 3 && str::from_utf8(group).is_ok_and(is_run))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &[&str] = &[
        "your-secret-key",
        "your-secret-key-here",
        "your_secret_key_here",
        "YOUR_SECRET_KEY",
        "your-super-secret-key-change-in-production",
        "your-super-secret-jwt-key-change-this-in-production-min-32-chars",
        "change-me",
        "changeme",
        "CHANGE_ME",
        "change this",
        "please-change-this-to-a-very-long-random-string-of-32-characters",
        "replace-me-with-a-random-string",
        "secret",
        "supersecret",
        "super-secret",
        "mysecretkey",
        "my_secret_key_123",
        "example-secret",
        "an-example-of-a-secret-that-is-long-enough-1f",
        "dev-secret",
        "test",
        "password",
        "TODO",
        "<secret>",
        "<generate with openssl>",
        "xxxxxxxx",
        "...",
        "***",
        "1234567890",
        "你的密钥",
        "请替换为随机字符串",
        "sk-your-openai-key",
        "sk-your-openai-api-key-here",
        "sk-...",
        "sk-xxx",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "sk-1234567890",
        "sk-1234567890abcdef",
        "sk-proj-your-key",
        "sk-ant-your-key",
        "sk-ant-api03-xxxxxxxx",
        "sk-ant-…",
        "your-anthropic-api-key",
        "your anthropic key",
        "<your key>",
        "${OPENAI_API_KEY}",
        "{{ OPENAI_API_KEY }}",
        "xxx",
        "none",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        "django-insecure-4f1d0f0c9e8b7a6d5c4b3a29181706f5",
        "sk-abcdef1234567890",
        "sk-proj-1234abcdefgh5678",
    ];

    #[test]
    fn what_documentation_shows_is_a_placeholder() {
        for value in SHOWN {
            assert!(is_placeholder(value), "{value}");
        }
    }

    #[test]
    fn a_secret_that_somebody_chose_is_none() {
        for value in [
            "short",
            "hunter2",
            "correct horse battery staple",
            "4f1d0f0c9e8b7a6d5c4b3a29181706f5",
            "Zm9vYmFyYmF6cXV4LXNlY3JldC1rZXk",
            "sk-proj-9fTq2LmXv71",
            "sk-ant-api03-Rk3vQ9",
            "sk-or-v1-0c9e8b7a6d5c",
            "AIzaSyD3f9",
            "ollama",
            "92837465",
            "abcdef92837465",
            "sk-abdcef1234567890",
            &"a".repeat(64),
        ] {
            assert!(!is_placeholder(value), "{value}");
        }
    }

    #[test]
    fn placeholders_are_taken_out_and_told_of_without_their_value() {
        let mut variables: BTreeMap<String, String> = [
            ("SECRET_KEY", "your-secret-key-here"),
            ("OPENAI_API_KEY", "sk-your-openai-key"),
            ("ANTHROPIC_API_KEY", "sk-ant-api03-Rk3vQ9"),
            ("LOG_LEVEL", "test"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let lines = remove(&mut variables);
        assert_eq!(variables.keys().collect::<Vec<_>>(), ["ANTHROPIC_API_KEY", "LOG_LEVEL"]);
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].starts_with("OPENAI_API_KEY is") && lines[1].starts_with("SECRET_KEY is"),
            "{lines:?}"
        );
        assert!(!lines.concat().contains("your"));
    }

    #[test]
    fn a_model_server_of_ones_own_takes_any_key() {
        let with_key = |key: &str, base: &str| {
            let set = [("OPENAI_API_KEY", key), ("OPENAI_BASE_URL", base)];
            let mut variables = set.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            remove(&mut variables).len()
        };
        for key in ["none", "test", "dummy", "xxx", "sk-1234"] {
            assert_eq!(with_key(key, "http://127.0.0.1:11434/v1"), 0, "{key}");
            assert_eq!(with_key(key, "https://api.openai.com/v1"), 1, "{key}");
        }
        for key in
            ["sk-your-openai-key", "<your key>", "api-key-here", "<key>", "...", "replace-me", "你的密钥"]
        {
            assert_eq!(with_key(key, "https://models.example.net/v1"), 1, "{key}");
        }
    }
}
