//! Our own key for one phone of the store app: it signs what that phone is shown, and goes out as base64 of an RSAPublicKey
//! (RFC 8017 §A.1.1). Each phone has another one, so that changing one breaks no other. It is sealed in the store, and no
//! `Debug` shows it.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use data_encoding::BASE64;
use wire::Secret;

/// Our key of a device could not be made, read or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server's key for this phone could not be made, read or used")]
pub struct ServerKeyError;

/// Our key of one device.
pub struct ServerKey(RsaKeyPair);

impl ServerKey {
    /// Makes a key of 3072 bits. It takes some 100 ms of a processor: never on a thread that serves others.
    ///
    /// # Errors
    /// [`ServerKeyError`]: the library could not.
    pub fn generate_blocking() -> Result<Self, ServerKeyError> {
        RsaKeyPair::generate(KeySize::Rsa3072).map(Self).map_err(|_| ServerKeyError)
    }

    /// Makes a key beside the threads that serve.
    ///
    /// # Errors
    /// [`ServerKeyError`]: the library could not, or the process stops.
    pub async fn generate() -> Result<Self, ServerKeyError> {
        tokio::task::spawn_blocking(Self::generate_blocking).await.map_err(|_| ServerKeyError)?
    }

    /// Reads a key as it was sealed: PKCS#8 (RFC 5958).
    ///
    /// # Errors
    /// [`ServerKeyError`]: it is none.
    pub fn of_pkcs8(pkcs8: &Secret) -> Result<Self, ServerKeyError> {
        RsaKeyPair::from_pkcs8(pkcs8.expose()).map(Self).map_err(|_| ServerKeyError)
    }

    /// As it is sealed: PKCS#8.
    ///
    /// # Errors
    /// [`ServerKeyError`]: the library could not.
    pub fn to_pkcs8(&self) -> Result<Secret, ServerKeyError> {
        let der: Pkcs8V1Der<'_> = self.0.as_der().map_err(|_| ServerKeyError)?;
        Ok(Secret::new(der.as_ref()))
    }

    /// What the app is given: padded base64 of the RSAPublicKey (RFC 8017 §A.1.1) in one line.
    #[must_use]
    pub fn public_field(&self) -> String {
        BASE64.encode(self.0.public_key().as_ref())
    }

    /// Signs a text (RFC 8017 §8.2.1).
    ///
    /// # Errors
    /// [`ServerKeyError`]: the library could not.
    pub fn sign(&self, text: &str) -> Result<Vec<u8>, ServerKeyError> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        let random = SystemRandom::new();
        self.0.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).map_err(|_| ServerKeyError)?;
        Ok(signature)
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_made_beside_the_threads_that_serve_and_read_back_as_it_was_sealed() {
        let made = ServerKey::generate().await.unwrap();
        let read = ServerKey::of_pkcs8(&made.to_pkcs8().unwrap()).unwrap();
        assert_eq!(made.public_field(), read.public_field());
        assert_eq!(made.sign("a"), read.sign("a"));
        assert_eq!(made.sign("a").unwrap().len(), 384);
        assert_eq!(format!("{made:?}"), "ServerKey(..)");
        assert!(ServerKey::of_pkcs8(&Secret::new("x")).is_err());
    }
}
