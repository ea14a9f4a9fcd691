//! Reads the body of a request whole and inflates it, within bounds; nothing of it is looked at before all of it is there.
//!
//! All bodies together share one budget of bytes, as received and as inflated, until their usage is committed. So the memory that
//! senders can take is one number, however many of them come at once.

use crate::api::error::ApiError;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use std::io::Read;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The greatest length of a body as it is sent.
pub(crate) const SENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The greatest length of a body once it is inflated.
pub(crate) const INFLATED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What all bodies together may take.
pub(crate) const BODIES_BYTES_MAX: usize = 512 * 1024 * 1024;

/// The window of zstd, as a power of two: 8 MiB, the greatest that the content coding allows (RFC 9659).
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
const ZSTD_WINDOW_BYTES: usize = 1 << ZSTD_WINDOW_LOG_MAX;
/// What is read of a body that is refused.
const PASSED_BYTES_MAX: usize = 4 * SENT_BYTES_MAX;
/// What is inflated at once.
const PIECE_BYTES: usize = 64 * 1024;

/// The bytes that bodies may still take.
#[derive(Debug, Clone)]
pub(crate) struct BodyBudget {
    left: Arc<Semaphore>,
}

impl BodyBudget {
    pub(crate) fn new(bytes: usize) -> BodyBudget {
        BodyBudget { left: Arc::new(Semaphore::new(bytes)) }
    }

    /// A share of nothing yet; it grows with the body and goes back when it is dropped.
    pub(super) fn share(&self) -> Share {
        Share { budget: self.clone(), taken: None }
    }
}

/// What one body has taken.
#[derive(Debug)]
pub(super) struct Share {
    budget: BodyBudget,
    taken: Option<OwnedSemaphorePermit>,
}

impl Share {
    fn grow(&mut self, bytes: usize) -> Result<(), BodyRefused> {
        let permits = u32::try_from(bytes).map_err(|_| BodyRefused::NoRoom)?;
        let more = Arc::clone(&self.budget.left).try_acquire_many_owned(permits).map_err(|_| BodyRefused::NoRoom)?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        Ok(())
    }
}

/// Why a body is refused whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyRefused {
    #[error("the body breaks off or is damaged: {0}; nothing was stored")]
    Broken(String),
    #[error("the body is longer than {SENT_BYTES_MAX} bytes; send it in several; nothing was stored")]
    TooLong,
    #[error("the body is longer than {INFLATED_BYTES_MAX} bytes once inflated; send it in several; nothing was stored")]
    InflatesTooFar,
    #[error("the content encoding `{0}` is not read; use `gzip`, `zstd` or none")]
    Encoding(String),
    #[error("too many bodies are on their way; send this one again later; nothing was stored")]
    NoRoom,
}

impl From<BodyRefused> for ApiError {
    fn from(refused: BodyRefused) -> ApiError {
        let status = match refused {
            BodyRefused::Broken(_) => StatusCode::BAD_REQUEST,
            BodyRefused::TooLong | BodyRefused::InflatesTooFar => StatusCode::PAYLOAD_TOO_LARGE,
            BodyRefused::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            BodyRefused::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
        };
        ApiError::new(status, refused.to_string())
    }
}

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Gzip,
    Zstd,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Result<Encoding, BodyRefused> {
        let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(value) = values.next() else { return Ok(Encoding::Plain) };
        let text = value.to_str().unwrap_or("").trim().to_ascii_lowercase();
        match text.as_str() {
            _ if values.next().is_some() => Err(BodyRefused::Encoding("several".to_owned())),
            "" | "identity" => Ok(Encoding::Plain),
            "gzip" | "x-gzip" => Ok(Encoding::Gzip),
            "zstd" => Ok(Encoding::Zstd),
            _ => Err(BodyRefused::Encoding(text.chars().filter(|char| !char.is_control()).take(40).collect())),
        }
    }
}

/// Reads a body as it is sent, up to its bound.
pub(super) async fn read(headers: &HeaderMap, mut body: Body, share: &mut Share) -> Result<(Vec<u8>, Encoding), BodyRefused> {
    let read = read_bounded(headers, &mut body, share).await;
    if read.is_err() {
        pass_over(&mut body).await;
    }
    read
}

async fn read_bounded(headers: &HeaderMap, body: &mut Body, share: &mut Share) -> Result<(Vec<u8>, Encoding), BodyRefused> {
    let encoding = Encoding::of(headers)?;
    let promised = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if promised.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > SENT_BYTES_MAX)) {
        return Err(BodyRefused::TooLong);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyRefused::Broken(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > SENT_BYTES_MAX - bytes.len() {
            return Err(BodyRefused::TooLong);
        }
        share.grow(data.len())?;
        bytes.extend_from_slice(&data);
    }
    Ok((bytes, encoding))
}

/// Throws the rest of a refused body away, as far as that is worth it: the connection of a sender who is still writing would break
/// before the sender has read why.
async fn pass_over(body: &mut Body) {
    let mut passed = 0;
    while passed < PASSED_BYTES_MAX
        && let Some(Ok(frame)) = body.frame().await
    {
        passed += frame.data_ref().map_or(0, |data| data.len());
    }
}

/// Unpacks a body up to its bound. Takes a while: not for the threads that serve connections.
pub(super) fn inflate(bytes: Vec<u8>, encoding: Encoding, share: &mut Share) -> Result<Vec<u8>, BodyRefused> {
    match encoding {
        Encoding::Plain => Ok(bytes),
        Encoding::Gzip => pull(flate2::read::MultiGzDecoder::new(bytes.as_slice()), share),
        Encoding::Zstd => {
            let mut window = share.budget.share();
            window.grow(ZSTD_WINDOW_BYTES)?;
            let broken = |error: std::io::Error| BodyRefused::Broken(error.to_string());
            let mut reader = zstd::stream::read::Decoder::with_buffer(bytes.as_slice()).map_err(broken)?;
            reader.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(broken)?;
            pull(reader, share)
        }
    }
}

