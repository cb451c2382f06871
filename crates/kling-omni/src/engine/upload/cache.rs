//! The upload cache: uploads that can be used again.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// The maximum number of cached uploads.
const CAPACITY: usize = 256;

/// The uploads of a client, until their URLs expire.
#[derive(Default)]
pub(crate) struct UploadCache(Mutex<VecDeque<CachedUpload>>);

struct CachedUpload {
    sha256: [u8; 32],
    content_type: String,
    url: String,
    expires_at: SystemTime,
}

impl UploadCache {
    /// Returns the URL of this content and its expiry, if it is valid at least until `until`.
    pub(crate) fn find(
        &self,
        sha256: &[u8; 32],
        content_type: &str,
        until: SystemTime,
    ) -> Option<(String, SystemTime)> {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cached.retain(|one| one.expires_at > until);
        let matches =
            |one: &&CachedUpload| one.sha256 == *sha256 && one.content_type == content_type;
        let found = cached.iter().rev().find(matches)?;
        Some((found.url.clone(), found.expires_at))
    }

    pub(crate) fn add(
        &self,
        sha256: [u8; 32],
        content_type: &str,
        url: &str,
        expires_at: SystemTime,
    ) {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.len() == CAPACITY {
            cached.pop_front();
        }
        cached.push_back(CachedUpload {
            sha256,
            content_type: content_type.to_owned(),
            url: url.to_owned(),
            expires_at,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn upload_cache_evicts_oldest_and_expired_uploads() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let cached = UploadCache::default();
        let hash = |n: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&(n as u64).to_le_bytes());
            hash
        };
        for n in 0..=CAPACITY {
            cached.add(hash(n), "video/mp4", &n.to_string(), at(10 + n as u64));
        }
        let kept = || cached.0.lock().unwrap().len();
        assert_eq!(kept(), CAPACITY);
        assert_eq!(cached.find(&hash(0), "video/mp4", at(0)), None);
        let second = cached.find(&hash(1), "video/mp4", at(0));
        assert_eq!(second, Some(("1".to_owned(), at(11))));
        assert_eq!(cached.find(&hash(1), "image/png", at(0)), None);
        assert_eq!(cached.find(&hash(1), "video/mp4", at(11)), None);
        assert_eq!(kept(), CAPACITY - 1);
    }
}
