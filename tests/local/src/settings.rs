//! The one place where the environment is read, and `.env`.

use std::{collections::BTreeMap, env, path::Path};

use crate::error::Error;

/// What the command is told by its surroundings.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Everything set, by name; the environment wins over `.env`.
    pub(crate) variables: BTreeMap<String, String>,
    /// The cargo that started the command, or the one on the path.
    pub(crate) cargo: String,
}

impl Settings {
    /// Reads `.env` of `folder`, if there is one, and the environment. An empty value counts as not set.
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        let mut variables = dot_env(&folder.join(".env"))?;
        let environment = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        variables.extend(environment.filter(|(_, value)| !value.is_empty()));
        variables.retain(|_, value| !value.is_empty());
        let port = variables.get("PORT").map_or("8000", String::as_str);
        let port =
            port.parse().map_err(|_error| Error::Setting(format!("PORT is no port number: {port}")))?;
        let or = |name: &str, default: &str| variables.get(name).map_or(default, String::as_str).to_owned();
        Ok(Self { host: or("HOST", "127.0.0.1"), port, cargo: or("CARGO", "cargo"), variables })
    }
}

fn dot_env(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let failed = |reason: String| Error::DotEnv { path: path.to_owned(), reason };
    let lines = dotenvy::from_path_iter(path).map_err(|error| failed(error.to_string()))?;
    let mut variables = BTreeMap::new();
    for line in lines {
        // The text of a bad line is not repeated: it may be a secret.
        let (name, value) = line.map_err(|error| match error {
            dotenvy::Error::LineParse(text, _) => {
                failed(format!("line {} is not NAME=value", number_of(path, &text)))
            }
            other => failed(other.to_string()),
        })?;
        variables.insert(name, value);
    }
    Ok(variables)
}

/// The number of the first line that holds `text`: what is wrong with a line may be told of a part of it.
fn number_of(path: &Path, text: &str) -> String {
    let source = std::fs::read_to_string(path).unwrap_or_default();
    let position = source.lines().position(|line| line.contains(text.trim()));
    position.map_or_else(|| "?".to_owned(), |position| (position + 1).to_string())
}
