//! Connections that have not authenticated: how many frames they sent, and whether an `auth` frame is being handled.

use serde::Deserialize;

use crate::domain::{ConnectionId, Millis, Owner};
use crate::error::Result;
use crate::store::dynamo::{Expression, from_item, number};
use crate::store::{Store, key};

/// A connection that has not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct UnauthenticatedConnection {
    /// How many frames it has sent, `auth` frames not counted.
    #[serde(default)]
    pub frames: u64,
    /// When the handling of its last `auth` frame began.
    pub auth_began: Option<Millis>,
    /// Whose it has become since.
    #[serde(flatten)]
    pub owner: Option<Owner>,
}

impl Store {
    /// Counts a frame of a connection that nobody owns. None when somebody owns it, or it is forgotten.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn count_unauthenticated_frame(
        &self,
        id: &ConnectionId,
    ) -> Result<Option<UnauthenticatedConnection>> {
        self.update_unauthenticated(id, Expression::default().add("frames", 1)).await
    }

    /// Notes on a connection that nobody owns that an `auth` frame of it is being handled, for frames that overtake it.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn note_auth_frame(&self, id: &ConnectionId, now: Millis) -> Result<()> {
        self.update_unauthenticated(id, Expression::default().set("auth_began", number(now.get()))).await?;
        Ok(())
    }

    /// Looks at a connection that had not authenticated, consistently. None when it is forgotten.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub async fn find_unauthenticated(&self, id: &ConnectionId) -> Result<Option<UnauthenticatedConnection>> {
        self.get_item(&self.connections, key::connection(id)).await?.map(from_item).transpose()
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