fn pull(mut reader: impl Read, share: &mut Share) -> Result<Vec<u8>, BodyRefused> {
    let mut inflated = Vec::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = reader.read(&mut piece).map_err(|error| BodyRefused::Broken(error.to_string()))?;
        if length == 0 {
            return Ok(inflated);
        }
        if length > INFLATED_BYTES_MAX - inflated.len() {
            return Err(BodyRefused::InflatesTooFar);
        }
        share.grow(length)?;
        inflated.extend_from_slice(&piece[..length]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn zstd_with_window(bytes: &[u8], window_log: u32) -> Vec<u8> {
        let mut packer = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        packer.window_log(window_log).unwrap();
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn inflated(bytes: Vec<u8>, encoding: Encoding, budget: usize) -> Result<Vec<u8>, BodyRefused> {
        inflate(bytes, encoding, &mut BodyBudget::new(budget).share())
    }

    #[test]
    fn packed_bodies_come_out_as_they_went_in() {
        let text = b"usage ".repeat(20_000);
        let mut two_members = gzip(&text);
        two_members.extend(gzip(b"more"));
        let both = [text.as_slice(), b"more"].concat();
        assert_eq!(inflated(text.clone(), Encoding::Plain, BODIES_BYTES_MAX), Ok(text.clone()));
        assert_eq!(inflated(two_members, Encoding::Gzip, BODIES_BYTES_MAX), Ok(both));
        assert_eq!(inflated(zstd_with_window(&text, 23), Encoding::Zstd, BODIES_BYTES_MAX), Ok(text));
    }

    #[test]
    fn a_packed_body_that_breaks_off_is_refused() {
        let text = b"usage ".repeat(20_000);
        for (bytes, encoding) in [(gzip(&text), Encoding::Gzip), (zstd_with_window(&text, 20), Encoding::Zstd)] {
            for length in [1, bytes.len() / 2, bytes.len() - 1] {
                let cut = inflated(bytes[..length].to_vec(), encoding, BODIES_BYTES_MAX);
                assert!(matches!(cut, Err(BodyRefused::Broken(_))), "{encoding:?} cut to {length}: {cut:?}");
            }
        }
        let plain = inflated(text, Encoding::Gzip, BODIES_BYTES_MAX);
        assert!(matches!(plain, Err(BodyRefused::Broken(_))), "{plain:?}");
    }

    #[test]
    fn a_bomb_is_refused_at_the_bound() {
        let zeros = vec![0; INFLATED_BYTES_MAX + 1];
        assert_eq!(inflated(gzip(&zeros), Encoding::Gzip, BODIES_BYTES_MAX), Err(BodyRefused::InflatesTooFar));
        assert_eq!(inflated(zstd_with_window(&zeros, 20), Encoding::Zstd, BODIES_BYTES_MAX), Err(BodyRefused::InflatesTooFar));
        let wide_window = inflated(zstd_with_window(&zeros, 24), Encoding::Zstd, BODIES_BYTES_MAX);
        assert!(matches!(wide_window, Err(BodyRefused::Broken(_))), "{:?}", wide_window.err());
    }

    #[test]
    fn all_bodies_share_one_budget_and_give_it_back() {
        let budget = BodyBudget::new(1000);
        let (mut one, mut other) = (budget.share(), budget.share());
        assert_eq!((one.grow(600), other.grow(400), other.grow(1)), (Ok(()), Ok(()), Err(BodyRefused::NoRoom)));
        drop(one);
        assert_eq!(other.grow(600), Ok(()));
        assert_eq!(inflated(gzip(&[0; 5000]), Encoding::Gzip, 4999), Err(BodyRefused::NoRoom));
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_bound() {
        let budget = BodyBudget::new(BODIES_BYTES_MAX);
        let headers = HeaderMap::new();
        let (bytes, encoding) = read(&headers, Body::from(vec![7; SENT_BYTES_MAX]), &mut budget.share()).await.unwrap();
        assert_eq!((bytes.len(), encoding), (SENT_BYTES_MAX, Encoding::Plain));
        let too_long = read(&headers, Body::from(vec![7; SENT_BYTES_MAX + 1]), &mut budget.share()).await;
        assert_eq!(too_long.unwrap_err(), BodyRefused::TooLong);
        let mut promises = HeaderMap::new();
        promises.insert(header::CONTENT_LENGTH, HeaderValue::from_static("16777217"));
        assert_eq!(read(&promises, Body::empty(), &mut budget.share()).await.unwrap_err(), BodyRefused::TooLong);
    }

    #[test]
    fn only_known_encodings_are_read() {
        let table =
            [("gzip", Ok(Encoding::Gzip)), (" GZIP ", Ok(Encoding::Gzip)), ("zstd", Ok(Encoding::Zstd)), ("identity", Ok(Encoding::Plain))];
        let mut headers = HeaderMap::new();
        assert_eq!(Encoding::of(&headers), Ok(Encoding::Plain));
        for (text, encoding) in table {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(text));
            assert_eq!(Encoding::of(&headers), encoding, "{text}");
        }
        for text in ["br", "deflate", "gzip, zstd"] {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(text));
            assert_eq!(Encoding::of(&headers), Err(BodyRefused::Encoding(text.to_owned())));
        }
    }
}
