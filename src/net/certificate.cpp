#include "net/certificate.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstring>
#include <ctime>

#include "net/tls_text.h"

namespace vkb::net {
namespace {

template <auto Free>
struct With {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using CertPtr = std::unique_ptr<X509, With<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, With<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, With<BIO_free_all>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, With<X509_EXTENSION_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, With<GENERAL_NAMES_free>>;

tl::unexpected<Status> failedIn(const char* what) {
  return failure(
      {.reason = reasons::kInternal, .message = std::string(what) + " failed: " + takeErrorText()});
}

std::string contentOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

bool addExtension(X509* cert, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, cert, cert, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension != nullptr && X509_add_ext(cert, extension.get(), -1) == 1;
}

/// Only what is an address or could stand in a host name: the text is OpenSSL's configuration
/// language.
bool isPlain(const std::string& name) {
  return !name.empty() && name.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
                              "WXYZ0123456789-._:*") == std::string::npos;
}

Result<std::string> alternativeNames(const CertificateSpec& spec) {
  std::string names;
  const auto add = [&](const char* kind, const std::string& name) {
    names += (names.empty() ? "" : ",") + std::string(kind) + ":" + name;
    return isPlain(name);
  };
  bool plain = true;
  for (const std::string& name : spec.dns) plain = add("DNS", name) && plain;
  for (const std::string& address : spec.ips) plain = add("IP", address) && plain;
  if (!plain || names.empty())
    return invalid("a certificate needs proper names: \"" + names + "\"");
  return names;
}

bool setSubject(X509* cert, const CertificateSpec& spec) {
  X509_NAME* name = X509_get_subject_name(cert);
  const auto add = [&](const char* field, const std::string& value) {
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(value.data()),
                                      static_cast<int>(value.size()), -1, 0) == 1;
  };
  for (const std::string& organization : spec.organizations) {
    if (!add("O", organization)) return false;
  }
  return add("CN", spec.common_name) && X509_set_issuer_name(cert, name) == 1;
}

bool setSerial(X509* cert) {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) return false;
  bytes[0] &= 0x7f;  // positive
  BIGNUM* number = BN_bin2bn(bytes.data(), bytes.size(), nullptr);
  const bool set = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != nullptr;
  BN_free(number);
  return set;
}

std::time_t seconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

WallTime timeOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return WallTime{};
  return WallTime(std::chrono::seconds(timegm(&parts)));
}

std::string utf8(const ASN1_STRING* text) {
  unsigned char* bytes = nullptr;
  const int size = ASN1_STRING_to_UTF8(&bytes, text);
  if (size < 0) return "";
  std::string result(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return result;
}

std::vector<std::string> entriesOf(const X509_NAME* name, int nid) {
  std::vector<std::string> values;
  for (int at = X509_NAME_get_index_by_NID(name, nid, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(name, nid, at)) {
    values.push_back(utf8(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))));
  }
  return values;
}

}  // namespace

Result<CertificatePair> makeSelfSigned(const CertificateSpec& spec) {
  const auto names = alternativeNames(spec);
  if (!names) return failure(names.error());
  const KeyPtr key(EVP_EC_gen("P-256"));
  const CertPtr cert(X509_new());
  if (key == nullptr || cert == nullptr) return failedIn("making a key");
  const bool filled =
      X509_set_version(cert.get(), X509_VERSION_3) == 1 && setSerial(cert.get()) &&
      setSubject(cert.get(), spec) &&
      ASN1_TIME_set(X509_getm_notBefore(cert.get()), seconds(spec.not_before)) != nullptr &&
      ASN1_TIME_set(X509_getm_notAfter(cert.get()), seconds(spec.not_after)) != nullptr &&
      X509_set_pubkey(cert.get(), key.get()) == 1 &&
      addExtension(cert.get(), NID_basic_constraints, "critical,CA:FALSE") &&
      addExtension(cert.get(), NID_key_usage, "critical,digitalSignature") &&
      addExtension(cert.get(), NID_ext_key_usage, "serverAuth") &&
      addExtension(cert.get(), NID_subject_alt_name, *names);
  if (!filled || X509_sign(cert.get(), key.get(), EVP_sha256()) == 0) {
    return failedIn("making a certificate");
  }
  const BioPtr cert_text(BIO_new(BIO_s_mem())), key_text(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(cert_text.get(), cert.get()) != 1 ||
      PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
          1) {
    return failedIn("writing a certificate");
  }
  return CertificatePair{contentOf(cert_text.get()), contentOf(key_text.get())};
}

Result<CertificateFacts> readCertificate(const std::string& pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const CertPtr cert(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (cert == nullptr) return invalid("no certificate can be read (PEM, BEGIN CERTIFICATE)");
  CertificateFacts facts{.not_before = timeOf(X509_get0_notBefore(cert.get())),
                         .not_after = timeOf(X509_get0_notAfter(cert.get()))};
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(cert.get(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) facts.dns.push_back(utf8(name->d.dNSName));
    if (name->type != GEN_IPADD) continue;
    char text[INET6_ADDRSTRLEN] = "";
    const int family = ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6;
    inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof text);
    facts.ips.emplace_back(text);
  }
  return facts;
}

std::optional<PeerName> verifiedPeer(TlsSocketImpl& socket) {
  if (!socket.peerIsVerified()) return std::nullopt;
  const CertPtr cert(socket.takePeerCertificate());
  if (cert == nullptr) return std::nullopt;
  const X509_NAME* subject = X509_get_subject_name(cert.get());
  PeerName name{.organizations = entriesOf(subject, NID_organizationName)};
  // As Go reads it: of several the last.
  for (std::string& entry : entriesOf(subject, NID_commonName)) {
    name.common_name = std::move(entry);
  }
  return name;
}

}  // namespace vkb::net
