"""Certificates for the TLS faults: each has exactly one defect, and the CA that signed it is known."""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any


def context(kind: str) -> tuple[ssl.SSLContext, str]:
    """A server's TLS context (good, expired, wrong_host, self_signed) and its CA as PEM text."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def named(text: str) -> Any:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name, name = named("Sandbox CA"), named("sandbox")
    ends = now - timedelta(days=1) if kind == "expired" else now + timedelta(days=2)

    def built(subject: Any, issuer: Any, public: Any, until: datetime) -> Any:
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
        made = made.serial_number(x509.random_serial_number())
        made = made.not_valid_before(now - timedelta(days=9)).not_valid_after(until)
        # Python 3.13 checks strictly (RFC 5280): without key identifiers no certificate is good.
        signer = public if subject == issuer else ca_key.public_key()
        made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
        return made.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)

    authority = built(ca_name, ca_name, ca_key.public_key(), now + timedelta(days=9)).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    authority = authority.add_extension(_signs_certificates(x509), critical=True)
    ca = authority.sign(ca_key, hashes.SHA256())
    host: Any = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    names = x509.SubjectAlternativeName([x509.DNSName("other.example") if kind == "wrong_host" else host])
    own = kind == "self_signed"
    leaf = built(name, name if own else ca_name, key.public_key(), ends).add_extension(names, critical=False)
    signed = leaf.sign(key if own else ca_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return _loaded(signed.public_bytes(pem) + secret), ca.public_bytes(pem).decode()


def _signs_certificates(x509: Any) -> Any:
    others = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
    )
    unset = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(key_cert_sign=True, crl_sign=True, **unset)


def _loaded(chain: bytes) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chain.pem"
        path.touch(mode=0o600)
        path.write_bytes(chain)
        made.load_cert_chain(path)
    return made
