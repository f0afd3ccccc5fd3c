//! TLS to PostgreSQL, by rustls. Certificates and their names are always verified.

use std::{
    io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Makes TLS connections.
#[derive(Clone)]
pub(super) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Trusts the authorities of a PEM file, or those of the system.
    ///
    /// # Errors
    /// A text for the operator.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        match ca_file {
            Some(path) => {
                let cannot = |error| format!("{} can't be read: {error}", path.display());
                let certificates = CertificateDer::pem_file_iter(path).map_err(cannot)?;
                for certificate in certificates {
                    roots
                        .add(certificate.map_err(cannot)?)
                        .map_err(|error| format!("{}: {error}", path.display()))?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err("no certificate authority is known: name one in `store.ca_file`".to_owned());
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // With `sslnegotiation=direct` a server requires this ALPN name.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

/// A connection that is about to be made.
pub(super) struct Connect {
    connector: TlsConnector,
    name: ServerName<'static>,
}

/// An encrypted connection.
pub(super) struct Encrypted<S>(TlsStream<S>);

impl<S> MakeTlsConnect<S> for Tls
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type TlsConnect = Connect;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> io::Result<Connect> {
        let name = ServerName::try_from(domain.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Ok(Connect { connector: TlsConnector::from(Arc::clone(&self.0)), name })
    }
}

impl<S> TlsConnect<S> for Connect
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { Ok(Encrypted(self.connector.connect(self.name, stream).await?)) })
    }
}

impl<S> tokio_postgres::tls::TlsStream for Encrypted<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// The hash of the server's certificate (RFC 5929, 4). It binds the password to this TLS
    /// connection, so that a man in the middle can't pass it on.
    fn channel_binding(&self) -> ChannelBinding {
        let (_, session) = self.0.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        certificate
            .and_then(|certificate| end_point(certificate))
            .map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

/// The hash of a certificate, by the hash function of its signature; SHA-256 if that is MD5 or
/// SHA-1. `None`: the signature names no hash function, such as Ed25519.
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
    const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
    let (fields, _) = element(certificate, 0x30)?;
    let (_, behind) = element(fields, 0x30)?;
    let (algorithm, _) = element(behind, 0x30)?;
    let (name, parameters) = element(algorithm, 0x06)?;
    let bits = match (name.strip_prefix(RSA), name.strip_prefix(ECDSA)) {
        (Some([4 | 5 | 11]), _) | (_, Some([1] | [3, 2])) => 256,
        (Some([12]), _) | (_, Some([3, 3])) => 384,
        (Some([13]), _) | (_, Some([3, 4])) => 512,
        // The parameters of RSASSA-PSS name the hash function. The default is SHA-1.
        (Some([10]), _) => {
            let (parameters, _) = element(parameters, 0x30)?;
            match element(parameters, 0xa0) {
                None => 256,
                Some((hash, _)) => {
                    let (hash, _) = element(hash, 0x30)?;
                    match element(hash, 0x06)?.0.strip_prefix(SHA2)? {
                        [1] => 256,
                        [2] => 384,
                        [3] => 512,
                        _ => return None,
                    }
                }
            }
        }
        _ => return None,
    };
    Some(match bits {
        256 => Sha256::digest(certificate).to_vec(),
        384 => Sha384::digest(certificate).to_vec(),
        _ => Sha512::digest(certificate).to_vec(),
    })
}

/// The content of a DER element with this tag, and the bytes behind it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    (*first == tag).then_some((content, rest))
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82][..], &length, content].concat()
    }

    /// The outline of a certificate: three hundred signed bytes, the algorithm, and a signature.
    fn certificate(oid: &[u8], parameters: &[u8]) -> Vec<u8> {
        let algorithm = [wrapped(0x06, oid), parameters.to_vec()].concat();
        let parts = [wrapped(0x30, &[0; 300]), wrapped(0x30, &algorithm), wrapped(0x03, &[0; 9])];
        wrapped(0x30, &parts.concat())
    }

    #[test]
    fn a_certificate_is_hashed_by_the_function_of_its_signature() {
        const RSA: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1];
        const ECDSA: [u8; 6] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4];
        const SHA512: [u8; 9] = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
        let pss = wrapped(0x30, &wrapped(0xa0, &wrapped(0x30, &wrapped(0x06, &SHA512))));
        let cases: [(Vec<u8>, &[u8], Option<usize>); 8] = [
            ([&RSA[..], &[5]].concat(), &[], Some(32)),
            ([&RSA[..], &[11]].concat(), &[5, 0], Some(32)),
            ([&RSA[..], &[12]].concat(), &[5, 0], Some(48)),
            ([&RSA[..], &[13]].concat(), &[5, 0], Some(64)),
            ([&ECDSA[..], &[3, 2]].concat(), &[], Some(32)),
            ([&ECDSA[..], &[3, 3]].concat(), &[], Some(48)),
            ([&RSA[..], &[10]].concat(), &pss, Some(64)),
            // Ed25519.
            (vec![0x2b, 0x65, 0x70], &[], None),
        ];
        for (oid, parameters, bytes) in cases {
            let hash = end_point(&certificate(&oid, parameters));
            assert_eq!(hash.map(|hash| hash.len()), bytes, "{oid:?}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_hash() {
        let good = certificate(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11], &[]);
        assert!(end_point(&good).is_some());
        for end in [0, 1, 2, 5, 200, good.len() - 1] {
            assert_eq!(end_point(&good[..end]), None, "{end}");
        }
        assert_eq!(end_point(&[0x30, 0x84, 0, 0, 0, 1, 0]), None);
        assert_eq!(end_point(&[0x30, 0x80, 0, 0]), None);
    }
}
