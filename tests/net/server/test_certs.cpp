#include "net/server/test_certs.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>

namespace vkb::test {
namespace {

void must(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "test certificate: %s failed\n", what);
  std::abort();
}

EVP_PKEY* newKey(KeyKind kind) {
  EVP_PKEY* key = kind == KeyKind::kEc ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048);
  must(key != nullptr, "key generation");
  return key;
}

std::string textOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

std::string certText(X509* cert) {
  BIO* bio = BIO_new(BIO_s_mem());
  must(PEM_write_bio_X509(bio, cert) == 1, "PEM_write_bio_X509");
  return textOf(bio);
}

std::string keyText(EVP_PKEY* key, KeyFormat format) {
  BIO* bio = BIO_new(BIO_s_mem());
  const int done =
      format == KeyFormat::kPkcs8
          ? PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr)
          : PEM_write_bio_PrivateKey_traditional(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  must(done == 1, "writing a key");
  return textOf(bio);
}

void extend(X509* cert, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  must(extension != nullptr, "X509V3_EXT_conf_nid");
  X509_add_ext(cert, extension, -1);
  X509_EXTENSION_free(extension);
}

std::string sanText(const CertSpec& spec) {
  std::string san;
  for (const auto& name : spec.dns) san += (san.empty() ? "DNS:" : ",DNS:") + name;
  for (const auto& ip : spec.ips) san += (san.empty() ? "IP:" : ",IP:") + ip;
  return san;
}

/// Unsigned, without extensions.
X509* newCert(EVP_PKEY* key, const std::string& common_name, std::chrono::seconds from,
              std::chrono::seconds to) {
  X509* cert = X509_new();
  must(cert != nullptr, "X509_new");
  X509_set_version(cert, X509_VERSION_3);
  static long serial = 1;
  ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
  X509_gmtime_adj(X509_getm_notBefore(cert), from.count());
  X509_gmtime_adj(X509_getm_notAfter(cert), to.count());
  X509_set_pubkey(cert, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
  return cert;
}

}  // namespace

TestCa::TestCa(const std::string& common_name) : TestCa(common_name, nullptr) {}

TestCa TestCa::intermediate(const std::string& common_name) const {
  return TestCa(common_name, this);
}

TestCa::TestCa(const std::string& common_name, const TestCa* parent)
    : key_(newKey(KeyKind::kEc), KeyFree{}) {
  using std::chrono::hours;
  cert_ =
      std::shared_ptr<X509>(newCert(key_.get(), common_name, hours(-48), hours(48)), CertFree{});
  X509* issuer = parent == nullptr ? cert_.get() : parent->cert_.get();
  X509_set_issuer_name(cert_.get(), X509_get_subject_name(issuer));
  extend(cert_.get(), issuer, NID_basic_constraints, "critical,CA:TRUE");
  extend(cert_.get(), issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
  extend(cert_.get(), issuer, NID_subject_key_identifier, "hash");
  EVP_PKEY* signer = parent == nullptr ? key_.get() : parent->key_.get();
  must(X509_sign(cert_.get(), signer, EVP_sha256()) > 0, "X509_sign");
  pem_ = certText(cert_.get());
  if (parent != nullptr) chain_pem_ = pem_ + parent->chain_pem_;
}

CertPair TestCa::issue(const CertSpec& spec) const {
  const std::unique_ptr<EVP_PKEY, KeyFree> key(newKey(spec.key));
  const std::unique_ptr<X509, CertFree> cert(
      newCert(key.get(), spec.common_name, spec.valid_from, spec.valid_to));
  for (const auto& organization : spec.organizations) {
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert.get()), "O", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(organization.c_str()), -1, -1,
                               0);
  }
  X509_set_issuer_name(cert.get(), X509_get_subject_name(cert_.get()));
  extend(cert.get(), cert_.get(), NID_basic_constraints, "critical,CA:FALSE");
  extend(cert.get(), cert_.get(), NID_ext_key_usage, "serverAuth,clientAuth");
  extend(cert.get(), cert_.get(), NID_authority_key_identifier, "keyid");
  if (const std::string san = sanText(spec); !san.empty()) {
    extend(cert.get(), cert_.get(), NID_subject_alt_name, san);
  }
  must(X509_sign(cert.get(), key_.get(), EVP_sha256()) > 0, "X509_sign");
  return {certText(cert.get()) + chain_pem_, keyText(key.get(), spec.format)};
}

}  // namespace vkb::test
