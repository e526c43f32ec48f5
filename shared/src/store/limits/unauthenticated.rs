//! Connections that have not authenticated yet: how many frames they have sent, and whether an `auth` frame is being
//! handled.

use serde::Deserialize;

use crate::domain::{ConnectionId, Millis, Owner};
#[cfg(doc)]
use crate::error::Code;
use crate::error::Result;
use crate::store::dynamo::{Expression, from_item, number};
use crate::store::{Store, key};

/// A connection that has not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct UnauthenticatedConnection {
    /// How many frames it has sent, not counting `auth` frames.
    #[serde(default)]
    pub frames: u64,
    /// When a function began to handle its last `auth` frame.
    pub auth_began: Option<Millis>,
    /// The owner, if the connection has authenticated since.
    #[serde(flatten)]
    pub owner: Option<Owner>,
}

impl Store {
    /// Counts a frame of a connection that has not authenticated. `None` when it has authenticated, or is no longer
    /// stored.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn count_unauthenticated_frame(
        &self,
        id: &ConnectionId,
    ) -> Result<Option<UnauthenticatedConnection>> {
        self.update_unauthenticated(id, Expression::default().add("frames", 1)).await
    }

    /// Records, on a connection that has not authenticated, that an `auth` frame is being handled. Functions that
    /// handle frames which overtook the `auth` frame then wait for it.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn record_auth_frame(&self, id: &ConnectionId, now: Millis) -> Result<()> {
        self.update_unauthenticated(id, Expression::default().set("auth_began", number(now.get()))).await?;
        Ok(())
    }

    /// Finds a connection that had not authenticated when it was read last, consistently. `None` when it is no longer
    /// stored.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when DynamoDB is unavailable.
    pub async fn find_unauthenticated_connection(
        &self,
        id: &ConnectionId,
    ) -> Result<Option<UnauthenticatedConnection>> {
        self.find_raw_item(&self.connections, key::connection(id)).await?.map(from_item).transpose()
    }

    async fn update_unauthenticated(
        &self,
        id: &ConnectionId,
        change: Expression,
    ) -> Result<Option<UnauthenticatedConnection>> {
        let change = change.when_exists("pk").when_absent("user");
        self.update_connection(key::connection(id), &change).await?.map(from_item).transpose()
    }
}
