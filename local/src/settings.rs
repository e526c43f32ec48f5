//! Reads the environment and `.env`. Nothing else in this crate reads the environment.

use std::{collections::BTreeMap, env, path::Path};

use crate::{dot_env, error::Error};

/// The settings of the command.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// All variables by name. The environment takes precedence over `.env`.
    pub(crate) variables: BTreeMap<String, String>,
    /// The cargo that started the command, or the one in `PATH`.
    pub(crate) cargo: String,
}

impl Settings {
    /// Reads the environment, and `.env` in `folder` if it exists. An empty value counts as not set.
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        let environment: BTreeMap<String, String> = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let mut variables = dot_env::read(&folder.join(".env"), &environment)?;
        variables.extend(environment);
        variables.retain(|_, value| !value.is_empty());
        let port = variables.get("PORT").map_or("8000", String::as_str);
        let port =
            port.parse().map_err(|_error| Error::Setting(format!("PORT is not a port number: {port}")))?;
        let or = |name: &str, default: &str| variables.get(name).map_or(default, String::as_str).to_owned();
        Ok(Self { host: or("HOST", "127.0.0.1"), port, cargo: or("CARGO", "cargo"), variables })
    }
}
