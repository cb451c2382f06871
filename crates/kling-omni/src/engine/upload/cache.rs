use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// The most uploads that are remembered.
const MOST: usize = 256;

/// What the client has uploaded, for as long as it can be read.
#[derive(Default)]
pub(crate) struct UploadCache(Mutex<VecDeque<Known>>);

struct Known {
    sha256: [u8; 32],
    content_type: String,
    url: String,
    expires_at: SystemTime,
}

impl UploadCache {
    /// The URL of a file of this content that works at least until then, and when it ends.
    pub(crate) fn find(
        &self,
        sha256: &[u8; 32],
        content_type: &str,
        until: SystemTime,
    ) -> Option<(String, SystemTime)> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|one| one.expires_at > until);
        let is_it = |one: &&Known| one.sha256 == *sha256 && one.content_type == content_type;
        let found = known.iter().rev().find(is_it)?;
        Some((found.url.clone(), found.expires_at))
    }

    pub(crate) fn add(
        &self,
        sha256: [u8; 32],
        content_type: &str,
        url: &str,
        expires_at: SystemTime,
    ) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() == MOST {
            known.pop_front();
        }
        known.push_back(Known {
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
    fn the_oldest_and_those_at_their_end_are_forgotten() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let known = UploadCache::default();
        let hash = |n: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&(n as u64).to_le_bytes());
            hash
        };
        for n in 0..=MOST {
            known.add(hash(n), "video/mp4", &n.to_string(), at(10 + n as u64));
        }
        let kept = || known.0.lock().unwrap().len();
        assert_eq!(kept(), MOST);
        assert_eq!(known.find(&hash(0), "video/mp4", at(0)), None);
        let second = known.find(&hash(1), "video/mp4", at(0));
        assert_eq!(second, Some(("1".to_owned(), at(11))));
        assert_eq!(known.find(&hash(1), "image/png", at(0)), None);
        assert_eq!(known.find(&hash(1), "video/mp4", at(11)), None);
        assert_eq!(kept(), MOST - 1);
    }
}
