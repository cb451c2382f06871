//! Hashes for the signatures of S3, with the hash crates of this crate, independent of the TLS library.

use hmac::{Hmac, KeyInit, Mac};
use object_store::client::{
    CryptoProvider, DigestAlgorithm, DigestContext, HmacContext, Signer, SigningAlgorithm,
};
use object_store::{Error, Result};
use sha2::{Digest, Sha256};

#[derive(Debug)]
pub(crate) struct Sha2;

impl CryptoProvider for Sha2 {
    fn digest(&self, algorithm: DigestAlgorithm) -> Result<Box<dyn DigestContext>> {
        match algorithm {
            DigestAlgorithm::Sha256 => Ok(Box::new(HashContext::<Sha256>::default())),
            other => Err(unsupported(&other)),
        }
    }

    fn hmac(&self, algorithm: DigestAlgorithm, secret: &[u8]) -> Result<Box<dyn HmacContext>> {
        match algorithm {
            DigestAlgorithm::Sha256 => {
                let keyed = Hmac::new_from_slice(secret);
                let state = keyed.expect("HMAC takes keys of any length");
                Ok(Box::new(HashContext {
                    state,
                    out: [0; 32],
                }))
            }
            other => Err(unsupported(&other)),
        }
    }

    fn sign(&self, algorithm: SigningAlgorithm, _: &[u8]) -> Result<Box<dyn Signer>> {
        Err(unsupported(&algorithm))
    }
}

fn unsupported(algorithm: &dyn std::fmt::Debug) -> Error {
    Error::NotSupported {
        source: format!("{algorithm:?} is not supported").into(),
    }
}

#[derive(Default)]
struct HashContext<S> {
    state: S,
    out: [u8; 32],
}

impl DigestContext for HashContext<Sha256> {
    fn update(&mut self, data: &[u8]) {
        Digest::update(&mut self.state, data);
    }

    fn finish(&mut self) -> Result<&[u8]> {
        self.out = self.state.finalize_reset().into();
        Ok(&self.out)
    }
}

impl HmacContext for HashContext<Hmac<Sha256>> {
    fn update(&mut self, data: &[u8]) {
        Mac::update(&mut self.state, data);
    }

    fn finish(&mut self) -> Result<&[u8]> {
        self.out = self.state.clone().finalize().into_bytes().into();
        Ok(&self.out)
    }
}
