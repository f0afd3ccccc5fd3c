//! Signing keys that all nodes share. The first node makes them.

use tidings_server_core::store::StoreError;

use super::{Postgres, read::connection, row::Trouble};

impl Postgres {
    /// The key of this name, or `fresh` if there is none yet. All nodes get the same key.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn secret(&self, name: &str, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        let name = name.to_owned();
        self.wait_shortly(|inner| async move {
            let client = connection(&inner).await?;
            let secret = async {
                let insert =
                    "INSERT INTO secret (name, bytes) VALUES ($1, $2) ON CONFLICT DO NOTHING";
                client.execute(insert, &[&name, &&fresh[..]]).await?;
                client.query_one("SELECT bytes FROM secret WHERE name = $1", &[&name]).await
            };
            let row = secret.await.map_err(Trouble::from)?;
            let damaged =
                |_| StoreError::Unavailable(format!("the key {name} is not 32 bytes long"));
            row.get::<_, Vec<u8>>(0).try_into().map_err(damaged)
        })
    }
}
